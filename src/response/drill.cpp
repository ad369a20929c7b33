#include "response/drill.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "response/lookout.h"
#include "runner/runner.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;

constexpr Span baseline_limit = 120s;  // for the load to run smoothly before anything is broken
constexpr std::size_t baseline_writes = 30;
constexpr Span detection_limit = 60s;
constexpr Span recovery_watch_limit = 60s;  // for ten unbroken seconds afterwards
constexpr std::size_t call_threads = 8;

// Nothing of the run is left to be done: if it holds, then for what it owes.
bool is_settled_throughout(const RunState& state) {
    for (std::size_t i = 0; i < state.size(); ++i)
        if (!is_settled(state.record(i).state)) return false;
    return true;
}

class Drill {
public:
    Drill(const DrillWorld& world, const DrillScript& script) : world_(world), script_(script) {}

    Result<DrillRecord> run() {
        TRY(begin());
        const Result<void> carried_out = carry_out();
        if (!carried_out) issue(carried_out.error().message);
        clean_up();
        TRY(end());
        return std::move(record_);
    }

private:
    Result<void> begin();
    Result<void> carry_out();
    Result<void> wait_for_baseline();
    Result<void> break_and_detect(const Lookout& lookout);
    Result<bool> run_plan(const Plan& plan, const std::map<std::string, std::string>& inputs, const std::string& why);
    void take_steps(const RunState& state);
    Result<void> wait_for_unbroken_writes();
    void clean_up();
    void measure(const LoadRecord& load);
    void fill_checklists();
    Result<void> end();

    void event(const std::string& what, const std::string& notes = {}, std::optional<Moment> at = {}) {
        const Moment when = at.value_or(world_.clock.now());
        record_.timeline.push_back({when, what, notes});
        if (world_.progress) world_.progress({when, notes.empty() ? what : what + ": " + notes});
    }
    void issue(std::string what) {
        event("issue", what);
        record_.issues.push_back(std::move(what));
    }

    const DrillWorld& world_;
    const DrillScript& script_;
    DrillRecord record_;
    std::unique_ptr<Claim> claim_;
    bool loaded_ = false, broken_ = false, healed_ = false;
    bool recovered_ = false, verified_ = false, failed_back_ = false, normal_ = false;
};

Result<void> Drill::begin() {
    const Moment now = world_.clock.now();
    record_.id = TRY(new_run_id(world_.journal, "d-"));
    record_.type = script_.type;
    record_.plan = script_.recovery.name;
    record_.estate = world_.estate.name;
    record_.fault = fmt::format("{} {}", script_.fault, script_.region);
    record_.began = now;
    record_.played = true;
    for (const Person& person : world_.estate.people)
        record_.participants.push_back(person.full_name.empty() ? person.name : person.full_name);
    const auto name_of = [&](const std::string& name) {
        const Person* person = world_.estate.person(name);
        return person != nullptr && !person->full_name.empty() ? person->full_name : name;
    };
    record_.lead = name_of(script_.lead);
    record_.engineering_lead = name_of(script_.engineering_lead);
    if (!world_.estate.tiers.empty()) {
        const Tier& strictest = world_.estate.tiers.front();
        record_.rto_objective = strictest.rto;
        record_.rpo_objective = strictest.rpo;
        record_.objectives = {
            fmt::format("serve again within {} of the loss of {} ({} tier)", readable(strictest.rto), script_.region,
                        strictest.name),
            fmt::format("lose at most {} of acknowledged writes, and none that was not announced as at risk",
                        readable(strictest.rpo))};
        if (!script_.failback.name.empty())
            record_.objectives.push_back(fmt::format("return to {} without losing a write", script_.region));
    }
    record_.limits = world_.ground.limits();
    const Draft first{"drill.started",
                      Json{{"type", script_.type},
                           {"plan", script_.recovery.name},
                           {"fault", record_.fault},
                           {"estate", world_.estate.name}},
                      now};
    claim_ = TRY(world_.journal.begin(record_.id, {}, first, controller_name()));
    event("Drill declared", fmt::format("{}: {}", record_.id, script_.type), now);
    return {};
}

