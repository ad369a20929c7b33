#include "sim/tabletop.h"

#include <fmt/format.h>

#include <set>

#include "engine/events.h"

namespace kedge::sim {
namespace {

constexpr Span longest = 2h;

std::string text_of(const Entry& entry, const char* key) {
    return get_string(entry.body, key).value_or("");
}

// One entry as the table hears it; empty if it is of no interest there.
std::string line_of(const Entry& entry) {
    const std::string at = kedge::to_string(entry.time).substr(11, 8);
    if (entry.kind == events::run_phase)
        return fmt::format("{} the run is {}{}", at, text_of(entry, "phase"),
                           text_of(entry, "says").empty() ? "" : ": " + text_of(entry, "says"));
    if (entry.kind != events::step_moved) return {};
    const std::string to = text_of(entry, "to");
    if (to == "ready" || to == "pending") return {};
    return fmt::format("{} {} is {}{}", at, text_of(entry, "step"), to,
                       text_of(entry, "says").empty() ? "" : ": " + text_of(entry, "says"));
}

class Exercise {
public:
    Exercise(const Programme& programme, std::uint64_t seed, const Table& table)
        : table_(table), programme_(programme), disaster_(programme.assignment, seed) {
        record_.id = fmt::format("tabletop-{}-{}", programme.plan().name, seed);
    }
    Result<DrillRecord> play();

private:
    void decide();
    void finish();

    const Table& table_;
    const Programme& programme_;
    Disaster disaster_;
    DrillRecord record_;
    std::set<std::string> decided_;
};

Result<DrillRecord> Exercise::play() {
    const std::vector<Loss> losses = losses_for(programme_.plan());
    disaster_.set_up(losses[disaster_.random().below(losses.size())]);
    record_.type = "tabletop";
    record_.plan = programme_.plan().name;
    record_.estate = programme_.assignment.estate().name;
    record_.fault =
        disaster_.loss() ? fmt::format("simulated: {}", to_string(*disaster_.loss())) : "none: a planned move";
    record_.began = disaster_.struck_at().value_or(disaster_.world().ground.now());
    record_.fault_at = disaster_.struck_at();
    if (disaster_.loss()) table_.tell("A loss is reported: " + record_.fault + ". The plan is started.");
    // Nobody answers by themselves: the table does.
    disaster_.people().habits = {.absent = 1};
    disaster_.controller().on_entry = [this](const Entry& entry, const RunState&) {
        if (const std::string line = line_of(entry); !line.empty()) table_.tell(line);
    };
    TRY(disaster_.start());
    record_.declared_at = disaster_.declared_at();
    const Moment end = disaster_.world().ground.now() + longest;
    while (!disaster_.controller().has_ended() && disaster_.step(end)) decide();
    finish();
    return std::move(record_);
}

void Exercise::decide() {
    const RunState* state = disaster_.controller().state();
    if (state == nullptr) return;
    for (std::size_t i = 0; i < state->size(); ++i) {
        const StepRecord& step = state->record(i);
        if (step.state != StepState::waiting || !decided_.insert(state->bound(i).id + step.digest).second) continue;
        const std::string id = state->bound(i).id;
        const Decision decision = table_.decide(id, step.asks);
        const bool agreed = decision == Decision::agree;
        record_.timeline.push_back({disaster_.world().ground.now(),
                                    fmt::format("decision about {}: {}", id, agreed ? "agreed" : "rejected"),
                                    step.asks});
        disaster_.people().answer(*state, i, agreed);
    }
    // Whoever sits at the table answers for what the plan leaves owed.
    if (state->phase() == RunPhase::holding && decided_.insert("holds: " + state->phase_says()).second) {
        const bool agreed = table_.decide("the run holds", state->phase_says()) == Decision::agree;
        record_.timeline.push_back({disaster_.world().ground.now(),
                                    agreed ? "the run holds: taken care of" : "the run holds: left so",
                                    state->phase_says()});
        if (agreed) disaster_.people().mind_the_run();
    }
}

void Exercise::finish() {
    const RunState* state = disaster_.controller().state();
    record_.ended = disaster_.world().ground.now();
    for (const Person& person : programme_.assignment.estate().people) record_.participants.push_back(person.full_name);
    record_.played = true;
    record_.limits.push_back("A tabletop exercise: the world was simulated, nothing real was touched or measured.");
    if (state == nullptr) return;
    record_.finished = state->result() == RunResult::succeeded;
    if (record_.finished) record_.verified_at = record_.ended;
    for (std::size_t i = 0; i < state->size(); ++i) {
        const StepRecord& step = state->record(i);
        DrillStep line{.run = state->id(),
                       .id = state->bound(i).id,
                       .action = state->bound(i).type == nullptr ? "people" : state->bound(i).type->name,
                       .state = std::string(kedge::to_string(step.state)),
                       .says = step.says,
                       .took = {}};
        if (step.ready_at && step.ended_at) line.took = *step.ended_at - *step.ready_at;
        record_.steps.push_back(std::move(line));
    }
    if (!record_.finished) record_.issues.push_back("the run did not succeed: " + state->phase_says());
}

}  // namespace

Result<DrillRecord> play_tabletop(const Programme& programme, std::uint64_t seed, const Table& table) {
    return Exercise(programme, seed, table).play();
}

}  // namespace kedge::sim
