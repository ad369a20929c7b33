#include "sim/disaster.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace kedge::sim {
namespace {

constexpr Span warm_up = 4s;
constexpr Span copied_before = 1s;  // what a recovered copy lacks when the plan begins
constexpr Span declared_least = 300ms, declared_most = 3s;

bool does(const BoundPlan& plan, std::string_view action) {
    return std::any_of(plan.steps.begin(), plan.steps.end(), [&](const BoundStep& step) {
        return step.skipped_because.empty() && step.type != nullptr && step.type->name == action;
    });
}

}  // namespace

std::string_view to_string(Scene scene) {
    switch (scene) {
        case Scene::calm: return "calm";
        case Scene::lost: return "lost";
        case Scene::returned: return "returned";
        case Scene::emptied: return "emptied";
    }
    return "";
}

std::string_view to_string(Loss loss) {
    switch (loss) {
        case Loss::killed: return "killed";
        case Loss::silent: return "silent";
        case Loss::partitioned: return "partitioned";
        case Loss::database: return "database killed";
        case Loss::frozen: return "database frozen";
        case Loss::cache: return "cache killed";
        case Loss::flushed: return "cache flushed";
        case Loss::files_gone: return "cache started without its files";
    }
    return "";
}

std::vector<Loss> losses_for(const BoundPlan& plan) {
    if (does(plan, "traffic.shift"))
        return {Loss::killed, Loss::silent, Loss::partitioned, Loss::database, Loss::frozen};
    if (does(plan, "postgres.promote")) return {Loss::database, Loss::frozen};
    if (scene_of(plan) == Scene::emptied) return {Loss::flushed, Loss::files_gone};
    return {Loss::cache};
}

Scene scene_of(const BoundPlan& plan) {
    if (does(plan, "postgres.export-stranded")) return Scene::returned;
    if (does(plan, "recovery.restore-snapshot")) return Scene::emptied;
    const bool forced = (does(plan, "postgres.promote") && !does(plan, "postgres.shut-down")) ||
                        (does(plan, "redis.fail-over") && !does(plan, "redis.pause-writes"));
    return forced ? Scene::lost : Scene::calm;
}

Place home_of(const BoundPlan& plan, const Estate& estate) {
    for (const char* input : {"from", "region"}) {
        const auto given = plan.inputs.find(input);
        if (given == plan.inputs.end()) continue;
        for (Place place = 0; place < estate.regions.size(); ++place)
            if (estate.regions[place].name == given->second) return place;
    }
    return 0;
}

Disaster::Disaster(const Assignment& assignment, std::uint64_t seed)
    : assignment_(assignment),
      random_(seed),
      world_(assignment.estate(), random_.next()),
      controller_(world_, assignment),
      people_(world_, controller_, assignment, random_.fork()),
      scene_(scene_of(assignment.plan())),
      home_(home_of(assignment.plan(), assignment.estate())) {
    controller_.on_turn = [this] {
        if (controller_.has_ended() && !ended_at_) ended_at_ = world_.ground.now();
        people_.look();
    };
}

void Disaster::set_up(Loss loss) {
    Schedule& schedule = world_.ground.schedule();
    schedule.run_until(schedule.now() + warm_up);
    const Place other = home_ == 0 ? 1 : 0;
    if (scene_ == Scene::returned) {
        if (home_ == 0) world_.move_to(other);
        world_.lose_and_take_over(other, home_);
    } else if (home_ != 0) {
        world_.move_to(home_);
    }
    // A plan that swaps in what it did not make finds it there.
    const BoundPlan& plan = assignment_.plan();
    for (const BoundStep& step : plan.steps)
        if (step.type != nullptr && (step.type->name == "recovery.prepare" || step.type->name == "recovery.load"))
            for (const auto& database : world_.databases)
                if (database->name() == step.target)
                    world_.recoveries->stand(get_string(*step.with, "name").value_or(""), *database,
                                             schedule.now() - copied_before);
    // What takes a database's place within a running server takes that of one that was dropped, too.
    if (does(plan, "recovery.load") && random_.chance(0.5))
        for (const auto& database : world_.databases) database->gone = true;
    if (scene_ != Scene::lost && scene_ != Scene::emptied) return;
    strike(loss);
    schedule.run_until(schedule.now() + random_.between(declared_least, declared_most));
}

