// The corruption bench: damages one sound backup in many ways, one at a time, and counts which checkers find it.
//
// A format plugs in by a subject: its files, and checkers of a path, which may be functions of this process or
// programs.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "os/process.h"

namespace kedge::verify {

enum class Answer { sound, damaged, hung };

struct Checker {
    std::string name;
    std::function<Answer(const std::string& path)> check;
    // Of one that needs to know the backup as it was: shown what is sound, before it is damaged. May be empty.
    std::function<void(const std::string& path)> learn{};
    bool is_peer = true;  // of another project
};

// A program that exits with 0 for what it takes to be sound; the path is put behind its arguments. One that does not
// end within ten seconds hangs.
Checker program_checker(std::string name, Arguments arguments);

// `kedge verify`, in this process: sound if nothing is damaged or in doubt and all of it was decoded.
Checker kedge_checker();
// The same with Kedge's own manifest beside the backup, as `kedge backup create` puts it there.
Checker kedge_checker_with_manifest();

// A file of a backup. Its name is empty if the backup is that one file, else relative to the backup's directory.
struct BackupFile {
    std::string name;
    std::string bytes;
};
using BackupFiles = std::vector<BackupFile>;

BackupFiles files_below(const std::string& directory);

struct Subject {
    std::string name;
    BackupFiles files;                     // a sound backup
    std::function<BackupFiles()> another;  // one more: any alarm about it is a false one
    std::vector<Checker> checkers;         // ours first
    // Files that are checked as part of the backup, and are not damaged: those that no checker claims to look at.
    std::function<bool(const std::string& name)> is_spared = [](const std::string&) { return false; };
};

struct Amounts {
    int flips = 1000, truncations = 100, zeroed = 100, swapped = 100, sound = 100;
};
// A part of the amounts that the bench is defined by: 0.1 for a tenth.
Amounts part_of(double scale);

// Prints a table of what each checker found, and for the first one where the damages lie that it did not find but a
// peer did. The seed is printed and replays the run. `directory` holds the damaged backup while it is checked. How many
// damages a peer found and the first did not, how many a checker that had learned did not, and false alarms of the
// first.
std::uint64_t corrupt(const Subject& subject, const Amounts& amounts, std::uint64_t seed, const std::string& directory);

}  // namespace kedge::verify
