#include "cli/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "base/suggest.h"
#include "cli/commands.h"
#include "cli/context.h"
#include "cli/help.h"

namespace kedge {
namespace {

constexpr std::array known_variables = {"KEDGE_STATE", "KEDGE_ESTATE", "KEDGE_PLANS", "KEDGE_NO_INPUT",
                                        "KEDGE_ERASURE_LEDGER"};

// A mistyped setting that is silently ignored is found out at the worst moment.
void warn_of_unknown_variables(Context& context) {
    const std::vector<std::string> known(known_variables.begin(), known_variables.end());
    for (const auto& [name, value] : context.around().environment) {
        if (!name.starts_with("KEDGE_") || std::ranges::find(known, name) != known.end()) continue;
        const auto near = nearest(name, known);
        context.console().warn(fmt::format("the environment sets {}, which kedge does not know{}", name,
                                           near ? fmt::format("; did you mean {}?", *near) : ""));
    }
}

ExitCode run_line(const std::vector<Command>& commands, CommandLine& line, Context& context) {
    Console& console = context.console();
    if (line.wrong) return console.fail_usage(*line.wrong);
    if (line.global.version) {
        const auto version = std::ranges::find(commands, "version", &Command::path);
        return *version->run(context, {});
    }
    if (line.global.help) {
        console.print(line.command != nullptr ? help_of(*line.command, console.out())
                                              : help_of_group(commands, line.group, console.out()));
        return ExitCode::ok;
    }
    if (line.command == nullptr && line.group.empty())
        line.command = &*std::ranges::find(commands, "status", &Command::path);
    if (line.command == nullptr) {
        console.note(help_of_group(commands, line.group, console.errors()));
        return ExitCode::usage;
    }
    warn_of_unknown_variables(context);
    const Result<ExitCode> code = line.command->run(context, line.values);
    return code ? *code : console.fail_usage(code.error());
}

}  // namespace

std::vector<Command> all_commands() {
    std::vector<Command> all;
    for (auto* group : {status_commands,
                        check_commands,
                        run_start_commands,
                        run_list_commands,
                        run_decide_commands,
                        run_report_commands,
                        plan_commands,
                        plan_test_commands,
                        estate_commands,
                        drill_commands,
                        watch_commands,
                        schedule_commands,
                        schedule_run_commands,
                        lab_commands,
                        journal_commands,
                        verify_commands,
                        backup_commands,
                        policy_commands,
                        recover_pitr_commands,
                        recover_commands,
                        recover_restore_commands,
                        recover_data_commands,
                        recover_promote_commands,
                        recover_redis_commands,
                        recover_best_commands,
                        recover_stranded_commands,
                        erasure_commands,
                        doctor_commands,
                        about_commands}) {
        std::vector<Command> commands = group();
        all.insert(all.end(), std::make_move_iterator(commands.begin()), std::make_move_iterator(commands.end()));
    }
    return all;
}

int run_program(const std::vector<std::string>& words, const Surroundings& around) {
    const std::vector<Command> commands = all_commands();
    CommandLine line = read_command_line(commands, words);
    Context context(around, line.global, commands);
    const ExitCode code = run_line(commands, line, context);
    context.console().flush();
    return static_cast<int>(code);
}

}  // namespace kedge
