// PostgreSQL as a client sees it that must not notice a failover: several servers of which one takes
// writes, found and found again by asking them.
//
// A watcher for each server keeps a connection open and asks for its role: four times a second while all
// is calm, every 25 ms while no server takes writes. A connection to a standby survives its promotion, so
// the new primary is known within one such interval and one round trip, and pooled connections to it are
// warm. A write that fails is tried again, on whichever server takes writes then, until `write_limit` has
// passed; one that is only silent is given twice the time at each try, because commits that wait for a slow disk are
// no reason to throw away connections and begin again. That is safe because every write given to this class must be
// idempotent (a key chosen by the caller, ON CONFLICT DO NOTHING): an outcome that stayed unknown is repeated like one
// that failed.
//
// More statements than there are connections wait for one (connection_pool.h): after a switch all the writes that were
// held come at once.
//
// Where two servers call themselves primary, the one on the later timeline is used: like any client, this
// one cannot prevent a second writer, only prefer the newer.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "connection_pool.h"

namespace kedge::lab {

struct DatabaseServer {
    std::string region;
    std::string conninfo;
};

struct DatabaseOptions {
    std::vector<DatabaseServer> servers;                  // every one that can become primary
    Span write_limit = std::chrono::seconds{2};           // how long a write waits for a server that takes it
    Span attempt_limit = std::chrono::milliseconds{400};  // one try; must exceed the round trip
    Span connect_limit = std::chrono::milliseconds{300};  // doubled when it was too short, up to write_limit
};

enum class Role { unknown, standby, read_only_primary, primary };
std::string_view to_string(Role role);

struct ServerState {
    std::string region;
    Role role = Role::unknown;
    std::uint32_t timeline = 0;  // of a primary
    std::string says;            // why the role is unknown
};

struct DatabaseCounters {
    std::atomic<std::uint64_t> errors{0};    // tries that failed
    std::atomic<std::uint64_t> retries{0};   // tries after the first
    std::atomic<std::uint64_t> switches{0};  // how often the primary changed
};

// Any thread may call.
class Database {
public:
    explicit Database(const DatabaseOptions& options);
    ~Database();

    // Runs one transaction of idempotent statements and returns the rows of the last one.
    // unavailable: nothing was done, no server took writes in time; outcome_unknown: it may have been done;
    // conflict, invalid_input: the server refused the statement.
    Result<Rows> write(const Transaction& transaction, Moment deadline);
    // Runs one statement on the primary, or where there is none on any server that answers.
    Result<Rows> read(const Statement& statement, Moment deadline);

    std::vector<ServerState> servers() const;
    // The region of the server that takes writes, as last seen.
    std::optional<std::string> primary_region() const;
    const DatabaseCounters& counters() const { return counters_; }

private:
    struct Server {
        DatabaseServer address;
        ServerState state;
        Moment asked{};  // when the watcher asked last
        bool is_suspect = false;
        std::unique_ptr<ConnectionPool> pool;  // open while the role is known
    };
    struct Try {
        enum class Kind { done, refused, not_tried, not_done, unknown } kind;
        Rows rows;
        Error error{Fault::unavailable, ""};
        bool silent = false;  // no answer in time, and nothing else that speaks against the server
    };

    void watch(std::size_t index, const std::stop_token& stop);
    ServerState ask(std::unique_ptr<Connection>& connection, const Server& server, Span& connect_limit) const;
    void publish(std::size_t index, ServerState state);
    std::optional<std::size_t> choose_primary() const;  // with mutex_ held
    std::optional<std::size_t> await_primary(Moment deadline);
    std::vector<std::size_t> readers() const;
    void suspect(std::size_t index, const std::string& why);
    void doubt(std::size_t index);
    Try attempt(std::size_t index, const Transaction& transaction, Moment deadline, Span limit);

    const Span write_limit_, attempt_limit_, connect_limit_;
    DatabaseCounters counters_;
    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    std::vector<std::unique_ptr<Server>> servers_;  // fixed after construction; fields guarded by mutex_, but for pools
    std::optional<std::size_t> primary_;            // guarded by mutex_
    std::vector<std::jthread> watchers_;
};

}  // namespace kedge::lab
