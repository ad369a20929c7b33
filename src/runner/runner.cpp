#include "runner/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "journal/chain.h"

namespace kedge {

Runner::Runner(Journal& journal, std::unique_ptr<Claim> claim, Engine engine, const Estate& estate,
               const Targets& targets, Executor& executor, const Clock& clock)
    : journal_(journal),
      claim_(std::move(claim)),
      engine_(std::move(engine)),
      estate_(estate),
      targets_(targets),
      executor_(executor),
      clock_(clock),
      last_(engine_.state().last()) {
    for (std::size_t i = 0; i < engine_.state().size(); ++i)
        if (const BoundStep& step = engine_.state().bound(i); step.type != nullptr) steps_on_[step.target].push_back(i);
}

Result<std::optional<Moment>> Runner::turn() {
    TRY(take_in(clock_.now()));
    bool ours = false;  // an append proves it
    while (true) {
        const Moment now = clock_.now();
        const Decision decision = engine_.decide(now);
        if (decision.record.empty() && decision.settled.empty()) {
            if (!ours) TRY(confirm_claim(decision.calls));
            for (const CallOrder& order : decision.calls) send(order, now);
            if (engine_.state().phase() == RunPhase::ended) return std::optional<Moment>{};
            return std::optional{decision.wake.value_or(Moment::max())};
        }
        TRY(record(decision));
        ours = true;
    }
}

// A process that was stopped for long and goes on changes nothing more: whoever took its run over has written since.
Result<void> Runner::confirm_claim(std::span<const CallOrder> calls) const {
    const bool changes =
        std::ranges::any_of(calls, [](const CallOrder& order) { return order.what == CallOrder::What::apply; });
    if (!changes) return {};
    const std::vector<Entry> later = TRY(journal_.read(claim_->run(), last_, 1));
    if (later.empty()) return {};
    const Entry& next = later.front();
    return claim_is_stale(next.run, claim_->epoch(), next.epoch,
                          get_string(next.body, "controller").value_or("unknown"));
}

Result<void> Runner::take_in(Moment now) {
    for (Answer& answer : executor_.collect()) {
        if (answer.order.what == CallOrder::What::look)
            engine_.looked(answer.order, std::move(answer.look), now);
        else
            engine_.applied(answer.order, std::move(answer.applied), now);
    }
    if (now - inbox_read_ < inbox_period) return {};
    inbox_read_ = now;
    engine_.requested(TRY(journal_.inbox(claim_->run())));
    return {};
}

Result<void> Runner::record(const Decision& decision) {
    Result<Position> position = journal_.append(*claim_, decision.record, decision.settled, decision.ends);
    if (!position) return position.error().within("run " + claim_->run());
    const std::vector<Entry> entries = TRY(journal_.read(claim_->run(), last_));
    check(entries.size() == decision.record.size() && entries.back().position == *position,
          "nobody else appends to a run that is claimed");
    for (const Entry& entry : entries) {
        TRY(engine_.recorded(entry));
        last_ = entry.position;
        if (listener_) listener_(entry, engine_.state());
    }
    return {};
}

void Runner::send(const CallOrder& order, Moment now) {
    const BoundStep& bound = engine_.state().bound(order.step);
    const ActionType* type = order.undo ? engine_.state().undo_of(order.step) : bound.type;
    const Action* action = find_action(type->name);
    check(action != nullptr, "a bound plan uses only actions of the catalogue");
    auto work = [order, action, call = make_call(order, now)]() {
        Answer answer{.order = order};
        if (order.what == CallOrder::What::look)
            answer.look = action->look(call);
        else
            answer.applied = action->apply(call);
        return answer;
    };
    executor_.submit(order, std::move(work));
}

Call Runner::make_call(const CallOrder& order, Moment now) const {
    const RunState& state = engine_.state();
    const BoundStep& bound = state.bound(order.step);
    Call call{.targets = targets_,
              .target = bound.target,
              .region = bound.region,
              .with = bound.with,
              .evidence = state.record(order.step).evidence,
              .facts = {},
              .plan = state.course(),
              .key = fmt::format("{}/{}", state.id(), bound.id),
              .waived = order.waived,
              .accepted = order.accepted,
              .now = now,
              .deadline = order.deadline};
    if (const Target* target = estate_.target(bound.target)) {
        call.regions.reserve(target->sites.size());
        for (const Site& site : target->sites) call.regions.push_back(site.region);
    }
    for (const std::size_t i : steps_on_.at(bound.target)) {
        const StepRecord& record = state.record(i);
        const BoundStep& other = state.bound(i);
        if (!is_settled(record.state) && record.waived_by.empty()) continue;
        call.facts.push_back({.step = other.id,
                              .action = other.type->name,
                              .target = other.target,
                              .region = other.region,
                              .succeeded = record.state == StepState::succeeded,
                              .risk_taken = !record.waived_by.empty(),
                              .evidence = record.evidence});
    }
    return call;
}

Result<void> run_to_end(Runner& runner, ThreadPool& pool, const Clock& clock, const std::function<bool()>& stop) {
    while (!stop()) {
        const std::optional<Moment> next = TRY(runner.turn());
        if (!next) return {};
        pool.wait(std::clamp<Span>(*next - clock.now(), Span{0}, Runner::inbox_period));
    }
    return {};
}

}  // namespace kedge
