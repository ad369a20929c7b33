#include "sim/world/index_model.h"

#include <algorithm>

namespace kedge::sim {

IndexJob IndexModel::job() const {
    IndexJob now = job_;
    if (now.state != JobState::running) return now;
    const double seconds = static_cast<double>((ground_.call_time() - since_).count()) / 1e6;
    now.done = std::min(now.total, job_.done + static_cast<std::int64_t>(*now.per_second * seconds));
    if (now.done == now.total) now.state = JobState::finished;
    return now;
}

std::int64_t IndexModel::entries() const {
    return rows_ + stale() - (job().state == JobState::finished && job_.state == JobState::running ? 0 : missing_);
}

std::int64_t IndexModel::stale() const {
    return job().state == JobState::finished && job_.state == JobState::running ? 0 : stale_;
}

// Takes in what has come about by the time.
void IndexModel::settle() {
    const IndexJob now = job();
    if (job_.state == JobState::running && now.state == JobState::finished) missing_ = stale_ = 0;
    if (now.state == JobState::running) return;
    job_ = now;
    job_.per_second.reset();
}

void IndexModel::build(const std::string& name, Span takes) {
    settle();
    if (job_.name == name && job_.state != JobState::died) return;
    const std::int64_t done = job_.name == name ? job_.done : 0;
    job_ = {.name = name,
            .state = JobState::running,
            .done = done,
            .total = rows_,
            .per_second = static_cast<double>(rows_) * 1e6 / static_cast<double>(takes.count())};
    since_ = ground_.call_time();
}

void IndexModel::kill_job() {
    settle();
    if (job_.state != JobState::running) return;
    job_ = job();
    job_.state = JobState::died;
    job_.per_second.reset();
}

void IndexModel::lose_entries(std::int64_t count) {
    settle();
    missing_ += count;
}

void IndexModel::remove_rows(std::int64_t count) {
    settle();
    rows_ -= count;
    stale_ += count;
}

void IndexModel::make_whole() {
    settle();
    missing_ = stale_ = 0;
}

}  // namespace kedge::sim
