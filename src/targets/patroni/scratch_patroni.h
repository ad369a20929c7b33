// A throw-away Patroni cluster for tests and benchmarks: a real Patroni with two members and one etcd, on 127.0.0.1.
//
// Not thread-safe.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "os/process.h"
#include "targets/postgres/scratch_cluster.h"

namespace kedge {

class ScratchPatroni {
public:
    struct Timing {
        int ttl = 15, loop_wait = 1, retry_timeout = 6;  // seconds; shorter ones give up on a busy machine
    };
    static constexpr const char* scope = "scratch";

    // Starts both members and waits until `east` leads and `west` streams from it; stops the process when they do not.
    explicit ScratchPatroni(Timing timing);
    // Kills everything at once.
    ~ScratchPatroni();

    std::string rest_url(const std::string& member) const;
    const ScratchServer& server(const std::string& member) const;
    const ScratchDirectory& directory() const { return directory_; }

    void kill(const std::string& member);          // Patroni and its server, SIGKILL at one instant
    void freeze(const std::string& member) const;  // the server and Patroni's API are silent
    void thaw(const std::string& member) const;
    void start(const std::string& member);  // Patroni, which starts its server

private:
    struct Member {
        std::unique_ptr<ScratchServer> server;
        std::uint16_t rest_port = 0;
        std::optional<Child> patroni;
    };
    Member& find(const std::string& member) { return members_[member == "east" ? 0 : 1]; }
    const Member& find(const std::string& member) const { return members_[member == "east" ? 0 : 1]; }
    void start_etcd();
    std::string configuration(const Member& member) const;

    ScratchDirectory directory_;
    const Timing timing_;
    const std::uint16_t etcd_port_, etcd_peer_port_;
    std::optional<Child> etcd_;
    std::array<Member, 2> members_;
};

}  // namespace kedge