void Disaster::strike(Loss loss) {
    loss_ = loss;
    struck_at_ = world_.ground.now();
    const Place other = home_ == 0 ? 1 : 0;
    switch (loss) {
        case Loss::killed: return world_.kill_region(home_);
        case Loss::silent: return world_.silence_region(home_);
        case Loss::partitioned: return world_.part(home_, other);
        case Loss::database:
            for (const auto& database : world_.databases) database->kill(database->at(home_));
            return;
        case Loss::frozen:
            for (const auto& database : world_.databases)
                world_.ground.set_health(database->at(home_).part, Health::frozen);
            return;
        case Loss::cache:
            for (const auto& cache : world_.caches) world_.ground.set_health(cache->at(home_).part, Health::dead);
            return;
        case Loss::flushed:
        case Loss::files_gone:
            for (const auto& cache : world_.caches) loss == Loss::flushed ? cache->flush() : cache->start_empty();
            // One of after the loss holds nothing and is no use.
            if (random_.chance(0.5)) world_.backups->take_snapshots();
            return;
    }
}

void Disaster::healed() {
    healed_ = true;
    for (const auto& look : std::exchange(looks_, {})) look();
}

Result<void> Disaster::start() {
    declared_at_ = world_.ground.now();
    return controller_.start();
}

bool Disaster::step(Moment limit) {
    return world_.ground.schedule().step(limit);
}

bool Disaster::play(Span limit) {
    const Moment end = world_.ground.now() + limit;
    while (!controller_.has_ended() && step(end)) {
    }
    return controller_.has_ended();
}

std::string describe_end(const World& world, const RunState& state) {
    std::string text = fmt::format("phase {}, result {}\n", to_string(state.phase()),
                                   state.result() ? to_string(*state.result()) : "none");
    for (std::size_t i = 0; i < state.size(); ++i)
        text += fmt::format("step {}: {}\n", state.bound(i).id, to_string(state.record(i).state));
    for (const OpenObligation& owed : state.obligations())
        text += fmt::format("owed: {} {} by {}\n", owed.name, owed.region, owed.owner);
    for (const auto& database : world.databases) {
        text += fmt::format("{}: promoted {} times\n", database->name(), database->promotions());
        for (const DatabaseModel::Server& server : database->servers())
            text += fmt::format("  {}: {} {} timeline {} fence {} {}\n", server.part.name,
                                server.part.health == Health::up ? "up" : "not up",
                                server.standby ? "standby" : "primary", database->log().timeline(server.held),
                                kedge::to_string(server.fenced), server.connected ? "streams" : "");
    }
    for (const auto& cache : world.caches)
        for (const CacheModel::Node& node : cache->nodes())
            text += fmt::format("{}: {} {} {}\n", node.part.name, node.part.health == Health::up ? "up" : "not up",
                                node.master                  ? "master"
                                : cache->copies_beside(node) ? "copies the recovered"
                                                             : "replica",
                                node.paused_until > world.ground.now() ? "paused" : "");
    for (const auto& cache : world.caches)
        for (const CacheModel::Sentinel& sentinel : cache->sentinels())
            text += fmt::format("{} waits {}\n", sentinel.part.name, kedge::to_string(sentinel.down_after));
    for (const auto& application : world.applications)
        for (const ApplicationModel::Site& site : application->sites())
            for (const ApplicationModel::Instance& instance : site.instances)
                text += fmt::format("{}: {} writes {} release {}\n", instance.part.name,
                                    instance.part.health == Health::up ? "up" : "not up",
                                    static_cast<int>(instance.writes), instance.release);
    for (const auto& schema : world.schemas) text += fmt::format("{}: version {}\n", schema->name(), schema->version);
    for (const auto& index : world.indexes)
        text += fmt::format("{}: {}, job {}, {} entries for {} rows\n", index->name(), kedge::to_string(index->mode),
                            kedge::to_string(index->job().state), index->entries(), index->rows());
    for (const auto& entrance : world.entrances)
        for (Place place = 0; place < entrance->shares().size(); ++place)
            text += fmt::format("{} to {}: {}\n", entrance->name(), world.ground.name_of(place),
                                entrance->shares()[place].weight);
    for (const SimulatedChannel* channel : world.channels)
        for (const auto& [key, times] : channel->deliveries()) text += fmt::format("told: {}\n", key);
    return text;
}

}  // namespace kedge::sim
