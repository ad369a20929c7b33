// What every command function is handed: where to write, what holds for all commands, who asks.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/command_line.h"
#include "cli/console.h"
#include "cli/surroundings.h"

namespace kedge {

// Lives as long as one command. Not thread-safe but for the references it gives.
class Context {
public:
    Context(const Surroundings& around, const GlobalOptions& global, const std::vector<Command>& commands)
        : around_(around), global_(global), commands_(commands), console_(around, global.console()) {}

    Console& console() { return console_; }
    const Surroundings& around() const { return around_; }
    const GlobalOptions& global() const { return global_; }
    const std::vector<Command>& commands() const { return commands_; }
    Moment now() const { return around_.clock.now(); }
    // The value of an environment variable; nothing if it is absent or empty.
    std::optional<std::string> variable(const std::string& name) const;

    // A person can be asked: there is one at a terminal, and nobody said not to.
    bool may_ask() const;
    // One line of an answer. refused if nobody may be asked or nothing comes.
    Result<std::string> ask(std::string_view question);
    // What is about to be changed was named once more: as `given` with --confirm, or by whoever is asked `question`.
    // refused otherwise; `first` is what to do before one confirms: "look with --dry-run, then ".
    Result<void> confirm(std::string given, const std::string& name, std::string_view question,
                         std::string_view first = {});

private:
    const Surroundings& around_;
    const GlobalOptions& global_;
    const std::vector<Command>& commands_;
    Console console_;
};

}  // namespace kedge
