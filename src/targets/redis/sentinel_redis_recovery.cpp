// A data set is brought back by replication: the master copies it from a server beside the group. Stopping it and
// putting a snapshot in its directory would need its machine, its append-only file moved out of the way, and Sentinels
// that look elsewhere for as long as it is down.
#include <fmt/format.h>

#include <thread>

#include "os/resolve.h"
#include "targets/redis/redis_node.h"
#include "targets/redis/sentinel_redis.h"

namespace kedge {

Result<void> SentinelRedis::take_over(const std::string& region, const std::string& address, Moment deadline) {
    Node* const node = TRY(node_in(region));
    const Endpoint source = TRY(parse_endpoint(address));
    const CacheLook beside = TRY(look_beside(address, deadline));
    if (beside.reachable != Truth::yes) return Error{Fault::unavailable, beside.says};
    if (beside.master != Truth::yes)
        return Error{Fault::refused, fmt::format("{} is no master: nothing is taken over from it", address)};
    const CacheLook look = TRY(look_at(*node->client, deadline));
    if (look.reachable != Truth::yes) return Error{Fault::unavailable, look.says};
    if (look.master != Truth::yes && look.follows != address)
        return Error{Fault::conflict, fmt::format("{} is no master that could take it over: {}", region, look.says)};
    TRY(tell(*node, {"REPLICAOF", source.host, std::to_string(source.port)}, deadline));
    return {};
}

Result<void> SentinelRedis::lead(const std::string& region, Moment deadline) {
    Node* const node = TRY(node_in(region));
    const CacheLook look = TRY(look_at(*node->client, deadline));
    if (look.reachable != Truth::yes) return Error{Fault::unavailable, look.says};
    if (look.master == Truth::yes) return {};
    if (!look.follows || nodes_.contains(*look.follows))
        return Error{Fault::refused,
                     fmt::format("{} follows {}, a node of the group", region, look.follows.value_or("nobody"))};
    TRY(check_named_master(TRY(sentinels(deadline)), region));
    TRY(tell(*node, {"REPLICAOF", "NO", "ONE"}, deadline));
    return {};
}

Result<void> SentinelRedis::tell_sentinel(const std::string& name, Span down_after, Moment deadline) {
    for (Watcher& watcher : watchers_) {
        if (watcher.name != name) continue;
        const std::vector<Reply> answers =
            TRY(watcher.client->ask({{"SENTINEL", "SET", settings_.master_name, "down-after-milliseconds",
                                      std::to_string(down_after / std::chrono::milliseconds{1})}},
                                    Asking::changes, deadline));
        if (answers[0].is_error()) return redis_error(answers[0], fmt::format("Sentinel {}: SET", name));
        return {};
    }
    return Error{Fault::not_found, fmt::format("the estate has no Sentinel {}", name)};
}

Result<void> SentinelRedis::set_down_after(const std::map<std::string, Span>& spans, Moment deadline) {
    std::vector<std::optional<Error>> failures(spans.size());
    {
        std::vector<std::jthread> threads;
        std::size_t at = 0;
        for (const auto& one : spans)
            threads.emplace_back([this, deadline, &one, &failure = failures[at++]] {
                if (Result<void> told = tell_sentinel(one.first, one.second, deadline); !told)
                    failure = std::move(told).error();
            });
    }
    for (std::optional<Error>& failure : failures)
        if (failure) return std::move(*failure);
    return {};
}

Result<void> SentinelRedis::persist(const std::string& region, Moment deadline) {
    Node* const node = TRY(node_in(region));
    const CacheLook look = TRY(look_at(*node->client, deadline));
    if (look.reachable != Truth::yes || look.append_only == Truth::unknown) return Error{Fault::unavailable, look.says};
    TRY(tell(*node, {look.append_only == Truth::yes ? "BGREWRITEAOF" : "BGSAVE"}, deadline));
    return {};
}

}  // namespace kedge
