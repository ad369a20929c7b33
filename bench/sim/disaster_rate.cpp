// bench-sim DIRECTORY [DISASTERS]: how many disasters of regional-failover are simulated in a second, on one thread and
// on two.
//
// The plan and the lab's estate are those that ship; the disasters are those of `kedge plan test`, one in twenty done
// twice, as there. Simulated time is what passed in the worlds after the runs had been started.
#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <filesystem>

#include "estate/parse.h"
#include "os/files.h"
#include "plan/parse.h"
#include "sim/survey.h"
#include "tables/observation.h"

namespace kedge::bench {
namespace {

constexpr int repetitions = 5;

Result<sim::Programme> make_programme() {
    const std::string plans = KEDGE_SOURCE "/plans/aragora/";
    const std::string lab = plans + "lab.yaml", failover = plans + "regional-failover.yaml";
    Estate estate = TRY(parse_estate(lab, TRY(read_file(lab)), {.lab_root = "/var/tmp/kedge-lab-0"}).result());
    const Plan plan = TRY(parse_plan(failover, TRY(read_file(failover))).result());
    return sim::make_programme(plan, std::move(estate), "/var/tmp/kedge-lab-0",
                               {{"from", "us-east-1"}, {"to", "us-west-2"}});
}

Result<void> measure(const std::string& directory, const sim::Programme& programme, unsigned threads,
                     std::uint64_t disasters) {
    const SystemClock clock;
    const Moment begun = clock.now();
    const sim::Survey survey = sim::make_survey(programme, {.disasters = disasters, .threads = threads});
    const double took = seconds(clock.now() - begun);
    if (survey.broken > 0) return Error{Fault::corrupt, "a disaster broke a promise: run `kedge plan test`"};
    const auto done = static_cast<double>(survey.disasters + survey.repeated);
    return note(directory, fmt::format("sim/{}", threads),
                {{"disasters_per_s", done / took},
                 {"simulated_s_per_s", seconds(survey.simulated) / took},
                 {"events_per_s", static_cast<double>(survey.events) / took}});
}

Result<void> run(const std::vector<std::string>& words) {
    std::uint64_t disasters = 1000;
    const bool counted = words.size() == 2;
    if (words.empty() || words.size() > 2 ||
        (counted && (std::from_chars(words[1].data(), words[1].data() + words[1].size(), disasters).ec != std::errc() ||
                     disasters == 0)))
        return Error{Fault::invalid_input, "usage: bench-sim DIRECTORY [DISASTERS]"};
    const std::string directory = std::filesystem::absolute(words[0]).string();
    TRY(make_directories(directory, 0755));
    const sim::Programme programme = TRY(make_programme());
    for (int i = 0; i < repetitions; ++i)
        for (const unsigned threads : {1U, 2U}) TRY(measure(directory, programme, threads, disasters));
    return {};
}

}  // namespace
}  // namespace kedge::bench

int main(int argc, char** argv) {
    const kedge::Result<void> done = kedge::bench::run({argv + 1, argv + argc});
    if (done) return 0;
    fmt::print(stderr, "bench-sim: {}\n", done.error().message);
    return 1;
}
