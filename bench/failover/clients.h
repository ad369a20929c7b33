// What clients saw of one failover, from the numbered writes that went on all the while (response/heartbeats.h).
#pragma once

#include <optional>
#include <vector>

#include "base/json.h"
#include "response/heartbeats.h"

namespace kedge::bench {

// Acknowledgements of so long before a failover count for the gap that it made: the gap begins with the last of them.
inline constexpr Span before = std::chrono::seconds{1};

// The part of a writer's log that belongs to one repetition: attempts sent in [from - before, to).
std::vector<Attempt> sent_between(const std::vector<Attempt>& attempts, Moment from, Moment to);

// {"outage_s", "gap_s", "failed", "first_error", "attempts"}: the first outage by the drill's own definition (0: no
// write failed; null: not over at the end), the longest time between two acknowledgements, how many writes failed, and
// what the first of them was told.
Json seen_by_clients(const std::vector<Attempt>& attempts, Moment from);

// How many of `attempts` are among the numbers that were acknowledged and are gone. Null if the store was not read.
Json lost_of(const std::vector<Attempt>& attempts, const std::optional<Loss>& loss);

}  // namespace kedge::bench
