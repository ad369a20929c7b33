// The words of programs that an estate names, and what such a program said.
#pragma once

#include <string>

#include "os/process.h"
#include "targets/placeholders.h"

namespace kedge {

// Every word with its ${name} replaced; what `values` does not have stays.
Arguments filled(const Arguments& words, const Values& values);

// The first line of what it said, its errors first; of one that said nothing how it ended.
std::string first_line(const RunOutput& output);

}  // namespace kedge
