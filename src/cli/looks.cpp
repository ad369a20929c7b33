#include "cli/looks.h"

#include <fmt/format.h>

#include <algorithm>

#include "runner/executor.h"

namespace kedge {
namespace {

constexpr std::size_t threads_max = 16;

Look cannot_look(const Error& error) {
    return {.says = error.message, .evidence = {{"role", "unknown"}}};
}

Look seen(Truth well, std::string_view role, std::string says, Json evidence = Json::object()) {
    evidence["role"] = role;
    return {.done = well, .says = std::move(says), .evidence = std::move(evidence)};
}

Look look_at_database(Database& database, const std::string& region, Moment deadline) {
    const Result<DatabaseLook> look = database.look(region, deadline);
    if (!look) return cannot_look(look.error());
    if (look->reachable != Truth::yes) return seen(look->reachable, "unknown", look->says);
    Json evidence = {{"primary", to_string(look->primary)}, {"writable", to_string(look->writable)}};
    if (look->timeline) evidence["timeline"] = *look->timeline;
    const std::optional<Lsn> position = look->written ? look->written : look->replayed;
    if (position) evidence["position"] = to_string(*position);
    if (look->heartbeat) evidence["heartbeat_written"] = to_string(look->heartbeat->written);
    if (look->serves == Truth::no)
        return seen(Truth::no, look->primary == Truth::yes ? "primary" : "standby", look->says, std::move(evidence));
    const std::string at = position ? fmt::format("at {}", to_string(*position)) : "position unknown";
    if (look->primary == Truth::yes)
        return seen(look->writable, "primary",
                    fmt::format("{}, {}, {} standby streams from it",
                                look->writable == Truth::yes  ? "takes writes"
                                : look->writable == Truth::no ? "holds writes"
                                                              : "writable unknown",
                                at, look->standbys.size()),
                    std::move(evidence));
    if (look->primary == Truth::unknown) return seen(Truth::unknown, "unknown", look->says, std::move(evidence));
    return seen(look->receiving, "standby",
                fmt::format("{}, {}", at,
                            look->receiving == Truth::yes  ? "follows its primary"
                            : look->receiving == Truth::no ? "hears no primary"
                                                           : "whether it follows is unknown"),
                std::move(evidence));
}

Look look_at_cache(Cache& cache, const std::string& region, Moment deadline) {
    const Result<CacheLook> look = cache.look(region, deadline);
    if (!look) return cannot_look(look.error());
    if (look->reachable != Truth::yes) return seen(look->reachable, "unknown", look->says);
    Json evidence = Json::object();
    if (look->offset) evidence["offset"] = *look->offset;
    if (look->master == Truth::yes)
        return seen(Truth::yes, "master",
                    look->replicas ? fmt::format("{} replicas", *look->replicas) : "replicas unknown",
                    std::move(evidence));
    if (look->master == Truth::unknown) return seen(Truth::unknown, "unknown", look->says, std::move(evidence));
    return seen(look->link_up, "replica", look->follows ? "follows " + *look->follows : look->says,
                std::move(evidence));
}

Look look_at_application(Application& application, const std::string& region, Moment deadline) {
    const Result<ApplicationLook> look = application.look(region, Depth::health, deadline);
    if (!look) return cannot_look(look.error());
    Truth well = look->instances.empty() ? Truth::unknown : Truth::yes;
    std::size_t ready = 0;
    std::string trouble;
    for (const InstanceLook& instance : look->instances) {
        well = both(well, instance.ready);
        if (instance.ready == Truth::yes)
            ++ready;
        else if (trouble.empty())
            trouble = fmt::format("; {}: {}", instance.name, instance.says);
    }
    return seen(well, "application", fmt::format("{} of {} instances ready{}", ready, look->instances.size(), trouble));
}

Look look_at_traffic(Traffic& traffic, Moment deadline) {
    const Result<TrafficLook> look = traffic.look(deadline);
    if (!look) return cannot_look(look.error());
    std::vector<std::string> shares;
    Truth well = Truth::no;  // somebody must get the traffic, and be well
    for (const auto& [region, share] : *look) {
        shares.push_back(fmt::format("{} {}", region, share.weight));
        if (share.weight > 0 && share.open != Truth::no) well = well == Truth::yes ? Truth::yes : share.healthy;
    }
    return seen(well, "traffic", fmt::format("weights {}", fmt::join(shares, ", ")));
}

}  // namespace

std::vector<Look> look_at_all(const std::vector<Looking>& lookings, Span limit, const Clock& clock) {
    std::vector<Look> looks(lookings.size());
    if (lookings.empty()) return looks;
    const Moment deadline = clock.now() + limit;
    ThreadPool pool(std::min(threads_max, lookings.size()));
    for (std::size_t i = 0; i < lookings.size(); ++i) {
        const CallOrder order{.step = i, .what = CallOrder::What::look, .deadline = deadline};
        pool.submit(order, [order, deadline, &look = lookings[i]] {
            Answer answer{.order = order};
            answer.look = look(deadline);
            return answer;
        });
    }
    for (std::size_t left = lookings.size(); left > 0;) {
        pool.wait(limit);
        for (const Answer& answer : pool.collect()) {
            looks[answer.order.step] = *answer.look;
            --left;
        }
    }
    return looks;
}

Looking looking_at_step(const BoundStep& step, const Estate& estate, const Targets& targets, const Clock& clock) {
    std::vector<std::string> regions;
    if (const Target* target = estate.target(step.target))
        for (const Site& site : target->sites) regions.push_back(site.region);
    return [&step, &targets, &clock, regions = std::move(regions)](Moment deadline) -> Look {
        if (step.type == nullptr) return {.says = "people decide"};
        const Call call{.targets = targets,
                        .target = step.target,
                        .region = step.region,
                        .regions = regions,
                        .with = step.with,
                        .key = "look/" + step.id,
                        .now = clock.now(),
                        .deadline = std::min(deadline, clock.now() + step.type->call_limit)};
        Result<Look> look = find_action(step.type->name)->look(call);
        return look ? std::move(*look) : Look{.says = look.error().message};
    };
}

std::vector<Sight> sights_of(const Target& target, const Targets& targets) {
    std::vector<Sight> sights;
    // Binds the driver, if there is one, to a look at each site.
    const auto each_site = [&](const auto& drivers, auto look) {
        const auto found = drivers.find(target.name);
        if (found == drivers.end()) return;
        for (const Site& site : target.sites)
            sights.push_back(
                {target.name, site.region, [driver = found->second.get(), region = site.region, look](Moment deadline) {
                     return look(*driver, region, deadline);
                 }});
    };
    switch (target.kind) {
        case TargetKind::database: each_site(targets.databases, look_at_database); break;
        case TargetKind::cache: each_site(targets.caches, look_at_cache); break;
        case TargetKind::application: each_site(targets.applications, look_at_application); break;
        case TargetKind::traffic:
            if (const auto found = targets.traffic.find(target.name); found != targets.traffic.end())
                sights.push_back({target.name, "", [driver = found->second.get()](Moment deadline) {
                                      return look_at_traffic(*driver, deadline);
                                  }});
            break;
        case TargetKind::store:
        case TargetKind::channel:
        case TargetKind::metrics:
        case TargetKind::logs:
        case TargetKind::migration:
        case TargetKind::index: break;  // they hold or carry; a plan's step looks at what it needs of them
    }
    return sights;
}

}  // namespace kedge
