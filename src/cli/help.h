// Help, at most 80 columns wide, and completion scripts, from the declarations of the commands.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"
#include "cli/look.h"

namespace kedge {

// Of one command: usage, arguments, options, examples, exit codes.
std::string help_of(const Command& command, const Surface& surface);
// The commands below `group`, or all groups if it is empty.
std::string help_of_group(const std::vector<Command>& commands, const std::string& group, const Surface& surface);

// A script for "bash", "zsh" or "fish"; empty for any other shell.
std::string completion_script(const std::vector<Command>& commands, std::string_view shell);

}  // namespace kedge
