#include "failover/kedge_program.h"

#include <fmt/format.h>

#include <charconv>

#include "journal/sqlite/sqlite_journal.h"
#include "os/files.h"
#include "os/wait.h"
#include "runner/runs.h"
#include "tables/observation.h"

namespace kedge::bench {
namespace {

using namespace std::chrono_literals;

constexpr Span memory_period = 100ms;
constexpr std::size_t output_max = 64u << 20;

// The most that the process has had in memory so far (proc(5): VmHWM, in KiB).
std::optional<std::int64_t> peak_memory_kib(pid_t pid) {
    const Result<std::string> status = read_file(fmt::format("/proc/{}/status", pid));
    if (!status) return std::nullopt;
    const std::size_t at = status->find("VmHWM:");
    if (at == std::string::npos) return std::nullopt;
    const std::size_t digits = status->find_first_of("0123456789", at);
    std::int64_t value = 0;
    if (digits == std::string::npos ||
        std::from_chars(status->data() + digits, status->data() + status->size(), value).ec != std::errc{})
        return std::nullopt;
    return value;
}

}  // namespace

Arguments KedgeProgram::command(const Arguments& words) const {
    Arguments all = {
        KEDGE_BUILD "/kedge", "--json", "--estate", KEDGE_SOURCE "/plans/aragora/lab.yaml", "--state", state()};
    all.insert(all.end(), words.begin(), words.end());
    return all;
}

Result<KedgeRun> KedgeProgram::run(const Arguments& words, Span limit) const {
    TRY(make_directories(scratch_));
    const std::string out = scratch_ + "/out", errors = scratch_ + "/err";
    for (const std::string& path : {out, errors})
        TRY(write_file_atomically(path, "", 0600, Durability::after_process_death));
    const SystemClock clock;
    const Moment start = clock.now();
    Child child =
        TRY(Child::spawn(command(words), {.output = Redirect::append_to(out), .errors = Redirect::append_to(errors)}));
    KedgeRun done;
    std::optional<Exit> exit;
    while (!exit && clock.now() < start + limit) {
        if (const auto peak = peak_memory_kib(child.pid())) done.peak_kib = peak;
        exit = child.wait(within(memory_period));
    }
    done.took = clock.now() - start;
    if (!exit)
        return Error{Fault::outcome_unknown,
                     fmt::format("kedge {} did not end within {}", fmt::join(words, " "), readable(limit))};
    done.exit = *exit;
    done.errors = TRY(read_file(errors, output_max));
    const std::string text = TRY(read_file(out, output_max));
    if (const Result<Json> whole = parse_json(text)) {
        done.answer = get(*whole, "item");
    } else if (const Result<Json> hello = parse_json(text.substr(0, text.find('\n')))) {
        done.run = get_string(*hello, "run").value_or("");
    }
    return done;
}

Result<Child> KedgeProgram::start(const Arguments& words) const {
    TRY(make_directories(scratch_));
    return Child::spawn(command(words), {.output = Redirect::append_to(scratch_ + "/watch.out"),
                                         .errors = Redirect::append_to(scratch_ + "/watch.err")});
}

Result<Json> KedgeProgram::steps(const RunId& id, const std::string& lab_root, Moment since) const {
    const std::unique_ptr<SqliteJournal> journal = TRY(SqliteJournal::open(state(), Access::read));
    const LoadedRun run = TRY(load_run(*journal, id, lab_root));
    Json steps = Json::object();
    for (std::size_t i = 0; i < run.state.size(); ++i) {
        const StepRecord& record = run.state.record(i);
        if (!record.ready_at) continue;
        steps[run.state.bound(i).id] = {
            {"began_s", seconds(*record.ready_at - since)},
            {"intended_s", record.intended_at ? Json(seconds(*record.intended_at - since)) : Json()},
            {"ended_s", record.ended_at ? Json(seconds(*record.ended_at - since)) : Json()},
            {"state", to_string(record.state)}};
    }
    return steps;
}

}  // namespace kedge::bench
