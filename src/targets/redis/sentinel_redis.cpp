#include "targets/redis/sentinel_redis.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <random>
#include <thread>

#include "os/resolve.h"
#include "targets/redis/redis_node.h"

namespace kedge {
namespace {

constexpr const char* canary_seconds = "3600";
constexpr const char* canary_prefix = "kedge:";

// Once a majority has answered, a Sentinel that has not is waited for only so long, or half as long again as the
// majority took: in a lost region it is silent for ever, and each look would cost the whole deadline. One that was
// silent a moment ago is not waited for.
constexpr Span straggler_limit = std::chrono::milliseconds{50};
constexpr Span silence_is_news = std::chrono::seconds{5};

// A value that no other writer has.
std::string unique_value() {
    static std::atomic<std::uint64_t> count{0};
    static const std::uint64_t start = (std::uint64_t{std::random_device{}()} << 32) | std::random_device{}();
    return fmt::format("kedge-{:016x}-{}", start, ++count);
}

// How far a Sentinel in `from` is from `region`: there, in neither region (it sees both), with the old master.
int distance(const std::string& from, const std::string& region, const std::map<std::string, Endpoint>& nodes) {
    if (from == region) return 0;
    return nodes.contains(from) ? 2 : 1;
}

}  // namespace

SentinelRedis::SentinelRedis(SentinelRedisSettings settings) : settings_(std::move(settings)) {
    for (const auto& [region, address] : settings_.nodes)
        nodes_[region] = {address, std::make_unique<RedisClient>(address, settings_.node_login)};
    for (const auto& [address, region] : settings_.sentinels)
        watchers_.push_back(
            {to_string(address), region, std::make_unique<RedisClient>(address, settings_.sentinel_login)});
    silent_at_.resize(watchers_.size());
}

Result<SentinelRedis::Node*> SentinelRedis::node_in(const std::string& region) {
    const auto found = nodes_.find(region);
    if (found == nodes_.end())
        return Error{Fault::not_found, fmt::format("{}: no node in region {}", settings_.master_name, region)};
    return &found->second;
}

std::string SentinelRedis::region_of(const Endpoint& address) const {
    for (const auto& [region, node] : nodes_)
        if (node.address == address) return region;
    return to_string(address);
}

Result<CacheLook> SentinelRedis::look_at(RedisClient& client, Moment deadline) {
    const auto answers = client.ask(node_questions(), Asking::reads, deadline);
    if (!answers && answers.error().fault != Fault::unavailable) return answers.error();
    if (!answers) return CacheLook{.reachable = reachable_after(answers.error()), .says = answers.error().message};
    return read_node(*answers, to_string(client.endpoint()), [this](const Endpoint& at) { return region_of(at); });
}

Result<CacheLook> SentinelRedis::look(const std::string& region, Moment deadline) {
    return look_at(*TRY(node_in(region))->client, deadline);
}

Result<CacheLook> SentinelRedis::look_beside(const std::string& address, Moment deadline) {
    RedisClient client(TRY(parse_endpoint(address)), settings_.node_login);
    return look_at(client, deadline);
}

std::vector<SentinelReport> SentinelRedis::reports(Moment deadline) {
    std::vector<SentinelReport> all(watchers_.size());
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t done = 0, answered = 0;  // guarded by mutex, as `all` is
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < watchers_.size(); ++i)
        threads.emplace_back([&, i](const std::stop_token& stop) {
            SentinelReport report = ask_sentinel(*watchers_[i].client, settings_.master_name, {deadline, stop});
            const std::lock_guard lock(mutex);
            answered += report.reachable == Truth::yes ? 1 : 0;
            all[i] = std::move(report);
            ++done;
            changed.notify_all();
        });

