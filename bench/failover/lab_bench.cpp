// bench-lab WHAT DIRECTORY COUNT: failovers in the lab, as clients saw them.
//
//   drill       region killed and recovered, each in a lab of its own: `kedge drill start regional-failover`
//   database    planned switchovers there and back in one lab: `kedge run start database-failover`
//   redis       planned failovers of Redis there and back in one lab: `kedge run start redis-failover`
//   sentinel    the same failovers by SENTINEL FAILOVER alone, the peer of the line before
//   version     how long `kedge version` takes
//
// Everything is done by the programs that people use; only the numbered writes are the drill's own, and what they saw
// is computed by the same code. Needs the lab's addresses for itself.
#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <filesystem>

#include "failover/clients.h"
#include "failover/kedge_program.h"
#include "lab/ground/lab_ground.h"
#include "lab/observe.h"
#include "os/files.h"
#include "os/wait.h"
#include "tables/observation.h"

namespace kedge::bench {
namespace {

using namespace std::chrono_literals;
using lab::Lab;
using lab::LabGround;

constexpr Span lab_limit = 180s;
constexpr Span drill_limit = 150s;
constexpr Span run_limit = 150s;
constexpr Span settle_limit = 60s;
constexpr Span unbroken = OutageRules{}.unbroken + 1s;  // what an outage needs afterwards to count as over
constexpr std::size_t log_max = 512u << 20;

Result<std::string> programs_output(const Arguments& arguments, Span limit) {
    return TRY(run_or_fail(arguments, within(limit))).out;
}

// A fresh lab, gone again at the end.
class FreshLab {
public:
    static Result<std::unique_ptr<FreshLab>> up() {
        TRY(programs_output({KEDGE_BUILD "/kedge-lab", "up"}, lab_limit));
        return std::unique_ptr<FreshLab>(new FreshLab(TRY(Lab::named())));
    }
    ~FreshLab() {
        const Result<std::string> down = programs_output({KEDGE_BUILD "/kedge-lab", "down"}, lab_limit);
        if (!down) fmt::print(stderr, "bench-lab: the lab did not go down: {}\n", down.error().message);
    }
    FreshLab(const FreshLab&) = delete;
    FreshLab& operator=(const FreshLab&) = delete;

