// The groups of commands, a file each.
#pragma once

#include <vector>

#include "cli/command.h"

namespace kedge {

std::vector<Command> run_list_commands();  // run list, show
std::vector<Command> plan_commands();      // plan list, show, validate, schema
std::vector<Command> journal_commands();   // journal verify, show, export
std::vector<Command> drill_commands();     // drill start, list, report
std::vector<Command> watch_commands();     // watch
std::vector<Command> about_commands();     // version, completion, help

}  // namespace kedge
