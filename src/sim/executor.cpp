#include "sim/executor.h"

#include <utility>

namespace kedge::sim {
namespace {

// From the decision until the call is with its target's network.
constexpr Span dispatch_most = 3ms;

}  // namespace

VirtualExecutor::VirtualExecutor(Ground& ground, const HostClock& clock, std::uint64_t epoch,
                                 const std::vector<Slower>& slower, std::function<void()> wake)
    : ground_(ground), clock_(clock), epoch_(epoch), slower_(slower), wake_(std::move(wake)) {}

VirtualExecutor::~VirtualExecutor() {
    end();
}

void VirtualExecutor::submit(const CallOrder& order, std::function<Answer()> work) {
    const Errand errand{.step = order.step, .attempt = order.attempt, .epoch = epoch_, .undo = order.undo};
    // Half of the calls that were on their way when their controller died arrive all the same.
    const bool on_the_wire = ground_.random().chance(0.5);
    const bool slow = !order.undo && order.step < slower_.size() && slower_[order.step].call == order.what;
    const Span later = slow ? slower_[order.step].by : Span{0};
    auto call = [this, later, mind = mind_, &ground = ground_, clock = clock_, errand, on_the_wire,
                 work = std::move(work)] {
        if (!mind->alive && !on_the_wire) return;
        ground.begin_call(errand, clock.ahead());
        Answer answer = work();
        const Span takes = ground.end_call() + later;
        ground.schedule().after(takes, [this, mind, answer = std::move(answer)]() mutable {
            if (!mind->alive) return;
            if (before_answer && !before_answer()) return;
            mind->answers.push_back(std::move(answer));
            wake_();
        });
    };
    ground_.schedule().after(ground_.random().between(0ms, dispatch_most), std::move(call));
}

std::vector<Answer> VirtualExecutor::collect() {
    return std::exchange(mind_->answers, {});
}

}  // namespace kedge::sim
