// For tests: a run on a stage, in one thread and in virtual time. The targets do what the test says, the journal is
// a list, and every move of every step is noted.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "engine/engine.h"

namespace kedge::stage {

// What a plan of tests can do; each name says what the type is for.
//   check, check.risky            conditions; the second may be waived
//   act                           probed, taken back by "act.undo"
//   act.idempotent act.keyed act.once   the other effects, same undo
//   act.risky                     may be waived
//   act.plain                     cannot be taken back
//   hold / release                owes "held", pays it; release is hold's undo
//   cross                         the point of no return; owes "redundancy"
//   join                          pays "redundancy"
Catalogue types();

// A step with defaults: whatever a test sets is what the test is about.
struct StepIs {
    std::string action = "act";
    std::vector<std::string> needs = {};
    Span deadline = std::chrono::seconds{10};
    std::optional<Span> steady = {};
    int attempts = 3;
    IfBlocked if_blocked = IfBlocked::stop;
    IfFailed if_failed = IfFailed::stop;
    std::vector<std::string> undo_on_failure = {};
    std::optional<Gate> gate = {};
    std::string skipped_because = {};
    bool always = false;
};
BoundStep step(std::string id, StepIs is = {});
BoundStep by_hand(std::string id, std::string asks, std::vector<std::string> needs = {}, std::optional<Gate> gate = {});
BoundPlan plan(std::vector<BoundStep> steps, std::optional<Gate> gate = {});
// `count` acts, each needing the one before it; or needing nothing.
BoundPlan chain(std::size_t count);
BoundPlan fan_out(std::size_t count);

// How a target takes one order.
struct Reply {
    std::optional<Fault> fault = {};  // what is answered; nothing = accepted
    bool happens = true;              // whether the effect is made all the same
    Span shows_after{};               // from then on a look sees it
    Span takes = std::chrono::milliseconds{5};
};

// The target of one step.
struct Thing {
    Truth allowed = Truth::yes;
    bool silent = false;                                // looks fail
    std::function<Truth(Moment)> holds = {};            // of a check, instead of `there`
    bool there = false;                                 // the effect, or the condition
    std::optional<Moment> comes;                        // when an effect that was asked for will be there
    bool at_it = false;                                 // and the target shows until then that it took the order
    bool gave_up = false;                               // it took the order, and works at it no longer
    bool cut_off = false;                               // it took the order, and was stopped at it
    bool undo_gave_up = false;                          // it was taken back, and must not have been
    std::deque<Reply> replies = {}, undo_replies = {};  // to the next orders; then all is accepted
    int effects = 0, undone = 0, looks = 0;
    Json evidence = Json::object();
    std::optional<Span> again_after = {};  // looks say when to look again
};

struct Setting {
    Mode mode = Mode::live;
    std::string requester = "rahel";
    std::string confirmed = {};
    bool lab = false;
};

class Stage {
public:
    explicit Stage(BoundPlan plan, Setting setting = {});

    Thing& thing(const std::string& id) { return things_[id]; }
    const StepRecord& record(const std::string& id) const;
    StepState state_of(const std::string& id) const { return record(id).state; }
    const RunState& run() const { return engine_->state(); }
    RunPhase phase() const { return run().phase(); }
    const std::vector<Entry>& journal() const { return journal_; }
    Moment now() const { return now_; }
    Engine& engine() { return *engine_; }
    // Ids of the steps that reached `state`, in that order.
    std::vector<std::string> reached(StepState state) const;
    bool said(const std::string& text) const;  // some entry says so

    // Lets things happen until `until` holds or `limit` has passed. Returns whether it holds.
    bool play(const std::function<bool()>& until, Span limit = std::chrono::hours{2});
    bool play_to_end() {
        return play([&] { return phase() == RunPhase::ended; });
    }
    bool play_until(const std::string& id, StepState state);
    bool play_until(RunPhase phase);
    void wait(Span span);  // lets things happen for so long

    // Asks, and returns what the verdict says; empty = accepted. The digest is what is shown now.
    std::string ask(const std::string& login, const std::string& verb, const std::string& on,
                    const std::string& text = "because");
    std::string ask(Request request);

    // The controller dies and another takes the run up. Answers that are out are lost; the world stays.
    void crash();
    // Dies at the n-th boundary from now on (1 = the next), of one kind, and is taken up at once.
    enum class Boundary { before_append, after_append, before_answer };
    void crash_at(Boundary kind, int nth);
    int boundaries(Boundary kind) const { return boundaries_.at(kind); }
    // For as long as nobody controls the run.
    void nobody_for(Span span) { now_ += span; }

    std::size_t decisions() const { return decisions_; }

private:
    struct Out {
        Moment at;
        CallOrder order;
        std::optional<Result<Look>> look;
        std::optional<Result<Json>> answer;
    };

    bool turn();  // false: a crash came
    bool append(const std::vector<Draft>& drafts);
    bool boundary(Boundary kind);
    Out carry_out(const CallOrder& order);
    Look look_at(const CallOrder& order);
    void advance(Moment limit);

    BoundPlan plan_;
    Setting setting_;
    Council council_;
    std::unique_ptr<Engine> engine_;
    std::vector<Entry> journal_;
    std::map<std::string, Thing> things_;
    std::multimap<Moment, Out> out_;
    Moment now_;
    Epoch epoch_ = 1;
    std::map<Boundary, int> boundaries_;
    std::optional<std::pair<Boundary, int>> crash_at_;
    std::optional<Moment> wake_;
    std::size_t decisions_ = 0;
    int requests_ = 0;
};

// Everything that a fold came to, as text: equal texts, equal states.
std::string describe(const RunState& state);

// The moves that any stage of this process has seen.
const std::set<std::tuple<StepState, StepState, Cause>>& seen_moves();

}  // namespace kedge::stage
