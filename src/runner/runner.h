// Carries out what the engine decides: the journal first, then the target, the answer back as an event.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "actions/action.h"
#include "engine/engine.h"
#include "journal/journal.h"
#include "os/clock.h"
#include "runner/executor.h"

namespace kedge {

// Belongs to one thread. Journal, targets, executor and clock outlive it.
class Runner {
public:
    Runner(Journal& journal, std::unique_ptr<Claim> claim, Engine engine, const Estate& estate, const Targets& targets,
           Executor& executor, const Clock& clock);

    // How long a person's request may lie before the controller sees it.
    static constexpr Span inbox_period = std::chrono::milliseconds{50};

    // Takes what came in, decides, records, sends out calls; never waits for a target. Returns when something is due
    // by itself (Moment::max() if nothing is), or nothing once the run has ended. An answer is due when it comes, a
    // person's request `inbox_period` after it came: whoever cannot know of them comes again so soon. After an error
    // of the journal nothing may be done any more: the run stays where it is and can be resumed.
    Result<std::optional<Moment>> turn();

    // Told of every entry after it was made durable, in order.
    void on_entry(std::function<void(const Entry&, const RunState&)> listener) { listener_ = std::move(listener); }

    const Engine& engine() const { return engine_; }

private:
    Result<void> take_in(Moment now);
    Result<void> record(const Decision& decision);
    Result<void> confirm_claim(std::span<const CallOrder> calls) const;
    void send(const CallOrder& order, Moment now);
    Call make_call(const CallOrder& order, Moment now) const;

    Journal& journal_;
    std::unique_ptr<Claim> claim_;
    Engine engine_;
    const Estate& estate_;
    const Targets& targets_;
    Executor& executor_;
    const Clock& clock_;
    std::function<void(const Entry&, const RunState&)> listener_;
    std::unordered_map<std::string_view, std::vector<std::size_t>> steps_on_;  // a target's, in the plan's order
    Position last_ = 0;
    Moment inbox_read_{};
};

// Turns until the run has ended or `stop` says so. Waits on answers, never busily. `stop` is asked between turns.
Result<void> run_to_end(Runner& runner, ThreadPool& pool, const Clock& clock, const std::function<bool()>& stop);

}  // namespace kedge
