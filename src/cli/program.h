// The program: words in, exit code out.
#pragma once

#include <string>
#include <vector>

#include "cli/surroundings.h"

namespace kedge {

struct Command;

// Every command there is, in the order of the help.
std::vector<Command> all_commands();

// Runs the command that `words` (without the program's own name) ask for. Writes only through `around`.
int run_program(const std::vector<std::string>& words, const Surroundings& around);

}  // namespace kedge
