// Disasters by the hundred, by the hundred thousand in a night, each with its own mix of faults, of every plan that
// ships: no promise may break, the same seed tells the same story, and every fault strikes. A failure prints the line
// that repeats it and the fewest faults that it needs.
//
//   KEDGE_SIM_DISASTERS   of each use of a plan; 60 if not given
//   KEDGE_SIM_SEED        of the first
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "sim/shipped_plans_for_tests.h"
#include "sim/survey.h"

namespace kedge::sim {
namespace {

// A fault that was drawn so often and never struck tests nothing.
constexpr std::uint64_t drawn_often = 200;

std::string reproduce(const ShippedUse& use, std::uint64_t seed) {
    std::string line = fmt::format("kedge plan test plans/aragora/{}.yaml --estate plans/aragora/lab.yaml", use.plan);
    for (const auto& [name, value] : use.inputs) line += fmt::format(" --input {}={}", name, value);
    return line + fmt::format(" --disasters 1 --seed {}", seed);
}

TEST(Swarm, OfEveryShippedPlanBreaksNoPromiseAndEveryFaultStrikes) {
    const std::uint64_t first = from_environment("KEDGE_SIM_SEED", 1);
    const std::uint64_t count = from_environment("KEDGE_SIM_DISASTERS", 60);
    std::vector<std::uint64_t> drawn(all_faults().size()), fired(all_faults().size());
    std::uint64_t disasters = 0;
    for (const ShippedUse& use : shipped_uses()) {
        const Survey survey = make_survey(
            programme_of(use),
            {.disasters = count, .seed = first, .threads = std::max(1U, std::thread::hardware_concurrency())});
        fmt::print("{}: {} recovered, {} stopped, {} broken\n", name_of(use), survey.recovered, survey.stopped,
                   survey.broken);
        EXPECT_EQ(survey.unrepeatable, 0U) << name_of(use) << ": of " << survey.repeated << " that were repeated";
        EXPECT_EQ(survey.broken, 0U);
        for (const Outcome& story : survey.stories) ADD_FAILURE() << reproduce(use, story.seed) << "\n" << story.story;
        disasters += survey.disasters;
        for (std::size_t i = 0; i < drawn.size(); ++i) {
            drawn[i] += survey.drawn[i];
            fired[i] += survey.fired[i];
        }
    }
    fmt::print("{} disasters\n", disasters);
    for (std::size_t i = 0; i < drawn.size(); ++i) {
        fmt::print("{:>8} times of {:>8}: {}\n", fired[i], drawn[i], all_faults()[i].name);
        EXPECT_TRUE(fired[i] > 0 || drawn[i] < drawn_often) << all_faults()[i].name << " never struck";
    }
}

}  // namespace
}  // namespace kedge::sim
