#include "corruption.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <random>

#include "base/check.h"
#include "os/clock.h"

namespace kedge::verify {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t block_bytes = 512;

struct Damage {
    std::string says;
    std::string bytes;
};

using Random = std::mt19937_64;

std::size_t below(Random& random, std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random);
}

Damage flip(const std::string& sound, Random& random) {
    const std::size_t at = below(random, sound.size());
    Damage damage{fmt::format("byte {}", at), sound};
    damage.bytes[at] = static_cast<char>(damage.bytes[at] ^ static_cast<char>(1 + below(random, 255)));
    return damage;
}

Damage truncate(const std::string& sound, Random& random) {
    const std::size_t size = below(random, sound.size());
    return {fmt::format("cut to {}", size), sound.substr(0, size)};
}

// Zeroing what is zero, and swapping what is equal, would be no damage: another place is drawn then.
Damage zero(const std::string& sound, Random& random) {
    for (int tries = 0; tries < 10'000; ++tries) {
        const std::size_t at = below(random, sound.size() / block_bytes) * block_bytes;
        Damage damage{fmt::format("zeros from {}", at), sound};
        std::fill_n(damage.bytes.begin() + static_cast<std::ptrdiff_t>(at), block_bytes, '\0');
        if (damage.bytes != sound) return damage;
    }
    fail_check("a backup has blocks that are not zero", __builtin_FILE(), __builtin_LINE());
}

Damage swap(const std::string& sound, Random& random) {
    for (int tries = 0; tries < 10'000; ++tries) {
        const std::size_t blocks = sound.size() / block_bytes;
        const auto first = static_cast<std::ptrdiff_t>(below(random, blocks) * block_bytes);
        const auto second = static_cast<std::ptrdiff_t>(below(random, blocks) * block_bytes);
        Damage damage{fmt::format("blocks at {} and {}", first, second), sound};
        std::swap_ranges(damage.bytes.begin() + first, damage.bytes.begin() + first + block_bytes,
                         damage.bytes.begin() + second);
        if (first != second && damage.bytes != sound) return damage;
    }
    fail_check("a backup has blocks that differ", __builtin_FILE(), __builtin_LINE());
}

// The checkers' answers about one content.
std::vector<Answer> ask(const Subject& subject, const std::string& bytes, const std::string& directory) {
    const std::string path = directory + "/damaged";
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    std::vector<Answer> answers;
    for (const Checker& checker : subject.checkers) answers.push_back(checker.check(path, bytes));
    return answers;
}

struct Row {
    std::string name;
    int count = 0;
    std::vector<int> found, hung;
    std::vector<std::string> missed;  // by ours, found by another
};

Row run_row(const Subject& subject, std::string name, const std::vector<std::function<Damage()>>& damages,
            const std::string& directory) {
    Row row{
        std::move(name), 0, std::vector<int>(subject.checkers.size()), std::vector<int>(subject.checkers.size()), {}};
    for (const auto& damage : damages) {
        const Damage made = damage();
        const std::vector<Answer> answers = ask(subject, made.bytes, directory);
        ++row.count;
        for (std::size_t i = 0; i < answers.size(); ++i) {
            row.found[i] += answers[i] == Answer::damaged ? 1 : 0;
            row.hung[i] += answers[i] == Answer::hung ? 1 : 0;
        }
        if (answers[0] == Answer::sound &&
            std::ranges::any_of(answers, [](Answer answer) { return answer != Answer::sound; }))
            row.missed.push_back(made.says);
    }
    return row;
}

void print_row(const Row& row) {
    fmt::print("| {} | {} |", row.name, row.count);
    for (std::size_t i = 0; i < row.found.size(); ++i)
        fmt::print(" {}{} |", row.found[i], row.hung[i] > 0 ? fmt::format(" ({} hung)", row.hung[i]) : "");
    fmt::print("\n");
    std::fflush(stdout);
}

}  // namespace

Checker program_checker(std::string name, Arguments arguments) {
    return {std::move(name), [arguments](const std::string& path, const std::string&) {
                Arguments all = arguments;
                all.push_back(path);
                const auto output = run(all, within(10s), {.output_bytes_max = 1u << 16});
                if (!output) return Answer::hung;
                return output->exit.ok() ? Answer::sound : Answer::damaged;
            }};
}

std::uint64_t corrupt(const Subject& subject, const Amounts& amounts, std::uint64_t seed,
                      const std::string& directory) {
    fmt::print("{} ({} bytes), seed {}\n\n| damage | made |", subject.name, subject.bytes.size(), seed);
    for (const Checker& checker : subject.checkers) fmt::print(" {} |", checker.name);
    fmt::print("\n|---|---|");
    for (std::size_t i = 0; i < subject.checkers.size(); ++i) fmt::print("---|");
    fmt::print("\n");
    Random random(seed);
    const auto many = [&](int count, Damage (*make)(const std::string&, Random&)) {
        return std::vector<std::function<Damage()>>(static_cast<std::size_t>(count),
                                                    [&, make] { return make(subject.bytes, random); });
    };
    std::vector<Row> rows;
    rows.push_back(run_row(subject, "one byte changed", many(amounts.flips, flip), directory));
    print_row(rows.back());
    rows.push_back(run_row(subject, "cut off", many(amounts.truncations, truncate), directory));
    print_row(rows.back());
    rows.push_back(run_row(subject, "512 bytes zeroed", many(amounts.zeroed, zero), directory));
    print_row(rows.back());
    rows.push_back(run_row(subject, "two blocks of 512 swapped", many(amounts.swapped, swap), directory));
    print_row(rows.back());
    std::vector<std::function<Damage()>> none;
    for (const std::string& sound : subject.sound) none.push_back([&] { return Damage{"sound", sound}; });
    rows.push_back(run_row(subject, "none (false alarms)", none, directory));
    print_row(rows.back());
    fmt::print("\n");
    std::uint64_t behind = static_cast<std::uint64_t>(rows.back().found[0] + rows.back().hung[0]);
    for (const Row& row : rows) {
        behind += row.missed.size();
        for (const std::string& missed : row.missed)
            fmt::print("{}: not found by {}, but by another: {}\n", row.name, subject.checkers[0].name, missed);
    }
    return behind;
}

}  // namespace kedge::verify
