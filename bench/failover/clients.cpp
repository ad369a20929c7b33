#include "failover/clients.h"

#include <fmt/format.h>

#include <algorithm>

#include "tables/observation.h"

namespace kedge::bench {

std::vector<Attempt> sent_between(const std::vector<Attempt>& attempts, Moment from, Moment to) {
    std::vector<Attempt> part;
    std::copy_if(attempts.begin(), attempts.end(), std::back_inserter(part),
                 [&](const Attempt& attempt) { return attempt.sent >= from - before && attempt.sent < to; });
    return part;
}

Json seen_by_clients(const std::vector<Attempt>& attempts, Moment from) {
    const std::vector<Outage> found = outages(attempts, from);
    const std::optional<Gap> gap = largest_gap(attempts, from - before);
    const auto has_failed = [&](const Attempt& attempt) { return attempt.done >= from && !attempt.acknowledged; };
    const auto failed = std::count_if(attempts.begin(), attempts.end(), has_failed);
    const auto first = std::find_if(attempts.begin(), attempts.end(), has_failed);
    return {{"outage_s", found.empty() ? Json(0.0) : seconds_or_null(found.front().span())},
            {"gap_s", seconds_or_null(gap ? std::optional(gap->span()) : std::nullopt)},
            {"failed", failed},
            {"first_error", first == attempts.end()
                                ? Json()
                                : Json(fmt::format("after {}: {}", readable(first->done - first->sent), first->error))},
            {"attempts", attempts.size()}};
}

Json lost_of(const std::vector<Attempt>& attempts, const std::optional<Loss>& loss) {
    if (!loss) return {};
    return std::count_if(attempts.begin(), attempts.end(), [&](const Attempt& attempt) {
        return std::any_of(loss->missing.begin(), loss->missing.end(), [&](const SequenceRange& range) {
            return attempt.sequence >= range.first && attempt.sequence <= range.last;
        });
    });
}

}  // namespace kedge::bench
