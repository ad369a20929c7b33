// A PostgreSQL database with a copy in some regions, as far as recovery has to do with it.
//
// Modelled: streaming to standbys with delay, replay behind reception, timelines, clean and unclean ends, promotion
// in two moments (asked, opened), fences that kill, rejoin by rewind or base backup, a primary that comes back as
// one. What streams is worked out when somebody looks, so that replication costs no events.
// Facts: PostgreSQL 15 as measured (streams, promotion, pg_rewind); see docs/design/0004-simulated-world.md.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/world/ground.h"
#include "sim/world/log.h"
#include "targets/database.h"

namespace kedge::sim {

// How long things take in this estate.
struct DatabasePace {
    Span connect_least = 20ms, connect_most = 100ms;  // wal_retrieve_retry_interval
    Span open_least = 60ms, open_most = 250ms;        // from a promotion request to the first write
    Span stop_least = 80ms, stop_most = 350ms;
    Span start_least = 300ms, start_most = 900ms;
    Span rewind_least = 1500ms, rewind_most = 5s;
    Span copy_least = 5s, copy_most = 30s;
    Span replay_delay = 5ms;
    Span retrieve_retry = 100ms;
};

class DatabaseModel {
public:
    struct Server {
        Part part;
        Part fence_control;   // what the fence is asked at: not the server
        bool standby = true;  // it comes up as one, and runs as one
        bool stopped_clean = false;
        bool stopping = false, starting = false, promoting = false;
        Place follows = 0;  // whose stream a standby takes
        Point held;         // written, or received
        Lsn applied;        // standby: replayed
        bool connected = false, connecting = false;
        Moment heard{};                             // standby: the last sign of its sender
        std::optional<Moment> stream_silent_since;  // of a stream that was cut without a word
        bool replay_paused = false, receiver_off = false;
        Span replay_behind{};  // more than the usual delay
        Truth fenced = Truth::no;
        std::optional<std::string> rejoining, rejoin_failure;
        bool rewind_broken = false;  // a rewind was cut short: only a base backup helps
        bool rewind_impossible = false;
        std::string manager;
        std::uint64_t life = 0;  // raised whenever it ends: what was under way for an earlier one is void
        int exported = 0;
        std::optional<Moment> opened_at;  // since when anybody can see that it was promoted
        std::optional<Moment> looked_at;  // when it last answered a look of Kedge
    };

    DatabaseModel(Ground& ground, std::string name, std::size_t index, DatabasePace pace = {});

    const std::string& name() const { return name_; }
    std::size_t index() const { return index_; }
    std::vector<Server>& servers() { return servers_; }
    const std::vector<Server>& servers() const { return servers_; }
    Server& at(Place place) { return servers_[place]; }
    const Server& at(Place place) const { return servers_[place]; }
    Log& log() { return log_; }
    const Log& log() const { return log_; }
    const DatabasePace& pace() const { return pace_; }
    DatabasePace& pace() { return pace_; }

    bool gone = false;  // it was dropped: its servers answer, and it is in none of them

    bool is_primary(const Server& server) const { return runs(server) && !server.standby; }
    // It would take a write from somebody who reaches it; frozen, it will again once thawed.
    bool accepts_writes(const Server& server) const { return is_primary(server) && !server.stopping; }
    bool runs(const Server& server) const { return server.part.health != Health::dead && !server.starting; }
    std::vector<Place> writers() const;
    // The one copy that clients will find in the end: the primary's; without one, nothing.
    std::optional<Point> final_point() const;

    // Brings `held` and `applied` of every standby up to now.
    void settle();
    void refresh();  // after a change: who streams from whom

    // Effects, without the way to them. What takes time ends by itself.
    Lsn write(Server& server, RecordKind kind, std::int64_t first, std::int64_t count, std::uint64_t bytes);
    void promote(Server& server);
    void shut_down(Server& server);
    void start(Server& server);
    void kill(Server& server);
    void raise_fence(Server& server);
    void rejoin(Server& server, const Server& primary, RejoinBy by);
    void stop_rejoins();  // the controller that ran them is gone

    int promotions() const { return promotions_; }

private:
    bool may_stream(const Server& standby) const;
    void settle(Server& server);
    void finish_shut_down(Place place, std::uint64_t life, Moment give_up);
    void open(Place place, std::uint64_t life);
    void finish_rejoin(Place place, std::uint64_t life, Place primary);

    Ground& ground_;
    std::string name_;
    std::size_t index_;
    DatabasePace pace_;
    std::vector<Server> servers_;
    Log log_;
    int promotions_ = 0;
};

// The server that takes writes, as somebody outside of all regions reaches it who asks every one of them; null if there
// is none, or no database.
const DatabaseModel::Server* writable_from_outside(const Ground& ground, const DatabaseModel* database);

}  // namespace kedge::sim
