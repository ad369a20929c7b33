// watch: the observer.

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/finding.h"
#include "cli/wiring.h"
#include "os/files.h"
#include "os/wait.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;

constexpr Span period = 1s;
constexpr Span pass_limit = 900ms;

struct Watch {
    std::optional<Span> duration;
};

std::string line_of(const Observation& seen) {
    std::string line = fmt::format("{} {} primary {}", to_string(seen.sample.at), seen.database,
                                   seen.sample.primary.empty() ? "unknown" : seen.sample.primary);
    for (const auto& [region, look] : seen.sample.sites) {
        if (region == seen.sample.primary) continue;
        std::string lag = "lag unknown";
        if (look.heartbeat && seen.sample.acknowledged)
            lag = fmt::format("lag {}", readable(std::max<Span>(
                                            Span{0}, seen.sample.acknowledged->written - look.heartbeat->written)));
        line += fmt::format(" · {} {}{}", region, lag, look.receiving == Truth::yes ? "" : " (not receiving)");
    }
    return seen.trouble.empty() ? line : line + " · " + seen.trouble;
}

ExitCode watch(Context& context, const Watch& options) {
    Console& console = context.console();
    const auto refuse = [&](const Error& error) { return console.fail("nothing is watched", error); };
    const Result<Estate> estate = find_estate(context);
    if (!estate) return refuse(estate.error());
    const Result<std::string> state = find_state_directory(context);
    if (!state) return refuse(state.error());
    if (const auto made = make_directories(*state); !made) return refuse(made.error());
    const Result<FileLock> lock = FileLock::acquire(*state + "/observer.lock");
    if (!lock) return refuse({lock.error().fault, "another observer watches: " + lock.error().message});
    const Result<Targets> targets = bind_targets(*estate, *state);
    if (!targets) return refuse(targets.error());
    if (targets->databases.empty())
        return refuse({Fault::not_found, fmt::format("estate {} has no database", estate->name),
                       "name one among its targets, with `kind: database`"});
    Observer observer(observed_databases(*estate, *targets), *targets->samples, keep_samples(*state),
                      context.around().clock);
    context.around().catch_interrupt();
    bool second_writer = false;
    const Moment end = options.duration ? context.now() + *options.duration : Moment::max();
    while (!context.around().interrupted() && context.now() < end && console.is_read()) {
        const Moment next = context.now() + period;
        for (const Observation& seen : observer.pass(pass_limit)) {
            second_writer = second_writer || seen.writers.size() > 1;
            if (console.json())
                console.print_record(Json{{"database", seen.database},
                                          {"at", to_string(seen.sample.at)},
                                          {"primary", seen.sample.primary},
                                          {"writers", seen.writers},
                                          {"trouble", seen.trouble}});
            else
                console.print_line(line_of(seen));
        }
        console.flush();
        while (!context.around().interrupted() && context.now() < next)
            wait_out(Until(std::min(next, context.now() + 100ms)));
    }
    return second_writer ? ExitCode::negative : ExitCode::ok;
}

}  // namespace

std::vector<Command> watch_commands() {
    return {command("watch", "Watch the databases: heartbeats, lag, second writers", watch)
                .details("Writes one numbered row a second on each primary and reads it on every standby. What it saw "
                         "last is what a "
                         "promotion's loss is judged by. Exit 15 if two servers of a database took writes.")
                .option("for", "SPAN", &Watch::duration, "stop after so long")
                .example("kedge watch")
                .example("kedge watch --for 30s --json")
                .exits({ExitCode::invalid_input, ExitCode::not_found, ExitCode::conflict, ExitCode::negative})};
}

}  // namespace kedge
