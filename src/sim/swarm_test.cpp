// Disasters by the hundred, each with its own mix of faults: no promise may break, and the same seed tells the same
// story. A failure prints the line that repeats it and the fewest faults that it needs.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "sim/shipped_plans_for_tests.h"
#include "sim/trial.h"

namespace kedge::sim {
namespace {

Programme programme_of(const ShippedUse& use) {
    const Casting casting = cast(use);
    auto made =
        make_programme(casting.assignment.plan, casting.assignment.estate, casting.assignment.lab_root, use.inputs);
    EXPECT_TRUE(made) << made.error().message;
    return *made;
}

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
    const char* given = std::getenv(name);
    return given == nullptr ? otherwise : std::strtoull(given, nullptr, 10);
}

std::string reproduce(const ShippedUse& use, std::uint64_t seed) {
    std::string line = fmt::format("kedge plan test plans/aragora/{}.yaml --estate plans/aragora/lab.yaml", use.plan);
    for (const auto& [name, value] : use.inputs) line += fmt::format(" --input {}={}", name, value);
    return line + fmt::format(" --disasters 1 --seed {}", seed);
}

class Swarm : public testing::TestWithParam<ShippedUse> {};

TEST_P(Swarm, BreaksNoPromise) {
    const Programme programme = programme_of(GetParam());
    const std::uint64_t first = from_environment("KEDGE_SIM_SEED", 1);
    const std::uint64_t count = from_environment("KEDGE_SIM_DISASTERS", 40);
    std::map<std::string, int> ways;
    int told = 0;
    for (std::uint64_t seed = first; seed < first + count; ++seed) {
        const Outcome outcome = try_once(programme, seed);
        ++ways[outcome.came == Came::broken ? "broken" : outcome.came == Came::recovered ? "recovered" : "stopped"];
        if (seed % 10 == 0) {
            EXPECT_EQ(try_once(programme, seed).trace, outcome.trace) << reproduce(GetParam(), seed);
        }
        if (outcome.came != Came::broken || ++told > 3) continue;
        const Outcome least = shrink(programme, outcome);
        ADD_FAILURE() << reproduce(GetParam(), seed) << "\n" << least.story;
    }
    for (const auto& [way, times] : ways) RecordProperty(way, times);
    fmt::print("{}: {} recovered, {} stopped, {} broken\n", name_of(GetParam()), ways["recovered"], ways["stopped"],
               ways["broken"]);
}

INSTANTIATE_TEST_SUITE_P(Aragora, Swarm, testing::ValuesIn(shipped_uses()),
                         [](const auto& use) { return name_of(use.param); });

}  // namespace
}  // namespace kedge::sim
