// kedge: hands the process's own streams, environment and signals to the program. Wiring only.

#include <unistd.h>

#include <cstdio>
#include <exception>
#include <iostream>

#include "cli/program.h"
#include "cli/text.h"
#include "lab/modes.h"
#include "os/process.h"
#include "os/terminal.h"

namespace {

using namespace kedge;

Variables environment_variables() {
    Variables variables;
    for (char** each = environ; *each != nullptr; ++each) {
        const std::string text = *each;
        if (const std::size_t sign = text.find('='); sign != std::string::npos)
            variables.emplace(text.substr(0, sign), text.substr(sign + 1));
    }
    return variables;
}

// The login of who really asks; a login that the system does not know is written as its number.
std::string own_login() {
    const Result<Login> login = find_login(getuid());
    return login ? login->name : std::to_string(getuid());
}

int run(int argc, char** argv) {
    if (const std::optional<int> code = lab::run_mode(argc, argv)) return *code;
    know_widths();
    ignore_broken_pipes();
    const SystemClock clock;
    const Surroundings around{.out = std::cout,
                              .errors = std::cerr,
                              .in = std::cin,
                              .out_is_terminal = is_terminal(STDOUT_FILENO),
                              .errors_is_terminal = is_terminal(STDERR_FILENO),
                              .in_is_terminal = is_terminal(STDIN_FILENO),
                              .environment = environment_variables(),
                              .login = own_login(),
                              .executable = own_program().value_or(argv[0]),
                              .clock = clock,
                              .window = [] { return window_size(STDOUT_FILENO); },
                              .interrupted = was_interrupted,
                              .catch_interrupt = note_interrupts};
    return run_program({argv + 1, argv + argc}, around);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {  // the last one: nothing of ours throws
        std::fprintf(stderr, "kedge: internal error: %s\n", error.what());
        return 1;
    }
}