Result<void> Drill::carry_out() {
    Lookout lookout(world_.observer);
    TRY(world_.ground.start_load());
    loaded_ = true;
    TRY(wait_for_baseline());
    TRY(break_and_detect(lookout));

    recovered_ = TRY(run_plan(script_.recovery, script_.recovery_inputs, "drill: " + record_.fault));
    if (recovered_ && !script_.verification.name.empty()) {
        verified_ = TRY(run_plan(script_.verification, script_.verification_inputs, "drill: after the failover"));
        if (verified_) {
            record_.verified_at = world_.clock.now();
            event("Service restored", fmt::format("RTO: {}", readable(*record_.verified_at - *record_.fault_at)),
                  record_.verified_at);
        }
    }
    TRY(wait_for_unbroken_writes());
    TRY(world_.ground.heal(script_.fault, script_.region));
    healed_ = true;
    event("The lost region is back", script_.region);
    if (recovered_ && !script_.failback.name.empty()) {
        record_.failback_began = world_.clock.now();
        event("Failback initiated", script_.failback.name, record_.failback_began);
        failed_back_ = TRY(run_plan(script_.failback, script_.failback_inputs, "drill: failback"));
        if (failed_back_) {
            record_.failback_ended = world_.clock.now();
            normal_ =
                TRY(run_plan(script_.verification, script_.final_verification_inputs, "drill: normal operations"));
            TRY(wait_for_unbroken_writes());
        }
    }
    for (const std::string& writers : lookout.second_writers()) issue("a second writer was seen: " + writers);
    record_.finished = recovered_ && verified_ && (script_.failback.name.empty() || (failed_back_ && normal_));
    return {};
}

// Nothing is broken before every stream has run smoothly for a while: otherwise the drill would measure its own start.
Result<void> Drill::wait_for_baseline() {
    const Moment deadline = world_.clock.now() + baseline_limit;
    for (const LoadStream& stream : world_.ground.streams()) {
        std::size_t smooth = 0, acknowledged = 0, all = 0;
        std::string last_error = "no write ended";
        while (smooth < baseline_writes) {
            if (world_.clock.now() > deadline || world_.stop())
                return Error{
                    Fault::unavailable,
                    fmt::format("stream {} never ran smoothly: {} of {} writes were acknowledged, the last error "
                                "was: {}",
                                stream.name, acknowledged, all, last_error),
                    "look at `kedge lab status`"};
            for (const Attempt& attempt : TRY(world_.ground.next_attempts(stream.name, 100ms))) {
                smooth = attempt.acknowledged ? smooth + 1 : 0;
                ++all;
                acknowledged += attempt.acknowledged ? 1 : 0;
                if (!attempt.acknowledged) last_error = attempt.error;
            }
        }
    }
    event("Baseline", "every stream of numbered writes is acknowledged");
    return {};
}

// Users are not the first to notice a partition between the regions, which leaves both of them serving: the observer
// is.
Result<void> Drill::break_and_detect(const Lookout& lookout) {
    const std::vector<LoadStream> streams = world_.ground.streams();
    const auto probe =
        std::find_if(streams.begin(), streams.end(), [](const LoadStream& stream) { return stream.detects; });
    if (probe == streams.end()) return Error{Fault::invalid_input, "no stream of the ground detects a loss"};
    // What the probe saw before is no evidence of what comes.
    TRY(world_.ground.next_attempts(probe->name, Span{0}));
    record_.fault_at = TRY(world_.ground.inject(script_.fault, script_.region));
    broken_ = true;
    event("Fault injected", record_.fault, record_.fault_at);
    int misses = 0;
    std::optional<std::string> separated;
    while (misses < script_.misses_to_declare && !(separated = lookout.separated())) {
        if (world_.clock.now() > *record_.fault_at + detection_limit || world_.stop())
            return Error{Fault::unavailable,
                         "neither the probe nor the observer noticed the fault: is anything lost at all?"};
        for (const Attempt& attempt : TRY(world_.ground.next_attempts(probe->name, 50ms)))
            if (attempt.done > *record_.fault_at && misses < script_.misses_to_declare)
                misses = attempt.acknowledged ? 0 : misses + 1;
    }
    record_.declared_at = world_.clock.now();
    event("Incident declared",
          fmt::format("{}, {} after the fault",
                      separated.value_or(fmt::format("{} misses of the probe in a row", misses)),
                      readable(*record_.declared_at - *record_.fault_at)),
          record_.declared_at);
    return {};
}

