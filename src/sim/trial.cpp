#include "sim/trial.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/events.h"

namespace kedge::sim {
namespace {

constexpr std::string_view run_id = "r-sim";
// What is not done by then waits for something: the world is healed and everything gets its time.
constexpr Span patience_least = 2min;
constexpr Span healed_limit = 80min;  // longer than any gate stays open
// Nothing in the journal for so long in a healed world: it waits for people, or for nothing.
constexpr Span quiet_enough = 100s;
constexpr Span afterwards = 25s;

std::vector<StepTime> times_of(const RunState& state) {
    std::vector<StepTime> times;
    for (std::size_t i = 0; i < state.size(); ++i) {
        const StepRecord& record = state.record(i);
        if (record.state == StepState::succeeded && record.ready_at && record.ended_at)
            times.push_back({i, *record.ended_at - *record.ready_at});
    }
    return times;
}

class Trial {
public:
    Trial(const Programme& programme, std::uint64_t seed, const TrialOptions& options)
        : programme_(programme),
          options_(options),
          assignment_(with_mode(programme.assignment, options.mode)),
          random_(seed ^ 0x5eed),
          disaster_(assignment_, seed) {
        outcome_.seed = seed;
    }
    Outcome run();

private:
    static Assignment with_mode(const Assignment& from, Mode mode) {
        Assignment own = from;
        own.options.mode = mode;
        return own;
    }
    std::vector<std::size_t> draw();
    void stage(std::uint64_t seed);
    void play();
    void settle();
    bool waits_for_people() const;
    void watch_until(const std::function<bool()>& done, Moment limit);
    void measure();
    void measure_loss();
    void measure_steps();
    void measure_failures();
    void tell();

