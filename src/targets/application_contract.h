// What every Application must do, whatever drives it: a suite that each driver's tests instantiate with a
// world of their own, the simulator's included.
//
//     INSTANTIATE_TEST_SUITE_P(Process, ApplicationContract, testing::Values(make_my_world));
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "targets/application.h"

namespace kedge {

// An application with two instances in `region`, all healthy and accepting writes, and the means to break it.
class ApplicationWorld {
public:
    virtual ~ApplicationWorld() = default;
    virtual Application& application() = 0;
    virtual std::string region() const = 0;
    // `span` from now by the world's clock.
    virtual Moment after(Span span) const = 0;
    // A declared probe that holds now and one that does not; their names.
    virtual std::string sound_probe() const = 0;
    virtual std::string failing_probe() const = 0;
    // One instance is gone: whoever asks it is refused.
    virtual void lose_one() = 0;
    // One instance answers nothing.
    virtual void silence_one() = 0;
    // Another release that can be deployed; nothing where nobody says how.
    virtual std::optional<std::string> other_release() const { return std::nullopt; }
};

using MakeApplicationWorld = std::function<std::unique_ptr<ApplicationWorld>()>;

class ApplicationContract : public testing::TestWithParam<MakeApplicationWorld> {
protected:
    ApplicationLook look() { return application.look(world->region(), Depth::health, world->after(seconds_5)).value(); }
    int count(Writes writes) {
        int number = 0;
        for (const InstanceLook& instance : look().instances) number += instance.writes == writes ? 1 : 0;
        return number;
    }

    static constexpr Span seconds_5 = std::chrono::seconds{5};
    std::unique_ptr<ApplicationWorld> world = GetParam()();
    Application& application = world->application();
};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ApplicationContract);

TEST_P(ApplicationContract, EveryInstanceIsSeenWithItsState) {
    const ApplicationLook seen = look();
    ASSERT_EQ(seen.instances.size(), 2U);
    for (const InstanceLook& instance : seen.instances) {
        EXPECT_EQ(instance.reachable, Truth::yes) << instance.says;
        EXPECT_EQ(instance.ready, Truth::yes) << instance.says;
        EXPECT_EQ(instance.healthy, Truth::yes) << instance.says;
        EXPECT_EQ(instance.writes, Writes::accepted) << instance.says;
        EXPECT_FALSE(instance.name.empty());
        EXPECT_FALSE(instance.says.empty());
    }
}

TEST_P(ApplicationContract, ALookThatAsksForLessFindsItAllTheSame) {
    const ApplicationLook seen = application.look(world->region(), Depth::writes, world->after(seconds_5)).value();
    ASSERT_EQ(seen.instances.size(), 2U);
    for (const InstanceLook& instance : seen.instances) {
        EXPECT_EQ(instance.reachable, Truth::yes) << instance.says;
        EXPECT_EQ(instance.writes, Writes::accepted) << instance.says;
        EXPECT_EQ(instance.healthy, Truth::unknown) << "nobody asked";
    }
    const ApplicationLook ready = application.look(world->region(), Depth::readiness, world->after(seconds_5)).value();
    ASSERT_EQ(ready.instances.size(), 2U);
    EXPECT_EQ(ready.instances[0].ready, Truth::yes);
    EXPECT_EQ(ready.instances[0].healthy, Truth::unknown) << "nobody asked";
}

TEST_P(ApplicationContract, WritesAreHeldRefusedAndReleasedOnEveryInstance) {
    for (const Writes writes : {Writes::held, Writes::held, Writes::refused, Writes::accepted, Writes::accepted}) {
        const auto done = application.set_writes(world->region(), writes, world->after(seconds_5));
        EXPECT_TRUE(done) << (done ? "" : done.error().message);
        EXPECT_EQ(count(writes), 2);
    }
}