    const Lab& lab() const { return lab_; }

private:
    explicit FreshLab(Lab lab) : lab_(std::move(lab)) {}
    const Lab lab_;
};

// Waits until `stream` was acknowledged without a break for `span`; unavailable if it is not in time.
Result<void> await_unbroken(LabGround& ground, const std::string& stream, Span span) {
    const SystemClock clock;
    const Moment deadline = clock.now() + settle_limit;
    Moment broken = clock.now();
    std::string why = "no write ended";
    while (clock.now() < deadline)
        for (const Attempt& attempt : TRY(ground.next_attempts(stream, 100ms))) {
            if (attempt.acknowledged && attempt.done - broken >= span) return {};
            if (attempt.acknowledged) continue;
            broken = std::max(broken, attempt.done);
            why = fmt::format("write {} at {}: {}", attempt.sequence, to_string(attempt.done), attempt.error);
        }
    return Error{Fault::unavailable,
                 fmt::format("stream {} had no {} of unbroken writes; {}", stream, readable(span), why)};
}

void add_figures(Json& figures, const std::string& stream, const Json& seen) {
    for (const auto& [name, value] : seen.items()) figures[stream + "_" + name] = value;
}

// --- region killed --------------------------------------------------------------------------------------------------

struct PromoteStep {
    RunId run;
    std::string step;
};

Result<PromoteStep> find_promotion(const Json& report) {
    for (const Json& step : get(report, "steps"))
        if (get_string(step, "action") == "postgres.promote")
            return PromoteStep{get_string(step, "run").value_or(""), get_string(step, "step").value_or("")};
    return Error{Fault::corrupt, "the drill's report has no promotion"};
}

Result<void> drill(const std::string& directory, const KedgeProgram& kedge) {
    const std::unique_ptr<FreshLab> fresh = TRY(FreshLab::up());
    const KedgeRun done = TRY(kedge.run({"drill", "start", "regional-failover", "--no-failback"}, drill_limit));
    const auto fault = get_string(done.answer, "fault_at"), declared = get_string(done.answer, "declared_at");
    if (!fault || !declared)
        return Error{Fault::unavailable,
                     fmt::format("the drill ended with {} and no fault: {}", to_string(done.exit), done.errors)};
    const Moment fault_at = TRY(parse_moment(*fault)), declared_at = TRY(parse_moment(*declared));
    const AttemptLog log =
        parse_attempt_log(TRY(read_file(fresh->lab().layout().root + "/writer/attempts.jsonl", log_max)));
    const PromoteStep promotion = TRY(find_promotion(done.answer));
    const Json steps = TRY(kedge.steps(promotion.run, fresh->lab().name().parent(), declared_at));
    const Json& promote = get(steps, promotion.step);

    Json figures = {{"result", get(done.answer, "result")},
                    {"issues", get(done.answer, "issues")},
                    {"declared_s", seconds(declared_at - fault_at)},
                    {"promote_s", Json()},
                    {"own_s", get(promote, "ended_s")}};
    const auto intended = get_number(promote, "intended_s"), ended = get_number(promote, "ended_s");
    if (intended && ended) figures["promote_s"] = *ended - *intended;
    if (done.peak_kib) figures["peak_mib"] = static_cast<double>(*done.peak_kib) / 1024;
    for (const auto& [stream, attempts] : log.streams)
        add_figures(figures, stream, seen_by_clients(attempts, fault_at));
    for (const Json& store : get(done.answer, "stores"))
        figures[get_string(store, "name").value_or("") + "_lost"] = get(store, "lost");
    figures["steps"] = steps;
    return note(directory, "kill/kedge", figures);
}

// --- planned, in one lab --------------------------------------------------------------------------------------------

// One failover: when it was asked for, what Kedge says of it, and when all had settled again.
struct Planned {
    Moment asked{}, settled{};
    Json figures;
};

// What is done in a window of its own: `act` moves the role from one region to the other.
struct Move {
    std::string from, to;
};
using Act = std::function<Result<Json>(const Lab& lab, const Move& move)>;

// `count` moves there and back under load, each noted as `subject` with what the clients of `streams` saw.
Result<void> move_to_and_fro(const std::string& directory, const std::string& subject, int count,
                             const std::vector<std::string>& streams, const Act& act) {
    const SystemClock clock;
    const std::unique_ptr<FreshLab> fresh = TRY(FreshLab::up());
    LabGround ground(fresh->lab());
    TRY(ground.start_load());
    std::vector<Planned> moves;
    Move move{"us-east-1", "us-west-2"};
    for (int i = 0; i < count; ++i) {
        for (const std::string& stream : streams) TRY(await_unbroken(ground, stream, 3s));
        Planned planned{.asked = clock.now()};
        planned.figures = TRY(act(fresh->lab(), move));
        for (const std::string& stream : streams) TRY(await_unbroken(ground, stream, unbroken));
        planned.settled = clock.now();
        moves.push_back(std::move(planned));
        std::swap(move.from, move.to);
    }
    const LoadRecord load = TRY(ground.stop_load(moves.front().asked));
    for (Planned& one : moves) {
        for (const std::string& stream : streams) {
            const auto found = load.attempts.streams.find(stream);
            const auto loss = load.losses.find(stream);
            if (found == load.attempts.streams.end())
                return Error{Fault::corrupt, "nothing was written to stream " + stream};
            const std::vector<Attempt> window = sent_between(found->second, one.asked, one.settled);
            add_figures(one.figures, stream, seen_by_clients(window, one.asked));
            one.figures[stream + "_lost"] = lost_of(window, loss == load.losses.end() ? std::nullopt : loss->second);
        }
        TRY(note(directory, subject, one.figures));
    }
    return {};
}

Act by_plan(const KedgeProgram& kedge, const std::string& plan) {
    return [&kedge, plan](const Lab& lab, const Move& move) -> Result<Json> {
        const SystemClock clock;
        const Moment asked = clock.now();
        const KedgeRun done =
            TRY(kedge.run({"run", "start", plan, "--input", "from=" + move.from, "--input", "to=" + move.to, "--input",
                           "mode=planned", "--reason", "bench", "--play-people"},
                          run_limit));
        if (!done.exit.ok())
            return Error{Fault::unavailable,
                         fmt::format("{} ended with {}: {}", plan, to_string(done.exit), done.errors)};
        return Json{{"from", move.from},
                    {"run_s", seconds(done.took)},
                    {"steps", TRY(kedge.steps(done.run, lab.name().parent(), asked))}};
    };
}

Result<void> planned_database(const std::string& directory, const KedgeProgram& kedge, int count) {
    // The plan's check of the lag reads what `kedge watch` observes.
    const Child watch = TRY(kedge.start({"watch"}));
    return move_to_and_fro(directory, "database/kedge", count, {"postgres", "counter"},
                           by_plan(kedge, "database-failover"));
}

// The old master is a replica, and its link is up: only then can the next failover be asked for.
Result<void> await_replica(const Lab& lab, const std::string& region) {
    const lab::Place& place = *lab::find_place("redis-" + region);
    return lab::wait_for("redis in " + region + " to be a replica", within(settle_limit), [&]() -> Result<bool> {
        return lab::role_of(lab.layout(), place, within(2s)) == "replica" &&
               lab::ask_redis(place, "replication", "master_link_status", within(2s)).value_or("") == "up";
    });
}

Result<Json> sentinel_failover(const Lab& lab, const Move& move) {
    TRY(await_replica(lab, move.to));
    const SystemClock clock;
    const lab::Place& sentinel = *lab::find_place("sentinel-outside");
    const Moment asked = clock.now();
    TRY(programs_output({"redis-cli", "-h", std::string(sentinel.host), "-p", std::to_string(sentinel.port), "SENTINEL",
                         "FAILOVER", std::string(lab::redis_master_name)},
                        10s));
    const lab::Place& next = *lab::find_place("redis-" + move.to);
    TRY(lab::wait_for("redis in " + move.to + " to be the master", within(settle_limit),
                      [&]() -> Result<bool> { return lab::role_of(lab.layout(), next, within(2s)) == "master"; }));
    const Moment master = clock.now();
    TRY(await_replica(lab, move.from));
    return Json{
        {"from", move.from}, {"master_s", seconds(master - asked)}, {"settled_s", seconds(clock.now() - asked)}};
}

Result<void> version(const std::string& directory, int count) {
    for (int i = 0; i < count; ++i) {
        const RunOutput done = TRY(run_or_fail({KEDGE_BUILD "/kedge", "version"}, within(10s)));
        TRY(note(directory, "version", {{"took_ms", seconds(done.took) * 1e3}}));
    }
    return {};
}

Result<void> measure(const std::string& what, const std::string& directory, int count) {
    const std::string scratch = directory + "/kedge";
    TRY(remove_tree(scratch));
    const KedgeProgram kedge(scratch);
    if (what == "version") return version(directory, count);
    if (what == "database") return planned_database(directory, kedge, count);
    if (what == "redis")
        return move_to_and_fro(directory, "redis/kedge", count, {"redis"}, by_plan(kedge, "redis-failover"));
    if (what == "sentinel") return move_to_and_fro(directory, "redis/sentinel", count, {"redis"}, sentinel_failover);
    if (what != "drill") return Error{Fault::invalid_input, "there is nothing to measure called " + what};
    for (int i = 0; i < count; ++i) {
        TRY(drill(directory, kedge));
        TRY(remove_tree(scratch));
    }
    return {};
}

}  // namespace
}  // namespace kedge::bench

int main(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    int count = 0;
    if (words.size() != 3 ||
        std::from_chars(words[2].data(), words[2].data() + words[2].size(), count).ec != std::errc{} || count < 1) {
        fmt::print(stderr, "usage: bench-lab drill|database|redis|sentinel|version DIRECTORY COUNT\n");
        return 2;
    }
    const kedge::Result<void> done =
        kedge::bench::measure(words[0], std::filesystem::absolute(words[1]).string(), count);
    if (done) return 0;
    fmt::print(stderr, "bench-lab: {}: {}\n", words[0], done.error().message);
    return 1;
}
