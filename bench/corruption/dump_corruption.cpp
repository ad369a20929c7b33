// The corruption bench of dumps: real ones of PostgreSQL, beside pg_restore.
//
//     dump_corruption [SEED [SCALE]]        SCALE: a part of the full amounts, 0.1 for a tenth
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/check.h"
#include "corruption.h"
#include "real_dumps.h"
#include "verify/dump/dump.h"

namespace kedge::verify {
namespace {

Answer examine(const std::string&, const std::string& bytes) {
    const MemorySource source(as_bytes(bytes));
    Effort effort{.threads = 2};
    const Bytes front = as_bytes(bytes).first(std::min<std::size_t>(bytes.size(), 512));
    const auto examination = begins_tar_dump(front) ? verify_tar_dump(source, effort, Limits{})
                                                    : verify_custom_dump(source, effort, Limits{});
    check(examination.has_value(), "memory can be read");
    const bool judged = !examination->findings.any(Weight::damage) && !examination->findings.any(Weight::doubt) &&
                        examination->rung() >= Rung::decoded;
    return judged ? Answer::sound : Answer::damaged;
}

std::uint64_t run_all(std::uint64_t seed, double scale) {
    const auto part = [&](int count) { return std::max(1, static_cast<int>(count * scale)); };
    const Amounts amounts{part(1000), part(100), part(100), part(100)};
    const std::string restore = std::string(scratch_bin_directory) + "/pg_restore";
    const RealDatabase database;
    const ScratchDirectory directory;
    std::uint64_t behind = 0;
    for (const Arguments& arguments : {Arguments{"-Fc"}, Arguments{"-Fc", "-Z0"}, Arguments{"-Ft"}}) {
        Subject subject{fmt::format("pg_dump {}", fmt::join(arguments, " ")), database.dump(arguments), {}, {}};
        for (int i = 0; i < part(100); ++i) {
            database.change();
            subject.sound.push_back(database.dump(arguments));
        }
        subject.checkers = {Checker{"kedge", examine},
                            program_checker("pg_restore -f /dev/null", {restore, "-f", "/dev/null"}),
                            program_checker("pg_restore -l", {restore, "-l"})};
        behind += corrupt(subject, amounts, seed, directory.path());
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
