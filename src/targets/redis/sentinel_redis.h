// A Redis group under Sentinels, reached at the addresses that its nodes announce.
//
// Nothing here waits and nothing is done twice: each call is one effect at most, polling is the engine's. Every
// Sentinel is asked apart and at the same time, so that a silent one costs no more than the deadline. No DEBUG
// command is ever sent. The commands, by which `kedge access explain` can be checked:
//
//   call            nodes (user of the nodes)                          Sentinels
//   look            ROLE, INFO, CONFIG GET min-replicas-to-write
//   sentinels                                                          SENTINEL GET-MASTER-ADDR-BY-NAME, MASTER,
//                                                                      CKQUORUM, REPLICAS; INFO
//   pause_writes    ROLE, CLIENT PAUSE                                 as `sentinels`
//   resume_writes   CLIENT UNPAUSE
//   fail_over       with three nodes or more: CONFIG SET replica-priority   as `sentinels`, SENTINEL FAILOVER
//   follow          ROLE (of the master), REPLICAOF
//   write_canary    ROLE, SET, GET
//   take_over       ROLE, REPLICAOF (of the server beside: ROLE)
//   lead            ROLE, INFO, REPLICAOF                              as `sentinels`
//   set_down_after                                                     SENTINEL SET
//   persist         INFO, BGREWRITEAOF or BGSAVE
//
//   ACL SETUSER kedge on >... ~kedge:* +role +info +config|get +config|set +client|pause +client|unpause
//       +replicaof +set +get +bgsave +bgrewriteaof                     # on every node
//   ACL SETUSER default ... +sentinel|get-master-addr-by-name +sentinel|master +sentinel|ckquorum
//       +sentinel|replicas +sentinel|failover +sentinel|set +info      # on every Sentinel
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "targets/cache.h"
#include "targets/redis/resp.h"
#include "targets/redis/sentinel.h"

namespace kedge {

struct SentinelRedisSettings {
    struct Watcher {
        Endpoint address;
        std::string region;  // where it stands: a region, or "outside"
    };
    std::string master_name;
    std::map<std::string, Endpoint> nodes;  // by region, as announced: Sentinels and replicas must name the same
    std::vector<Watcher> sentinels;
    int quorum = 2;  // as configured in the Sentinels; one that says otherwise is told of
    std::optional<RedisLogin> node_login{};
    std::optional<RedisLogin> sentinel_login{};
};

class SentinelRedis final : public Cache {
public:
    explicit SentinelRedis(SentinelRedisSettings settings);

    Result<CacheLook> look(const std::string& region, Moment deadline) override;
    Result<std::vector<SentinelLook>> sentinels(Moment deadline) override;

    // refused on a replica, and for a `limit` that reaches the Sentinels' down-after-milliseconds: their PING waits
    // behind a PUBLISH that is paused too, so they would take the master for dead.
    Result<void> pause_writes(const std::string& region, Span limit, Moment deadline) override;
    Result<void> resume_writes(const std::string& region, Moment deadline) override;

    // Looks at every Sentinel first and asks the one nearest to `region`. refused: no quorum, no replica there that
    // could take over, Sentinels that disagree, a node that is master already; not_found: no Sentinel knows the
    // master's name; conflict: a failover is under way. With three nodes or more the choice is the Sentinel's:
    // `region` then gets the lowest replica-priority first, which stays, and the answer is `unavailable` until the
    // Sentinel has seen it (at most ten seconds).
    Result<void> fail_over(const std::string& region, Moment deadline) override;
    Result<std::optional<Span>> since_heard(const std::string& region, Moment deadline) override;
    // refused unless the node in `master` says that it is master: what the other holds beyond it is discarded.
    Result<void> follow(const std::string& region, const std::string& master, Moment deadline) override;
    // The key is written as `kedge:KEY`, so that a right to such keys is enough, and lives for an hour.
    Result<void> write_canary(const std::string& region, const std::string& key, Moment deadline) override;

    // The server beside knows the login of the nodes.
    Result<CacheLook> look_beside(const std::string& address, Moment deadline) override;
    Result<void> take_over(const std::string& region, const std::string& address, Moment deadline) override;
    Result<void> lead(const std::string& region, Moment deadline) override;
    Result<void> set_down_after(const std::map<std::string, Span>& spans, Moment deadline) override;
    Result<void> persist(const std::string& region, Moment deadline) override;

private:
    struct Node {
        Endpoint address;
        std::unique_ptr<RedisClient> client;
    };
    struct Watcher {
        std::string name, region;
        std::unique_ptr<RedisClient> client;
    };

    Result<Node*> node_in(const std::string& region);
    Result<CacheLook> look_at(RedisClient& client, Moment deadline);
    Result<void> tell_sentinel(const std::string& name, Span down_after, Moment deadline);
    std::string region_of(const Endpoint& address) const;
    std::vector<SentinelReport> reports(Moment deadline);
    bool was_silent(std::size_t watcher) const;
    void note_silence(const std::vector<SentinelReport>& reports);
    SentinelLook look_of(const Watcher& watcher, const SentinelReport& report) const;
    // Sends one command that changes something; its error reply becomes an error.
    Result<Reply> tell(Node& node, const RedisCommand& command, Moment deadline);
    Result<std::string> role_in(const std::string& region, Moment deadline);
    Result<std::size_t> choose_sentinel(const std::vector<SentinelReport>& reports, const std::string& region) const;
    Result<void> make_first_choice(const SentinelReport& report, const std::string& region, Moment deadline);

    const SentinelRedisSettings settings_;
    // Constant after construction; the clients synchronise themselves.
    std::map<std::string, Node> nodes_;
    std::vector<Watcher> watchers_;
    mutable std::mutex mutex_;
    // When each was first found silent; guarded by mutex_.
    std::vector<std::optional<std::chrono::steady_clock::time_point>> silent_at_;
};

}  // namespace kedge
