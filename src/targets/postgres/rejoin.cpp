#include "targets/postgres/rejoin.h"

#include <fmt/format.h>

#include <utility>

namespace kedge {

Rejoin::~Rejoin() = default;

Result<void> Rejoin::start(HostServer& own, HostServer& primary, RejoinBy by, Moment deadline) {
    const auto runs_already = [&]() -> Result<bool> {
        if (!progress_) return false;
        if (primary_ == &primary) return true;
        return Error{Fault::conflict, fmt::format("{}: is rejoining {} already", own.name(), primary_->name())};
    };
    {
        const std::lock_guard lock{mutex_};
        if (TRY(runs_already())) return {};
    }
    RejoinWork work{own, primary, by, [this](std::string said) {
                        const std::lock_guard lock{mutex_};
                        progress_ = std::move(said);
                    }};
    TRY(work.check(deadline));
    const std::lock_guard lock{mutex_};
    if (TRY(runs_already())) return {};
    progress_ = "begins";
    failure_.reset();
    primary_ = &primary;
    // The thread before it, if any, has said its last word: joining it here does not wait.
    thread_ = std::jthread{[this, work = std::move(work)](std::stop_token stop) mutable {
        const auto done = work.carry_out(std::move(stop));
        const std::lock_guard last{mutex_};
        progress_.reset();
        if (!done) failure_ = done.error().message;
    }};
    return {};
}

std::optional<std::string> Rejoin::progress() const {
    const std::lock_guard lock{mutex_};
    return progress_;
}

std::optional<std::string> Rejoin::failure() const {
    const std::lock_guard lock{mutex_};
    return failure_;
}

}  // namespace kedge
