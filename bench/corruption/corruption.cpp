// The corruption bench: the damages, and their table.
#include "corruption.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>

#include "base/check.h"
#include "os/clock.h"
#include "os/files.h"

namespace kedge::verify {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::size_t block_bytes = 512;

// One file of the backup, as it is while it is damaged.
struct Damage {
    std::string says;
    std::size_t file = 0;
    std::string bytes;
};

using Random = std::mt19937_64;

std::size_t below(Random& random, std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random);
}

// Draws a byte of the whole backup: a file that is twice as long is hit twice as often.
class Places {
public:
    explicit Places(const Subject& subject) : subject_(subject) {
        for (std::size_t i = 0; i < subject.files.size(); ++i) {
            if (!subject.is_spared(subject.files[i].name)) bytes_ += subject.files[i].bytes.size();
            ends_.push_back(bytes_);
        }
        check(bytes_ > 0, "a backup has bytes that can be damaged");
    }
    struct Place {
        std::size_t file = 0, at = 0;
    };
    Place draw(Random& random) const {
        const std::size_t byte = below(random, bytes_);
        const auto end = std::ranges::upper_bound(ends_, byte);
        const auto file = static_cast<std::size_t>(end - ends_.begin());
        return {file, byte - (file > 0 ? ends_[file - 1] : 0)};
    }
    const std::string& bytes(std::size_t file) const { return subject_.files[file].bytes; }
    std::string name(std::size_t file) const {
        return subject_.files[file].name.empty() ? "" : subject_.files[file].name + ": ";
    }
    std::size_t size() const { return bytes_; }

private:
    const Subject& subject_;
    std::vector<std::size_t> ends_;  // of each file, in all bytes
    std::size_t bytes_ = 0;
};

Damage flip(const Places& places, Random& random) {
    const auto [file, at] = places.draw(random);
    Damage damage{fmt::format("{}byte {}", places.name(file), at), file, places.bytes(file)};
    damage.bytes[at] = static_cast<char>(damage.bytes[at] ^ static_cast<char>(1 + below(random, 255)));
    return damage;
}

Damage truncate(const Places& places, Random& random) {
    const auto [file, at] = places.draw(random);
    return {fmt::format("{}cut to {}", places.name(file), at), file, places.bytes(file).substr(0, at)};
}

// Zeroing what is zero, and swapping what is equal, would be no damage: another place is drawn then.
Damage zero(const Places& places, Random& random) {
    for (int tries = 0; tries < 10'000; ++tries) {
        const auto [file, byte] = places.draw(random);
        const std::size_t at = byte / block_bytes * block_bytes;
        Damage damage{fmt::format("{}zeros from {}", places.name(file), at), file, places.bytes(file)};
        const std::size_t count = std::min(block_bytes, damage.bytes.size() - at);
        std::fill_n(damage.bytes.begin() + static_cast<std::ptrdiff_t>(at), count, '\0');
        if (damage.bytes != places.bytes(file)) return damage;
    }
    fail_check("a backup has blocks that are not zero", __builtin_FILE(), __builtin_LINE());
}

Damage swap(const Places& places, Random& random) {
    for (int tries = 0; tries < 10'000; ++tries) {
        const auto [file, byte] = places.draw(random);
        const std::size_t blocks = places.bytes(file).size() / block_bytes;
        if (blocks < 2) continue;
        const auto first = static_cast<std::ptrdiff_t>(below(random, blocks) * block_bytes);
        const auto second = static_cast<std::ptrdiff_t>(below(random, blocks) * block_bytes);
        Damage damage{fmt::format("{}blocks at {} and {}", places.name(file), first, second), file, places.bytes(file)};
        std::swap_ranges(damage.bytes.begin() + first, damage.bytes.begin() + first + block_bytes,
                         damage.bytes.begin() + second);
        if (first != second && damage.bytes != places.bytes(file)) return damage;
    }
    fail_check("a backup has blocks that differ", __builtin_FILE(), __builtin_LINE());
}

void write(const std::string& path, const std::string& bytes) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << bytes;
    file.close();
    check(file.good(), "there is room for a damaged backup");
}

// The backup on disk, sound but while one of its files is damaged.
class Bench {
public:
    Bench(const Subject& subject, std::string path) : subject_(subject), path_(std::move(path)) {}

    // Puts a sound backup there, and shows it to whoever has to know it.
    void place(const BackupFiles& files) const {
        fs::remove_all(path_);
        for (const BackupFile& file : files) {
            const std::string path = place_of(file);
            fs::create_directories(fs::path(path).parent_path());
            write(path, file.bytes);
        }
        for (const Checker& checker : subject_.checkers)
            if (checker.learn) checker.learn(path_);
    }
    std::vector<Answer> ask() const {
        std::vector<Answer> answers;
        for (const Checker& checker : subject_.checkers) answers.push_back(checker.check(path_));
        return answers;
    }
    std::vector<Answer> ask(const Damage& damage) const {
        const BackupFile& file = subject_.files[damage.file];
        write(place_of(file), damage.bytes);
        std::vector<Answer> answers = ask();
        write(place_of(file), file.bytes);
        return answers;
    }

private:
    std::string place_of(const BackupFile& file) const { return file.name.empty() ? path_ : path_ + "/" + file.name; }

    const Subject& subject_;
    const std::string path_;
};

