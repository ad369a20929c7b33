#include "engine/stage.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/check.h"
#include "engine/events.h"

namespace kedge::stage {
namespace {

using namespace std::chrono_literals;

std::set<std::tuple<StepState, StepState, Cause>>& moves() {
    static std::set<std::tuple<StepState, StepState, Cause>> all;
    return all;
}

ActionType type(std::string name, Effect effect, std::string undo = {}) {
    return {.name = std::move(name),
            .on = TargetKind::database,
            .says = "does what the test says",
            .effect = effect,
            .undo = std::move(undo),
            .deadline = 10s,
            .call_limit = 2s};
}

std::vector<ActionType> make_types() {
    std::vector<ActionType> all = {type("check", Effect::none),
                                   type("check.risky", Effect::none),
                                   type("act", Effect::probed, "act.undo"),
                                   type("act.undo", Effect::idempotent),
                                   type("act.idempotent", Effect::idempotent, "act.undo"),
                                   type("act.keyed", Effect::keyed, "act.undo"),
                                   type("act.once", Effect::at_most_once, "act.undo"),
                                   type("act.risky", Effect::probed, "act.undo"),
                                   type("act.plain", Effect::probed),
                                   type("hold", Effect::idempotent, "release"),
                                   type("release", Effect::idempotent),
                                   type("cross", Effect::probed),
                                   type("cross.risky", Effect::probed),
                                   type("join", Effect::probed)};
    for (ActionType& each : all) {
        if (each.name.ends_with(".risky")) each.danger = "Something may be lost.";
        if (each.name == "hold") each.owes = {{"held", true, "{target}@{region} is held"}};
        if (each.name == "release") each.pays = {"held"};
        if (each.name.starts_with("cross")) {
            each.point_of_no_return = true;
            each.owes = {{"redundancy", false, "{target} has no standby"}};
        }
        if (each.name == "join") each.pays = {"redundancy"};
    }
    return all;
}

const std::vector<Person>& people() {
    static const std::vector<Person> all = {
        {.name = "rahel", .login = "rahel", .roles = {"commander"}},
        {.name = "urs", .login = "urs", .roles = {"approver"}},
        {.name = "mira", .login = "mira", .roles = {"approver", "commander"}},
        {.name = "beat", .login = "beat", .roles = {"viewer"}},
        {.name = "nobody", .login = ""},
    };
    return all;
}

}  // namespace

Catalogue types() {
    static const std::vector<ActionType> all = make_types();
    return all;
}

BoundStep step(std::string id, StepIs is) {
    BoundStep bound;
    bound.id = std::move(id);
    bound.type = find_action(types(), is.action);
    check(bound.type != nullptr, "a test uses a type of the stage");
    bound.kind = bound.type->effect == Effect::none ? StepKind::check : StepKind::act;
    bound.target = "db";
    bound.region = "east";
    bound.needs = std::move(is.needs);
    bound.deadline = is.deadline;
    bound.steady = is.steady;
    bound.attempts = is.attempts;
    bound.if_blocked = is.if_blocked;
    bound.if_failed = is.if_failed;
    bound.undo_on_failure = std::move(is.undo_on_failure);
    bound.gate = std::move(is.gate);
    bound.skipped_because = std::move(is.skipped_because);
    bound.always = is.always;
    return bound;
}

BoundStep by_hand(std::string id, std::string asks, std::vector<std::string> needs, std::optional<Gate> gate) {
    BoundStep bound;
    bound.id = std::move(id);
    bound.kind = StepKind::person;
    bound.asks = std::move(asks);
    bound.needs = std::move(needs);
    bound.gate = std::move(gate);
    bound.deadline = 30min;
    return bound;
}

BoundPlan plan(std::vector<BoundStep> steps, std::optional<Gate> gate) {
    BoundPlan bound;
    bound.name = "test";
    bound.gate = std::move(gate);
    bound.steps = std::move(steps);
    bound.plan_digest = "plan";
    bound.inputs_digest = "inputs";
    return bound;
}

BoundPlan chain(std::size_t count) {
    std::vector<BoundStep> steps;
    for (std::size_t i = 0; i < count; ++i)
        steps.push_back(step(fmt::format("s{}", i),
                             {.needs = i == 0 ? std::vector<std::string>{} : std::vector{fmt::format("s{}", i - 1)}}));
    return plan(std::move(steps));
}

BoundPlan fan_out(std::size_t count) {
    std::vector<BoundStep> steps;
    for (std::size_t i = 0; i < count; ++i) steps.push_back(step(fmt::format("s{}", i)));
    return plan(std::move(steps));
}

Stage::Stage(BoundPlan plan, Setting setting)
    : plan_(std::move(plan)),
      setting_(std::move(setting)),
      council_{people(), setting_.lab},
      now_(Moment{} + std::chrono::hours{24 * 365 * 50}) {
    RunHeader header{.plan_digest = plan_.plan_digest,
                     .inputs_digest = plan_.inputs_digest,
                     .mode = setting_.mode,
                     .requester = setting_.requester,
                     .confirmed = setting_.confirmed};
    engine_ = std::make_unique<Engine>(RunState("r-1", plan_, types()), council_);
    boundaries_ = {{Boundary::before_append, 0}, {Boundary::after_append, 0}, {Boundary::before_answer, 0}};
    append({started(header, now_)});
}

const StepRecord& Stage::record(const std::string& id) const {
    const auto found = run().find(id);
    check(found.has_value(), "the test names a step of its plan");
    return run().record(*found);
}

std::vector<std::string> Stage::reached(StepState state) const {
    std::vector<std::string> ids;
    for (const Entry& entry : journal_)
        if (entry.kind == events::step_moved && get_string(entry.body, "to") == to_string(state))
            ids.push_back(*get_string(entry.body, "step"));
    return ids;
}

bool Stage::said(const std::string& text) const {
    return std::any_of(journal_.begin(), journal_.end(), [&](const Entry& entry) {
        return get_string(entry.body, "says").value_or("").find(text) != std::string::npos;
    });
}

bool Stage::boundary(Boundary kind) {
    ++boundaries_[kind];
    if (!crash_at_ || crash_at_->first != kind || --crash_at_->second != 0) return false;
    crash_at_.reset();
    crash();
    return true;
}

void Stage::crash_at(Boundary kind, int nth) {
    crash_at_ = {kind, nth};
}

void Stage::crash() {
    RunState state("r-1", plan_, types());
    for (const Entry& entry : journal_) {
        const Result<void> folded = state.fold(entry);
        check(folded.has_value(), "what the engine wrote can be folded");
    }
    EXPECT_EQ(describe(state), describe(run())) << "another controller folds to another state";
    out_.clear();
    ++epoch_;
    engine_ = std::make_unique<Engine>(std::move(state), council_);
    if (phase() != RunPhase::ended) append({events::claimed("another", now_)});
}

bool Stage::append(const std::vector<Draft>& drafts) {
    if (boundary(Boundary::before_append)) return false;
    const std::size_t first = journal_.size();
    for (const Draft& draft : drafts)
        journal_.push_back({.position = journal_.size() + 1,
                            .run = "r-1",
                            .epoch = epoch_,
                            .kind = draft.kind,
                            .body = draft.body,
                            .time = draft.time});
    for (std::size_t i = first; i < journal_.size(); ++i) {
        const Entry& entry = journal_[i];
        std::optional<StepState> from;
        if (entry.kind == events::step_moved) from = record(*get_string(entry.body, "step")).state;
        const Result<void> folded = engine_->recorded(entry);
        if (!folded) {
            ADD_FAILURE() << folded.error().message << " in " << dump(entry.body);
            check(false, "the engine writes only what it can fold");
        }
        if (from)
            moves().insert({*from, *parse_step_state(*get_string(entry.body, "to")),
                            *parse_cause(*get_string(entry.body, "cause"))});
    }
    return !boundary(Boundary::after_append);
}

// One look at a thing, or at whether it was taken back.
Look Stage::look_at(const CallOrder& order) {
    Thing& thing = things_[run().bound(order.step).id];
    ++thing.looks;
    if (thing.comes && now_ >= *thing.comes) {
        thing.there = true;
        thing.comes.reset();
    }
    if (order.undo) {
        const bool gave_up = thing.undo_gave_up && !thing.there;
        return {.done = truth(!thing.there && !gave_up),
                .allowed = truth(thing.there),
                .says = "taken back?",
                .gave_up = gave_up};
    }
    if (thing.holds)
        return {.done = thing.holds(now_),
                .allowed = thing.allowed,
                .says = "a condition",
                .gave_up = thing.gave_up,
                .again_after = thing.again_after};
    return {.done = truth(thing.there),
            .allowed = thing.comes && thing.at_it && !thing.cut_off ? Truth::no : thing.allowed,
            .says = thing.there     ? "it is there"
                    : thing.gave_up ? "it gave up"
                                    : "it is not there",
            .evidence = thing.evidence,
            .gave_up = thing.gave_up,
            .cut_off = thing.cut_off};
}

Stage::Out Stage::carry_out(const CallOrder& order) {
    Thing& thing = things_[run().bound(order.step).id];
    Out out{.at = now_ + 5ms, .order = order};
    if (order.what == CallOrder::What::look) {
        out.look =
            thing.silent ? Result<Look>(Error{Fault::unavailable, "it is silent"}) : Result<Look>(look_at(order));
        return out;
    }
    std::deque<Reply>& replies = order.undo ? thing.undo_replies : thing.replies;
    Reply reply;
    if (!replies.empty()) {
        reply = replies.front();
        replies.pop_front();
    }
    if (reply.happens && order.undo) {
        ++thing.undone;
        thing.there = false;
        thing.comes.reset();
    } else if (reply.happens) {
        ++thing.effects;
        thing.comes = now_ + reply.shows_after;
        thing.at_it = !reply.fault.has_value();
    }
    out.at = now_ + reply.takes;
    out.answer = reply.fault ? Result<Json>(Error{*reply.fault, "it answered with a fault"})
                             : Result<Json>(Json{{"learned", "it"}});
    return out;
}

bool Stage::turn() {
    while (!out_.empty() && out_.begin()->first <= now_) {
        const Out out = out_.begin()->second;
        out_.erase(out_.begin());
        if (boundary(Boundary::before_answer)) return false;
        out.look ? engine_->looked(out.order, *out.look, now_) : engine_->applied(out.order, *out.answer, now_);
    }
    while (true) {
        const Decision decision = engine_->decide(now_);
        ++decisions_;
        EXPECT_TRUE(decision.record.empty() || decision.calls.empty()) << "nothing is done before it is recorded";
        if (decision.record.empty()) {
            for (const CallOrder& order : decision.calls) {
                const Out out = carry_out(order);
                out_.emplace(out.at, out);
            }
            wake_ = decision.wake;
            return true;
        }
        if (!append(decision.record)) return false;
    }
}

void Stage::advance(Moment limit) {
    Moment next = limit;
    if (!out_.empty()) next = std::min(next, out_.begin()->first);
    if (wake_) next = std::min(next, std::max(*wake_, now_ + 1us));
    now_ = std::max(now_, next);
}

bool Stage::play(const std::function<bool()>& until, Span limit) {
    const Moment end = now_ + limit;
    while (true) {
        while (!turn()) {
        }
        if (until()) return true;
        if (now_ >= end || phase() == RunPhase::ended) return false;
        advance(end);
    }
}

bool Stage::play_until(const std::string& id, StepState state) {
    return play([&] { return state_of(id) == state; });
}

bool Stage::play_until(RunPhase wanted) {
    return play([&] { return phase() == wanted; });
}

void Stage::wait(Span span) {
    play([] { return false; }, span);
}

std::string Stage::ask(const std::string& login, const std::string& verb, const std::string& on,
                       const std::string& text) {
    return ask(
        Request{.step = on, .login = login, .verb = verb, .text = text, .digest = on.empty() ? "" : record(on).digest});
}

std::string Stage::ask(Request request) {
    request.id = fmt::format("q-{}", ++requests_);
    request.run = "r-1";
    request.time = now_;
    engine_->requested({request});
    while (!turn()) engine_->requested({request});
    for (auto entry = journal_.rbegin(); entry != journal_.rend(); ++entry)
        if (entry->kind == events::request_judged && get_string(entry->body, "id") == request.id) {
            const bool accepted = *get_bool(entry->body, "accepted");
            const std::string says = *get_string(entry->body, "says");
            EXPECT_EQ(accepted, says.empty());
            return says;
        }
    return "not judged";
}

std::string describe(const RunState& state) {
    std::string text =
        fmt::format("{} {} {} {} {} {} {}\n", to_string(state.phase()), to_string(state.before_hold()),
                    state.cancelling(), state.past_no_return(), state.unsettled(), state.not_begun(), state.held_up());
    for (std::size_t i = 0; i < state.size(); ++i) {
        const StepRecord& record = state.record(i);
        text += fmt::format("{} {} {} {} {} {} {} {} {} {}\n", state.bound(i).id, to_string(record.state),
                            to_string(record.cause), record.says, dump(record.evidence), record.attempt,
                            record.intended, record.completed, record.digest, state.unmet_needs(i));
        for (const Grant& grant : record.grants) text += fmt::format("  {} {}\n", grant.who, grant.verb);
    }
    for (const OpenObligation& owed : state.obligations())
        text += fmt::format("{} {} {} {} {}\n", owed.name, owed.target, owed.region, owed.step, owed.owner);
    return text;
}

const std::set<std::tuple<StepState, StepState, Cause>>& seen_moves() {
    return moves();
}

namespace {

// Runs after all tests: a row of the table that no test took is a row that nobody has seen work.
class EveryMoveWasTaken : public testing::Environment {
public:
    void TearDown() override {
        if (GTEST_FLAG_GET(filter) != "*") return;
        for (const Transition& row : step_transitions)
            EXPECT_TRUE(moves().contains({row.from, row.to, row.cause}))
                << "no test took " << to_string(row.from) << " -> " << to_string(row.to) << " because of "
                << to_string(row.cause);
    }
};

[[maybe_unused]] const testing::Environment* const every_move =
    testing::AddGlobalTestEnvironment(new EveryMoveWasTaken);

}  // namespace
}  // namespace kedge::stage
