#include "connection_pool.h"

#include <gtest/gtest.h>

#include "os/clock.h"
#include "os/wait.h"
#include "test_stores.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;

Moment in(Span span) {
    return SystemClock{}.now() + span;
}

class ConnectionPoolTest : public testing::Test {
protected:
    // Waits for one in a thread of its own; `got` learns what came of it.
    std::jthread take(Moment deadline, std::vector<int>& got, int number) {
        const std::size_t before = pool.waiting();
        std::jthread thread{[this, &got, deadline, number] {
            auto connection = pool.take(deadline);
            {
                const std::lock_guard lock{mutex};
                got.push_back(connection ? number : -number);
            }
            if (connection) pool.give_back(std::move(connection), 0ms);
        }};
        while (pool.waiting() == before) std::this_thread::yield();
        return thread;
    }

    std::mutex mutex;  // guards what the takers note
    ConnectionPool pool{shared_stores().primary->conninfo(), 1, 5s};
};

TEST_F(ConnectionPoolTest, GivesNothingWhileItIsClosed) {
    EXPECT_EQ(pool.take(in(10s)), nullptr);
    pool.keep_open();
    auto connection = pool.take(in(10s));
    ASSERT_NE(connection, nullptr);
    EXPECT_TRUE(connection->exchange({{{"SELECT 1", {}}}}, in(5s)).answers[0].committed);
    std::vector<int> got;
    {
        const std::jthread waiter = take(in(60s), got, 1);
        pool.close();
    }
    EXPECT_EQ(got, std::vector{-1}) << "who waits is turned away";
    pool.give_back(std::move(connection), 0ms);
    EXPECT_EQ(pool.take(in(10s)), nullptr);
}

TEST_F(ConnectionPoolTest, WhoeverMustBeDoneFirstIsNext) {
    pool.keep_open();
    auto connection = pool.take(in(10s));
    std::vector<int> got;
    {
        std::vector<std::jthread> threads;
        for (const int seconds : {120, 90, 150})
            threads.push_back(take(in(std::chrono::seconds{seconds}), got, seconds));
        pool.give_back(std::move(connection), 0ms);
    }
    EXPECT_EQ(got, (std::vector{90, 120, 150}));
}

TEST_F(ConnectionPoolTest, WhoHasTooLittleTimeLeftDoesNotHoldUpTheOthers) {
    pool.keep_open();
    auto connection = pool.take(in(10s));
    std::vector<int> got;
    {
        std::vector<std::jthread> threads;
        for (const int seconds : {90, 120, 150})
            threads.push_back(take(in(std::chrono::seconds{seconds}), got, seconds));
        pool.give_back(std::move(connection), 100s);
    }
    EXPECT_EQ(got[0], 120) << "the first statement would not have ended in time";
    EXPECT_EQ(got, (std::vector{120, 90, 150})) << "those that answer fast bring hope back";
}

TEST_F(ConnectionPoolTest, WhoseTimeIsUpLeavesAndBlocksNobody) {
    pool.keep_open();
    auto connection = pool.take(in(10s));
    EXPECT_EQ(pool.take(in(1ms)), nullptr);
    EXPECT_EQ(pool.waiting(), 0U);
    pool.give_back(std::move(connection), 0ms);
    connection = pool.take(in(10s));
    ASSERT_NE(connection, nullptr);
    connection.reset();
    pool.give_up(0ms);
    EXPECT_NE(pool.take(in(10s)), nullptr) << "another one is opened";
    pool.give_up(0ms);
}

}  // namespace
}  // namespace kedge::lab
