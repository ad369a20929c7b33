#include "response/observer.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <utility>

namespace kedge {

Observer::Observer(std::vector<ObservedDatabase> databases, const Samples& before, Keep keep, const Clock& clock)
    : databases_(std::move(databases)), keep_(std::move(keep)), clock_(clock) {
    for (const ObservedDatabase& watched : databases_) {
        const Result<std::optional<LagSample>> sample = before.latest(watched.name);
        if (sample && *sample && (*sample)->acknowledged) acknowledged_[watched.name] = *(*sample)->acknowledged;
    }
}

std::vector<Observation> Observer::pass(Span limit) {
    const Moment deadline = clock_.now() + limit;
    std::vector<std::future<Observation>> passes;
    for (const ObservedDatabase& watched : databases_)
        passes.push_back(
            std::async(std::launch::async, [this, &watched, deadline] { return observe(watched, deadline); }));
    std::vector<Observation> all;
    for (std::future<Observation>& one : passes) {
        Observation observation = one.get();
        if (observation.sample.acknowledged) acknowledged_[observation.database] = *observation.sample.acknowledged;
        const Result<void> kept = keep_(observation.database, observation.sample);
        if (!kept) observation.trouble += (observation.trouble.empty() ? "" : "; ") + kept.error().message;
        all.push_back(std::move(observation));
    }
    return all;
}

Observation Observer::observe(const ObservedDatabase& watched, Moment deadline) {
    std::vector<std::future<Result<DatabaseLook>>> looks;
    for (const std::string& region : watched.regions)
        looks.push_back(std::async(std::launch::async,
                                   [&watched, region, deadline] { return watched.database->look(region, deadline); }));

    Observation seen{.database = watched.name};
    if (const auto last = acknowledged_.find(watched.name); last != acknowledged_.end())
        seen.sample.acknowledged = last->second;
    std::int64_t highest = seen.sample.acknowledged ? seen.sample.acknowledged->sequence : 0;
    for (std::size_t i = 0; i < looks.size(); ++i) {
        Result<DatabaseLook> look = looks[i].get();
        DatabaseLook site = look ? std::move(*look) : DatabaseLook{.says = look.error().message};
        if (site.writable == Truth::yes) seen.writers.push_back(watched.regions[i]);
        if (site.heartbeat) highest = std::max(highest, site.heartbeat->sequence);
        seen.sample.sites[watched.regions[i]] = std::move(site);
    }
    if (seen.writers.size() == 1) {
        Result<Heartbeat> beat = watched.database->write_heartbeat(seen.writers.front(), highest + 1, deadline);
        if (beat) {
            seen.sample.primary = seen.writers.front();
            seen.sample.acknowledged = *beat;
        } else {
            seen.trouble = beat.error().message;
        }
    } else if (seen.writers.empty()) {
        seen.trouble = "no server of it answers as a primary that takes writes";
    } else {
        seen.trouble =
            fmt::format("{} servers of it accept writes: {}", seen.writers.size(), fmt::join(seen.writers, ", "));
    }
    seen.sample.at = clock_.now();
    return seen;
}

}  // namespace kedge