    std::unique_lock lock(mutex);
    const auto start = std::chrono::steady_clock::now();
    changed.wait(lock, [&] { return done == all.size() || answered * 2 > all.size(); });
    const auto majority_at = std::chrono::steady_clock::now();
    const Span majority_took = std::chrono::duration_cast<Span>(majority_at - start);
    const auto only_the_silent_are_missing = [&] {
        for (std::size_t i = 0; i < all.size(); ++i)
            if (all[i].reachable != Truth::yes && !was_silent(i)) return false;
        return true;
    };
    changed.wait_for(lock, only_the_silent_are_missing() ? Span{} : std::max(straggler_limit, majority_took / 2),
                     [&] { return done == all.size(); });
    lock.unlock();
    for (std::jthread& thread : threads) thread.request_stop();
    threads.clear();  // joins: each ends at its deadline, or now that it is called off
    note_silence(all);
    return all;
}

bool SentinelRedis::was_silent(std::size_t watcher) const {
    const std::lock_guard lock(mutex_);
    return silent_at_[watcher] && std::chrono::steady_clock::now() - *silent_at_[watcher] < silence_is_news;
}

void SentinelRedis::note_silence(const std::vector<SentinelReport>& reports) {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < reports.size(); ++i) {
        const auto now = std::chrono::steady_clock::now();
        if (reports[i].reachable != Truth::unknown)
            silent_at_[i].reset();
        else if (!silent_at_[i] || now - *silent_at_[i] >= silence_is_news)
            silent_at_[i] = now;  // not at every look: it must get its full time again, for it may be back
    }
}

SentinelLook SentinelRedis::look_of(const Watcher& watcher, const SentinelReport& report) const {
    SentinelLook look{.name = watcher.name, .reachable = report.reachable, .says = report.says};
    if (report.master) look.master = region_of(*report.master);
    look.quorum = report.quorum;
    look.calm = report.calm();
    look.down_after = report.down_after;
    look.votes = report.configured_quorum;
    if (report.configured_quorum && *report.configured_quorum != settings_.quorum)
        look.says += fmt::format("; its quorum is {}, the estate says {}", *report.configured_quorum, settings_.quorum);
    return look;
}

Result<std::vector<SentinelLook>> SentinelRedis::sentinels(Moment deadline) {
    const std::vector<SentinelReport> all = reports(deadline);
    std::vector<SentinelLook> looks;
    for (std::size_t i = 0; i < all.size(); ++i) looks.push_back(look_of(watchers_[i], all[i]));
    return looks;
}

Result<Reply> SentinelRedis::tell(Node& node, const RedisCommand& command, Moment deadline) {
    std::vector<Reply> answers = TRY(node.client->ask({command}, Asking::changes, deadline));
    if (answers[0].is_error())
        return redis_error(answers[0], fmt::format("{}: {}", to_string(node.address), command[0]));
    return std::move(answers[0]);
}

// "master", "slave", or what else ROLE names.
Result<std::string> SentinelRedis::role_in(const std::string& region, Moment deadline) {
    Node* const node = TRY(node_in(region));
    const std::vector<Reply> answers = TRY(node->client->ask({{"ROLE"}}, Asking::reads, deadline));
    if (answers[0].is_error()) return redis_error(answers[0], fmt::format("{}: ROLE", to_string(node->address)));
    if (answers[0].items.empty())
        return Error{Fault::corrupt, fmt::format("{}: ROLE names no role", to_string(node->address))};
    return answers[0].items[0].text;
}

Result<void> SentinelRedis::pause_writes(const std::string& region, Span limit, Moment deadline) {
    Node* const node = TRY(node_in(region));
    if (limit < std::chrono::milliseconds{1})
        return Error{Fault::invalid_input, fmt::format("writes cannot be held for {}", to_string(limit))};
    std::optional<Result<std::string>> role;
    std::jthread asking([&] { role = role_in(region, deadline); });
    const std::vector<SentinelReport> all = reports(deadline);
    asking.join();
    std::optional<Span> down_after;
    for (const SentinelReport& report : all)
        if (report.down_after) down_after = std::min(down_after.value_or(*report.down_after), *report.down_after);
    if (!down_after)
        return Error{Fault::unavailable,
                     fmt::format("{}: no Sentinel says after how long it takes a master for down, so writes cannot "
                                 "be held safely",
                                 settings_.master_name)};
    if (limit >= *down_after)
        return Error{Fault::refused,
                     fmt::format("{}: writes would be held for up to {}, but the Sentinels take the master for down "
                                 "after {} (down-after-milliseconds)",
                                 region, to_string(limit), to_string(*down_after)),
                     "hold writes for less, or raise down-after-milliseconds on every Sentinel"};
    if (TRY(std::move(*role)) != "master")
        return Error{Fault::refused,
                     fmt::format("{}: {} is a replica and takes no writes", region, to_string(node->address))};
    TRY(tell(*node, {"CLIENT", "PAUSE", std::to_string(limit / std::chrono::milliseconds{1}), "WRITE"}, deadline));
    return {};
}

