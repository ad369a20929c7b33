// A PostgreSQL database with its copies, one to a region ("site"), as plans see it.
//
// Drivers: `host` (libpq and the server's own tools), `patroni` (its REST API), the simulator's own. Each
// call is bounded by `deadline` (absolute) and has at most one effect. Errors: unavailable = nothing was
// changed and it may be retried; outcome_unknown = the request may have been carried out, look before
// repeating; refused = it said no and changed nothing. Any thread may call; a driver serialises what it must.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/lsn.h"
#include "base/result.h"
#include "base/time.h"
#include "base/truth.h"

namespace kedge {

// One that a server has besides `database`, to ask it from there about that.
inline std::string other_database(const std::string& database) {
    return database == "postgres" ? "template1" : "postgres";
}

// One numbered row that the observer writes each second; what a standby shows of it is its true lag.
struct Heartbeat {
    std::int64_t sequence = 0;
    Moment written{};             // by the writer's clock
    std::optional<Lsn> position;  // where the log stood after it
};

// What the primary says of one standby that streams from it.
struct StandbyLink {
    std::string name;        // application_name of the receiver
    std::string state;       // streaming, catchup, ...
    std::string sync_state;  // async, sync, quorum, potential
    std::optional<Lsn> sent, flushed, replayed;
};

// One look at one copy. A field that could not be found out is unknown or absent, never a default.
struct DatabaseLook {
    Truth reachable = Truth::unknown;       // no = it refused the connection; unknown = silence
    std::string says;                       // in words, what was seen: for evidence and errors
    Truth primary = Truth::unknown;         // not in recovery
    Truth writable = Truth::unknown;        // primary and not held read-only
    Truth serves = Truth::unknown;          // no = it answers, and its database is closed or not there
    std::optional<std::uint32_t> timeline;  // from the log itself, not from the control file
    std::optional<Lsn> written;             // primary: current write position
    std::optional<Lsn> received, replayed;  // standby
    Truth receiving = Truth::unknown;       // standby: a receiver exists and heard its sender recently
    Truth replay_paused = Truth::unknown;
    std::optional<Heartbeat> heartbeat;  // the newest heartbeat row visible here
    std::optional<std::string> system_identifier;
    std::optional<std::string> manager;  // "patroni", "repmgr", ... when another manager runs it; "" when none does
    std::optional<Span> retrieve_retry;  // wal_retrieve_retry_interval: a promotion may wait it out
    std::optional<std::string> synchronous_standby_names;
    Truth archiving = Truth::unknown;   // primary: archiver on and its last attempt succeeded
    std::vector<StandbyLink> standbys;  // primary: who streams from it
    std::optional<std::string> rejoin;  // progress in words of a rejoin that is running here; if it failed: `says`
};

// Proof from outside the server that it cannot write (fence raised), or that the fence is down.
struct FenceLook {
    Truth fenced = Truth::unknown;
    std::string proof;  // how that is known, e.g. "supervisor: no process of pg-us-east-1 is left"
};

// A row of our own, written, committed and read back.
struct Canary {
    std::string key;
    Lsn position;
    std::uint32_t timeline = 0;
};

// What an old primary holds that the new one never got.
struct StrandedTail {
    Lsn from, to;
    std::int64_t transactions = 0;
    std::vector<std::pair<std::string, std::int64_t>> changes_by_table;  // table (or relation file) and count
    std::string kept_at;                                                 // where the log of it was exported to
};

enum class RejoinBy { rewind, base_backup };

class Database {
public:
    virtual ~Database() = default;

    virtual Result<DatabaseLook> look(const std::string& region, Moment deadline) = 0;

    // Asks the standby in `region` to become primary; returns when the request was accepted, not when done.
    // refused when another manager runs it, when it is no standby, when a managed driver says no.
    virtual Result<void> promote(const std::string& region, Moment deadline) = 0;

    // Asks a manager (Patroni, ...) to switch from the living primary to `region` without loss.
    // refused by drivers without a manager: there it is several steps.
    virtual Result<void> switch_over(const std::string& region, Moment deadline) = 0;

    // Stops the server cleanly: it sends all its log to its standbys first. Returns when asked for;
    // `look_at_fence` and `stopped_at` show when it is down.
    virtual Result<void> shut_down(const std::string& region, Moment deadline) = 0;
    // Starts a stopped server as it is configured: what takes a shut-down back. refused while its fence is up.
    virtual Result<void> start(const std::string& region, Moment deadline) = 0;
    // Where the shutdown checkpoint of a cleanly stopped server ends: a standby that has received up to there has
    // everything. Nothing if it is no such server.
    virtual Result<std::optional<Lsn>> stopped_at(const std::string& region, Moment deadline) = 0;

    // The site's own fence, reached otherwise than the server itself.
    virtual Result<FenceLook> look_at_fence(const std::string& region, Moment deadline) = 0;
    virtual Result<void> raise_fence(const std::string& region, Moment deadline) = 0;
    virtual Result<void> lower_fence(const std::string& region, Moment deadline) = 0;

    // Inserts the row `key` (idempotent), commits, reads it back in a new transaction.
    virtual Result<Canary> write_canary(const std::string& region, const std::string& key, Moment deadline) = 0;
    // Writes heartbeat `sequence` on the server in `region` and returns it with the log position after it.
    virtual Result<Heartbeat> write_heartbeat(const std::string& region, std::int64_t sequence, Moment deadline) = 0;
    // A checkpoint now; needed after a promotion before anybody rewinds to it.
    virtual Result<void> checkpoint(const std::string& region, Moment deadline) = 0;
    // Marks the present position in the log of the primary in `region` with a name, and returns it: a recovery to
    // `name:NAME` ends there. Twice the same name marks two positions. refused on a standby.
    virtual Result<Lsn> create_restore_point(const std::string& region, const std::string& name, Moment deadline) = 0;

    // Exports the log that the stopped server in `region` holds beyond its fork from the primary in
    // `primary`, and counts it by table. Changes nothing; the export is kept. Empty when nothing is stranded.
    virtual Result<StrandedTail> export_stranded(const std::string& region, const std::string& primary,
                                                 const std::string& keep_under, Moment deadline) = 0;
    // Starts to make the stopped server in `region` a standby of the one in `primary`; long work: `look` reports
    // its progress in `rejoin` and ends with a server that receives. A rewind that is impossible is refused.
    // It lowers the site's fence itself, at the moment when the data directory is a standby's (standby.signal is
    // there), so that the server can only come up as one; never before.
    virtual Result<void> rejoin(const std::string& region, const std::string& primary, RejoinBy by,
                                Moment deadline) = 0;
};

}  // namespace kedge
