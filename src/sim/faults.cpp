#include "sim/faults.h"

#include <utility>

namespace kedge::sim {

void Staging::later(std::function<void()> strike, std::function<void()> mend, Span least, Span most) {
    Schedule& schedule = world().ground.schedule();
    const Moment at = when();
    schedule.at(at, [strike = std::move(strike), fired_now = fired, &staged = disaster] {
        if (staged.is_healed()) return;
        strike();
        fired_now();
    });
    if (mend) schedule.at(at + random.between(least, most), std::move(mend));
}

const std::vector<FaultPiece>& all_faults() {
    static const std::vector<FaultPiece> all = [] {
        std::vector<FaultPiece> faults;
        for (const auto part : {faults_of_controller(), faults_of_network(), faults_of_targets(), faults_of_people(),
                                faults_of_releases(), faults_of_recoveries(), faults_of_indexes()})
            faults.insert(faults.end(), part.begin(), part.end());
        return faults;
    }();
    return all;
}

void heal(Disaster& disaster) {
    disaster.healed();
    World& world = disaster.world();
    world.ground.mend_all();
    world.ground.meddle({});
    for (Place place = 0; place <= world.ground.outside(); ++place)
        for (Part* part : world.parts_at(place))
            if (part->health == Health::frozen) part->health = Health::up;
    for (Place place = 0; place <= world.ground.outside(); ++place) world.restart_region(place);
    for (const auto& database : world.databases) {
        for (DatabaseModel::Server& server : database->servers()) {
            server.fence_control.health = Health::up;
            if (server.fenced == Truth::unknown) server.fenced = Truth::no;
            server.receiver_off = server.replay_paused = server.rewind_impossible = false;
            server.replay_behind = {};
            // Whoever was stopped in order, or is fenced, was meant to be.
            if (server.part.health == Health::dead && server.fenced == Truth::no && !server.stopped_clean &&
                !server.rejoining)
                database->start(server);
        }
    }
    for (const auto& schema : world.schemas) {
        schema->locked_until = {};
        schema->faulty.clear();
        schema->sound = true;
    }
    world.backups->mend();
    world.recoveries->excluded_are_known = true;
    for (auto& [name, copy] : world.recoveries->copies()) copy.answers = true;
    world.recoveries->of_caches().mend();
    for (const auto& index : world.indexes) index->make_whole();
    for (SimulatedChannel* channel : world.channels) {
        channel->part().health = Health::up;
        channel->late = {};
        channel->repeats = false;
    }
    if (world.metrics != nullptr) world.metrics->part().health = Health::up;
    if (world.logs != nullptr) world.logs->part().health = Health::up;
    world.samples->watching = true;
    world.ground.changed();
    disaster.people().habits = {.least = 1s, .most = 20s};
    disaster.people().come_back();
    disaster.people().look();
    disaster.controller().store().heal();
    disaster.controller().die_before_answer = 0;
    disaster.controller().clock_error = {};
    disaster.controller().resumed_after = 1s;
}

}  // namespace kedge::sim
