// Throw-away Redis groups for tests and benchmarks: real servers and Sentinels from Debian's packages, in a
// temporary directory, on 127.0.0.1 with ports from 25000 on, with nothing left behind.
//
// The first region's node is the master, the others follow it; each region has a Sentinel, and one stands outside.
// Not thread-safe, but for the endpoints.
#pragma once

#include <csignal>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "os/process.h"
#include "targets/redis/sentinel_redis.h"

namespace kedge {

struct ScratchRedisOptions {
    std::vector<std::string> regions = {"east", "west"};
    Span down_after = std::chrono::seconds{4};
    std::vector<std::string> node_settings = {};  // lines of redis.conf
    std::vector<std::string> sentinel_settings = {};
};

class ScratchRedis {
public:
    // Starts everything and waits until every Sentinel knows all the others and the replicas. Stops the process
    // when that fails: it is a test that cannot go on.
    explicit ScratchRedis(const ScratchRedisOptions& options = {});
    ScratchRedis(const ScratchRedis&) = delete;
    ScratchRedis& operator=(const ScratchRedis&) = delete;
    ~ScratchRedis();

    // What a SentinelRedis for this group needs.
    const SentinelRedisSettings& settings() const { return settings_; }
    // A process by its name: a region, or "sentinel-" and a region or "outside".
    std::vector<std::string> names() const;
    Endpoint endpoint(const std::string& name) const;

    void kill(const std::string& name);                              // SIGKILL, and gone when it returns
    void freeze(const std::string& name) { signal(name, SIGSTOP); }  // accepts nothing and answers nothing
    void thaw(const std::string& name) { signal(name, SIGCONT); }
    void restart(const std::string& name);  // of one that was killed: answers when it returns

    // One command to a process, as a text: "OK", "PONG", "(error) ERR ...". Stops the process when none comes.
    std::string ask(const std::string& name, const RedisCommand& command) const;
    std::string log(const std::string& name) const;

private:
    struct Server {
        Endpoint endpoint;
        std::string directory;
        Arguments arguments;
        std::optional<Child> child;
    };
    void add_node(const std::string& region, const ScratchRedisOptions& options);
    void write_sentinels(const ScratchRedisOptions& options);
    void start(Server& server);
    void signal(const std::string& name, int number);
    bool is_settled() const;

    std::string directory_;
    std::map<std::string, Server> servers_;
    SentinelRedisSettings settings_;
};

}  // namespace kedge
