// For tests: the lab that plans/aragora/lab.yaml describes, `kedge` run in it as people run it, and eyes of the test's
// own on what became of its servers.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "journal/sqlite/sqlite_journal.h"
#include "lab/lab.h"
#include "os/process.h"
#include "runner/runs.h"
#include "targets/postgres/connection.h"
#include "targets/traffic.h"

namespace kedge::lab {

constexpr const char* east_region = "us-east-1";
constexpr const char* west_region = "us-west-2";

// Up from its construction until it goes. One thread.
class LabWorld {
public:
    LabWorld();
    ~LabWorld();

    bool is_up() const { return up_; }
    const std::string& trouble() const { return trouble_; }  // why it is not up

    // `kedge` with these words, to its end. An exit code of 99 means that it did not end within `limit`.
    RunOutput kedge(const Arguments& words, Span limit = std::chrono::seconds{60}) const;
    // The same, going on beside the test; it dies with it.
    Result<Child> start_kedge(const Arguments& words) const;
    // `kedge-lab` with these words.
    RunOutput tell_lab(const Arguments& words) const;

    // Whether the observer has seen a heartbeat on the primary and on the standby, not long ago.
    bool is_observed() const;
    // What the journal says of the run now.
    Result<LoadedRun> load(const RunId& id) const;
    // The runs that there are, oldest first.
    std::vector<RunId> runs() const;
    const std::string& state_directory() const { return state_; }
    Lab lab() const { return *Lab::named(); }

    std::string role(const std::string& component) const;
    // One value from a database server, or "error: ...".
    std::string sql(const std::string& component, const std::string& query) const;
    // The schema of the primary in us-east-1, by the application's own program.
    Result<void> move_schema(const std::string& version) const;
    // The timeline on which `component`, a primary, writes; or what the standby receives. 0 if it cannot be seen.
    int timeline(const std::string& component) const;
    // "us-east-1 100, us-west-2 0", or what went wrong.
    std::string weights() const;
    // The lines of a channel's file that carry `key`.
    std::size_t announced(const std::string& channel, const std::string& key) const;

private:
    Arguments line(const Arguments& words) const;

    std::string state_;
    bool up_ = false;
    std::string trouble_;
};

// Asks both database servers all the time, at their own addresses, whether they take writes. Two writers at one moment
// are proved by a server that was writable both before and after the other one was seen to be.
class WriterWatch {
public:
    WriterWatch();
    // Ends the watch; can be asked for its findings afterwards only.
    void finish();

    std::size_t looks() const { return looks_; }
    std::size_t as_writer(const std::string& region) const;  // how many looks saw it writable
    const std::vector<std::string>& second_writers() const { return second_writers_; }

private:
    struct Server {
        std::string region;
        ServerAccess access;
        std::unique_ptr<Connection> connection;
        std::size_t writable = 0;
    };
    void watch(const std::stop_token& stop);
    Truth look(Server& server) const;

    std::vector<Server> servers_;
    std::size_t looks_ = 0;
    std::vector<std::string> second_writers_;
    std::jthread thread_;  // last: joined before what it uses goes
};

// Keeps every change of the entrance's weights.
class WeightWatch {
public:
    WeightWatch();
    void finish();
    // The weights in the order in which they were there: "100/0" (east/west), without repetition. Each server has a
    // weight of its own, so while a share is being set others between it and the one before may be seen.
    const std::vector<std::string>& seen() const { return seen_; }

private:
    std::vector<std::string> seen_;
    std::jthread thread_;
};

}  // namespace kedge::lab
