// What a look at a recovery means for the steps that bring it into production's place, and out of it again.
#include <gtest/gtest.h>

#include "actions/action.h"
#include "actions/given_recoveries.h"

namespace kedge {
namespace {

class RecoveryInPlaceActions : public testing::Test {
protected:
    RecoveryInPlaceActions() {
        auto recoveries = std::make_unique<GivenRecoveries>();
        recovery_ = &recoveries->recovery;
        failed_ = &recoveries->failed;
        targets_.recoveries = std::move(recoveries);
        *recovery_ = {.exists = true, .working = Truth::no, .says = "as the test has it"};
    }
    Look look(const char* action) const {
        const Call call{
            .targets = targets_, .target = "db", .region = "east", .with = {{"name", "copy"}}, .key = "r-1/step"};
        return find_action(action)->look(call).value();
    }
    Truth done(const char* action) const { return look(action).done; }

    Targets targets_;
    RecoveryLook* recovery_ = nullptr;
    std::optional<std::string>* failed_ = nullptr;  // the work of the step
};

TEST_F(RecoveryInPlaceActions, OneThatMayNotBeUsedIsNotWaitedFor) {
    recovery_->prepared = recovery_->promoted = Truth::no;
    for (const char* action : {"recovery.load", "recovery.prepare"}) {
        *failed_ = std::nullopt;
        for (const Truth usable : {Truth::yes, Truth::unknown, Truth::no}) {
            recovery_->usable = usable;
            const Look seen = look(action);
            EXPECT_EQ(seen.done, Truth::no);
            EXPECT_EQ(seen.allowed, usable);
            EXPECT_EQ(seen.gave_up, usable == Truth::no) << to_string(usable);
        }
        *failed_ = "the ledger cannot be read";
        EXPECT_TRUE(look(action).gave_up);
        EXPECT_NE(look(action).says.find("the ledger cannot be read"), std::string::npos);
    }
}

TEST_F(RecoveryInPlaceActions, ItIsPutBackWhenItStandsBesideOrIsLoadedAndHasServed) {
    recovery_->prepared = Truth::yes;
    recovery_->promoted = Truth::no;
    recovery_->exchanges = true;
    EXPECT_EQ(done("recovery.put-back"), Truth::no) << "loaded, and not taken out again";
    recovery_->promoted = Truth::yes;
    EXPECT_EQ(done("recovery.put-back"), Truth::no) << "it has production's name";
    recovery_->promoted = Truth::no;
    recovery_->served = true;
    EXPECT_EQ(done("recovery.put-back"), Truth::yes) << "what was written to it stays until somebody discards it";
    recovery_->working = Truth::yes;
    EXPECT_EQ(done("recovery.put-back"), Truth::no);
    *recovery_ = {.exists = true, .prepared = Truth::no, .working = Truth::no};
    EXPECT_EQ(done("recovery.put-back"), Truth::yes);
}

}  // namespace
}  // namespace kedge
