// The judges are judged: for each promise something is planted that breaks it, and its judge must find it within a
// thousand disasters; undisturbed, none of them may say a word.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "engine/events.h"
#include "sim/judge/invariant.h"
#include "sim/shipped_plans_for_tests.h"
#include "sim/trial.h"

namespace kedge::sim {
namespace {

const ShippedUse shipped_failover{"regional-failover", {{"from", "us-east-1"}, {"to", "us-west-2"}}};
const ShippedUse failback{"regional-failback", {{"from", "us-west-2"}, {"to", "us-east-1"}}};
const ShippedUse release_back{"application-rollback",
                              {{"release", "1.1.0"}, {"region", "us-east-1"}, {"other", "us-west-2"}}};
const ShippedUse schema_back{"schema-rollback", {{"version", "2"}, {"region", "us-east-1"}, {"other", "us-west-2"}}};
const ShippedUse swap{"promote-recovery",
                      {{"name", "copy"}, {"region", "us-east-1"}, {"standby", "us-west-2"}, {"schema", "3"}}};
const ShippedUse exchange{"exchange-database",
                          {{"name", "copy"}, {"region", "us-east-1"}, {"standby", "us-west-2"}, {"schema", "3"}}};
const ShippedUse reindex{"knowledge-index-rebuild", {{"region", "us-east-1"}}};
const ShippedUse cache_back{"redis-recovery", {{"region", "us-east-1"}, {"replica", "us-west-2"}, {"name", "copy"}}};
const ShippedUse planned{"database-failover", {{"from", "us-east-1"}, {"to", "us-west-2"}, {"mode", "planned"}}};
constexpr std::uint64_t seeds_max = 1000;

const Programme& prepared(const ShippedUse& use) {
    static std::map<std::string, Programme> made;
    const auto found = made.find(name_of(use));
    return found != made.end() ? found->second : made.emplace(name_of(use), programme_of(use)).first->second;
}

// Does something in the name of a step, which the journal may know nothing of.
void act(Disaster& disaster, Span after, const std::string& step, int attempt,
         const std::function<void(World&)>& deed) {
    World& world = disaster.world();
    Controller& controller = disaster.controller();
    world.ground.schedule().after(after, [&world, &controller, step, attempt, deed] {
        const auto index = controller.state() == nullptr ? std::nullopt : controller.state()->find(step);
        if (!index) return;
        world.ground.begin_call({.step = *index, .attempt = attempt, .epoch = 1});
        deed(world);
        (void)world.ground.end_call();
    });
}
// Does something when a step has come so far.
void on_step(Disaster& disaster, const std::string& step, const std::string& state,
             const std::function<void(World&)>& deed) {
    World& world = disaster.world();
    disaster.controller().on_entry = [&world, step, state, deed](const Entry& entry, const RunState&) {
        if (entry.kind == events::step_moved && get_string(entry.body, "step") == step &&
            get_string(entry.body, "to") == state)
            world.ground.schedule().after(0ms, [&world, deed] { deed(world); });
    };
}
Moment far(const World& world) {
    return world.ground.now() + 1h;
}
// Changes the entries that the judges read, not those that the run is made of.
using Change = std::function<void(Entry&)>;
auto tampering(Change change) {
    return [change = std::move(change)](Disaster&, Bench& bench) { bench.tamper = change; };
}
void set(Entry& entry, const char* key, Json value) {
    Json body = entry.body;
    body[key] = std::move(value);
    entry.body = std::move(body);
}
void set_in_step(Entry& entry, const char* step, const char* key, const char* value) {
    if (entry.kind == "step" && get_string(entry.body, "step") == step) set(entry, key, value);
}

// An index that says it serves as soon as it was asked to, and does not.
class LyingIndex final : public Index {
public:
    explicit LyingIndex(std::unique_ptr<Index> honest) : honest_(std::move(honest)) {}
    Result<IndexLook> look(Moment deadline) override {
        Result<IndexLook> look = honest_->look(deadline);
        if (look && serves_) look->mode = IndexMode::serving;
        return look;
    }
    Result<void> set_mode(IndexMode mode, Moment deadline) override {
        serves_ = mode == IndexMode::serving;
        return serves_ ? Result<void>() : honest_->set_mode(mode, deadline);
    }
    Result<void> rebuild(const std::string& job, Moment deadline) override { return honest_->rebuild(job, deadline); }
    Result<IndexSample> sample(std::int64_t size, Moment deadline) override { return honest_->sample(size, deadline); }

private:
    std::unique_ptr<Index> honest_;
    bool serves_ = false;
};

struct Plant {
    std::string promise, says;
    ShippedUse use;
    std::function<void(Disaster&, Bench&)> plant;
    Mode mode = Mode::live;
};

// A fence that says it is up and is not.
class LyingFence final : public Database {
public:
    explicit LyingFence(std::unique_ptr<Database> honest) : honest_(std::move(honest)) {}
    Result<DatabaseLook> look(const std::string& region, Moment deadline) override {
        return honest_->look(region, deadline);
    }
    Result<void> promote(const std::string& region, Moment deadline) override {
        return honest_->promote(region, deadline);
    }
    Result<void> switch_over(const std::string& region, Moment deadline) override {
        return honest_->switch_over(region, deadline);
    }
    Result<void> shut_down(const std::string& region, Moment deadline) override {
        return honest_->shut_down(region, deadline);
    }
    Result<void> start(const std::string& region, Moment deadline) override { return honest_->start(region, deadline); }
    Result<std::optional<Lsn>> stopped_at(const std::string& region, Moment deadline) override {
        return honest_->stopped_at(region, deadline);
    }
    Result<FenceLook> look_at_fence(const std::string&, Moment) override { return FenceLook{Truth::yes, "so it says"}; }
    Result<void> raise_fence(const std::string&, Moment) override { return {}; }
    Result<void> lower_fence(const std::string&, Moment) override { return {}; }
    Result<Canary> write_canary(const std::string& region, const std::string& key, Moment deadline) override {
        return honest_->write_canary(region, key, deadline);
    }
    Result<Heartbeat> write_heartbeat(const std::string& region, std::int64_t sequence, Moment deadline) override {
        return honest_->write_heartbeat(region, sequence, deadline);
    }
    Result<void> checkpoint(const std::string& region, Moment deadline) override {
        return honest_->checkpoint(region, deadline);
    }
    Result<Lsn> create_restore_point(const std::string& region, const std::string& name, Moment deadline) override {
        return honest_->create_restore_point(region, name, deadline);
    }
    Result<StrandedTail> export_stranded(const std::string& region, const std::string& primary,
                                         const std::string& keep_under, Moment deadline) override {
        return honest_->export_stranded(region, primary, keep_under, deadline);
    }
    Result<void> rejoin(const std::string& region, const std::string& primary, RejoinBy by, Moment deadline) override {
        return honest_->rejoin(region, primary, by, deadline);
    }

private:
    std::unique_ptr<Database> honest_;
};

// A channel that says it delivered and tells nobody.
class LyingChannel final : public Channel {
public:
    explicit LyingChannel(std::unique_ptr<Channel> honest) : honest_(std::move(honest)) {}
    Result<Receipt> send(const Notice& notice, Moment) override {
        said_.insert(notice.key);
        return Receipt{Truth::yes, "told", 1};
    }
    Result<Truth> delivered(const std::string& key, Moment) override {
        return said_.contains(key) ? Truth::yes : Truth::no;
    }

private:
    std::unique_ptr<Channel> honest_;  // the world looks at it
    std::set<std::string> said_;
};

const std::vector<Plant>& plants() {
    const auto database = [](World& world) -> Database& { return *world.targets.databases.at("aragora-postgres"); };
    static const std::vector<Plant> all{
        {"one writer", "a fence lies", shipped_failover,
         [](Disaster& disaster, Bench&) {
             auto& own = disaster.world().targets.databases.at("aragora-postgres");
             own = std::make_unique<LyingFence>(std::move(own));
         }},
        {"fence before promote", "a promotion out of turn", shipped_failover,
         [=](Disaster& disaster, Bench&) {
             act(disaster, 20ms, "promote", 1,
                 [=](World& world) { (void)database(world).promote("us-west-2", far(world)); });
         }},
        {"no blind promotion", "a promotion before anything was judged", shipped_failover,
         [=](Disaster& disaster, Bench&) {
             act(disaster, 20ms, "promote", 1,
                 [=](World& world) { (void)database(world).promote("us-west-2", far(world)); });
         }},
        {"loss is announced", "a bound that is told too small", shipped_failover, tampering([](Entry& entry) {
             if (get_string(entry.body, "step") != "loss" || !entry.body->contains("evidence")) return;
             Json evidence = get(entry.body, "evidence");
             evidence["loss_seconds_max"] = 0.0;
             set(entry, "evidence", std::move(evidence));
         })},
        {"the stranded tail is kept", "a rejoin before the export", failback,
         [=](Disaster& disaster, Bench&) {
             act(disaster, 20ms, "rejoin", 1, [=](World& world) {
                 (void)database(world).rejoin("us-east-1", "us-west-2", RejoinBy::rewind, far(world));
             });
         }},
        {"traffic follows proof", "users are sent before the canary", shipped_failover,
         [=](Disaster& disaster, Bench&) {
             act(disaster, 20ms, "promote", 1,
                 [=](World& world) { (void)database(world).promote("us-west-2", far(world)); });
             act(disaster, 30ms, "shift", 1, [](World& world) {
                 (void)world.targets.traffic.at("api")->shift({{"us-west-2", 100}}, far(world));
             });
         }},
        {"no traffic to the fenced", "users are sent to the fenced region", failback,
         [](Disaster& disaster, Bench&) {
             act(disaster, 20ms, "shift-tenth", 1, [](World& world) {
                 world.part(0, 1);
                 (void)world.targets.traffic.at("api")->shift({{"us-east-1", 10}}, far(world));
             });
         }},
        {"a planned switch loses nothing", "a promotion while the standby lags", planned,
         [=](Disaster& disaster, Bench&) {
             DatabaseModel& model = *disaster.world().databases.front();
             model.at(1).receiver_off = true;
             disaster.world().ground.changed();
             disaster.world().ground.schedule().run_until(disaster.world().ground.now() + 2s);
             act(disaster, 10ms, "shut-down", 1,
                 [=](World& world) { (void)database(world).shut_down("us-east-1", far(world)); });
             act(disaster, 500ms, "promote", 1,
                 [=](World& world) { (void)database(world).promote("us-west-2", far(world)); });
         }},
        {"intent first", "an effect that nobody announced", shipped_failover,
         [=](Disaster& disaster, Bench&) {
             act(disaster, 20ms, "canary", 1,
                 [=](World& world) { (void)database(world).checkpoint("us-west-2", far(world)); });
         }},
        {"legal transitions only", "a step that goes from nothing to done", shipped_failover,
         tampering([](Entry& entry) { set_in_step(entry, "fence", "cause", "person_says_done"); })},
        {"done stays done", "a step that is done and begins again", shipped_failover, tampering([](Entry& entry) {
             if (get_string(entry.body, "step") == "one-writer" && get_string(entry.body, "to") == "running")
                 set(entry, "step", "fence");
         })},
        {"compensation order", "the oldest is taken back first", planned,
         [](Disaster& disaster, Bench& bench) {
             // The judges are told that the undo of the newest began for the oldest.
             disaster.people().habits.minds_the_run = false;
             Disaster* one = &disaster;
             disaster.world().ground.schedule().after(1s, [one] { one->people().ask_of_run("cancel"); });
             bench.tamper = [](Entry& entry) {
                 if (get_string(entry.body, "cause") == "undo_begins") set(entry, "step", "settle");
             };
         }},
        {"point of no return", "a step is taken back after the promotion", shipped_failover,
         tampering([](Entry& entry) {
             if (get_string(entry.body, "step") != "cut" || get_string(entry.body, "to") != "succeeded") return;
             set(entry, "step", "shift");
             set(entry, "to", "compensating");
             set(entry, "cause", "undo_begins");
         })},
        {"needs hold", "a step begins before what it needs", shipped_failover, tampering([](Entry& entry) {
             if (get_string(entry.body, "step") == "fence" && get_string(entry.body, "to") == "running")
                 set(entry, "step", "shift");
         })},
        {"no effect after the end", "an effect after the run has ended", shipped_failover,
         [=](Disaster& disaster, Bench&) {
             act(disaster, 20s, "canary", 1,
                 [=](World& world) { (void)database(world).checkpoint("us-west-2", far(world)); });
         }},
        {"retry limits", "more attempts than the plan allows", shipped_failover,
         [](Disaster&, Bench& bench) {
             bench.tamper = [](Entry& entry) {
                 if (get_bool(entry.body, "intent").value_or(false)) set(entry, "step", "promote");
             };
         }},
        {"a rehearsal is dry", "an effect during a rehearsal", shipped_failover,
         [=](Disaster& disaster, Bench&) {
             act(disaster, 20ms, "canary", 1,
                 [=](World& world) { (void)database(world).checkpoint("us-west-2", far(world)); });
         },
         Mode::rehearse},
        {"one advancer", "an entry of a controller that was followed", shipped_failover,
         [](Disaster&, Bench& bench) {
             bench.tamper = [](Entry& entry) { entry.epoch = entry.position == 8 ? 9 : entry.epoch; };
         }},
        {"quorum first", "an approval is forgotten", shipped_failover, tampering([](Entry& entry) {
             if (entry.kind == "request" && get_string(entry.body, "verb") == "approve") set(entry, "accepted", false);
         })},
        {"approval binds", "the requester's own approval is taken", shipped_failover, tampering([](Entry& entry) {
             if (entry.kind == "request" && get_string(entry.body, "verb") == "approve") set(entry, "who", "tomas");
         })},
        {"held writes are released", "a release that reaches nobody", planned,
         [](Disaster& disaster, Bench&) {
             World& world = disaster.world();
             for (const Span at : {10s, 20s, 30s, 40s})
                 world.ground.schedule().after(
                     at, [&world] { world.applications.front()->sites()[0].instances[0].writes = Writes::refused; });
         }},
        {"people are told", "a notice that says it was sent", shipped_failover,
         [](Disaster& disaster, Bench&) {
             auto& own = disaster.world().targets.channels.at("incidents");
             own = std::make_unique<LyingChannel>(std::move(own));
         }},
        {"everything settles", "a run that goes on for ever", shipped_failover, tampering([](Entry& entry) {
             if (entry.kind == "run.phase") set(entry, "phase", "running");
         })},
        {"one master in the end", "two masters that nobody turns round", shipped_failover,
         [](Disaster& disaster, Bench&) {
             World& world = disaster.world();
             for (const Span at : {20s, 40s, 60s, 80s, 100s, 120s, 140s, 150s})
                 world.ground.schedule().after(at, [&world] {
                     for (CacheModel::Node& node : world.caches.front()->nodes()) {
                         node.master = true;
                         node.master_since.reset();
                     }
                 });
         }},
        {"releases live with the schema", "a release that needs less than there is", release_back,
         [=](Disaster& disaster, Bench&) {
             act(disaster, 20ms, "deploy-other", 1, [](World& world) {
                 (void)world.targets.applications.at("aragora-api")->deploy("us-west-2", "1.0.0", far(world));
             });
         }},
        {"a restore point first", "the schema is moved at once", schema_back,
         [=](Disaster& disaster, Bench&) {
             act(disaster, 20ms, "migrate", 1,
                 [](World& world) { (void)world.targets.migrations.at("aragora-schema")->migrate(2, 2s, far(world)); });
         }},
        {"the swap is fenced", "a copy takes the place of a server that runs", swap,
         [](Disaster& disaster, Bench&) {
             act(disaster, 20ms, "promote", 1, [](World& world) { world.ground.note(EffectKind::swap_in, 0, 0); });
         }},
        {"a swap tells its loss", "a copy takes the place of a fenced server that nobody compared it with", swap,
         [](Disaster& disaster, Bench&) {
             act(disaster, 20ms, "promote", 1, [](World& world) {
                 world.databases.front()->raise_fence(world.databases.front()->at(0));
                 world.ground.note(EffectKind::swap_in, 0, 0);
             });
         }},
        {"a swap tells its loss", "a database is exchanged that nobody compared", exchange,
         [](Disaster& disaster, Bench&) {
             act(disaster, 20ms, "exchange", 1, [](World& world) { world.ground.note(EffectKind::exchange, 0, 0); });
         }},
        {"an index is checked before it serves", "it serves at once", reindex,
         [=](Disaster& disaster, Bench&) {
             act(disaster, 20ms, "serve", 1, [](World& world) {
                 (void)world.targets.indexes.at("aragora-knowledge")->set_mode(IndexMode::serving, far(world));
             });
         }},
        {"degraded mode ends", "an index that only says that it serves", reindex,
         [](Disaster& disaster, Bench&) {
             auto& own = disaster.world().targets.indexes.at("aragora-knowledge");
             own = std::make_unique<LyingIndex>(std::move(own));
         }},
        {"a restored snapshot is there", "what was loaded is gone before it leads", cache_back,
         [](Disaster& disaster, Bench&) {
             on_step(disaster, "lead", "running",
                     [](World& world) { world.caches.front()->at(0).held = world.caches.front()->nothing(); });
         }},
        {"what is replaced is kept", "a data set is replaced at once", cache_back,
         [](Disaster& disaster, Bench&) {
             act(disaster, 20ms, "take-over", 1,
                 [](World& world) { world.ground.note(EffectKind::cache_take_over, 0, 0); });
         }},
        {"what is replaced is kept", "what came in after it was kept is not told", cache_back,
         [](Disaster& disaster, Bench& bench) {
             Disaster* const one = &disaster;
             on_step(disaster, "keep", "succeeded", [one](World& world) {
                 CacheModel& cache = *world.caches.front();
                 cache.write(cache.at(0), RecordKind::rows, 1'000'000, 1, 90);
                 cache.log().acknowledge(cache.at(0).held.branch);
                 one->controller().resumed_after = 20s;
                 one->controller().die();
             });
             bench.tamper = [](Entry& entry) {
                 Json evidence = get(entry.body, "evidence");
                 if (!evidence.is_object() || evidence.erase("written_after_it_was_kept_bytes") == 0) return;
                 set(entry, "evidence", std::move(evidence));
             };
         }},
        {"the excluded stay out", "a gate that lets everybody through", cache_back,
         [](Disaster& disaster, Bench&) { disaster.world().recoveries->of_caches().leaves_excluded = true; }},
        {"the cache is put back", "a Sentinel that waits again", cache_back,
         [](Disaster& disaster, Bench&) {
             on_step(disaster, "login", "succeeded",
                     [](World& world) { world.caches.front()->sentinels().back().down_after = 1h; });
         }},
    };
    return all;
}

class Judge : public testing::TestWithParam<Plant> {};

TEST_P(Judge, FindsWhatIsPlanted) {
    const Plant& plant = GetParam();
    TrialOptions options{.no_faults = true, .mode = plant.mode, .plant = plant.plant};
    for (std::uint64_t seed = 1; seed <= seeds_max; ++seed) {
        const Outcome outcome = try_once(prepared(plant.use), seed, options);
        if (std::ranges::any_of(outcome.broken, [&](const Broken& one) { return one.invariant == plant.promise; })) {
            RecordProperty("seeds", static_cast<int>(seed));
            return;
        }
    }
    FAIL() << plant.says << " was not found by \"" << plant.promise << "\" in " << seeds_max << " disasters";
}

INSTANTIATE_TEST_SUITE_P(All, Judge, testing::ValuesIn(plants()), [](const auto& plant) {
    std::string name = fmt::format("{} in {} by {}", plant.param.promise, plant.param.use.plan, plant.param.says);
    std::ranges::replace_if(
        name, [](char c) { return std::isalnum(c) == 0; }, '_');
    return name;
});

TEST(Judges, EachHasSomethingPlantedForIt) {
    for (const auto& judge : all_invariants())
        EXPECT_TRUE(std::ranges::any_of(plants(), [&](const Plant& one) { return one.promise == judge->name(); }))
            << judge->name();
}

TEST(Judges, SayNothingWhenNothingIsWrong) {
    for (const ShippedUse& use : {shipped_failover, failback, planned, release_back, schema_back, reindex, cache_back})
        for (std::uint64_t seed = 1; seed <= 5; ++seed) {
            const Outcome outcome = try_once(prepared(use), seed, {.no_faults = true});
            EXPECT_NE(outcome.came, Came::broken) << outcome.story;
        }
}

}  // namespace
}  // namespace kedge::sim