TEST_P(ApplicationContract, ALostInstanceIsListedAndNeverCalledSound) {
    world->lose_one();
    const ApplicationLook seen = look();
    ASSERT_EQ(seen.instances.size(), 2U);
    int sound = 0;
    for (const InstanceLook& instance : seen.instances) {
        sound += instance.healthy == Truth::yes ? 1 : 0;
        if (instance.reachable == Truth::yes) continue;
        EXPECT_NE(instance.ready, Truth::yes);
        EXPECT_NE(instance.healthy, Truth::yes);
        EXPECT_EQ(instance.writes, std::nullopt);
        EXPECT_FALSE(instance.says.empty());
    }
    EXPECT_EQ(sound, 1);
}

TEST_P(ApplicationContract, ASilentInstanceIsUnknownWhenTheDeadlinePasses) {
    world->silence_one();
    const ApplicationLook seen =
        application.look(world->region(), Depth::health, world->after(std::chrono::milliseconds{300})).value();
    int unknown = 0;
    for (const InstanceLook& instance : seen.instances) {
        if (instance.reachable != Truth::unknown) continue;
        ++unknown;
        EXPECT_EQ(instance.healthy, Truth::unknown);
        EXPECT_EQ(instance.writes, std::nullopt);
    }
    EXPECT_EQ(unknown, 1);
}

TEST_P(ApplicationContract, WritesThatOneInstanceCannotHoldAreNotReportedHeld) {
    world->silence_one();
    const auto done =
        application.set_writes(world->region(), Writes::held, world->after(std::chrono::milliseconds{300}));
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().fault, Fault::outcome_unknown);
}

TEST_P(ApplicationContract, AProbeHoldsOrSaysWhyNot) {
    const auto sound = application.probe(world->sound_probe(), world->region(), "key-1", world->after(seconds_5));
    ASSERT_TRUE(sound) << sound.error().message;
    EXPECT_EQ(sound->holds, Truth::yes) << sound->says;
    const auto failing = application.probe(world->failing_probe(), world->region(), "key-2", world->after(seconds_5));
    ASSERT_TRUE(failing) << failing.error().message;
    EXPECT_EQ(failing->holds, Truth::no) << failing->says;
    EXPECT_FALSE(failing->says.empty());
}

TEST_P(ApplicationContract, AProbeAgainstALostInstanceDoesNotHold) {
    world->lose_one();
    const auto probe = application.probe(world->sound_probe(), world->region(), "key", world->after(seconds_5));
    ASSERT_TRUE(probe) << probe.error().message;
    EXPECT_NE(probe->holds, Truth::yes);
}

TEST_P(ApplicationContract, EveryInstanceRunsTheReleaseThatIsDeployedOrItIsRefused) {
    const std::optional<std::string> other = world->other_release();
    if (!other) {
        EXPECT_EQ(application.deploy(world->region(), "any", world->after(seconds_5)).error().fault, Fault::refused);
        return;
    }
    for (const InstanceLook& instance : look().instances) EXPECT_NE(instance.release, other) << instance.name;
    for (int again = 0; again < 2; ++again) {
        const auto done = application.deploy(world->region(), *other, world->after(seconds_5));
        ASSERT_TRUE(done) << done.error().message;
        for (const InstanceLook& instance : look().instances) EXPECT_EQ(instance.release, other) << instance.says;
    }
}

TEST_P(ApplicationContract, WhatIsNotDeclaredIsNotFound) {
    const Moment deadline = world->after(seconds_5);
    EXPECT_EQ(application.deploy("atlantis", "any", deadline).error().fault, Fault::not_found);
    EXPECT_EQ(application.look("atlantis", Depth::writes, deadline).error().fault, Fault::not_found);
    EXPECT_EQ(application.set_writes("atlantis", Writes::held, deadline).error().fault, Fault::not_found);
    EXPECT_EQ(application.probe("no-such-probe", world->region(), "key", deadline).error().fault, Fault::not_found);
    EXPECT_EQ(application.probe(world->sound_probe(), "atlantis", "key", deadline).error().fault, Fault::not_found);
}

}  // namespace kedge
