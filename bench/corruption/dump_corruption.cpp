// The corruption bench of dumps: real ones of PostgreSQL, beside pg_restore.
//
//     dump_corruption [SEED [SCALE]]        SCALE: a part of the full amounts, 0.1 for a tenth
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "corruption.h"
#include "real_dumps.h"

namespace kedge::verify {
namespace {

// So that the table of contents, which no checksum covers, is as small a part of the dump as it is in life.
constexpr int rows_beside_the_contents = 40'000;

BackupFiles taken(const RealDatabase& database, const Arguments& arguments) {
    if (arguments.front() != "-Fd") return {{"", database.dump(arguments)}};
    BackupFiles files;
    for (const auto& [name, bytes] : database.dump_directory({arguments.begin() + 1, arguments.end()}))
        files.push_back({name, bytes});
    return files;
}

std::uint64_t run_all(std::uint64_t seed, double scale) {
    const std::string restore = std::string(scratch_bin_directory) + "/pg_restore";
    const RealDatabase database;
    database.grow(rows_beside_the_contents);
    const ScratchDirectory directory;
    std::uint64_t behind = 0;
    for (const Arguments& arguments : {Arguments{"-Fc"}, {"-Fc", "-Z0"}, {"-Ft"}, {"-Fd"}}) {
        Subject subject{fmt::format("pg_dump {}", fmt::join(arguments, " ")),
                        taken(database, arguments),
                        [&] {
                            database.change();
                            return taken(database, arguments);
                        },
                        {kedge_checker(), kedge_checker_with_manifest(),
                         program_checker("pg_restore -f /dev/null", {restore, "-f", "/dev/null"}),
                         program_checker("pg_restore -l", {restore, "-l"})}};
        behind += corrupt(subject, part_of(scale), seed, directory.path());
    }
    return behind;
}

}  // namespace
}  // namespace kedge::verify

int main(int argc, char** argv) {
    const std::uint64_t seed = argc > 1 ? std::stoull(argv[1]) : 1;
    const double scale = argc > 2 ? std::stod(argv[2]) : 1;
    return kedge::verify::run_all(seed, scale) == 0 ? 0 : 15;
}
