#include "connection_pool.h"

#include "os/clock.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t openers = 4;
constexpr Span pause_after_failure = 50ms;

}  // namespace

ConnectionPool::ConnectionPool(std::string conninfo, std::size_t size, Span connect_limit)
    : conninfo_(std::move(conninfo)), size_(size), connect_limit_(connect_limit) {
    for (std::size_t i = 0; i < std::min(openers, size_); ++i)
        openers_.emplace_back([this](const std::stop_token& stop) { open(stop); });
}

ConnectionPool::~ConnectionPool() {
    close();
}

void ConnectionPool::keep_open() {
    {
        const std::lock_guard lock{mutex_};
        is_open_ = true;
        std::erase_if(idle_, [](const auto& connection) { return connection->is_spent(); });
    }
    changed_.notify_all();
}

void ConnectionPool::close() {
    std::vector<std::unique_ptr<Connection>> dropped;  // ends after the lock is gone
    const std::lock_guard lock{mutex_};
    is_open_ = false;
    dropped.swap(idle_);
    for (auto& [deadline, waiter] : waiting_) {
        waiter->turned_away = true;
        waiter->called.notify_one();
    }
    waiting_.clear();
}

std::size_t ConnectionPool::missing() const {
    const std::size_t there = idle_.size() + taken_ + opening_;
    return is_open_ && there < size_ ? size_ - there : 0;
}

void ConnectionPool::open(const std::stop_token& stop) {
    std::unique_lock lock{mutex_};
    while (changed_.wait(lock, stop, [&] { return missing() > 0; })) {
        ++opening_;
        lock.unlock();
        auto opened = Connection::open({conninfo_}, SystemClock{}.now() + connect_limit_);
        lock.lock();
        --opening_;
        if (opened.connection && is_open_) {
            idle_.push_back(std::move(opened.connection));
            hand_out();
        } else if (!opened.connection) {
            changed_.wait_for(lock, stop, pause_after_failure, [] { return false; });
        }
    }
}

void ConnectionPool::hand_out() {
    while (!idle_.empty() && !waiting_.empty()) {
        auto connection = std::move(idle_.back());
        idle_.pop_back();
        if (connection->is_spent()) {
            changed_.notify_all();
            continue;
        }
        auto next = waiting_.lower_bound(SystemClock{}.now() + took_);
        if (next == waiting_.end()) --next;
        Waiter& waiter = *next->second;
        waiting_.erase(next);
        waiter.got = std::move(connection);
        waiter.called.notify_one();
        ++taken_;
    }
}

std::unique_ptr<Connection> ConnectionPool::take(Moment deadline) {
    std::unique_lock lock{mutex_};
    if (!is_open_) return nullptr;
    Waiter waiter;
    const auto mine = waiting_.emplace(deadline, &waiter);
    hand_out();
    while (!waiter.got && !waiter.turned_away) {
        const Span left = deadline - SystemClock{}.now();
        if (left <= 0ms) {
            waiting_.erase(mine);
            break;
        }
        waiter.called.wait_for(lock, left);
    }
    return std::move(waiter.got);
}

void ConnectionPool::give_back(std::unique_ptr<Connection> connection, Span took) {
    const std::lock_guard lock{mutex_};
    --taken_;
    took_ = took;
    if (!is_open_) return;
    idle_.push_back(std::move(connection));
    hand_out();
}

void ConnectionPool::give_up(Span waited) {
    {
        const std::lock_guard lock{mutex_};
        --taken_;
        took_ = std::max(took_, waited);
    }
    changed_.notify_all();
}

std::size_t ConnectionPool::waiting() const {
    const std::lock_guard lock{mutex_};
    return waiting_.size();
}

}  // namespace kedge::lab
