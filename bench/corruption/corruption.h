// The corruption bench: damages one sound backup in many ways, one at a time, and counts which checkers find it.
//
// A format plugs in by a subject: its bytes, and checkers of a file, which may be functions of this process or
// programs.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "os/process.h"

namespace kedge::verify {

// What a checker says of the file at `path`, whose content is `bytes`.
enum class Answer { sound, damaged, hung };

struct Checker {
    std::string name;
    std::function<Answer(const std::string& path, const std::string& bytes)> check;
};

// A program that exits with 0 for what it takes to be sound; the path is put behind its arguments. One that does not
// end within ten seconds hangs.
Checker program_checker(std::string name, Arguments arguments);

struct Subject {
    std::string name;
    std::string bytes;               // a sound backup
    std::vector<std::string> sound;  // others: any alarm about them is a false one
    std::vector<Checker> checkers;   // ours first
};

struct Amounts {
    int flips = 1000, truncations = 100, zeroed = 100, swapped = 100;
};

// Prints a table of what each checker found, and for ours where the first damages lie that it did not find but others
// did. The seed is printed and replays the run. `directory` holds the damaged file while it is checked. How many
// damages another found and ours did not, and false alarms of ours.
std::uint64_t corrupt(const Subject& subject, const Amounts& amounts, std::uint64_t seed, const std::string& directory);

}  // namespace kedge::verify
