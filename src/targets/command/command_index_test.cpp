// What the driver takes for an answer, and what it does not. How it drives a real index:
// lab/app/command_index_test.cpp.
#include "targets/command/command_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "os/clock.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

Moment soon() {
    return SystemClock{}.now() + 10s;
}

TEST(IndexAnswer, SaysModeEntriesPositionAndJob) {
    const IndexLook look = parse_index_look(R"({"mode": "degraded", "entries": 7, "position": "0/5A", "more": 1,
        "job": {"name": "r-1/rebuild", "state": "running", "done": 3, "total": 9, "per_second": 1.5}})")
                               .value();
    EXPECT_EQ(look.reachable, Truth::yes);
    EXPECT_EQ(look.mode, IndexMode::degraded);
    EXPECT_EQ(look.entries, 7);
    EXPECT_EQ(look.position, "0/5A");
    EXPECT_EQ(look.job.name, "r-1/rebuild");
    EXPECT_EQ(look.job.state, JobState::running);
    EXPECT_EQ(look.job.done, 3);
    EXPECT_EQ(look.job.total, 9);
    EXPECT_EQ(look.job.per_second, 1.5);
    EXPECT_EQ(look.says, "degraded, 7 entries; job r-1/rebuild running, 3 of 9");
    const IndexLook bare = parse_index_look(R"({"mode": "serving", "entries": null})").value();
    EXPECT_EQ(bare.entries, std::nullopt);
    EXPECT_EQ(bare.job.state, JobState::none);
}

TEST(IndexAnswer, ThatIsNotOfTheFormIsNone) {
    for (const char* answer : {
             "",
             "serving",
             "[]",
             "{}",
             R"({"mode": "serving"})",
             R"({"mode": "served", "entries": 1})",
             R"({"mode": true, "entries": 1})",
             R"({"mode": "serving", "entries": -1})",
             R"({"mode": "serving", "entries": "7"})",
             R"({"mode": "serving", "entries": 1.5})",
             R"({"mode": "serving", "entries": 1, "job": {}})",
             R"({"mode": "serving", "entries": 1, "job": "none"})",
             R"({"mode": "serving", "entries": 1, "job": {"name": "", "state": "running", "done": 0, "total": 0}})",
             R"({"mode": "serving", "entries": 1, "job": {"name": "a", "state": "none", "done": 0, "total": 0}})",
             R"({"mode": "serving", "entries": 1, "job": {"name": "a", "state": "died", "total": 0}})",
             R"({"mode": "serving", "entries": 1, "job": {"name": "a", "state": "died", "done": -1, "total": 0}})",
         })
        EXPECT_FALSE(parse_index_look(answer)) << answer;
}

TEST(IndexAnswer, OfASampleHoldsEveryCount) {
    const std::string answer = R"({"rows": 10, "entries": 9, "asked": 5, "found": 4, "looked_up": 3, "stale": 2})";
    const IndexSample sample = parse_index_sample(answer).value();
    EXPECT_EQ(sample.rows, 10);
    EXPECT_EQ(sample.entries, 9);
    EXPECT_EQ(sample.asked, 5);
    EXPECT_EQ(sample.found, 4);
    EXPECT_EQ(sample.looked_up, 3);
    EXPECT_EQ(sample.stale, 2);
    for (const char* key : {"rows", "entries", "asked", "found", "looked_up", "stale"}) {
        Json less = parse_json(answer).value();
        less.erase(key);
        EXPECT_THAT(parse_index_sample(dump(less)).error().message, HasSubstr(key));
    }
    EXPECT_FALSE(
        parse_index_sample(R"({"rows": 1, "entries": 1, "asked": 1, "found": 2, "looked_up": 1, "stale": 0})"));
    EXPECT_FALSE(
        parse_index_sample(R"({"rows": 1, "entries": 1, "asked": 1, "found": 1, "looked_up": 1, "stale": 2})"));
}

TEST(IndexPrograms, AreAskedWithTheNameOfTheJobAndSayNoByTheirExitCode) {
    const CommandIndexSettings settings{.name = "index",
                                        .look = {"echo", "what"},
                                        .degrade = {"false"},
                                        .serve = {"true"},
                                        .rebuild = {"test", "${job}", "=", "r-1/rebuild"},
                                        .sample = {"echo", "${size}"}};
    CommandIndex index(settings);
    const IndexLook look = index.look(soon()).value();
    EXPECT_EQ(look.reachable, Truth::unknown);
    EXPECT_EQ(look.mode, std::nullopt);
    EXPECT_EQ(index.set_mode(IndexMode::degraded, soon()).error().fault, Fault::refused);
    EXPECT_TRUE(index.set_mode(IndexMode::serving, soon()));
    EXPECT_TRUE(index.rebuild("r-1/rebuild", soon()));
    EXPECT_EQ(index.rebuild("r-2/rebuild", soon()).error().fault, Fault::refused);
    EXPECT_EQ(index.sample(3, soon()).error().fault, Fault::corrupt);
    CommandIndexSettings broken = settings;
    broken.serve = {"test", "(", "(", "(", "("};
    EXPECT_EQ(CommandIndex(broken).set_mode(IndexMode::serving, soon()).error().fault, Fault::outcome_unknown)
        << "neither done nor refused";
}

}  // namespace
}  // namespace kedge
