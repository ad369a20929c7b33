// doctor: whether this machine has what Kedge needs.

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <chrono>

#include "cli/commands.h"
#include "cli/finding.h"
#include "cli/table.h"
#include "os/files.h"
#include "os/process.h"

namespace kedge {
namespace {

struct Finding {
    std::string name;
    Truth well = Truth::unknown;
    std::string says;
    bool needed = true;  // otherwise only some commands need it
};

Finding look_at_state(const Context& context) {
    const Result<std::string> directory = find_state_directory(context);
    if (!directory) return {"state directory", Truth::no, directory.error().message};
    if (!exists(*directory)) return {"state directory", Truth::yes, *directory + " (made when it is needed)"};
    const bool writable = access(directory->c_str(), R_OK | W_OK | X_OK) == 0;
    return {"state directory", truth(writable), *directory + (writable ? "" : " may not be written")};
}

Finding look_at_journal(const Context& context) {
    const Result<std::unique_ptr<SqliteJournal>> journal = journal_to_read(context);
    if (!journal) return {"journal", Truth::no, journal.error().message};
    if (!*journal) return {"journal", Truth::yes, "empty: nothing was run yet"};
    const Result<std::uint64_t> entries = (*journal)->verify();
    if (!entries) return {"journal", Truth::no, entries.error().message};
    return {"journal", Truth::yes, fmt::format("{} entries, whole", *entries)};
}

Finding look_at_estate(const Context& context) {
    const Result<std::string> path = find_estate_file(context);
    if (!path) return {"estate", Truth::unknown, path.error().message, false};
    const Result<Estate> estate = find_estate(context);
    if (!estate) return {"estate", Truth::no, fmt::format("{} is not valid: see `kedge estate check`", *path)};
    const Person* person = estate->person_by_login(context.around().login);
    return {"estate", Truth::yes,
            fmt::format("{} ({}); the login '{}' is {}", estate->name, *path, context.around().login,
                        person != nullptr ? person->name : "nobody in it: it can approve nothing")};
}

// A clock that was never set makes every moment in the journal a lie.
Finding look_at_clock(Moment now) {
    using namespace std::chrono;
    static constexpr Moment released = sys_days{year{2026} / January / 1};
    if (now < released) return {"clock", Truth::no, to_string(now) + " is before Kedge was written: set the clock"};
    return {"clock", Truth::yes, to_string(now)};
}

struct Program {
    std::string name, used_for;
};

Finding look_at_program(const Program& program) {
    const Result<std::string> path = find_program(program.name);
    return {program.name, path ? Truth::yes : Truth::unknown,
            path ? *path : fmt::format("not found; {} needs it", program.used_for), false};
}

Finding look_at_terminal(const Context& context) {
    const Surroundings& around = context.around();
    const Surface surface = surface_of(around, around.out_is_terminal, ColourChoice::automatic);
    return {"terminal", Truth::yes,
            around.out_is_terminal
                ? fmt::format("{}x{}, {}, {}", surface.columns, surface.rows, surface.colour ? "colours" : "no colours",
                              surface.charset == Charset::utf8 ? "UTF-8" : "ASCII")
                : "none: output is for a program or a file"};
}

ExitCode examine(Context& context, const Nothing&) {
    Console& console = context.console();
    std::vector<Finding> findings = {look_at_state(context), look_at_journal(context), look_at_estate(context),
                                     look_at_clock(context.now()), look_at_terminal(context)};
    const std::array programs = {Program{"psql", "finishing a PostgreSQL plan by hand"},
                                 Program{"redis-cli", "finishing a Redis plan by hand"},
                                 Program{"redis-server", "the lab"},
                                 Program{"haproxy", "the lab"},
                                 Program{"prometheus", "the lab"},
                                 Program{"ssh", "reaching servers on other machines"}};
    for (const Program& program : programs) findings.push_back(look_at_program(program));
    bool well = true;
    Table table({{"CHECK"}, {"WELL"}, {"SAYS"}});
    Json items = Json::array();
    for (const Finding& finding : findings) {
        well = well && (finding.well == Truth::yes || !finding.needed);
        table.add({finding.name, Cell::of(mark_of(finding.well), console.out()), finding.says});
        items.push_back({{"name", finding.name},
                         {"well", to_string(finding.well)},
                         {"needed", finding.needed},
                         {"says", finding.says}});
    }
    if (console.json())
        console.print_items("Examination", std::move(items));
    else
        console.print(table.rendered(console.out()));
    return well ? ExitCode::ok : ExitCode::failed;
}

}  // namespace

std::vector<Command> doctor_commands() {
    return {command("doctor", "Examine this machine: state, journal, estate, clock, programs", examine)
                .example("kedge doctor")};
}

}  // namespace kedge
