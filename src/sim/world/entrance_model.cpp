#include "sim/world/entrance_model.h"

#include <algorithm>
#include <utility>

namespace kedge::sim {
namespace {

constexpr Span check_period = 500ms;
constexpr std::int64_t sessions_in_all = 40;

}  // namespace

EntranceModel::EntranceModel(Ground& ground, std::string name, std::size_t index, ApplicationModel* behind)
    : ground_(ground), name_(std::move(name)), index_(index), behind_(behind), shares_(ground.regions().size()) {
    part_ = {.name = name_, .place = ground_.outside()};
    shares_[0].weight = 100;
    shares_[0].sessions = sessions_in_all;
    if (behind_ != nullptr) ground_.schedule().after(check_period, [this] { check_health(); });
}

void EntranceModel::shift(const std::vector<std::pair<Place, int>>& weights) {
    for (const auto& [place, weight] : weights) {
        Share& share = shares_[place];
        share.weight = weight;
        // What is opened again counts as sound until its next check says otherwise.
        if (const bool closed = weight == 0; closed != std::exchange(share.closed, closed)) share.healthy = !closed;
    }
    int sum = 0;
    for (const Share& share : shares_) sum += share.weight;
    for (Share& share : shares_)
        if (share.weight > 0)
            share.sessions = std::max<std::int64_t>(share.sessions, sessions_in_all * share.weight / std::max(1, sum));
    ground_.changed();
}

void EntranceModel::cut_sessions(Place place) {
    shares_[place].sessions = 0;
    ground_.changed();
}

std::optional<Place> EntranceModel::route() {
    int sum = 0;
    for (const Share& share : shares_) sum += share.healthy ? share.weight : 0;
    if (sum == 0 || part_.health != Health::up) return std::nullopt;
    auto drawn = static_cast<int>(ground_.random().below(static_cast<std::uint64_t>(sum)));
    for (Place place = 0; place < shares_.size(); ++place) {
        drawn -= shares_[place].healthy ? shares_[place].weight : 0;
        if (drawn < 0) return place;
    }
    return std::nullopt;
}

void EntranceModel::check_health() {
    ground_.schedule().after(check_period, [this] { check_health(); });
    for (Place place = 0; place < shares_.size(); ++place)
        shares_[place].healthy = !shares_[place].closed && ground_.open_both(ground_.outside(), place) &&
                                 behind_->serving(place, ground_.outside()) != nullptr;
}

}  // namespace kedge::sim
