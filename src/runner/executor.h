// Carries out calls beside the runner: in production on a bounded pool of threads, in the simulator on one
// queue in virtual time. Calls end by themselves: every one has a deadline that its driver honours.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/time.h"
#include "engine/engine.h"

namespace kedge {

// A call that came to its end.
struct Answer {
    CallOrder order;
    Result<Look> look = Look{};     // of a look
    Result<Json> applied = Json{};  // of an apply
};

class Executor {
public:
    virtual ~Executor() = default;
    // Takes `work` and runs it later, once. Never blocks.
    virtual void submit(const CallOrder& order, std::function<Answer()> work) = 0;
    // The answers that came since the last time, in the order in which they came.
    virtual std::vector<Answer> collect() = 0;
};

// A fixed number of threads. submit, collect and wait_until belong to one thread; the destructor waits for the
// calls that are out, which their deadlines bound.
class ThreadPool final : public Executor {
public:
    explicit ThreadPool(std::size_t threads);
    ~ThreadPool() override;

    void submit(const CallOrder& order, std::function<Answer()> work) override;
    std::vector<Answer> collect() override;
    // Returns when an answer is there, or after `span`.
    void wait(Span span);

private:
    void serve(const std::stop_token& stop);

    std::mutex mutex_;
    std::condition_variable_any work_there_, answer_there_;
    std::deque<std::function<Answer()>> work_;  // guarded by mutex_
    std::vector<Answer> answers_;               // guarded by mutex_
    std::vector<std::jthread> threads_;         // last: joined before what they use goes
};

}  // namespace kedge
