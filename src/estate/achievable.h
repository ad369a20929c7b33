// What the settings of an estate can achieve at worst, beside what it promises.
//
// For each service and each disaster the time without it (RTO) and the data it would lose (RPO) are added up from
// the `limits` of what it stands on, directly or through others. A figure that is not stated makes the sum unknown,
// and is named: unknown is never taken for good. Sums are upper bounds: things done side by side count once, as
// the slowest of them; things done one after the other are added.
//
//   region lost     RTO: the slowest of its stores, then its applications, then its traffic records
//                     database     probe-interval x probe-misses + decide + fence + promote + retrieve-retry
//                     cache        down-after + election, and once more after 2 x failover-timeout: a failed try
//                     application  scale-up + reconnect
//                     traffic      apply + ttl
//                     store        read
//                   RPO: the worst of its stores
//                     database     nothing if commits wait for a standby elsewhere; else max-lag if one streams;
//                                  else archive-timeout + archive-upload; else backup-every
//                     cache        min-replicas-max-lag; else max-lag
//                     store        copied-every
//   data destroyed  (a DROP or corruption, which every standby repeats; counted from the declaration)
//                   RTO: database decide + restore, cache restore, store read; then its applications reconnect
//                   RPO: database archive-timeout + archive-upload, else backup-every; cache snapshot-every;
//                        store copied-every
//   planned move    RTO: database switchover-delay + promote + retrieve-retry, cache election; then applications
//                        and traffic. RPO: none
//
// Sources: archive_timeout, wal_retrieve_retry_interval: PostgreSQL's configuration reference; down-after and
// failover-timeout: Redis Sentinel's documentation; switchover-delay: the manager's (CloudNativePG: 3600 s).
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/time.h"
#include "base/truth.h"
#include "estate/estate.h"

namespace kedge {

enum class Scenario { region_lost, data_destroyed, planned_move };
inline constexpr std::array scenarios = {Scenario::region_lost, Scenario::data_destroyed, Scenario::planned_move};
std::string_view to_string(Scenario scenario);  // "region lost"

// One part of a sum: `span` is nothing where the estate does not state it.
struct Term {
    std::string from;  // target
    std::string what;  // "probe-interval x probe-misses"
    std::optional<Span> span;
};

struct Figure {
    std::vector<Term> terms;  // empty: nothing is lost, no time is needed

    std::optional<Span> total() const;         // nothing if a term is unknown
    std::vector<std::string> unknown() const;  // "aragora-redis: snapshot-every"
    std::string formula() const;               // "0.3s (probe-interval x probe-misses) + 10m (decide)"
};

// What one service promises and can keep in one scenario.
struct Promise {
    std::string service, tier;
    Scenario scenario{};
    Span rto_objective{}, rpo_objective{};
    Figure rto, rpo;
    Truth rto_holds = Truth::unknown, rpo_holds = Truth::unknown;
};

// Something stands on what promises less, or promises nothing.
struct TierConflict {
    std::string who, tier, stands_on, its_tier;  // its_tier empty: it has none
    int line = 0;
    std::string says() const;
};

struct Achievable {
    std::vector<Promise> promises;  // services in the order of the file, each in every scenario
    std::vector<TierConflict> conflicts;

    bool all_hold() const;  // every promise certainly holds and nothing conflicts
};

Achievable achievable(const Estate& estate);

std::string as_text(const Achievable& achievable);
Json as_json(const Achievable& achievable);

}  // namespace kedge