Result<bool> Drill::run_plan(const Plan& plan, const std::map<std::string, std::string>& inputs,
                             const std::string& why) {
    StartOptions options{.inputs = inputs,
                         .mode = Mode::drill,
                         .requester = script_.lead,
                         .reason = why,
                         .played = true,
                         .drill = record_.id};
    if (plan.gate) options.confirm = plan.gate->confirm;
    Result<ControlledRun> begun =
        start_run(world_.journal, plan, world_.estate, options, controller_name(), world_.clock.now());
    if (!begun) {
        issue(fmt::format("{} did not start: {}", plan.name, begun.error().message));
        return false;
    }
    const RunId id = begun->state.id();
    event(plan.name + " started", id);
    ThreadPool pool(call_threads);
    Engine engine(std::move(begun->state), {world_.estate.people, true});
    Runner runner(world_.journal, std::move(begun->claim), std::move(engine), *begun->estate, world_.targets, pool,
                  world_.clock);
    Players players(world_.journal, world_.estate, script_.play);
    runner.on_entry([&](const Entry& entry, const RunState& state) {
        if (world_.progress) world_.progress({entry.time, "", &state, &entry});
    });
    const Moment limit = world_.clock.now() + 30min;
    while (true) {
        const Result<std::optional<Moment>> next = runner.turn();
        if (!next) {
            issue(fmt::format("{}: {}", id, next.error().message));
            break;
        }
        if (!*next) break;
        TRY(players.play(runner.engine().state()));
        const RunState& state = runner.engine().state();
        if (state.phase() == RunPhase::holding && !is_settled_throughout(state)) {
            issue(fmt::format("{} holds: {}", id, state.phase_says()));
            break;
        }
        if (world_.clock.now() > limit || world_.stop()) {
            issue(fmt::format("{} was left before its end: resume it with `kedge run resume {}`", id, id));
            break;
        }
        pool.wait(std::clamp<Span>(**next - world_.clock.now(), Span{0}, 20ms));
    }
    const RunState& state = runner.engine().state();
    take_steps(state);
    const bool succeeded = state.result() == RunResult::succeeded;
    event(plan.name + (succeeded ? " succeeded" : " did not succeed"), state.phase_says());
    return succeeded;
}

void Drill::take_steps(const RunState& state) {
    for (std::size_t i = 0; i < state.size(); ++i) {
        const StepRecord& record = state.record(i);
        const BoundStep& bound = state.bound(i);
        std::optional<Span> took;
        if (record.ended_at && record.ready_at) took = *record.ended_at - *record.ready_at;
        record_.steps.push_back({state.id(), bound.id, bound.type != nullptr ? bound.type->name : "person",
                                 std::string(to_string(record.state)), record.says, took, record.evidence});
        if (record.state == StepState::failed || record.state == StepState::unknown ||
            record.state == StepState::compensation_failed)
            record_.issues.push_back(
                fmt::format("{} step {}: {}: {}", state.plan().name, bound.id, to_string(record.state), record.says));
    }
}

// All streams at once: each must be acknowledged without a break for as long as an outage needs to count as over.
Result<void> Drill::wait_for_unbroken_writes() {
    const Moment deadline = world_.clock.now() + recovery_watch_limit;
    const OutageRules rules;
    std::map<std::string, Moment> broken;  // when a write failed last; nothing before now counts
    for (const LoadStream& stream : world_.ground.streams()) broken[stream.name] = world_.clock.now();
    while (!broken.empty() && world_.clock.now() < deadline && !world_.stop())
        for (const LoadStream& stream : world_.ground.streams()) {
            const auto last = broken.find(stream.name);
            if (last == broken.end()) continue;
            bool unbroken = false;
            for (const Attempt& attempt : TRY(world_.ground.next_attempts(stream.name, 50ms))) {
                if (!attempt.acknowledged) last->second = std::max(last->second, attempt.done);
                unbroken = attempt.acknowledged && attempt.done - last->second >= rules.unbroken;
            }
            if (unbroken) broken.erase(last);
        }
    for (const auto& [stream, when] : broken)
        issue(fmt::format("stream {} had no {} of unbroken writes", stream, readable(rules.unbroken)));
    return {};
}

