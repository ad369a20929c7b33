// Every shipped plan, from end to end, in the simulated world: undisturbed, and with the controller dying at every
// boundary of its journal and before every answer. Whatever the instant, another controller brings it to the same end.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "sim/shipped_plans_for_tests.h"

namespace kedge::sim {
namespace {

constexpr std::uint64_t calm_seed = 7;
constexpr Span long_enough = 2h;

struct End {
    std::string text, story;
    std::uint64_t appends = 0, answers = 0;
    int deaths = 0;
    bool ended = false;
};

std::string story_of(Controller& controller) {
    std::string story;
    for (const Entry& entry : controller.store().entries())
        if (entry.kind != "run.started")
            story += kedge::to_string(entry.time).substr(11) + " " + entry.kind + " " +
                     dump(entry.body).substr(0, 300) + "\n";
    return story;
}

// How often targets did what must not be done twice.
std::string effects_of(World& world) {
    constexpr std::array once{EffectKind::promote,     EffectKind::shut_down,       EffectKind::raise_fence,
                              EffectKind::lower_fence, EffectKind::cache_fail_over, EffectKind::start,
                              EffectKind::swap_in,     EffectKind::exchange,        EffectKind::cache_take_over,
                              EffectKind::cache_lead};
    std::string text;
    for (const EffectKind kind : once)
        text +=
            fmt::format("{}: {}\n", to_string(kind), std::ranges::count(world.ground.effects(), kind, &Effect::kind));
    return text;
}

using Disturb = std::function<void(Controller&)>;

End play(const Programme& programme, const Disturb& disturb = {}) {
    Disaster disaster(programme.assignment, calm_seed);
    disaster.set_up(losses_for(programme.plan()).front());
    if (disturb) disturb(disaster.controller());
    Result<void> started = disaster.start();
    EXPECT_TRUE(started || disturb) << "not started";
    End end;
    end.ended = disaster.play(long_enough);
    disaster.world().ground.schedule().run_until(disaster.world().ground.now() + 30s);
    if (disaster.controller().state() != nullptr)
        end.text = describe_end(disaster.world(), *disaster.controller().state()) + effects_of(disaster.world());
    end.appends = disaster.controller().store().appends();
    end.answers = disaster.controller().answers();
    end.deaths = disaster.controller().deaths();
    end.story = story_of(disaster.controller());
    return end;
}

class ShippedPlan : public testing::TestWithParam<ShippedUse> {
protected:
    const Programme programme_ = programme_of(GetParam());
};

TEST_P(ShippedPlan, SucceedsInTheSimulatedWorld) {
    const End end = play(programme_);
    ASSERT_TRUE(end.ended) << end.text << end.story;
    EXPECT_NE(end.text.find("result succeeded"), std::string::npos) << end.text << end.story;
}

TEST_P(ShippedPlan, EndsTheSameWhereverItsControllerDies) {
    const End undisturbed = play(programme_);
    ASSERT_TRUE(undisturbed.ended);
    int deaths = 0;
    const auto expect_same = [&](const std::string& where, const Disturb& disturb) {
        const End end = play(programme_, disturb);
        deaths += end.deaths;
        EXPECT_TRUE(end.ended) << where << "\n" << end.story;
        EXPECT_EQ(end.text, undisturbed.text) << where << "\n" << end.story;
        return !testing::Test::HasFailure();
    };
    for (std::uint64_t n = 2; n <= undisturbed.appends; ++n) {
        for (const auto& [fate, word] : {std::pair{AppendFate::refused, "before"}, {AppendFate::kept, "after"}})
            if (!expect_same(fmt::format("dies {} append {}", word, n),
                             [&, f = fate](Controller& one) { one.store().plant(n, f); }))
                return;
    }
    for (std::uint64_t n = 1; n <= undisturbed.answers; ++n)
        if (!expect_same(fmt::format("dies before answer {}", n), [&](Controller& one) { one.die_before_answer = n; }))
            return;
    EXPECT_GE(deaths, static_cast<int>(2 * (undisturbed.appends - 1)));
}

INSTANTIATE_TEST_SUITE_P(Aragora, ShippedPlan, testing::ValuesIn(shipped_uses()),
                         [](const auto& use) { return name_of(use.param); });

}  // namespace
}  // namespace kedge::sim
