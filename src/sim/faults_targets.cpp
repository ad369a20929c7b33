// Databases, caches, applications, the entrance and what observes them.

#include <array>

#include "sim/faults.h"

namespace kedge::sim {
namespace {

using Server = DatabaseModel::Server;

// For one of the databases, if there is one.
void for_database(Staging& staging, Place place, const std::function<void(DatabaseModel&, Server&)>& act,
                  const std::function<void(DatabaseModel&, Server&)>& mend = {}) {
    if (staging.world().databases.empty()) return;
    DatabaseModel& database = *staging.world().databases.front();
    std::function<void()> undo;
    if (mend) undo = [&database, place, mend] { mend(database, database.at(place)); };
    staging.later([&database, place, act] { act(database, database.at(place)); }, std::move(undo));
}
void for_cache(Staging& staging, const std::function<void(CacheModel&)>& act,
               const std::function<void(CacheModel&)>& mend = {}) {
    if (staging.world().caches.empty()) return;
    CacheModel& cache = *staging.world().caches.front();
    std::function<void()> undo;
    if (mend) undo = [&cache, mend] { mend(cache); };
    staging.later([&cache, act] { act(cache); }, std::move(undo));
}
void freeze_for_a_while(Staging& staging, Part& part) {
    Ground& ground = staging.world().ground;
    staging.later(
        [&ground, &part] {
            if (part.health == Health::up) ground.set_health(part, Health::frozen);
        },
        [&ground, &part] {
            if (part.health == Health::frozen) ground.set_health(part, Health::up);
        });
}
void stop_for_a_while(Staging& staging, Part& part) {
    Ground& ground = staging.world().ground;
    staging.later(
        [&ground, &part] {
            if (part.health == Health::up) ground.set_health(part, Health::dead);
        },
        [&ground, &part] {
            if (part.health == Health::dead) ground.set_health(part, Health::up);
        });
}

void promotion_hangs(Staging& staging) {
    if (staging.world().databases.empty()) return;
    DatabasePace& pace = staging.world().databases.front()->pace();
    pace.open_least = 5s;
    pace.open_most = 90s;
    staging.fired();
}
void old_primary_comes_back(Staging& staging) {
    for_database(staging, staging.home(), [](DatabaseModel& database, Server& server) {
        if (server.fenced == Truth::no && !server.rejoining) database.start(server);
    });
}
void standby_lags(Staging& staging) {
    const Span behind = staging.random.between(1s, 90s);
    for_database(
        staging, staging.other(), [behind](DatabaseModel&, Server& server) { server.replay_behind = behind; },
        [](DatabaseModel&, Server& server) { server.replay_behind = {}; });
}
void replay_is_paused(Staging& staging) {
    for_database(
        staging, staging.other(), [](DatabaseModel&, Server& server) { server.replay_paused = true; },
        [](DatabaseModel&, Server& server) { server.replay_paused = false; });
}
void stream_stops(Staging& staging) {
    Ground& ground = staging.world().ground;
    for_database(
        staging, staging.other(),
        [&ground](DatabaseModel&, Server& server) {
            server.receiver_off = true;
            ground.changed();
        },
        [&ground](DatabaseModel&, Server& server) {
            server.receiver_off = false;
            ground.changed();
        });
}
void nobody_observes(Staging& staging) {
    SimulatedSamples* samples = staging.world().samples;
    staging.later([samples] { samples->watching = false; }, [samples] { samples->watching = true; });
}
void fence_is_silent(Staging& staging) {
    if (staging.world().databases.empty()) return;
    freeze_for_a_while(staging, staging.world().databases.front()->at(staging.home()).fence_control);
}
void fence_does_not_know(Staging& staging) {
    for_database(
        staging, staging.home(),
        [](DatabaseModel&, Server& server) {
            if (server.fenced == Truth::no) server.fenced = Truth::unknown;
        },
        [](DatabaseModel&, Server& server) {
            if (server.fenced == Truth::unknown) server.fenced = Truth::no;
        });
}
void candidate_dies(Staging& staging) {
    for_database(
        staging, staging.other(), [](DatabaseModel& database, Server& server) { database.kill(server); },
        [](DatabaseModel& database, Server& server) {
            if (server.fenced == Truth::no) database.start(server);
        });
}
void candidate_hangs(Staging& staging) {
    if (staging.world().databases.empty()) return;
    freeze_for_a_while(staging, staging.world().databases.front()->at(staging.other()).part);
}
void rewind_is_impossible(Staging& staging) {
    for_database(staging, staging.home() == 0 ? 1 : 0,
                 [](DatabaseModel&, Server& server) { server.rewind_impossible = true; });
}

void sentinel_believes_otherwise(Staging& staging) {
    const std::uint64_t which = staging.random.next();
    const Place place = staging.random.chance(0.5) ? staging.home() : staging.other();
    for_cache(staging, [which, place](CacheModel& cache) {
        cache.sentinels()[which % cache.sentinels().size()].master = place;
    });
}
void sentinel_dies(Staging& staging) {
    if (staging.world().caches.empty()) return;
    auto& sentinels = staging.world().caches.front()->sentinels();
    stop_for_a_while(staging, sentinels[staging.random.below(sentinels.size())].part);
}
void sentinels_fail_over_themselves(Staging& staging) {
    const Place target = staging.random.chance(0.5) ? staging.home() : staging.other();
    for_cache(staging, [target](CacheModel& cache) {
        for (CacheModel::Sentinel& sentinel : cache.sentinels())
            if (sentinel.part.health == Health::up && !cache.any_failing_over() &&
                cache.at(target).part.health == Health::up && !cache.at(target).master)
                cache.fail_over(sentinel, target);
    });
}
void replica_dies(Staging& staging) {
    if (staging.world().caches.empty()) return;
    stop_for_a_while(staging, staging.world().caches.front()->at(staging.other()).part);
}
void replica_hangs(Staging& staging) {
    if (staging.world().caches.empty()) return;
    freeze_for_a_while(staging, staging.world().caches.front()->at(staging.other()).part);
}

void master_dies(Staging& staging) {
    if (staging.world().caches.empty()) return;
    stop_for_a_while(staging, staging.world().caches.front()->at(staging.home()).part);
}
void master_hangs(Staging& staging) {
    if (staging.world().caches.empty()) return;
    freeze_for_a_while(staging, staging.world().caches.front()->at(staging.home()).part);
}
// A program beside the application: no maintenance mode is told to it, and it finds the master as clients do.
void others_write_to_the_cache(Staging& staging) {
    static constexpr Span every = 250ms;
    static constexpr std::int64_t numbered_from = 1'000'000'000, writes_max = 400;
    static constexpr std::uint64_t bytes = 90;
    Disaster& disaster = staging.disaster;
    Ground& ground = staging.world().ground;
    const std::int64_t writes = 1 + static_cast<std::int64_t>(staging.random.below(writes_max));
    for_cache(staging, [&disaster, &ground, writes](CacheModel& cache) {
        for (std::int64_t i = 0; i < writes; ++i)
            ground.schedule().after(every * i, [&disaster, &ground, &cache, i] {
                const auto told = cache.told_to(ground.outside());
                if (disaster.is_healed() || !told) return;
                CacheModel::Node& node = cache.at(*told);
                if (!cache.accepts_writes(node) || !ground.open_both(ground.outside(), *told)) return;
                cache.write(node, RecordKind::rows, numbered_from + i, 1, bytes);
                cache.log().acknowledge(node.held.branch);
            });
    });
}

void instance_dies(Staging& staging) {
    if (staging.world().applications.empty()) return;
    auto& instances = staging.world().applications.front()->sites()[staging.other()].instances;
    if (!instances.empty()) stop_for_a_while(staging, instances.front().part);
}
void instance_hangs(Staging& staging) {
    if (staging.world().applications.empty()) return;
    auto& instances = staging.world().applications.front()->sites()[staging.other()].instances;
    if (!instances.empty()) freeze_for_a_while(staging, instances.front().part);
}
void entrance_hangs(Staging& staging) {
    if (staging.world().entrances.empty()) return;
    freeze_for_a_while(staging, staging.world().entrances.front()->part());
}
void channel_is_down(Staging& staging) {
    if (staging.world().channels.empty()) return;
    stop_for_a_while(staging, staging.world().channels.front()->part());
}
void channel_loses(Staging& staging) {
    if (staging.world().channels.empty()) return;
    SimulatedChannel* channel = staging.world().channels.front();
    staging.later([channel] { channel->accepts_and_loses = true; });
}
void channel_is_late(Staging& staging) {
    if (staging.world().channels.empty()) return;
    SimulatedChannel* channel = staging.world().channels.front();
    const Span late = staging.random.between(1s, 20s);
    staging.later([channel, late] { channel->late = late; });
}
void channel_repeats(Staging& staging) {
    if (staging.world().channels.empty()) return;
    SimulatedChannel* channel = staging.world().channels.front();
    staging.later([channel] { channel->repeats = true; });
}
void metrics_are_down(Staging& staging) {
    if (staging.world().metrics == nullptr) return;
    stop_for_a_while(staging, staging.world().metrics->part());
}
void other_region_dies(Staging& staging) {
    World& world = staging.world();
    const Place place = staging.other();
    staging.later([&world, place] { world.kill_region(place); },
                  [&world, place] {
                      world.restart_region(place);
                      for (const auto& database : world.databases)
                          if (database->at(place).fenced == Truth::no) database->start(database->at(place));
                  });
}
void lost_region_returns(Staging& staging) {
    if (staging.disaster.scene() != Scene::lost) return;
    World& world = staging.world();
    const Place place = staging.home();
    staging.later([&world, place] {
        world.ground.mend_all();
        for (Part* part : world.parts_at(place))
            if (part->health == Health::frozen) part->health = Health::up;
        world.restart_region(place);
        for (const auto& database : world.databases)
            if (database->at(place).fenced == Truth::no && !database->at(place).rejoining)
                database->start(database->at(place));
    });
}

}  // namespace

std::span<const FaultPiece> faults_of_targets() {
    static constexpr std::array faults{
        FaultPiece{"a promotion takes long", "61", promotion_hangs},
        FaultPiece{"the old primary comes back writable", "63", old_primary_comes_back},
        FaultPiece{"the standby lags", "64", standby_lags},
        FaultPiece{"replay is paused", "64", replay_is_paused},
        FaultPiece{"the stream stops", "64", stream_stops},
        FaultPiece{"nobody observes the database", "64", nobody_observes},
        FaultPiece{"the fence is silent", "37", fence_is_silent},
        FaultPiece{"the fence does not know", "63", fence_does_not_know},
        FaultPiece{"the standby dies and comes back", "57, 61", candidate_dies},
        FaultPiece{"the standby hangs for a while", "54, 61", candidate_hangs},
        FaultPiece{"a rewind is impossible", "62", rewind_is_impossible},
        FaultPiece{"a Sentinel believes otherwise", "72", sentinel_believes_otherwise},
        FaultPiece{"a Sentinel dies", "70", sentinel_dies},
        FaultPiece{"the Sentinels fail over by themselves", "70, 71", sentinels_fail_over_themselves},
        FaultPiece{"the replica dies and comes back", "70, 73", replica_dies},
        FaultPiece{"the replica hangs for a while", "70, 73", replica_hangs},
        FaultPiece{"the cache's master dies and comes back", "70, 73", master_dies},
        FaultPiece{"the cache's master hangs for a while", "70, 73", master_hangs},
        FaultPiece{"others write to the cache", "89", others_write_to_the_cache},
        FaultPiece{"an instance dies and comes back", "57", instance_dies},
        FaultPiece{"an instance hangs for a while", "57", instance_hangs},
        FaultPiece{"the entrance hangs for a while", "76", entrance_hangs},
        FaultPiece{"a channel is down for a while", "90", channel_is_down},
        FaultPiece{"a channel accepts and loses", "90", channel_loses},
        FaultPiece{"a channel is late", "35, 90", channel_is_late},
        FaultPiece{"a channel repeats", "35, 90", channel_repeats},
        FaultPiece{"metrics are down for a while", "58", metrics_are_down},
        FaultPiece{"the other region dies too", "57, 58", other_region_dies},
        FaultPiece{"the lost region returns", "63, 71", lost_region_returns},
    };
    return faults;
}

}  // namespace kedge::sim
