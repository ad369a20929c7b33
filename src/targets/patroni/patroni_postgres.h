// The driver `patroni`: a cluster whose primary Patroni chooses. Kedge looks through SQL and asks Patroni, which holds
// leadership in a store of its own; it never acts past Patroni.
//
// What Patroni does by itself is refused here: it starts its servers, rewinds an old primary when that comes back, and
// elects another leader when the key of the old one runs out (its `ttl`), unless it is paused.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "targets/database.h"
#include "targets/patroni/patroni_rest.h"
#include "targets/postgres/fence_command.h"

namespace kedge {

struct PatroniSite {
    std::string connection;  // conninfo of a role with pg_monitor that may write the probe's tables; no password
    std::string password;    // of that role, when libpq has no other way
    std::string member;      // the member's name in Patroni
    std::string rest_url;    // http://HOST:8008
    FenceCommands fence;     // may be empty: then see look_at_fence
};

struct PatroniPostgresSettings {
    std::string name;   // the target's name: what errors call it
    std::string scope;  // the cluster's name in Patroni; nothing is asked of a cluster of another name
    std::map<std::string, PatroniSite> sites;
    PatroniRest::Credentials rest;
    std::string database = "postgres";   // the application's: the probe's tables are there
    std::string probe_schema = "kedge";  // lower-case letters, digits and _
};

class PatroniPostgres final : public Database {
public:
    // invalid_input for a conninfo that does not parse or holds a password, or a value that is missing.
    static Result<std::unique_ptr<PatroniPostgres>> create(PatroniPostgresSettings settings);
    ~PatroniPostgres() override;

    // By SQL alone; what Patroni says of a member whose server refuses is added to `says`, and `rejoin` is set while
    // Patroni copies the leader's data to it.
    Result<DatabaseLook> look(const std::string& region, Moment deadline) override;
    // For a cluster without a leader; refused while a member holds the leader's key, alive or not.
    Result<void> promote(const std::string& region, Moment deadline) override;
    Result<void> switch_over(const std::string& region, Moment deadline) override;
    // Without commands of its own: yes only when the server there answers as a standby and another member holds the
    // leader's key; that a silent member gave up writing is Patroni's promise, and no proof.
    Result<FenceLook> look_at_fence(const std::string& region, Moment deadline) override;
    Result<void> raise_fence(const std::string& region, Moment deadline) override;
    Result<void> lower_fence(const std::string& region, Moment deadline) override;
    Result<Canary> write_canary(const std::string& region, const std::string& key, Moment deadline) override;
    Result<Heartbeat> write_heartbeat(const std::string& region, std::int64_t sequence, Moment deadline) override;
    Result<void> checkpoint(const std::string& region, Moment deadline) override;
    Result<Lsn> create_restore_point(const std::string& region, const std::string& name, Moment deadline) override;
    // By base backup, when Patroni runs there and another member leads: its `reinitialize`. A rewind is refused.
    Result<void> rejoin(const std::string& region, const std::string& primary, RejoinBy by, Moment deadline) override;

    // Refused: Patroni's own affair.
    Result<void> shut_down(const std::string& region, Moment deadline) override;
    Result<void> start(const std::string& region, Moment deadline) override;
    Result<std::optional<Lsn>> stopped_at(const std::string& region, Moment deadline) override;
    Result<StrandedTail> export_stranded(const std::string& region, const std::string& primary,
                                         const std::string& keep_under, Moment deadline) override;

private:
    struct Site;

    explicit PatroniPostgres(PatroniPostgresSettings settings);
    // not_found with the regions that there are.
    Result<Site*> find(const std::string& region) const;
    // The cluster as the member in `first` sees it, else as another does.
    Result<PatroniCluster> cluster(const Site& first, Moment deadline) const;
    // refused unless the member there belongs to our cluster.
    Result<void> check_scope(const Site& site, Moment deadline) const;
    Error patronis_own(const std::string& region, std::string_view what, std::string_view hint) const;

    const PatroniPostgresSettings settings_;
    std::map<std::string, std::unique_ptr<Site>> sites_;
};

}  // namespace kedge
