#include "sim/world/database_model.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

constexpr Lsn first_position{0x3000000};
constexpr std::uint64_t checkpoint_bytes = 120, end_of_recovery_bytes = 100;
// A stream that was cut without a word is taken for alive until then (wal_sender_timeout, wal_receiver_timeout).
constexpr Span stream_timeout = 60s;
constexpr Span settle_interval = 20ms;

}  // namespace

DatabaseModel::DatabaseModel(Ground& ground, std::string name, std::size_t index, DatabasePace pace)
    : ground_(ground), name_(std::move(name)), index_(index), pace_(pace), log_(first_position) {
    for (Place place = 0; place < ground_.regions().size(); ++place) {
        Server server;
        server.part = {.name = fmt::format("{}@{}", name_, ground_.name_of(place)), .place = place};
        server.fence_control = {.name = "fence of " + server.part.name, .place = ground_.outside()};
        server.standby = place != 0;
        server.held = {0, first_position};
        server.applied = first_position;
        server.connected = server.standby;
        server.heard = ground_.now();
        servers_.push_back(std::move(server));
    }
    ground_.on_change([this] { refresh(); });
}

std::vector<Place> DatabaseModel::writers() const {
    std::vector<Place> places;
    for (const Server& server : servers_)
        if (accepts_writes(server)) places.push_back(server.part.place);
    return places;
}

std::optional<Point> DatabaseModel::final_point() const {
    std::optional<Point> found;
    for (const Server& server : servers_)
        if (is_primary(server) && (!found || log_.timeline(server.held) > log_.timeline(*found))) found = server.held;
    return found;
}

bool DatabaseModel::may_stream(const Server& standby) const {
    if (!standby.standby || !runs(standby) || standby.part.health != Health::up || standby.receiver_off ||
        standby.promoting)
        return false;
    const Server& sender = servers_[standby.follows];
    return &sender != &standby && is_primary(sender) && sender.part.health == Health::up &&
           ground_.open_both(sender.part.place, standby.part.place) && log_.leads_to(standby.held, sender.held.branch);
}

void DatabaseModel::settle() {
    for (Server& server : servers_)
        if (server.standby) settle(server);
}

void DatabaseModel::settle(Server& server) {
    const Moment now = ground_.now();
    if (server.connected) {
        const Server& sender = servers_[server.follows];
        const Moment sent = now - 32ms;
        const Lsn reached = log_.position_at(sender.held.branch, sent);
        if (log_.leads_to(server.held, sender.held.branch) && reached > server.held.position)
            server.held = {sender.held.branch, reached};
        else
            server.held.branch = sender.held.branch;
        server.heard = now;
    }
    if (server.replay_paused || server.part.health == Health::dead) return;
    const Lsn replayed = log_.position_at(server.held.branch, now - 32ms - pace_.replay_delay - server.replay_behind);
    server.applied = std::max(server.applied, std::min(replayed, server.held.position));
}

void DatabaseModel::refresh() {
    for (Server& server : servers_) {
        const bool possible = may_stream(server);
        if (server.connected && !possible) {
            settle(server);
            server.connected = false;
            const Server& sender = servers_[server.follows];
            // Whoever died has closed the connection; whoever is cut off or frozen has not.
            const bool closed = sender.part.health == Health::dead || !is_primary(sender) || server.receiver_off ||
                                server.part.health == Health::dead;
            server.stream_silent_since = closed ? std::nullopt : std::optional{ground_.now()};
        } else if (!server.connected && possible && !server.connecting) {
            server.connecting = true;
            const Place place = server.part.place;
            ground_.schedule().after(ground_.random().between(pace_.connect_least, pace_.connect_most), [this, place] {
                Server& standby = servers_[place];
                standby.connecting = false;
                if (!may_stream(standby)) return;
                standby.connected = true;
                standby.stream_silent_since.reset();
                standby.rejoining.reset();
                standby.held.branch = servers_[standby.follows].held.branch;
                settle(standby);
                ground_.changed();
            });
        }
    }
}

Lsn DatabaseModel::write(Server& server, RecordKind kind, std::int64_t first, std::int64_t count, std::uint64_t bytes) {
    server.held.position = log_.append(server.held.branch, kind, first, count, bytes, ground_.now());
    return server.held.position;
}

void DatabaseModel::promote(Server& server) {
    if (server.promoting) return;
    settle(server);
    server.promoting = true;
    ++promotions_;
    // What was received is replayed first, however far behind the replay is.
    const Span behind = server.applied < server.held.position ? server.replay_behind / 10 : Span{0};
    const Span takes = ground_.random().between(pace_.open_least, pace_.open_most) + behind;
    ground_.schedule().after(takes, [this, place = server.part.place, life = server.life] { open(place, life); });
    ground_.changed();
}

void DatabaseModel::open(Place place, std::uint64_t life) {
    Server& server = servers_[place];
    if (server.life != life || !server.promoting) return;
    if (server.part.health == Health::frozen) {
        ground_.schedule().after(200ms, [this, place, life] { open(place, life); });
        return;
    }
    server.promoting = false;
    server.standby = false;
    server.opened_at = ground_.now();
    server.connected = false;
    server.held.branch = log_.fork(server.held, ground_.now());
    server.applied = server.held.position;
    write(server, RecordKind::housekeeping, 0, 0, end_of_recovery_bytes);
    ground_.changed();
}

