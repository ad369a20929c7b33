#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "database.h"
#include "os/clock.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;

TEST(TurnstileTest, WhoeverMustBeDoneFirstIsNext) {
    Turnstile turnstile(1);
    const Moment now = SystemClock{}.now();
    ASSERT_TRUE(turnstile.enter(now + 60s));
    std::vector<int> passed;  // in seconds; written only by who is inside
    std::vector<std::jthread> threads;
    for (const int seconds : {120, 90, 150}) {
        threads.emplace_back([&, seconds] {
            if (!turnstile.enter(now + std::chrono::seconds{seconds})) return;
            passed.push_back(seconds);
            turnstile.leave();
        });
        while (turnstile.waiting() < threads.size()) std::this_thread::yield();
    }
    turnstile.leave();
    threads.clear();
    EXPECT_EQ(passed, (std::vector{90, 120, 150}));
    EXPECT_TRUE(turnstile.enter(now + 60s)) << "the place is free again";
}

TEST(TurnstileTest, WhoseTimeIsUpLeavesAndBlocksNobody) {
    Turnstile turnstile(1);
    const Moment now = SystemClock{}.now();
    ASSERT_TRUE(turnstile.enter(now + 60s));
    EXPECT_FALSE(turnstile.enter(now + 1ms));
    EXPECT_EQ(turnstile.waiting(), 0U);
    turnstile.leave();
    EXPECT_TRUE(turnstile.enter(now + 60s));
}

}  // namespace
}  // namespace kedge::lab
