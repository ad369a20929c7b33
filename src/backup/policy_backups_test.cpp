// How orders are given to the program that does the work, and how its end is understood. The program is a stand-in.
#include "backup/policy_backups.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "backup/verdicts.h"
#include "estate/parse.h"
#include "os/clock.h"
#include "os/files.h"
#include "targets/postgres/scratch_cluster.h"

namespace kedge::backup {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr const char* estate_text = R"(estate: small
regions: {east: {}}
tiers: {critical: {rto: 1h, rpo: 5m}}
targets:
  db:
    kind: database
    driver: host
    database: postgres
    sites:
      east: {connection: host=east, replication: host=east, data-directory: /d, fence: {look: [/f, l], raise: [/f, r], lower: [/f, d]}}
  vault: {kind: store, driver: file, path: /vault}
backups:
  nightly: {kind: dump, of: db, in: vault, below: dumps, max-age: 25h}
)";

class GivenOrders : public testing::Test {
protected:
    // The work lasts as long as the file `goes-on` is there, and says why it failed.
    PolicyBackups ending_with(int code) const {
        EXPECT_TRUE(write_file_atomically(program,
                                          fmt::format("#!/bin/sh\nwhile test -e {}; do :; done\n"
                                                      "echo '{} was all it could do' >&2\nexit {}\n",
                                                      goes_on, code, code),
                                          0700));
        return PolicyBackups({.estate = *parse_estate("estate.yaml", estate_text),
                              .state_directory = directory.path() + "/state",
                              .program = program});
    }
    void leave_answers(const std::string& key) const {
        Verdicts verdicts;
        verdicts.add({.name = "one.dump", .answers = {{.question = "intact", .evidence = {{"key", key}}}}});
        EXPECT_TRUE(write_verdicts(directory.path() + "/state", "nightly", verdicts));
    }
    static Moment soon() { return SystemClock{}.now() + 30s; }
    // How the work of `key` ended, once it has.
    static std::optional<std::string> failure(PolicyBackups& backups, const std::string& key) {
        const Moment deadline = soon();
        while (backups.look("nightly", deadline).value().working != Truth::no && SystemClock{}.now() < deadline)
            wait_out(within(5ms));
        EXPECT_EQ(backups.look("nightly", deadline).value().working, Truth::no);
        return backups.failure("nightly", key).value();
    }

    const ScratchDirectory directory;
    const std::string program = directory.path() + "/program", goes_on = directory.path() + "/goes-on";
};

TEST_F(GivenOrders, ANoIsAnAnswerOfWhatJudgesAndAFailureOfWhatTakes) {
    for (const int code : {15, 16}) {
        PolicyBackups backups = ending_with(code);
        ASSERT_TRUE(backups.judge("nightly", Judging::again, "r/judge", soon()));
        leave_answers("r/judge");
        EXPECT_EQ(failure(backups, "r/judge"), std::nullopt) << code;
        ASSERT_TRUE(backups.create("nightly", "east", "r/create", soon()));
        const auto failed = failure(backups, "r/create");
        ASSERT_TRUE(failed) << code;
        EXPECT_NE(failed->find("was all it could do"), std::string::npos) << *failed;
    }
    PolicyBackups well = ending_with(0);
    ASSERT_TRUE(well.create("nightly", "east", "r/create", soon()));
    EXPECT_EQ(failure(well, "r/create"), std::nullopt);
}

TEST_F(GivenOrders, WhatJudgesHasFailedWhereItLeftNoAnswers) {
    for (const int code : {15, 16}) {
        PolicyBackups backups = ending_with(code);
        ASSERT_TRUE(backups.judge("nightly", Judging::again, "r/judge", soon()));
        leave_answers("an-earlier-run/judge");
        const auto failed = failure(backups, "r/judge");
        ASSERT_TRUE(failed) << code;
        EXPECT_NE(failed->find("was all it could do"), std::string::npos) << *failed;
    }
}

TEST_F(GivenOrders, AnotherIsAConflictFromTheFirstMomentOn) {
    ASSERT_TRUE(write_file_atomically(goes_on, ""));
    PolicyBackups backups = ending_with(0);
    ASSERT_TRUE(backups.create("nightly", "east", "r/create", soon()));
    EXPECT_EQ(backups.create("nightly", "east", "r/again", soon()).error().fault, Fault::conflict);
    EXPECT_EQ(backups.judge("nightly", Judging::again, "r/judge", soon()).error().fault, Fault::conflict);
    fs::remove(goes_on);
    EXPECT_EQ(failure(backups, "r/create"), std::nullopt);
}

}  // namespace
}  // namespace kedge::backup
