// Carries out the runner's calls in virtual time: a call is on its way for a moment, then happens at one instant, and
// its answer comes when it would. Between any two of these the controller may die.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "runner/executor.h"
#include "sim/world/ground.h"
#include "sim/world/host_clock.h"

namespace kedge::sim {

// By how much a step takes longer than the models have it.
struct Slower {
    CallOrder::What call{};  // which of its calls: the look of a check, the effect of an act
    Span by{};
};

class VirtualExecutor final : public Executor {
public:
    // `clock` is the controller's, by which the deadlines of its calls are set. `wake` is called after an answer came.
    // `slower` is by the steps' places; it may be empty. It and the ground outlive this.
    VirtualExecutor(Ground& ground, const HostClock& clock, std::uint64_t epoch, const std::vector<Slower>& slower,
                    std::function<void()> wake);
    ~VirtualExecutor() override;

    void submit(const CallOrder& order, std::function<Answer()> work) override;
    std::vector<Answer> collect() override;
    // Its controller is gone: no answer reaches anybody any more.
    void end() { mind_->alive = false; }

    // Asked before each answer is handed over, with its number from 1 among all of this world's; false = it never
    // arrives, since the controller dies of it.
    std::function<bool()> before_answer;

private:
    struct Mind {  // what a call that is out knows of its controller
        bool alive = true;
        std::vector<Answer> answers;
    };
    Ground& ground_;
    HostClock clock_;
    std::uint64_t epoch_;
    const std::vector<Slower>& slower_;
    std::function<void()> wake_;
    std::shared_ptr<Mind> mind_ = std::make_shared<Mind>();
};

}  // namespace kedge::sim
