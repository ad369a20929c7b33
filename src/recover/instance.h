// The directory and the server of a recovery while it is made: without durability first, then synced and started again
// with it, to outlive this process.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>

#include "base/json.h"
#include "base/result.h"
#include "estate/estate.h"
#include "os/process.h"
#include "recover/recovery.h"
#include "verify/restore/own_postgres.h"

namespace kedge::recover {

class Instance {
public:
    // refused if PostgreSQL of that major version is not on this machine.
    static Result<Instance> of(const Recovery& recovery, int major, const std::stop_token& stop);

    const std::optional<Login>& owner() const { return owner_; }
    const std::string& place() const { return place_; }

    // Empty, with room for so much; what an earlier attempt left there is removed.
    Result<void> make_directory(const Recovery& recovery, std::uint64_t bytes) const;
    // Lines of postgresql.conf for work that is not durable and has the machine to itself: several load rows and build
    // indexes, or one replays a log.
    static std::string loading_settings();
    static std::string replay_settings();
    // The log of its own timeline is kept from its first record on, so that it can follow in production's archive if
    // the copy is promoted. Nothing leaves: there is no command.
    static std::string log_settings();
    // Stops the server in order, and syncs all that it wrote. Done if none runs.
    Result<void> stop_server() const;
    // Starts it with durability; it goes on by itself. `log` is what it does with its own: `log_settings`, or nothing
    // for one that can never be promoted and would keep it for nobody.
    Result<verify::OwnPostgres> start_durable(const std::string& log) const;
    // All that was written in the directory is on disk.
    Result<void> sync() const;

    // One value.
    Result<std::string> ask(const verify::OwnPostgres& postgres, const std::string& database,
                            const std::string& sql) const;
    // {sequence, written} of the newest heartbeat of Kedge's own in it; null if there are none.
    Result<Json> heartbeat(const verify::OwnPostgres& postgres, const Recovery& recovery, const Estate& estate) const;

private:
    Instance(std::string place, int major, std::optional<Login> owner, std::stop_token stop)
        : place_(std::move(place)), major_(major), owner_(std::move(owner)), stop_(std::move(stop)) {}

    std::string place_;
    int major_;
    std::optional<Login> owner_;
    std::stop_token stop_;
};

}  // namespace kedge::recover
