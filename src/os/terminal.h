// The terminal that a person sits at, and the signals by which they interrupt.
#pragma once

#include <cstddef>

namespace kedge {

bool is_terminal(int descriptor);

struct WindowSize {
    std::size_t columns = 80, rows = 24;
};
// As the terminal behind `descriptor` says now (TIOCGWINSZ); 80x24 if it says nothing.
WindowSize window_size(int descriptor);

// From now on SIGINT, SIGTERM and SIGHUP are noted and nothing else happens; a second one after the first was
// noted ends the process as usual. For the whole process.
void note_interrupts();
bool was_interrupted();
// A pipe that nobody reads is then an error of the write and not the end of the process.
void ignore_broken_pipes();

}  // namespace kedge