Result<void> SentinelRedis::resume_writes(const std::string& region, Moment deadline) {
    TRY(tell(*TRY(node_in(region)), {"CLIENT", "UNPAUSE"}, deadline));
    return {};
}

// The Sentinel to ask: one that answers, is calm and has a quorum, the nearest to `region`; or why there is none.
Result<std::size_t> SentinelRedis::choose_sentinel(const std::vector<SentinelReport>& reports,
                                                   const std::string& region) const {
    std::optional<std::size_t> chosen;
    std::optional<Error> silent, unknown, quorumless, tilted;
    std::optional<std::string> master;
    for (std::size_t i = 0; i < reports.size(); ++i) {
        const SentinelReport& report = reports[i];
        const std::string& name = watchers_[i].name;
        if (report.reachable != Truth::yes) {
            silent = Error{Fault::unavailable, fmt::format("no Sentinel answers; {}: {}", name, report.says)};
            continue;
        }
        if (report.knows_master == Truth::no || !report.master) {
            unknown = Error{Fault::not_found, fmt::format("Sentinel {}: {}", name, report.says),
                            "the master's name in the estate is not the Sentinels'"};
            continue;
        }
        if (report.failing_over != Truth::no)
            return Error{Fault::conflict, fmt::format("Sentinel {} is failing over {}", name, settings_.master_name),
                         "wait until it has ended"};
        const std::string names = region_of(*report.master);
        if (master && *master != names)
            return Error{Fault::refused,
                         fmt::format("the Sentinels disagree: one names the node in {} master, {} that in {}", *master,
                                     name, names),
                         "look at ROLE on both nodes; a Sentinel that was cut off learns the truth within seconds"};
        master = names;
        if (report.quorum != Truth::yes) {
            quorumless = Error{Fault::refused, fmt::format("Sentinel {} sees no quorum: {}", name, report.says),
                               "bring back a majority of the Sentinels first"};
        } else if (report.tilt != Truth::no) {
            tilted = Error{Fault::unavailable, fmt::format("Sentinel {} is in TILT and does nothing", name),
                           "it lasts 30 s after its clock jumped or its machine stalled"};
        } else if (!chosen || distance(watchers_[i].region, region, settings_.nodes) <
                                  distance(watchers_[*chosen].region, region, settings_.nodes)) {
            chosen = i;
        }
    }
    if (chosen && *master == region)
        return Error{Fault::refused, fmt::format("the Sentinels name the node in {} master already", region)};
    if (chosen) return *chosen;
    for (std::optional<Error>* const why : {&quorumless, &tilted, &unknown, &silent})
        if (*why) return std::move(**why);
    return Error{Fault::unavailable, fmt::format("{}: the estate names no Sentinel", settings_.master_name)};
}

// Makes sure that the Sentinel can choose the node in `region`, and no other.
Result<void> SentinelRedis::make_first_choice(const SentinelReport& report, const std::string& region,
                                              Moment deadline) {
    Node* const node = TRY(node_in(region));
    const auto wanted = std::ranges::find(report.replicas, node->address, &SentinelsReplica::at);
    const std::string name = fmt::format("{} ({})", region, to_string(node->address));
    if (wanted == report.replicas.end())
        return Error{Fault::refused, fmt::format("the Sentinel knows no replica at {}", name),
                     "the address in the estate must be the one that the node announces (replica-announce-ip)"};
    if (wanted->down) return Error{Fault::refused, fmt::format("the Sentinel sees the replica in {} down", name)};
    if (wanted->priority == 0)
        return Error{Fault::refused,
                     fmt::format("the replica in {} has replica-priority 0: it is never promoted", name)};
    std::int64_t lowest_other = std::numeric_limits<std::int64_t>::max();
    for (const SentinelsReplica& other : report.replicas)
        if (other.at != wanted->at && !other.down && other.priority > 0)
            lowest_other = std::min(lowest_other, other.priority);
    if (wanted->priority < lowest_other) return {};
    if (lowest_other == 1)
        return Error{Fault::refused,
                     fmt::format("another replica has replica-priority 1, so the Sentinel may choose "
                                 "it instead of {}",
                                 name),
                     "raise the replica-priority of the others"};
    TRY(tell(*node, {"CONFIG", "SET", "replica-priority", "1"}, deadline));
    return Error{Fault::unavailable,
                 fmt::format("replica-priority of {} is now 1; the Sentinel has not seen it yet", name),
                 "it looks every ten seconds; ask again"};
}

