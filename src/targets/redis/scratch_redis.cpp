#include "targets/redis/scratch_redis.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/check.h"
#include "base/digest.h"
#include "os/files.h"
#include "os/scratch_port.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;

constexpr const char* master_name = "scratch-master";

Moment soon() {
    return SystemClock{}.now() + 20s;
}

void must(const Result<void>& result) {
    if (!result) check(false, result.error().message);
}

Endpoint free_endpoint() {
    return {"127.0.0.1", take_scratch_port(25000)};
}

// Polls until it holds; stops the process after 20 s.
template <class Condition>
void await(Condition condition, const std::string& what) {
    for (const Moment end = soon(); SystemClock{}.now() < end; wait_out(within(5ms)))
        if (condition()) return;
    check(false, "within 20 s " + what);
}

std::string written(const Reply& reply) {
    switch (reply.kind) {
        case Reply::Kind::text: return reply.text;
        case Reply::Kind::error: return "(error) " + reply.text;
        case Reply::Kind::integer: return std::to_string(reply.integer);
        case Reply::Kind::null: return "(nil)";
        case Reply::Kind::array: break;
    }
    std::string text;
    for (const Reply& item : reply.items) text += (text.empty() ? "" : " ") + written(item);
    return text;
}

}  // namespace

ScratchRedis::ScratchRedis(const ScratchRedisOptions& options) {
    std::string pattern = "/tmp/kedge-redis-XXXXXX";
    check(mkdtemp(pattern.data()) != nullptr, "a directory can be made under /tmp");
    directory_ = pattern;
    settings_.master_name = master_name;
    settings_.quorum = static_cast<int>(options.regions.size() + 1) / 2 + 1;
    for (const std::string& region : options.regions) add_node(region, options);
    write_sentinels(options);
    for (auto& [name, server] : servers_) start(server);
    await([this] { return is_settled(); }, "every Sentinel knows all nodes and the others");
}

ScratchRedis::~ScratchRedis() {
    servers_.clear();  // kills
    (void)remove_tree(directory_).has_value();
}

void ScratchRedis::add_node(const std::string& region, const ScratchRedisOptions& options) {
    const Endpoint at = free_endpoint();
    const std::string directory = directory_ + "/" + region;
    must(make_directories(directory));
    std::string lines = fmt::format(
        "bind 127.0.0.1\nport {}\ndir {}\nsave \"\"\nappendonly yes\nrepl-diskless-sync-delay 0\n"
        "repl-ping-replica-period 1\nlogfile {}/server.log\n",
        at.port, directory, directory);
    if (!settings_.nodes.empty()) {
        const Endpoint& master = settings_.nodes.at(options.regions.front());
        lines += fmt::format("replicaof {} {}\n", master.host, master.port);
    }
    for (const std::string& line : options.node_settings) lines += line + "\n";
    must(write_file_atomically(directory + "/redis.conf", lines));
    settings_.nodes[region] = at;
    servers_[region] = {at, directory, {"/usr/bin/redis-server", directory + "/redis.conf"}, std::nullopt};
}

// They are told of each other and of the replicas, so that they need not find them out (that takes seconds).
void ScratchRedis::write_sentinels(const ScratchRedisOptions& options) {
    std::vector<std::string> places = options.regions;
    places.emplace_back("outside");
    for (const std::string& place : places) settings_.sentinels.push_back({free_endpoint(), place});
    const Endpoint& master = settings_.nodes.at(options.regions.front());
    const auto id_of = [](const std::string& place) { return sha256_hex(place).substr(0, 40); };
    for (const auto& [at, place] : settings_.sentinels) {
        const std::string directory = fmt::format("{}/sentinel-{}", directory_, place);
        must(make_directories(directory));
        std::string lines = fmt::format(
            "bind 127.0.0.1\nport {0}\ndir {1}\nlogfile {1}/server.log\nsentinel myid {2}\n"
            "sentinel monitor {3} {4} {5} {6}\nsentinel down-after-milliseconds {3} {7}\n"
            "sentinel failover-timeout {3} 10000\nsentinel parallel-syncs {3} 1\n",
            at.port, directory, id_of(place), master_name, master.host, master.port, settings_.quorum,
            options.down_after / 1ms);
        for (const auto& [region, node] : settings_.nodes)
            if (node != master)
                lines += fmt::format("sentinel known-replica {} {} {}\n", master_name, node.host, node.port);
        for (const auto& other : settings_.sentinels)
            if (other.address != at)
                lines += fmt::format("sentinel known-sentinel {} {} {} {}\n", master_name, other.address.host,
                                     other.address.port, id_of(other.region));
        for (const std::string& line : options.sentinel_settings) lines += line + "\n";
        must(write_file_atomically(directory + "/sentinel.conf", lines));
        servers_["sentinel-" + place] = {
            at, directory, {"/usr/bin/redis-server", directory + "/sentinel.conf", "--sentinel"}, std::nullopt};
    }
}

void ScratchRedis::start(Server& server) {
    auto child = Child::spawn(server.arguments, {});
    if (!child) check(false, child.error().message);
    server.child.emplace(std::move(*child));
    RedisClient client(server.endpoint, settings_.node_login);
    await([&] { return client.ask({{"PING"}}, Asking::reads, within(1s)).has_value(); },
          to_string(server.endpoint) + " answers");
}

bool ScratchRedis::is_settled() const {
    for (const auto& watcher : settings_.sentinels) {
        RedisClient client(watcher.address);
        const SentinelReport report = ask_sentinel(client, master_name, soon());
        const bool all_seen = report.replicas.size() + 1 == settings_.nodes.size() &&
                              std::ranges::all_of(report.replicas, [](const SentinelsReplica& replica) {
                                  return !replica.down && replica.link_up;
                              });
        if (!all_seen || report.quorum != Truth::yes || report.calm() != Truth::yes) return false;
    }
    return true;
}

std::vector<std::string> ScratchRedis::names() const {
    std::vector<std::string> names;
    for (const auto& [name, server] : servers_) names.push_back(name);
    return names;
}

Endpoint ScratchRedis::endpoint(const std::string& name) const {
    return servers_.at(name).endpoint;
}

void ScratchRedis::kill(const std::string& name) {
    servers_.at(name).child->kill_and_reap();
}

void ScratchRedis::restart(const std::string& name) {
    start(servers_.at(name));
}

void ScratchRedis::signal(const std::string& name, int number) {
    servers_.at(name).child->signal_group(number);
}

std::string ScratchRedis::ask(const std::string& name, const RedisCommand& command) const {
    RedisClient client(endpoint(name));
    const auto answers = client.ask({command}, Asking::reads, soon());
    if (!answers) check(false, answers.error().message);
    return written(answers->front());
}

std::string ScratchRedis::log(const std::string& name) const {
    return read_file(servers_.at(name).directory + "/server.log").value_or("");
}

}  // namespace kedge
