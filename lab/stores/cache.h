// Redis as a client sees it that follows the Sentinels: each is asked who is master, the newest answer
// (by configuration epoch) is tried, and only a server that says itself that it is master is used.
//
// While no master is known, commands fail at once: the application must go on without Redis, not slowly.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "resp.h"

namespace kedge::lab {

struct CacheOptions {
    std::vector<Endpoint> sentinels;
    std::string master;  // the name under which the Sentinels know the group
    std::string source;  // the local address to come from; empty for any
    // How often Sentinels and master are asked while all is well. A client that follows the Sentinels hears of
    // a new master within this; one that never asks (a very long interval) learns it from errors only.
    Span calm_interval = std::chrono::milliseconds{250};
};

struct CacheState {
    std::optional<Endpoint> master;  // that the Sentinels name
    bool is_usable = false;          // it says so itself
    std::string says;                // why not
};

// Any thread may call.
class Cache {
public:
    explicit Cache(CacheOptions options);
    ~Cache();

    // Runs the commands on the master in one round trip. unavailable: no master, nothing was done;
    // outcome_unknown: contact was lost; refused: a server's error reply, the first one. Takes a quarter of a
    // second at most, or until `deadline` if that comes first.
    Result<std::vector<Reply>> run(const std::vector<Command>& commands, std::optional<Moment> deadline = std::nullopt);
    // Waits until a master is usable; false at the deadline.
    bool await_master(Moment deadline);
    CacheState state() const;

private:
    struct Answer {
        Endpoint master;
        std::int64_t epoch = -1;
    };
    void watch_sentinel(std::size_t index, const std::stop_token& stop);
    void watch_master(const std::stop_token& stop);
    std::optional<Endpoint> named_master() const;  // with mutex_ held
    void judge(std::optional<Endpoint> asked, const Result<void>& verdict);
    void suspect(const Endpoint& master, const std::string& why);

    const CacheOptions options_;
    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    std::vector<std::optional<Answer>> answers_;  // by Sentinel; guarded by mutex_, as all below
    CacheState state_;
    std::vector<std::unique_ptr<RedisConnection>> idle_;  // to state_.master
    std::vector<std::jthread> watchers_;
};

}  // namespace kedge::lab
