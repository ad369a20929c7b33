// For tests: the program in this process, with streams that are texts, a directory of its own, and a keyboard.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/program.h"
#include "cli/text.h"

namespace kedge {

// What one command did.
struct Outcome {
    int code = 0;
    std::string out, errors;

    Json json() const {
        const Result<Json> read = parse_json(out);
        return read ? *read : Json();
    }
    bool says(std::string_view text) const {
        return out.find(text) != std::string::npos || errors.find(text) != std::string::npos;
    }
};

// A machine on which only `kedge` runs. Its directory goes with it.
class CliWorld {
public:
    CliWorld() {
        know_widths();
        std::string pattern = (std::filesystem::temp_directory_path() / "kedge-cli-XXXXXX").string();
        directory = mkdtemp(pattern.data());
        environment = {{"LANG", "C.UTF-8"},
                       {"HOME", directory},
                       {"KEDGE_STATE", directory + "/state"},
                       {"KEDGE_ESTATE", directory + "/plans/estate.yaml"}};
    }
    ~CliWorld() {
        std::error_code ignored;
        std::filesystem::remove_all(directory, ignored);
    }
    CliWorld(const CliWorld&) = delete;
    CliWorld& operator=(const CliWorld&) = delete;

    Outcome run(const std::vector<std::string>& words) const {
        std::ostringstream out, errors;
        std::istringstream in(typed);
        const SystemClock system;
        const Surroundings around{.out = out,
                                  .errors = errors,
                                  .in = in,
                                  .out_is_terminal = terminal,
                                  .errors_is_terminal = terminal,
                                  .in_is_terminal = terminal,
                                  .environment = environment,
                                  .login = login,
                                  .executable = "/nowhere/kedge",
                                  .clock = clock != nullptr ? *clock : system,
                                  .window = [this] { return window; },
                                  .interrupted = interrupted,
                                  .catch_interrupt = [] {}};
        Outcome outcome;
        outcome.code = run_program(words, around);
        outcome.out = out.str();
        outcome.errors = errors.str();
        return outcome;
    }
    // The words of a line, parted at blanks.
    Outcome run(const std::string& line) const {
        std::istringstream words(line);
        return run(std::vector<std::string>(std::istream_iterator<std::string>(words), {}));
    }
    // Writes a file below the directory and returns its path.
    std::string write(const std::string& name, std::string_view text) const {
        const std::filesystem::path path = std::filesystem::path(directory) / name;
        std::filesystem::create_directories(path.parent_path());
        if (FILE* file = fopen(path.c_str(), "w")) {
            fwrite(text.data(), 1, text.size(), file);
            fclose(file);
        }
        return path.string();
    }

    std::string directory;
    Variables environment;
    std::string login = "ada";
    std::string typed;  // at the keyboard
    bool terminal = false;
    WindowSize window;
    const Clock* clock = nullptr;  // the system's if there is none
    std::function<bool()> interrupted = [] { return false; };
};

}  // namespace kedge
