// What every Migration must do, whatever drives it: a suite that each driver's tests instantiate with a world of their
// own, the simulator's included.
//
//     INSTANTIATE_TEST_SUITE_P(Command, MigrationContract, testing::Values(make_my_world));
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "targets/migration.h"

namespace kedge {

// A sound schema with version 3, with the versions 1 to 3 to choose from, and the means to break it.
class MigrationWorld {
public:
    virtual ~MigrationWorld() = default;
    virtual Migration& migration() = 0;
    // `span` from now by the world's clock.
    virtual Moment after(Span span) const = 0;
    // Somebody holds a lock on a table that every step between the versions changes; until `unlock`.
    virtual void lock() = 0;
    virtual void unlock() = 0;
    // Something is missing of what the version says.
    virtual void damage() = 0;
    // No server can be asked any more.
    virtual void lose() = 0;
};

using MakeMigrationWorld = std::function<std::unique_ptr<MigrationWorld>()>;

class MigrationContract : public testing::TestWithParam<MakeMigrationWorld> {
protected:
    MigrationLook look() { return migration.look(soon()).value(); }
    Moment soon() const { return world->after(std::chrono::seconds{30}); }

    static constexpr Span patient = std::chrono::seconds{20}, impatient = std::chrono::milliseconds{200};
    std::unique_ptr<MigrationWorld> world = GetParam()();
    Migration& migration = world->migration();
};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(MigrationContract);

TEST_P(MigrationContract, MovesDownAndUpAndSaysWhereItIs) {
    for (const std::int64_t version : {3, 2, 1, 1, 3}) {
        const auto moved = migration.migrate(version, patient, soon());
        ASSERT_TRUE(moved) << moved.error().message;
        const MigrationLook seen = look();
        EXPECT_EQ(seen.reachable, Truth::yes) << seen.says;
        EXPECT_EQ(seen.version, version) << seen.says;
        EXPECT_EQ(seen.sound, Truth::yes) << seen.says;
        EXPECT_FALSE(seen.says.empty());
    }
}

TEST_P(MigrationContract, AVersionThatThereIsNotIsRefusedAndChangesNothing) {
    const auto moved = migration.migrate(17, patient, soon());
    ASSERT_FALSE(moved);
    EXPECT_EQ(moved.error().fault, Fault::refused);
    EXPECT_EQ(look().version, 3);
}

TEST_P(MigrationContract, ALockThatIsNotHadInTimeIsRefusedAndChangesNothing) {
    world->lock();
    const auto moved = migration.migrate(1, impatient, soon());
    ASSERT_FALSE(moved);
    EXPECT_EQ(moved.error().fault, Fault::refused);
    EXPECT_NE(moved.error().message.find("lock timeout"), std::string::npos) << moved.error().message;
    EXPECT_EQ(look().version, 3);
    EXPECT_EQ(look().sound, Truth::yes);
    world->unlock();
    const auto again = migration.migrate(1, patient, soon());
    EXPECT_TRUE(again) << again.error().message;
    EXPECT_EQ(look().version, 1);
}

TEST_P(MigrationContract, ASchemaThatIsNotWhatItsVersionSaysIsNotSound) {
    world->damage();
    EXPECT_EQ(look().version, 3);
    EXPECT_EQ(look().sound, Truth::no);
    EXPECT_FALSE(look().says.empty());
}

TEST_P(MigrationContract, WhatCannotBeAskedIsUnknownAndIsNotMoved) {
    world->lose();
    const MigrationLook seen = look();
    EXPECT_NE(seen.reachable, Truth::yes);
    EXPECT_EQ(seen.version, std::nullopt);
    EXPECT_EQ(seen.sound, Truth::unknown);
    EXPECT_FALSE(seen.says.empty());
    EXPECT_FALSE(migration.migrate(1, patient, soon()));
}

TEST_P(MigrationContract, KnowsWhichReleasesLiveWithWhichVersions) {
    ASSERT_FALSE(migration.releases().empty());
    for (const auto& [release, range] : migration.releases()) {
        EXPECT_TRUE(range.holds(range.least) && range.holds(range.most)) << release;
        EXPECT_FALSE(range.holds(range.least - 1) || range.holds(range.most + 1)) << release;
    }
}

}  // namespace kedge