void Drill::clean_up() {
    if (broken_ && !healed_)
        if (const Result<void> healed = world_.ground.heal(script_.fault, script_.region); !healed)
            issue("the ground could not be healed: " + healed.error().message);
    if (!loaded_) return;
    const Result<LoadRecord> load = world_.ground.stop_load(record_.fault_at);
    if (!load) return issue("the load could not be read back: " + load.error().message);
    measure(*load);
}

void Drill::measure(const LoadRecord& load) {
    std::map<std::string, std::optional<Moment>> restored;  // by target: when it served again
    for (const LoadStream& stream : world_.ground.streams()) {
        const auto attempts = load.attempts.streams.find(stream.name);
        const Target* target = world_.estate.target(stream.target);
        if (attempts == load.attempts.streams.end() || target == nullptr || !record_.fault_at) continue;
        StoreOutcome outcome{.name = stream.name, .tier = target->tier};
        if (const Tier* tier = world_.estate.tier(target->tier)) outcome.rpo_objective = tier->rpo;
        // The outage of the fault is the first one; those of the way back are shown in the timeline.
        const std::vector<Outage> seen = outages(attempts->second, *record_.fault_at);
        if (!seen.empty()) outcome.outage = seen.front();
        if (const auto loss = load.losses.find(stream.name); loss != load.losses.end()) outcome.loss = loss->second;
        const Settings limits = target->settings.section("limits");
        if (const auto declared = limits.span("max-lag")) {
            outcome.announced = *declared;
            outcome.announced_by = "the estate's stated limit of its replication";
        }
        for (const DrillStep& step : record_.steps)
            if (step.action == "postgres.loss-bound" && target->kind != TargetKind::cache)
                if (const auto bound = get_number(step.evidence, "loss_seconds_max")) {
                    outcome.announced = Span{static_cast<std::int64_t>(*bound * 1e6)};
                    outcome.announced_by = "step " + step.id + " of " + step.run;
                }
        const std::optional<Moment> over = seen.empty() ? record_.fault_at : seen.front().over;
        if (!stream.detects)  // the probe is there to notice, with deadlines too short to judge a recovery by
            restored[stream.target] = over;
        for (std::size_t i = 1; i < seen.size(); ++i)
            event("Writes were interrupted again",
                  fmt::format("{}: {} failed, {}", stream.name, seen[i].failed,
                              seen[i].span() ? readable(*seen[i].span()) : "not over"),
                  seen[i].first_failed);
        record_.stores.push_back(std::move(outcome));
    }
    for (const Service& service : world_.estate.services) {
        ServiceOutcome outcome{.name = service.name, .tier = service.tier};
        if (const Tier* tier = world_.estate.tier(service.tier)) outcome.rto_objective = tier->rto;
        std::set<std::string> seen, open(service.stands_on.begin(), service.stands_on.end());
        std::optional<Moment> back;
        bool measured = false, unknown = false;
        while (!open.empty()) {
            const std::string name = *open.begin();
            open.erase(open.begin());
            if (!seen.insert(name).second) continue;
            if (const Service* other = world_.estate.service(name))
                open.insert(other->stands_on.begin(), other->stands_on.end());
            if (const Target* target = world_.estate.target(name))
                open.insert(target->stands_on.begin(), target->stands_on.end());
            const auto found = restored.find(name);
            if (found == restored.end()) continue;
            measured = true;
            if (!found->second)
                unknown = true;
            else
                back = std::max(back.value_or(*found->second), *found->second);
        }
        if (measured && !unknown && record_.fault_at) {
            outcome.rto = std::max<Span>(Span{0}, *back - *record_.fault_at);
            outcome.says = "writes to what it stands on";
        } else if (!measured && record_.verified_at && record_.fault_at) {
            outcome.rto = *record_.verified_at - *record_.fault_at;
            outcome.says = "when all checks had passed";
        } else {
            outcome.says = "not measured";
        }
        record_.services.push_back(std::move(outcome));
    }
    const auto rank = [&](const std::string& tier) {
        const auto found = std::find_if(world_.estate.tiers.begin(), world_.estate.tiers.end(),
                                        [&](const Tier& one) { return one.name == tier; });
        return found - world_.estate.tiers.begin();
    };
    std::stable_sort(record_.services.begin(), record_.services.end(),
                     [&](const ServiceOutcome& a, const ServiceOutcome& b) { return rank(a.tier) < rank(b.tier); });
    std::stable_sort(record_.timeline.begin(), record_.timeline.end(),
                     [](const DrillEvent& a, const DrillEvent& b) { return a.at < b.at; });
}

