#include "targets/postgres/fence_command.h"

#include <gtest/gtest.h>

#include "os/clock.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;

Arguments script(std::string text) {
    return {"sh", "-c", std::move(text)};
}

Moment soon(Span span = 10s) {
    return SystemClock{}.now() + span;
}

FenceLook look(std::string text) {
    return look_at_fence({.look = script(std::move(text))}, "db@east", soon()).value();
}

TEST(FenceCommand, AnswersByItsExitCodeAndTheLastLineItPrints) {
    const FenceLook up = look("echo looking; echo no process of pg-east is left; exit 0");
    EXPECT_EQ(up.fenced, Truth::yes);
    EXPECT_EQ(up.proof, "no process of pg-east is left");
    EXPECT_EQ(look("echo pid 7 runs; exit 1").fenced, Truth::no);
}

TEST(FenceCommand, IsUnknownWhenItEndsInAnyOtherWay) {
    const FenceLook failed = look("echo no route to the power switch >&2; exit 2");
    EXPECT_EQ(failed.fenced, Truth::unknown);
    EXPECT_EQ(failed.proof, "no route to the power switch");
    EXPECT_EQ(look("kill -9 $$").fenced, Truth::unknown);
    const auto missing = look_at_fence({.look = {"/nonexistent/fence"}}, "db@east", soon());
    EXPECT_EQ(missing.value().fenced, Truth::unknown);
}

TEST(FenceCommand, IsUnknownWhenItDoesNotAnswerInTime) {
    const auto late = look_at_fence({.look = {"sleep", "20"}}, "db@east", soon(100ms));
    EXPECT_EQ(late.value().fenced, Truth::unknown);
}

TEST(FenceCommand, TellsARefusalFromAnUnknownOutcome) {
    const auto change = [](const char* text, Moment deadline) {
        return change_fence({.raise = script(text)}, FenceChange::raise, "db@east", deadline);
    };
    EXPECT_TRUE(change("exit 0", soon()).has_value());
    EXPECT_EQ(change("echo not mine; exit 1", soon()).error().fault, Fault::refused);
    EXPECT_EQ(change("exit 3", soon()).error().fault, Fault::outcome_unknown);
    EXPECT_EQ(change("sleep 20", soon(100ms)).error().fault, Fault::outcome_unknown);
}

TEST(FenceCommand, IsRefusedWhenTheEstateNamesNone) {
    EXPECT_EQ(look_at_fence({}, "db@east", soon()).error().fault, Fault::refused);
    EXPECT_EQ(change_fence({}, FenceChange::lower, "db@east", soon()).error().fault, Fault::refused);
}

}  // namespace
}  // namespace kedge
