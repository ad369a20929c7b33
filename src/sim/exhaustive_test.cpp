// One thing wrong at every place where it can be: each call of each kind of target refused, unheard, or its answer
// lost; and the controller dead twice, at every pair of boundaries of the journal. The judges sit over each of these
// runs.
//
// By day every so-many-th case is tried, in a night all of them (KEDGE_SIM_STRIDE=1). A failure names plan and place.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <mutex>
#include <thread>

#include "sim/shipped_plans_for_tests.h"

namespace kedge::sim {
namespace {

constexpr std::uint64_t exhaustive_seed = 7;
constexpr std::size_t failures_shown = 3;
// Primes, so that every place, fate and pair of places has its turn among the plans.
constexpr std::uint64_t stride_of_calls = 37, stride_of_pairs = 997;

using Calls = std::array<std::uint64_t, port_count>;  // of each port, from 1

// One undisturbed disaster but for what `plant` does to it.
Outcome with(const Programme& programme, const std::function<void(Disaster&)>& plant) {
    return try_once(programme, exhaustive_seed,
                    {.no_faults = true, .tell = false, .plant = [&](Disaster& disaster, Bench&) { plant(disaster); }});
}

struct Case {
    std::string says;
    std::function<void(Disaster&)> plant;
};

// Tries every `stride`-th case on all cores; `wrong` says what is wrong with an outcome, empty if nothing is.
void try_all(const Programme& programme, const std::vector<Case>& cases, std::uint64_t stride,
             const std::function<std::string(const Outcome&)>& wrong) {
    std::atomic<std::size_t> next = 0;
    std::mutex guard;
    std::size_t failures = 0;  // guarded
    const auto work = [&] {
        for (std::size_t i = stride * next++; i < cases.size(); i = stride * next++) {
            const Outcome outcome = with(programme, cases[i].plant);
            const std::string found = wrong(outcome);
            if (found.empty()) continue;
            const std::lock_guard lock(guard);
            if (++failures <= failures_shown) ADD_FAILURE() << cases[i].says << ": " << found << "\n" << outcome.story;
        }
    };
    {
        std::vector<std::jthread> threads;
        for (unsigned i = 1; i < std::thread::hardware_concurrency(); ++i) threads.emplace_back(work);
        work();
    }
    fmt::print("{} of {} cases, {} failed\n", (cases.size() + stride - 1) / stride, cases.size(), failures);
}

class Exhaustive : public testing::TestWithParam<ShippedUse> {
protected:
    const Programme programme_ = programme_of(GetParam());
};

TEST_P(Exhaustive, NoCallThatFailsBreaksAPromise) {
    Calls made{};
    const Outcome undisturbed = with(programme_, [&](Disaster& disaster) {
        disaster.world().ground.meddle([&made](Port port, std::uint64_t) -> std::optional<Passage> {
            ++made[static_cast<std::size_t>(port)];
            return std::nullopt;
        });
    });
    ASSERT_EQ(undisturbed.came, Came::recovered) << undisturbed.how;
    std::vector<Case> cases;
    for (std::size_t port = 0; port < port_count; ++port)
        for (std::uint64_t nth = 1; nth <= made[port]; ++nth)
            for (const auto& [fate, word] : {std::pair{Passage::refused, "is refused"},
                                             {Passage::silent, "is unheard"},
                                             {Passage::answer_lost, "has no answer"}})
                cases.push_back({fmt::format("call {} of {} {}", nth, to_string(static_cast<Port>(port)), word),
                                 [port, nth, fate = fate](Disaster& disaster) {
                                     auto count = std::make_shared<std::uint64_t>(0);
                                     disaster.world().ground.meddle(
                                         [=](Port at, std::uint64_t) -> std::optional<Passage> {
                                             if (static_cast<std::size_t>(at) != port || ++*count != nth) return {};
                                             return fate;
                                         });
                                 }});
    ASSERT_GT(cases.size(), 0U);
    try_all(programme_, cases, from_environment("KEDGE_SIM_STRIDE", stride_of_calls), [](const Outcome& outcome) {
        return outcome.came == Came::broken ? "it broke \"" + outcome.broken.front().invariant + "\"" : "";
    });
}

TEST_P(Exhaustive, TwoCrashesOfTheControllerChangeNothing) {
    std::uint64_t appends = 0;
    MemoryStore* store = nullptr;
    const Outcome undisturbed = with(programme_, [&](Disaster& disaster) {
        store = &disaster.controller().store();
        disaster.controller().on_entry = [&](const Entry&, const RunState&) { appends = store->appends(); };
    });
    ASSERT_EQ(undisturbed.came, Came::recovered) << undisturbed.how;
    std::vector<Case> cases;
    const std::array fates{std::pair{AppendFate::refused, "before"}, std::pair{AppendFate::kept, "after"}};
    // The one who takes over appends once more than the first would have.
    for (std::uint64_t first = 2; first <= appends; ++first)
        for (std::uint64_t second = first + 1; second <= appends + 1; ++second)
            for (const auto& [one, one_word] : fates)
                for (const auto& [other, other_word] : fates)
                    cases.push_back(
                        {fmt::format("dies {} append {} and {} append {}", one_word, first, other_word, second),
                         [first, second, one = one, other = other](Disaster& disaster) {
                             disaster.controller().store().plant(first, one);
                             disaster.controller().store().plant(second, other);
                         }});
    ASSERT_GT(cases.size(), 0U);
    try_all(programme_, cases, from_environment("KEDGE_SIM_STRIDE", stride_of_pairs), [](const Outcome& outcome) {
        if (outcome.came == Came::broken) return "it broke \"" + outcome.broken.front().invariant + "\"";
        return outcome.came == Came::recovered ? std::string() : "the run is " + outcome.how;
    });
}

INSTANTIATE_TEST_SUITE_P(Aragora, Exhaustive, testing::ValuesIn(shipped_uses()),
                         [](const auto& use) { return name_of(use.param); });

}  // namespace
}  // namespace kedge::sim
