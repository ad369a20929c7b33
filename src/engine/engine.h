// Decides what happens next in a run: entries, answers and time in; drafts and calls out.
//
// It never sleeps, reads a clock or does I/O; given the same entries, answers and moments it decides the same.
// The runner makes the drafts of a decision durable, folds them (`recorded`) and asks again; only then does it
// carry out calls, so that no effect is without its intent. What an effect's step needs to know across a crash is
// in the journal; what stands only here (`Flight`) may be lost at any instant.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/run_state.h"
#include "plan/look.h"
#include "plan/standing.h"

namespace kedge {

// A bounded call on a target that the runner should make.
struct CallOrder {
    enum class What { look, apply };
    std::size_t step = 0;
    What what{};
    bool undo = false;      // by the step's undo action
    bool waived = false;    // two people took the risk of this block
    bool accepted = false;  // a look after the effect was accepted in this very attempt
    int attempt = 0;
    Moment deadline{};
    std::uint64_t serial = 0;  // of this controller's calls: an answer counts once
};

struct Decision {
    std::vector<Draft> record;         // to be made durable together, before anything else
    std::vector<std::string> settled;  // requests that these drafts judge
    Ends ends = Ends::no;
    std::vector<CallOrder> calls;  // only when `record` is empty
    std::optional<Moment> wake;    // ask again then, if nothing came before
};

// Who may decide. `lab` is true only when the estate was verified to be a lab's own: then a process may play people.
struct Council {
    std::vector<Person> people;
    bool lab = false;
};

class Engine {
public:
    // `state` may come from a fold of any length; intents in it were not made by this controller.
    Engine(RunState state, Council council);

    // Folds an entry that was made durable. corrupt = stop.
    Result<void> recorded(const Entry& entry);
    void looked(const CallOrder& order, Result<Look> look, Moment now);
    void applied(const CallOrder& order, Result<Json> answer, Moment now);
    void requested(std::vector<Request> requests);  // replaces what was handed in before; those judged are gone

    Decision decide(Moment now);

    const RunState& state() const { return state_; }
    // What the newest look at a step that is not settled said; empty if there was none. For people only.
    const std::string& last_said(std::size_t step) const { return flights_[step].said; }

private:
    // What is known of a step only in this process.
    struct Flight {
        std::uint64_t out = 0;               // serial of the call that is out; 0 = none
        bool outdated = false;               // the step moved since: its answer is dropped
        bool mine = false;                   // this controller journalled the present intent
        bool asked = false;                  // the effect was asked for
        bool accepted = false;               // and the target took the order
        std::optional<Result<Json>> answer;  // to be judged
        std::optional<Look> look;            // to be judged
        std::optional<Moment> last_contact;  // until when the effect may have been on its way to the target
        std::optional<Moment> since;         // from when the deadline counts; never before this controller came
        std::optional<Moment> steady_since, last_yes;
        Moment next_look{};
        Span pause{};  // until the look after the next
        std::string said, told;
        std::optional<Moment> tell_at;  // when the journal is told what keeps the step waiting
        Span tell_pause{};
        SharedJson seen = SharedJson::object();  // evidence of the newest look
        Truth saw_done = Truth::unknown;
        SharedJson learned = SharedJson::object();  // by the effect, when it was accepted
        std::optional<Moment> due;                  // when it stands in the agenda
    };

    void decide_step(std::size_t step, Moment now, Decision& out);
    void decide_pending(std::size_t step, Moment now, Decision& out);
    void decide_ready(std::size_t step, Moment now, Decision& out);
    void decide_person(std::size_t step, Moment now, Decision& out);
    void judge_check(std::size_t step, const Look& look, Moment now, Decision& out);
    void judge_act(std::size_t step, const Look& look, Moment now, Decision& out);
    void blocked(std::size_t step, Moment now, Decision& out);
    void open_wait(std::size_t step, WaitFor what, const std::string& asks, Moment now, Decision& out);
    void decide_waiting(std::size_t step, Moment now, Decision& out);
    void decide_running(std::size_t step, Moment now, Decision& out);
    void decide_unknown(std::size_t step, Moment now, Decision& out);
    void decide_undo(std::size_t step, Moment now, Decision& out);
    bool may_begin(std::size_t step) const;
    bool waits_for_redo(std::size_t step) const;
    bool quorum(std::size_t step) const;
    bool gate_open(std::size_t step, Moment now) const;
    bool waiver_stands(std::size_t step, Moment now) const;
    Moment wait_expires(std::size_t step) const;

    void decide_phase(Moment now, Decision& out);
    void decide_forward(Moment now, Decision& out);
    bool turns_back(std::size_t failed) const;
    void decide_hold(Moment now, Decision& out);
    void decide_compensation(Moment now, Decision& out);
    void decide_finish(Moment now, Decision& out);
    // Why a run in `phase` cannot go on without a person; empty if it can.
    std::string why_hold(RunPhase phase, Moment now) const;
    std::string why_backward_stuck() const;
    std::string why_unknown(Moment now) const;
    std::string why_owed() const;
    void take_back_for_failed(Moment now, Decision& out);
    bool always_settled() const;
    RunResult result() const;

    void judge(const Request& request, Moment now, Decision& out);
    std::string judge_step_verb(const Request& request, const Person& person, Moment now, Decision& out);
    std::string judge_agreement(std::size_t step, const Request& request, const Person& person, Moment now,
                                Decision& out);
    std::string judge_retry(std::size_t step, const std::string& by, Moment now, Decision& out);
    std::string judge_skip(std::size_t step, const Request& request, const Person& person, Moment now, Decision& out);
    std::string judge_run_verb(const Request& request, const Person& person, Moment now, Decision& out);

    void move(std::size_t step, StepState to, Cause cause, std::string says, Moment now, Decision& out,
              std::optional<SharedJson> evidence = {}, bool intent = false);
    void tell_what_it_waits_for(std::size_t step, Moment now, Decision& out);
    void order_look(std::size_t step, Moment now, Decision& out, bool undo = false);
    void order_apply(std::size_t step, Moment now, Decision& out, bool undo = false);
    bool expected(const CallOrder& order, Moment now);

    void schedule(std::size_t step, Moment at);
    void schedule_all(Moment at);
    void drop_outdated();

    RunState state_;
    Council council_;
    std::vector<Flight> flights_;
    std::vector<Standing> standings_;  // of a rehearsal, once it looked
    // When which step is looked into next: a heap, the first on top. What a flight says otherwise of is out of date.
    std::vector<std::pair<Moment, std::size_t>> agenda_;
    std::vector<std::size_t> due_;  // of the present decision; kept for its room
    std::uint64_t serial_ = 0;
    std::vector<Request> requests_;
};

}  // namespace kedge
