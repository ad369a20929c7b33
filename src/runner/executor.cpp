#include "runner/executor.h"

#include <utility>

namespace kedge {

ThreadPool::ThreadPool(std::size_t threads) {
    for (std::size_t i = 0; i < threads; ++i)
        threads_.emplace_back([this](const std::stop_token& stop) { serve(stop); });
}

ThreadPool::~ThreadPool() {
    for (std::jthread& thread : threads_) thread.request_stop();
}

void ThreadPool::serve(const std::stop_token& stop) {
    while (true) {
        std::function<Answer()> next;
        {
            std::unique_lock lock(mutex_);
            if (!work_there_.wait(lock, stop, [&] { return !work_.empty(); })) return;
            next = std::move(work_.front());
            work_.pop_front();
        }
        Answer answer = next();
        {
            const std::lock_guard lock(mutex_);
            answers_.push_back(std::move(answer));
        }
        answer_there_.notify_one();
    }
}

void ThreadPool::submit(const CallOrder&, std::function<Answer()> work) {
    {
        const std::lock_guard lock(mutex_);
        work_.push_back(std::move(work));
    }
    work_there_.notify_one();
}

std::vector<Answer> ThreadPool::collect() {
    const std::lock_guard lock(mutex_);
    return std::exchange(answers_, {});
}

void ThreadPool::wait(Span span) {
    std::unique_lock lock(mutex_);
    answer_there_.wait_for(lock, span, [&] { return !answers_.empty(); });
}

}  // namespace kedge
