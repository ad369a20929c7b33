// One copy of a database as the driver `host` reaches it: by SQL, through its machine, through its fence.
#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "targets/database.h"
#include "targets/postgres/control_data.h"
#include "targets/postgres/fence_command.h"
#include "targets/postgres/server.h"
#include "targets/postgres/server_host.h"

namespace kedge {

// How one copy is reached. Commands are programs with arguments, never a line for a shell.
struct HostSite {
    std::string connection;  // conninfo of a superuser, or of a role as `kedge access explain` lists it; no password
    std::string password;    // of that role, when libpq has no other way
    ServerHostSettings host;
    FenceCommands fence;  // run where Kedge runs
    // Run on the server's machine. Empty: pg_ctl does it. `running` answers 0 = yes, 1 = no; a server that has
    // processes there runs, whatever it answers.
    struct ServerCommands {
        Arguments start, stop, running;
    } server;
    std::string replication;  // conninfo by which the other sites stream from this one; its user may replicate
    // conninfo by which pg_rewind at another site reads this one; a superuser, or granted what pg_rewind needs. Empty:
    // the way of `replication`, as the user of `connection`.
    std::string rewind_source;
};

// Any thread may call. Every call is bounded by its deadline.
class HostServer {
public:
    // `name` is what errors call it; `site` outlives it.
    HostServer(std::string name, const HostSite& site, const std::string& database, const std::string& probe_schema);

    const std::string& name() const { return name_; }
    const HostSite& settings() const { return site_; }
    PostgresServer& sql() { return sql_; }
    const ServerHost& machine() const { return machine_; }

    DatabaseLook look(Moment deadline);
    // Nothing when no other manager runs it; refused when one does, or when that cannot be seen.
    Result<void> require_no_manager(Moment deadline);

    Result<bool> is_running(const Until& until) const;
    // Both do nothing when it is so already, and return when it was asked for. A server that is still shutting down
    // is not started: unavailable.
    Result<void> start(const Until& until) const;
    Result<void> stop(const Until& until) const;
    // What its control file says; not_found without one.
    Result<ControlData> control_data(const Until& until) const;

private:
    Result<bool> has_processes(const Until& until) const;

    const std::string name_;
    const HostSite& site_;
    PostgresServer sql_;
    const ServerHost machine_;
    std::mutex mutex_;
    std::optional<std::string> manager_;  // as last seen; guarded by mutex_
    Moment manager_seen_{};               // guarded by mutex_
};

}  // namespace kedge
