// From the words of a command line to the command that is meant, its options, and what holds for every command.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/console.h"

namespace kedge {

// Options that every command takes.
struct GlobalOptions {
    std::optional<std::string> state;
    std::optional<std::string> estate;
    std::optional<std::string> plans;
    std::string colour = "auto";
    bool json = false;
    bool quiet = false;
    bool no_input = false;
    bool help = false;
    bool version = false;

    ConsoleOptions console() const;
};
const std::vector<OptionSpec>& global_options();

struct CommandLine {
    GlobalOptions global;
    const Command* command = nullptr;  // null: `group` was named, or nothing at all
    std::string group;                 // "run"; empty: the program itself
    std::vector<Written> values;
    std::optional<Error> wrong;  // then the rest is what was understood before it
};

// Never fails: what is wrong with the line stands in it, so that it can be said in the form that was asked for.
// Options may stand before, between and after the words; `--` ends them. `commands` outlive the answer.
CommandLine read_command_line(const std::vector<Command>& commands, const std::vector<std::string>& words);

}  // namespace kedge
