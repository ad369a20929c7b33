// The driver `host`: a primary and its standbys on machines of their own, each reached through libpq, through the
// server's own tools, in place or by ssh, and fenced by commands that the estate names.
//
// It refuses to promote, stop or rebuild a server that another manager (Patroni, repmgr, ...) runs.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "targets/database.h"
#include "targets/postgres/host_server.h"

namespace kedge {

struct HostPostgresSettings {
    std::string name;  // the target's name: what errors call it
    std::map<std::string, HostSite> sites;
    std::string database = "postgres";   // the application's: the probe's tables are there
    std::string probe_schema = "kedge";  // lower-case letters, digits and _
};

class HostPostgres final : public Database {
public:
    // invalid_input for a conninfo that does not parse or holds a password, a relative path, a missing value.
    static Result<std::unique_ptr<HostPostgres>> create(HostPostgresSettings settings);
    // Ends what it has running; a rejoin that is cut short can be started again.
    ~HostPostgres() override;

    Result<DatabaseLook> look(const std::string& region, Moment deadline) override;
    Result<void> promote(const std::string& region, Moment deadline) override;
    Result<void> switch_over(const std::string& region, Moment deadline) override;
    Result<void> shut_down(const std::string& region, Moment deadline) override;
    Result<void> start(const std::string& region, Moment deadline) override;
    Result<std::optional<Lsn>> stopped_at(const std::string& region, Moment deadline) override;
    Result<FenceLook> look_at_fence(const std::string& region, Moment deadline) override;
    Result<void> raise_fence(const std::string& region, Moment deadline) override;
    Result<void> lower_fence(const std::string& region, Moment deadline) override;
    Result<Canary> write_canary(const std::string& region, const std::string& key, Moment deadline) override;
    Result<Heartbeat> write_heartbeat(const std::string& region, std::int64_t sequence, Moment deadline) override;
    Result<void> checkpoint(const std::string& region, Moment deadline) override;
    Result<Lsn> create_restore_point(const std::string& region, const std::string& name, Moment deadline) override;
    Result<StrandedTail> export_stranded(const std::string& region, const std::string& primary,
                                         const std::string& keep_under, Moment deadline) override;
    Result<void> rejoin(const std::string& region, const std::string& primary, RejoinBy by, Moment deadline) override;

private:
    struct Site;

    explicit HostPostgres(HostPostgresSettings settings);
    // not_found with the regions that there are.
    Result<Site*> find(const std::string& region) const;

    const HostPostgresSettings settings_;
    std::map<std::string, std::unique_ptr<Site>> sites_;
};

}  // namespace kedge