Result<void> SentinelRedis::fail_over(const std::string& region, Moment deadline) {
    TRY(node_in(region));
    // What the Sentinels know of the replica may be ten seconds old: the node itself must answer as one now.
    std::optional<Result<std::string>> role;
    std::jthread asking([&] { role = role_in(region, deadline); });
    const std::vector<SentinelReport> all = reports(deadline);
    asking.join();
    const std::size_t chosen = TRY(choose_sentinel(all, region));
    if (TRY(std::move(*role)) != "slave")
        return Error{Fault::refused, fmt::format("the node in {} is no replica", region)};
    TRY(make_first_choice(all[chosen], region, deadline));
    const std::vector<Reply> answers = TRY(
        watchers_[chosen].client->ask({{"SENTINEL", "FAILOVER", settings_.master_name}}, Asking::changes, deadline));
    if (answers[0].is_error())
        return redis_error(answers[0], fmt::format("Sentinel {}: fail over", watchers_[chosen].name));
    return {};
}

Result<std::optional<Span>> SentinelRedis::since_heard(const std::string& region, Moment deadline) {
    const Node* const node = TRY(node_in(region));
    const std::vector<SentinelReport> all = reports(deadline);
    const SentinelReport& chosen = all[TRY(choose_sentinel(all, region))];
    const auto replica = std::ranges::find(chosen.replicas, node->address, &SentinelsReplica::at);
    return replica == chosen.replicas.end() ? std::nullopt : replica->heard;
}

Result<void> SentinelRedis::follow(const std::string& region, const std::string& master, Moment deadline) {
    Node* const node = TRY(node_in(region));
    const Node* const leader = TRY(node_in(master));
    if (region == master) return Error{Fault::invalid_input, fmt::format("{} cannot follow itself", region)};
    if (TRY(role_in(master, deadline)) != "master")
        return Error{Fault::refused,
                     fmt::format("{} ({}) is no master: nothing follows it", master, to_string(leader->address))};
    TRY(tell(*node, {"REPLICAOF", leader->address.host, std::to_string(leader->address.port)}, deadline));
    return {};
}

Result<void> SentinelRedis::write_canary(const std::string& region, const std::string& name_of_key, Moment deadline) {
    Node* const node = TRY(node_in(region));
    const std::string key = canary_prefix + name_of_key;
    const std::string name = to_string(node->address);
    if (TRY(role_in(region, deadline)) != "master")
        return Error{Fault::refused, fmt::format("{} ({}) is a replica and takes no writes", region, name)};
    const std::string value = unique_value();
    const std::vector<Reply> answers = TRY(node->client->ask(
        {{"SET", key, value, "EX", canary_seconds}, {"GET", key}, {"ROLE"}}, Asking::changes, deadline));
    if (answers[0].is_error()) return redis_error(answers[0], fmt::format("{}: SET {}", name, key));
    if (answers[1].as_text() != value)
        return Error{Fault::corrupt, fmt::format("{}: key {} was written and reads back as something else", name, key),
                     "another writer uses the same key, or the answer came from another node"};
    if (answers[2].items.empty() || answers[2].items[0].text != "master")
        return Error{Fault::conflict, fmt::format("{} stopped being master while key {} was written", name, key)};
    return {};
}

}  // namespace kedge