void DatabaseModel::shut_down(Server& server) {
    if (!runs(server) || server.stopping) return;
    server.stopping = true;
    const Span takes = ground_.random().between(pace_.stop_least, pace_.stop_most);
    const Moment give_up = ground_.now() + stream_timeout;
    ground_.schedule().after(takes, [this, place = server.part.place, life = server.life, give_up] {
        finish_shut_down(place, life, give_up);
    });
    ground_.changed();
}

// A clean end: the shutdown checkpoint is written and sent to every standby that still listens, then the server goes.
void DatabaseModel::finish_shut_down(Place place, std::uint64_t life, Moment give_up) {
    Server& server = servers_[place];
    if (server.life != life || !server.stopping) return;
    if (!server.stopped_clean && !server.standby) {
        server.stopped_clean = true;
        write(server, RecordKind::housekeeping, 0, 0, checkpoint_bytes);
    }
    settle();
    const bool waits = std::any_of(servers_.begin(), servers_.end(), [&](const Server& other) {
        if (!other.standby || other.follows != place) return false;
        return (other.connected && other.held.position < server.held.position) || other.stream_silent_since;
    });
    if ((waits && ground_.now() < give_up) || server.part.health == Health::frozen) {
        ground_.schedule().after(settle_interval,
                                 [this, place, life, give_up] { finish_shut_down(place, life, give_up); });
        return;
    }
    server.stopped_clean = true;
    server.stopping = false;
    ++server.life;
    ground_.set_health(server.part, Health::dead);
}

void DatabaseModel::start(Server& server) {
    if (server.part.health != Health::dead || server.starting) return;
    server.starting = true;
    server.stopped_clean = false;
    server.part.health = Health::up;
    const Span takes = ground_.random().between(pace_.start_least, pace_.start_most);
    ground_.schedule().after(takes, [this, place = server.part.place, life = server.life] {
        Server& started = servers_[place];
        if (started.life != life) return;
        started.starting = false;
        ground_.changed();
    });
    ground_.changed();
}

void DatabaseModel::kill(Server& server) {
    if (server.part.health == Health::dead) return;
    settle();
    ++server.life;
    server.stopping = server.starting = server.promoting = false;
    server.stopped_clean = false;
    server.rejoining.reset();
    ground_.set_health(server.part, Health::dead);
}

void DatabaseModel::raise_fence(Server& server) {
    kill(server);
    server.fenced = Truth::yes;
    ground_.changed();
}

void DatabaseModel::rejoin(Server& server, const Server& primary, RejoinBy by) {
    if (server.rejoining) return;
    if (server.rewind_broken) by = RejoinBy::base_backup;
    const bool rewinds = by == RejoinBy::rewind;
    server.rejoining = rewinds ? "pg_rewind runs" : "pg_basebackup runs";
    server.rejoin_failure.reset();
    server.rewind_broken = true;
    const Span takes = rewinds ? ground_.random().between(pace_.rewind_least, pace_.rewind_most)
                               : ground_.random().between(pace_.copy_least, pace_.copy_most);
    ground_.schedule().after(takes, [this, place = server.part.place, life = server.life, from = primary.part.place] {
        finish_rejoin(place, life, from);
    });
    ground_.changed();
}

void DatabaseModel::finish_rejoin(Place place, std::uint64_t life, Place primary) {
    Server& server = servers_[place];
    const Server& source = servers_[primary];
    if (server.life != life || !server.rejoining) return;
    if (!is_primary(source) || source.part.health != Health::up || !ground_.open_both(place, source.part.place)) {
        server.rejoining.reset();
        server.rejoin_failure = "the connection to " + source.part.name + " was lost";
        ground_.changed();
        return;
    }
    server.rewind_broken = server.rewind_impossible = false;
    server.rejoining = "the new standby starts";
    server.standby = true;
    server.follows = primary;
    server.held = source.held;
    server.held.position = log_.position_at(source.held.branch, ground_.now() - 32ms);
    server.applied = server.held.position;
    server.fenced = Truth::no;
    server.stream_silent_since.reset();
    server.receiver_off = server.replay_paused = false;
    ground_.note(EffectKind::lower_fence, place, index_);
    start(server);
}

void DatabaseModel::stop_rejoins() {
    for (Server& server : servers_) {
        if (!server.rejoining) continue;
        server.rejoining.reset();
        if (server.part.health == Health::dead) ++server.life;
    }
    ground_.changed();
}

const DatabaseModel::Server* writable_from_outside(const Ground& ground, const DatabaseModel* database) {
    if (database == nullptr || database->gone) return nullptr;
    const auto found = std::ranges::find_if(database->servers(), [&](const DatabaseModel::Server& server) {
        return server.part.health == Health::up && database->accepts_writes(server) &&
               ground.open(ground.outside(), server.part.place);
    });
    return found == database->servers().end() ? nullptr : &*found;
}

}  // namespace kedge::sim
