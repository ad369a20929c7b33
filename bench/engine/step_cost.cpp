// bench-engine DIRECTORY [STEPS...]: what a step costs that does nothing.
//
// The real engine, runner, thread pool and action, on the real journal; only the target is a trivial one in this
// process, so that nothing but Kedge is measured. Each plan runs twice: on SQLite as in production, and on the journal
// in memory, which shows by what is missing the disk's part. One sync of the same disk is measured beside them.
//
// The steps stand in a chain, one after the other: the shape that costs most, as no two can share a commit. They act on
// ten targets, as the steps of a plan do.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <filesystem>

#include "actions/action.h"
#include "engine/events.h"
#include "estate/parse.h"
#include "journal/memory/memory_journal.h"
#include "journal/sqlite/sqlite_journal.h"
#include "os/files.h"
#include "plan/bind.h"
#include "plan/parse.h"
#include "runner/runner.h"
#include "runner/runs.h"
#include "tables/observation.h"

namespace kedge::bench {
namespace {

using namespace std::chrono_literals;

constexpr int targets = 10;
constexpr std::size_t call_threads = 8;  // as `kedge run start` has
constexpr int syncs = 300;
constexpr int beginnings = 5;
constexpr int steps_each = 2000;  // small plans are repeated until about so many steps were taken

// Takes every notice and does nothing with it.
class Nowhere final : public Channel {
public:
    Result<Receipt> send(const Notice&, Moment) override { return Receipt{}; }
    Result<Truth> delivered(const std::string&, Moment) override { return Truth::no; }
};

std::string target_name(int index) {
    return fmt::format("nowhere-{}", index % targets);
}

Result<Estate> make_estate() {
    std::string text =
        "estate: bench\nsummary: Nothing at all.\nregions: {here: {}}\ntiers: {one: {rto: 1h, rpo: 1h}}\n"
        "people: {ana: {full-name: Ana Nobody, roles: [on-call]}}\ntargets:\n";
    for (int i = 0; i < targets; ++i)
        text += fmt::format("  {}: {{kind: channel, driver: file, path: /dev/null, armed: true}}\n", target_name(i));
    return TRY(parse_estate("bench estate", text).result());
}

std::string plan_text(int steps) {
    std::string text =
        "plan: bench\nsummary: Steps that do nothing.\nanswers: [L1]\nowner: bench\nreview-by: 2030-01-01\nsteps:\n";
    for (int i = 0; i < steps; ++i)
        text += fmt::format("  - {{id: s{}, do: channel.announce, on: {}, with: {{title: nothing}}{}}}\n", i,
                            target_name(i), i > 0 ? fmt::format(", needs: [s{}]", i - 1) : "");
    return text;
}

// A file may list 500 steps; a longer plan is made of one step, repeated.
Result<BoundPlan> make_plan(int steps, const Estate& estate) {
    const Plan one = TRY(parse_plan("bench plan", plan_text(1)).result());
    BoundPlan plan = TRY(bind_plan(one, {}, estate, catalogue()).result());
    for (int i = 1; i < steps; ++i) {
        BoundStep step = plan.steps.front();
        step.id = fmt::format("s{}", i);
        step.target = target_name(i);
        step.needs = {fmt::format("s{}", i - 1)};
        plan.steps.push_back(std::move(step));
    }
    return plan;
}

// From the first turn to the end of the run.
Result<Span> run_once(Journal& journal, const BoundPlan& plan, const Estate& estate, const Targets& trivial) {
    const SystemClock clock;
    const RunId id = TRY(new_run_id(journal, "r-"));
    const Draft first = started({.plan_digest = plan.plan_digest, .requester = "ana", .reason = "bench"}, clock.now());
    std::unique_ptr<Claim> claim = TRY(journal.begin(id, plan.targets, first, controller_name()));
    RunState state(id, plan, catalogue());
    for (const Entry& entry : TRY(journal.read(id, 0))) TRY(state.fold(entry));
    const Moment begun = clock.now();
    ThreadPool pool(call_threads);
    Runner runner(journal, std::move(claim), Engine(std::move(state), {estate.people, false}), estate, trivial, pool,
                  clock);
    TRY(run_to_end(runner, pool, clock, [] { return false; }));
    const Span took = clock.now() - begun;
    if (runner.engine().state().result() != RunResult::succeeded)
        return Error{Fault::corrupt, "a run of steps that do nothing did not succeed"};
    return took;
}

// Reading a plan from its file's text, binding it, and beginning the run.
Result<void> measure_beginning(const std::string& directory, int steps) {
    const Estate estate = TRY(make_estate());
    const SystemClock clock;
    for (int i = 0; i < beginnings; ++i) {
        MemoryJournal journal(std::make_shared<MemoryStore>());
        const Moment start = clock.now();
        const Plan plan = TRY(parse_plan("bench plan", plan_text(steps)).result());
        TRY(start_run(journal, plan, estate, {.requester = "ana", .reason = "bench"}, controller_name(), start));
        TRY(note(directory, fmt::format("engine/begin/{}", steps), {{"begin_ms", seconds(clock.now() - start) * 1e3}}));
    }
    return {};
}

Result<void> measure(const std::string& directory, int steps) {
    const Estate estate = TRY(make_estate());
    Targets trivial;
    for (int i = 0; i < targets; ++i) trivial.channels[target_name(i)] = std::make_unique<Nowhere>();
    const BoundPlan plan = TRY(make_plan(steps, estate));
    for (int done = 0; done < steps_each; done += steps) {
        const std::string kept = directory + "/engine-journal";
        TRY(remove_tree(kept));
        const std::unique_ptr<SqliteJournal> disk = TRY(SqliteJournal::open(kept, Access::write));
        MemoryJournal memory(std::make_shared<MemoryStore>());
        for (const auto& [name, journal] :
             {std::pair<const char*, Journal*>{"sqlite", disk.get()}, {"memory", &memory}}) {
            const Span took = TRY(run_once(*journal, plan, estate, trivial));
            TRY(note(directory, fmt::format("engine/{}/{}", name, steps), {{"step_ms", seconds(took) * 1e3 / steps}}));
        }
        TRY(remove_tree(kept));
    }
    return {};
}

// What an append costs at the least: a page written at the end of a file, and fdatasync(2).
Result<void> measure_sync(const std::string& directory) {
    const std::string path = directory + "/sync";
    const SystemClock clock;
    const Descriptor file(::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600));
    const std::array<char, 4096> page{};
    for (int i = 0; i < syncs; ++i) {
        const Moment start = clock.now();
        if (::write(file.get(), page.data(), page.size()) != static_cast<ssize_t>(page.size()) ||
            ::fdatasync(file.get()) != 0)
            return Error{Fault::unavailable, "cannot write and sync " + path};
        TRY(note(directory, "engine/sync", {{"sync_ms", seconds(clock.now() - start) * 1e3}}));
    }
    ::unlink(path.c_str());
    return {};
}

Result<void> run(const std::vector<std::string>& words) {
    if (words.empty()) return Error{Fault::invalid_input, "usage: bench-engine DIRECTORY [STEPS...]"};
    const std::string directory = std::filesystem::absolute(words[0]).string();
    TRY(make_directories(directory, 0755));
    std::vector<int> sizes;
    for (std::size_t i = 1; i < words.size(); ++i) {
        const char* const end = words[i].data() + words[i].size();
        if (std::from_chars(words[i].data(), end, sizes.emplace_back()).ptr != end || sizes.back() < 1)
            return Error{Fault::invalid_input, "not a number of steps: " + words[i]};
    }
    if (sizes.empty()) sizes = {10, 100, 1000, 10000};
    TRY(measure_sync(directory));
    for (const int steps : {10, 100, 500}) TRY(measure_beginning(directory, steps));
    for (const int steps : sizes) TRY(measure(directory, steps));
    return {};
}

}  // namespace
}  // namespace kedge::bench

int main(int argc, char** argv) {
    const kedge::Result<void> done = kedge::bench::run({argv + 1, argv + argc});
    if (done) return 0;
    fmt::print(stderr, "bench-engine: {}\n", done.error().message);
    return 1;
}