struct Row {
    Row(std::string says, std::size_t checkers) : name(std::move(says)), found(checkers), hung(checkers) {}

    void take(const std::string& what, const std::vector<Answer>& answers, const std::vector<Checker>& checkers) {
        tally(answers);
        bool any_peer = false;
        for (std::size_t i = 0; i < answers.size(); ++i) {
            any_peer = any_peer || (checkers[i].is_peer && answers[i] != Answer::sound);
            if (checkers[i].learn && answers[i] == Answer::sound) unlearned.push_back(what);
        }
        if (answers[0] == Answer::sound) (any_peer ? missed : unseen).push_back(what);
    }

    void tally(const std::vector<Answer>& answers) {
        ++count;
        for (std::size_t i = 0; i < answers.size(); ++i) {
            found[i] += answers[i] == Answer::damaged ? 1 : 0;
            hung[i] += answers[i] == Answer::hung ? 1 : 0;
        }
    }

    std::string name;
    int count = 0;
    std::vector<int> found, hung;
    std::vector<std::string> missed;     // by the first, found by a peer
    std::vector<std::string> unseen;     // by the first and all peers
    std::vector<std::string> unlearned;  // by one that had learned the backup as it was
};

void print_row(const Row& row) {
    fmt::print("| {} | {} |", row.name, row.count);
    for (std::size_t i = 0; i < row.found.size(); ++i)
        fmt::print(" {}{} |", row.found[i], row.hung[i] > 0 ? fmt::format(" ({} hung)", row.hung[i]) : "");
    fmt::print("\n");
    std::fflush(stdout);
}

void print_head(const Subject& subject, std::size_t bytes, std::uint64_t seed) {
    fmt::print("{} ({} bytes), seed {}\n\n| damage | made |", subject.name, bytes, seed);
    for (const Checker& checker : subject.checkers) fmt::print(" {} |", checker.name);
    fmt::print("\n|---|---|");
    for (std::size_t i = 0; i < subject.checkers.size(); ++i) fmt::print("---|");
    fmt::print("\n");
}

// Where the first has to learn: by the first few.
void print_missed(const Row& row, const std::string& first) {
    constexpr std::size_t few = 10;
    for (const std::string& missed : row.missed)
        fmt::print("{}: not found by {}, but by a peer: {}\n", row.name, first, missed);
    for (const std::string& unlearned : row.unlearned)
        fmt::print("{}: not found though it had been learned: {}\n", row.name, unlearned);
    for (std::size_t i = 0; i < std::min(few, row.unseen.size()); ++i)
        fmt::print("{}: found by neither {} nor a peer: {}\n", row.name, first, row.unseen[i]);
}

}  // namespace

Checker program_checker(std::string name, Arguments arguments) {
    return {std::move(name), [arguments = std::move(arguments)](const std::string& path) {
                Arguments all = arguments;
                all.push_back(path);
                const auto output = run(all, within(10s), {.output_bytes_max = 1u << 16});
                if (!output) return Answer::hung;
                return output->exit.ok() ? Answer::sound : Answer::damaged;
            }};
}

BackupFiles files_below(const std::string& directory) {
    BackupFiles files;
    for (const auto& entry : fs::recursive_directory_iterator(directory))
        if (entry.is_regular_file()) {
            const auto bytes = read_file(entry.path(), std::size_t{1} << 30);
            check(bytes.has_value(), "what a server wrote can be read");
            files.push_back({fs::path(entry.path()).lexically_relative(directory), *bytes});
        }
    std::ranges::sort(files, {}, &BackupFile::name);
    return files;
}

Amounts part_of(double scale) {
    const Amounts whole;
    const auto part = [&](int count) { return std::max(1, static_cast<int>(count * scale)); };
    return {part(whole.flips), part(whole.truncations), part(whole.zeroed), part(whole.swapped), part(whole.sound)};
}

std::uint64_t corrupt(const Subject& subject, const Amounts& amounts, std::uint64_t seed,
                      const std::string& directory) {
    const Places places(subject);
    print_head(subject, places.size(), seed);
    Random random(seed);
    const Bench bench(subject, directory + "/damaged");
    bench.place(subject.files);
    std::vector<Row> rows;
    const auto many = [&](std::string name, int count, Damage (*make)(const Places&, Random&)) {
        Row& row = rows.emplace_back(std::move(name), subject.checkers.size());
        for (int i = 0; i < count; ++i) {
            const Damage damage = make(places, random);
            row.take(damage.says, bench.ask(damage), subject.checkers);
        }
        print_row(row);
    };
    many("one byte changed", amounts.flips, flip);
    many("cut off", amounts.truncations, truncate);
    many("512 bytes zeroed", amounts.zeroed, zero);
    many("two blocks of 512 swapped", amounts.swapped, swap);
    std::uint64_t behind = 0;
    for (const Row& row : rows) behind += row.missed.size() + row.unlearned.size();
    Row& sound = rows.emplace_back("none (false alarms)", subject.checkers.size());
    for (int i = 0; i < amounts.sound; ++i) {
        bench.place(subject.another());
        const std::vector<Answer> answers = bench.ask();
        sound.tally(answers);
        if (answers[0] != Answer::sound) ++behind;
    }
    print_row(sound);
    fmt::print("\n");
    rows.pop_back();
    for (const Row& row : rows) print_missed(row, subject.checkers[0].name);
    fmt::print("\n");
    return behind;
}

}  // namespace kedge::verify