// The runbook's checklists (8.2). A line is checked only by something that was seen in this drill.
void Drill::fill_checklists() {
    const auto line = [](std::string text, std::optional<bool> holds, std::string evidence) {
        return ChecklistLine{std::move(text),
                             !holds   ? Check::open
                             : *holds ? Check::done
                                      : Check::failed,
                             std::move(evidence)};
    };
    const auto step_with = [&](std::string_view action) {
        return std::any_of(record_.steps.begin(), record_.steps.end(),
                           [&](const DrillStep& step) { return step.action == action && step.state == "succeeded"; });
    };
    const bool measured_rpo =
        !record_.stores.empty() && std::all_of(record_.stores.begin(), record_.stores.end(),
                                               [](const StoreOutcome& store) { return store.loss.has_value(); });
    const bool announced = step_with("channel.announce");
    record_.before = {
        line("Schedule announced to all stakeholders", {}, "not asked for in a lab; people confirm it"),
        line("Backup systems verified functional", {}, "`kedge verify` is not part of this drill yet"),
        line("Rollback plan documented and approved", script_.failback.name.empty() ? std::optional<bool>{} : true,
             script_.failback.name.empty() ? "no failback plan was given"
                                           : "plan " + script_.failback.name + ", parsed and bound before the start"),
        line("Communication channels tested", announced ? std::optional(true) : std::nullopt,
             announced ? "a notice was delivered in this drill" : "no notice was sent"),
        line("Customer notification prepared (if needed)", {}, "people decide"),
        line("Monitoring dashboards prepared", step_with("metrics.fresh") ? std::optional(true) : std::nullopt,
             step_with("metrics.fresh") ? "fresh samples were seen" : "not looked at"),
    };
    record_.during = {
        line("Drill declared and logged", true, record_.id + " in the journal"),
        line("Incident timeline started", record_.declared_at.has_value(),
             record_.declared_at ? to_string(*record_.declared_at) : "the fault was not detected"),
        line("Execute failover/recovery procedure", recovered_, script_.recovery.name),
        line("Measure RTO (time to restore)", record_.verified_at ? std::optional(true) : std::nullopt,
             record_.verified_at ? readable(*record_.verified_at - *record_.fault_at) : "not measured"),
        line("Measure RPO (data loss, if any)", measured_rpo ? std::optional(true) : std::nullopt,
             measured_rpo ? "every store was read back" : "not every store could be read back"),
        line("Verify all health checks pass", verified_, script_.verification.name),
        line("Execute failback procedure", script_.failback.name.empty() ? std::optional<bool>{} : failed_back_,
             script_.failback.name),
        line("Confirm normal operations", script_.failback.name.empty() ? std::optional<bool>{} : normal_,
             "the same checks, after the way back"),
    };
    record_.after = {
        line("Document actual RTO vs target", record_.verified_at ? std::optional(true) : std::nullopt,
             "in this report"),
        line("Document actual RPO vs target", measured_rpo ? std::optional(true) : std::nullopt, "in this report"),
        line("Log issues encountered", true, fmt::format("{} in this report", record_.issues.size())),
        line("Create action items for gaps", true, fmt::format("{} in this report", action_items(record_).size())),
        line("Update runbooks based on learnings", {}, "people decide"),
        line("Schedule follow-up if needed", {}, "people decide"),
        line("File drill report for compliance", true, record_.id + ".md and .json among the reports"),
    };
}

Result<void> Drill::end() {
    record_.ended = world_.clock.now();
    event("Drill completed", "", record_.ended);
    fill_checklists();
    const Json report = to_json(record_);
    const std::array last = {
        Draft{"drill.ended", Json{{"result", to_string(judge(record_))}, {"report", report}}, record_.ended}};
    TRY(world_.journal.append(*claim_, last, {}, Ends::yes));
    return {};
}

}  // namespace

Result<DrillRecord> run_drill(const DrillWorld& world, const DrillScript& script) {
    return Drill(world, script).run();
}

}  // namespace kedge
