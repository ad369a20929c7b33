// What a command has around it: streams, environment, clock, the person at the keyboard. `main` gives the
// process's own, tests give theirs.
#pragma once

#include <functional>
#include <istream>
#include <map>
#include <optional>
#include <ostream>
#include <string>

#include "cli/look.h"
#include "os/clock.h"
#include "os/terminal.h"

namespace kedge {

using Variables = std::map<std::string, std::string>;  // the environment

struct Surroundings {
    std::ostream& out;
    std::ostream& errors;
    std::istream& in;
    // Whether each is a terminal.
    bool out_is_terminal = false, errors_is_terminal = false, in_is_terminal = false;
    Variables environment;
    std::string login;       // operating-system login of who asks
    std::string executable;  // path of this program, to start another of it
    const Clock& clock;
    std::function<WindowSize()> window;     // of the terminal, now
    std::function<bool()> interrupted;      // Ctrl-C or a request to end came
    std::function<void()> catch_interrupt;  // from now on an interrupt is noted and nothing else
};

enum class ColourChoice { automatic, always, never };

// What can be written to a stream of these surroundings. `choice` is --color; then NO_COLOR, CLICOLOR_FORCE and
// TERM decide (no-color.org, bixense.com/clicolors). The characters follow LC_ALL, LC_CTYPE, LANG.
Surface surface_of(const Surroundings& surroundings, bool is_terminal, ColourChoice choice);

}  // namespace kedge
