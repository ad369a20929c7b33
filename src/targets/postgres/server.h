// One PostgreSQL server as it is reached by SQL: what every PostgreSQL driver has in common.
//
// It keeps its connections open, so that a call costs one round trip; how many are open at a time is how many
// threads call at a time. Each call is bounded by its deadline. Any thread may call.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "targets/database.h"
#include "targets/postgres/connection.h"

namespace kedge {

class PostgresServer {
public:
    // `name` is what errors call it. The database holds the probe's tables in `probe_schema`, a plain lower-case name.
    PostgresServer(std::string name, ServerAccess access, std::string probe_schema);

    // One round trip, after the first. Never an error: what could not be seen is unknown, and `says` tells why. A
    // server whose database is closed or gone is asked in `postgres` (template1, where it is that); no heartbeat is
    // seen there.
    DatabaseLook look(Moment deadline);

    // As Database::promote: the server itself refuses unless it is a standby that no other manager runs. Once asked it
    // is stayed with until it has left recovery, for at most two seconds, so that it does not oversleep.
    Result<void> promote(Moment deadline);
    Result<void> checkpoint(Moment deadline);
    Result<Lsn> create_restore_point(const std::string& name, Moment deadline);

    // Both create the schema and its tables when they are missing. refused by a server that is read-only.
    // A canary commits as the server's settings demand, and so shows a commit that waits for a lost synchronous
    // standby; a heartbeat does not wait for one, since it is to show what a standby lacks.
    Result<Canary> write_canary(const std::string& key, Moment deadline);
    // `written` is when, by the writer's clock.
    Result<Heartbeat> write_heartbeat(std::int64_t sequence, Moment written, Moment deadline);

    // What the server answers to `statement`, in a transaction of its own.
    Result<Rows> ask(const Statement& statement, Moment deadline);

private:
    enum class Repeat { safe, never };

    // On a connection from the idle ones or a new one. One that the server had closed meanwhile is replaced, once,
    // when it is safe to send the same again.
    Exchange exchange(const std::vector<Transaction>& transactions, Repeat repeat, Moment deadline);
    std::unique_ptr<Connection> take_idle();
    void give_back(std::unique_ptr<Connection> connection);

    using Answers = std::vector<std::vector<Rows>>;  // by transaction and statement
    // The rows, when all was committed; else what the server said, or that contact was lost.
    Result<Answers> judge(Exchange exchange) const;
    DatabaseLook look_beside(DatabaseLook refused, Moment deadline);
    // As `exchange` and `judge`, with the probe's tables created when they turn out to be missing.
    Result<Answers> write_probe(const std::vector<Transaction>& transactions, Moment deadline);
    Result<void> create_probe(Moment deadline);

    const std::string name_;
    const ServerAccess access_;
    const std::string schema_;
    std::atomic<bool> heartbeats_exist_{false};  // as last seen
    std::mutex mutex_;
    std::vector<std::unique_ptr<Connection>> idle_;  // guarded by mutex_
    std::unique_ptr<PostgresServer> beside_;         // the same server by another of its databases
};

// invalid_input unless `schema` is a plain lower-case name, which needs no quotes in SQL. `target` is for the message.
Result<void> check_probe_schema(const std::string& target, const std::string& schema);

// The copy in `region`; not_found with the regions that there are.
template <class Site>
Result<Site*> find_region(const std::map<std::string, std::unique_ptr<Site>>& sites, const std::string& target,
                          const std::string& region) {
    if (const auto found = sites.find(region); found != sites.end()) return found->second.get();
    std::string known;
    for (const auto& [name, site] : sites) known += (known.empty() ? "" : ", ") + name;
    return Error{Fault::not_found, target + ": has no copy in '" + region + "'", "it has copies in " + known};
}

}  // namespace kedge