    const Programme& programme_;
    const TrialOptions& options_;
    const Assignment assignment_;
    Random random_;
    Disaster disaster_;
    std::unique_ptr<Bench> bench_;
    Outcome outcome_;
    bool late_ = false;
};

// One run in ten without any, one in ten with a single late one; the others a share of their own drawing.
std::vector<std::size_t> Trial::draw() {
    const std::size_t count = all_faults().size();
    const std::uint64_t kind = random_.below(10);
    std::vector<std::size_t> drawn;
    if (kind == 0) return drawn;
    if (kind == 1) {
        late_ = true;
        return {random_.below(count)};
    }
    const double share = 0.02 + 0.18 * (static_cast<double>(random_.below(100)) / 100);
    for (std::size_t i = 0; i < count; ++i)
        if (random_.chance(share)) drawn.push_back(i);
    return drawn;
}

void Trial::stage(std::uint64_t seed) {
    std::vector<std::size_t> drawn = draw();
    if (options_.no_faults) drawn.clear();
    const Moment now = disaster_.world().ground.now();
    const Span length = programme_.length;
    for (const std::size_t fault : drawn) {
        if (options_.only && std::ranges::find(*options_.only, fault) == options_.only->end()) continue;
        outcome_.faults.push_back(fault);
        Staging staging{.disaster = disaster_,
                        .random = Random(seed * 0x9e3779b9 + fault),
                        .from = late_ ? now + length * 95 / 100 : now,
                        .to = now + length * 110 / 100 + 1s,
                        .fired = [this, fault] {
                            if (std::ranges::find(outcome_.fired, fault) == outcome_.fired.end())
                                outcome_.fired.push_back(fault);
                        }};
        all_faults()[fault].arrange(staging);
    }
}

void Trial::watch_until(const std::function<bool()>& done, Moment limit) {
    while (!done() && disaster_.step(limit)) bench_->look();
}

void Trial::play() {
    const Span patience = std::max<Span>(patience_least, programme_.length * 3);
    watch_until([&] { return disaster_.controller().has_ended(); }, disaster_.world().ground.now() + patience);
}

bool Trial::waits_for_people() const {
    const Ledger& ledger = bench_->ledger();
    if (ledger.phase() == RunPhase::holding || ledger.phase() == RunPhase::paused) return true;
    for (std::size_t i = 0; i < ledger.size(); ++i)
        if (ledger.line(i).state == StepState::waiting) return true;
    return false;
}

void Trial::settle() {
    Ground& ground = disaster_.world().ground;
    heal(disaster_);
    if (!disaster_.controller().is_alive() && !disaster_.controller().has_ended())
        if (const auto again = disaster_.controller().resume(); !again) outcome_.how = again.error().message;
    std::size_t entries = 0;
    Moment changed = ground.now();
    watch_until(
        [&] {
            const std::size_t now = disaster_.controller().store().entries().size();
            if (now != std::exchange(entries, now)) changed = ground.now();
            // Long work of a step may say nothing until its deadline; whoever waits for people has said so.
            return disaster_.controller().has_ended() || (ground.now() - changed > quiet_enough && waits_for_people());
        },
        ground.now() + healed_limit);
    const Moment end = ground.now() + afterwards;
    watch_until([] { return false; }, end);
}

Outcome Trial::run() {
    const std::vector<Loss> losses = losses_for(programme_.plan());
    disaster_.set_up(losses[random_.below(losses.size())]);
    outcome_.loss = disaster_.loss();
    disaster_.people().habits = {.least = 50ms, .most = 400ms};
    bench_ = std::make_unique<Bench>(disaster_.world(), disaster_.controller().store(), programme_.plan(),
                                     assignment_.estate(), assignment_.options.requester);
    bench_->ledger().digests = &disaster_.people().digests();
    stage(outcome_.seed);
    if (options_.plant) options_.plant(disaster_, *bench_);
    if (const auto started = disaster_.start(); !started) {
        // The very first append may have been the one that failed; then there is no run, and somebody starts it again.
        disaster_.controller().crash_journal();
        if (const auto again = disaster_.start(); !again) outcome_.how = again.error().message;
    }
    play();
    settle();
    bench_->end();
    measure();
    return std::move(outcome_);
}

void Trial::measure() {
    const Ledger& ledger = bench_->ledger();
    const RunState* state = disaster_.controller().state();
    outcome_.broken = bench_->broken();
    if (disaster_.controller().second_starts() > 0)
        outcome_.broken.push_back(
            {"targets are held", disaster_.world().ground.now(), "a second run of the same targets was started"});
    outcome_.trace = bench_->trace();
    outcome_.events = disaster_.world().ground.schedule().events();
    outcome_.lasted = disaster_.world().ground.now() - *disaster_.declared_at();
    const bool succeeded = state != nullptr && state->result() == RunResult::succeeded;
    if (state != nullptr && state->result())
        outcome_.how = to_string(*state->result());
    else
        outcome_.how = fmt::format("{}: {}", to_string(ledger.phase()), ledger.phase_says());
    outcome_.came = !outcome_.broken.empty() ? Came::broken : succeeded ? Came::recovered : Came::stopped;
    if (succeeded && ledger.ended_at()) {
        outcome_.rto_from_declaration = *ledger.ended_at() - *disaster_.declared_at();
        outcome_.rto_from_onset = *ledger.ended_at() - disaster_.struck_at().value_or(*disaster_.declared_at());
    }
    measure_loss();
    measure_steps();
    measure_failures();
    if (outcome_.came == Came::broken || options_.tell) tell();
}

void Trial::measure_loss() {
    World& world = disaster_.world();
    const Moment onset = disaster_.struck_at().value_or(*disaster_.declared_at());
    for (const auto& database : world.databases)
        if (const auto point = database->final_point())
            database->log().each_missing(*point, [&](const Record& record) {
                if (!record.acknowledged || record.kind != RecordKind::rows) return;
                outcome_.rows_lost += record.count;
                outcome_.rpo = std::max(outcome_.rpo, onset - record.at);
            });
    for (const auto& cache : world.caches)
        if (const auto point = cache->final_point())
            cache->log().each_missing(*point, [&](const Record& record) {
                if (record.acknowledged && record.kind == RecordKind::rows) outcome_.sessions_lost += record.count;
            });
    for (const auto& clients : world.clients)
        for (const Clients::Outage& outage : clients->outages())
            outcome_.outage =
                std::max(outcome_.outage.value_or(Span{0}), outage.until.value_or(world.ground.now()) - outage.from);
}

void Trial::measure_steps() {
    const Ledger& ledger = bench_->ledger();
    for (std::size_t i = 0; i < ledger.size(); ++i)
        if (const StepLine& line = ledger.line(i); line.state == StepState::succeeded && line.ready_at)
            outcome_.steps.push_back({i, *line.succeeded_at - *line.ready_at});
}

void Trial::measure_failures() {
    for (const Entry& entry : disaster_.controller().store().entries()) {
        if (entry.run != run_id) continue;
        if (entry.kind == events::request_judged && get_string(entry.body, "verb") == "retry")
            outcome_.retries += get_bool(entry.body, "accepted").value_or(false);
        if (!outcome_.failed_at.empty() || entry.kind != events::step_moved) continue;
        if (get_string(entry.body, "to") != kedge::to_string(StepState::failed)) continue;
        const std::string step = get_string(entry.body, "step").value_or("");
        const auto& index = assignment_.pinned->course->index;
        if (const auto found = index.find(step);
            found != index.end() && assignment_.plan().steps[found->second].if_failed == IfFailed::stop)
            outcome_.failed_at = fmt::format("{} ({})", step, get_string(entry.body, "cause").value_or(""));
    }
}

// What a person would tell of it: the disaster, what else went wrong, what the plan did, which promise broke.
void Trial::tell() {
    std::string& story = outcome_.story;
    if (outcome_.loss)
        story += fmt::format(
            "{}: {}.\n",
            disaster_.scene() == Scene::emptied ? "The data was lost" : "The region that the plan leaves was lost",
            to_string(*outcome_.loss));
    for (const std::size_t fault : outcome_.fired) story += fmt::format("Besides, {}.\n", all_faults()[fault].name);
    for (const Entry& entry : disaster_.controller().store().entries()) {
        if (entry.run != run_id) continue;
        const std::string at = kedge::to_string(entry.time).substr(11, 12);
        const auto text = [&](const char* key) { return get_string(entry.body, key).value_or(""); };
        if (entry.kind == events::step_moved)
            story += fmt::format("{} step {} is {}: {}{}\n", at, text("step"), text("to"), text("cause"),
                                 text("says").empty() ? "" : "; " + text("says"));
        else if (entry.kind == events::run_phase)
            story += fmt::format("{} the run is {} {}\n", at, text("phase"), text("says"));
        else if (entry.kind == events::request_judged)
            story += fmt::format("{} {} says {} of {}: {}\n", at, text("who"), text("verb"), text("step"),
                                 get_bool(entry.body, "accepted").value_or(false) ? "accepted" : text("says"));
        else if (entry.kind == events::run_claimed)
            story += fmt::format("{} another controller takes the run up\n", at);
    }
    for (const Broken& broken : outcome_.broken)
        story += fmt::format("{} BROKEN {}: {}\n", kedge::to_string(broken.at).substr(11, 12), broken.invariant,
                             broken.story);
}

// How long the steps took and the whole, which the programme keeps.
Result<std::vector<StepTime>> play_undisturbed(Programme& programme) {
    Disaster undisturbed(programme.assignment, 1);
    undisturbed.set_up(losses_for(programme.plan()).front());
    TRY(undisturbed.start());
    undisturbed.play(1h);
    programme.length = undisturbed.ended_at().value_or(undisturbed.world().ground.now()) - *undisturbed.declared_at();
    return times_of(*undisturbed.controller().state());
}

void slow_down(Programme& programme, const std::map<std::string, Span>& took, const std::vector<StepTime>& in_models) {
    const std::vector<BoundStep>& steps = programme.plan().steps;
    programme.assignment.slower.resize(steps.size());
    for (const StepTime& time : in_models) {
        const auto measured = took.find(steps[time.step].id);
        if (measured == took.end() || steps[time.step].type == nullptr) continue;
        const bool acts = steps[time.step].type->effect != kedge::Effect::none;
        programme.assignment.slower[time.step] = {acts ? CallOrder::What::apply : CallOrder::What::look,
                                                  std::max(measured->second - time.takes, Span{0})};
        programme.measured.push_back(steps[time.step].id);
    }
}

}  // namespace

Result<Programme> make_programme(const Plan& plan, Estate estate, std::string lab_root,
                                 const std::map<std::string, std::string>& inputs,
                                 const std::map<std::string, Span>& took) {
    if (estate.regions.size() < 2)
        return Error{Fault::refused, "an estate of one region has nowhere to go: there is nothing to simulate"};
    std::string requester;
    for (const Person& person : estate.people)
        if (!person.login.empty() && requester.empty()) requester = person.name;
    // The simulator asks what would happen, not whether Kedge may: every target is armed in its own world.
    for (Target& target : estate.targets) target.armed = true;
    Programme programme{
        .assignment = {.pinned = std::make_shared<const Pinned>(TRY(pin(plan, inputs, std::move(estate)))),
                       .lab_root = std::move(lab_root),
                       .options = {}}};
    programme.assignment.options = {.inputs = inputs,
                                    .mode = Mode::live,
                                    .requester = requester,
                                    .reason = "a disaster in the simulator",
                                    .confirm = programme.plan().gate ? programme.plan().gate->confirm : "",
                                    .id = std::string(run_id)};
    const std::vector<StepTime> in_models = TRY(play_undisturbed(programme));
    if (took.empty()) return programme;
    slow_down(programme, took, in_models);
    TRY(play_undisturbed(programme));  // the whole takes longer now
    return programme;
}

Outcome try_once(const Programme& programme, std::uint64_t seed, const TrialOptions& options) {
    return Trial(programme, seed, options).run();
}

Outcome shrink(const Programme& programme, const Outcome& broken, const TrialOptions& options) {
    Outcome best = broken;
    const std::string& promise = broken.broken.front().invariant;
    for (const std::size_t fault : broken.faults) {
        TrialOptions fewer = options;
        fewer.only = best.faults;
        std::erase(*fewer.only, fault);
        Outcome without = try_once(programme, broken.seed, fewer);
        const bool same =
            std::ranges::any_of(without.broken, [&](const Broken& one) { return one.invariant == promise; });
        if (same) best = std::move(without);
    }
    return best;
}

}  // namespace kedge::sim
