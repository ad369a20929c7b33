// How fast Kedge verifies an RDB file, beside redis-check-rdb on the same file and beside reading it alone.
//
// The file is made by a redis-server of the benchmark's own, from commands that are the same each time: sessions as
// JSON with and without an expiry, hashes, sorted sets big and small, lists, sets of numbers and of words, streams
// with a group. Whole processes are timed, the file in the page cache.
//
//     redis_bench KEDGE FILE [ROUNDS]        FILE is made if it is not there
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "os/files.h"
#include "os/process.h"
#include "os/socket.h"
#include "os/wait.h"
#include "timing.h"

namespace {

using namespace kedge;
using namespace std::chrono_literals;

constexpr std::size_t sessions = 2'800'000, tokens = 2'000'000, profiles = 900'000, rankings = 300'000,
                      big_rankings = 40, feeds = 250'000, number_sets = 250'000, word_sets = 200'000, logs = 12'000;

template <class T>
T must(Result<T> result) {
    if (!result) {
        fmt::print(stderr, "redis_bench: {}\n", result.error().message);
        std::exit(1);
    }
    return std::move(*result);
}
void must(const Result<void>& result) {
    if (!result) {
        fmt::print(stderr, "redis_bench: {}\n", result.error().message);
        std::exit(1);
    }
}

// xorshift64*: the same file each time.
class Dice {
public:
    std::uint64_t throw_one(std::uint64_t below) {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return (state_ * 0x2545f4914f6cdd1d >> 11) % below;
    }
    std::string hex(std::size_t digits) {
        std::string text;
        while (text.size() < digits) text += fmt::format("{:08x}", throw_one(std::uint64_t{1} << 32));
        text.resize(digits);
        return text;
    }

private:
    std::uint64_t state_ = 0x9e3779b97f4a7c15;
};

// Sends commands and reads as many answers, without waiting for each.
class Feeder {
public:
    explicit Feeder(Stream stream) : stream_(std::move(stream)) {}

    void send(const std::vector<std::string>& words) {
        pending_ += fmt::format("*{}\r\n", words.size());
        for (const std::string& word : words) pending_ += fmt::format("${}\r\n{}\r\n", word.size(), word);
        if (++sent_ % 2000 == 0) flush();
    }
    void flush() {
        const Until until = within(300s);
        must(stream_.write_all(pending_, until));
        pending_.clear();
        for (; answered_ < sent_; ++answered_) {
            const std::string line = must(stream_.read_line(until));
            if (line.starts_with("-")) must(Result<void>(Error{Fault::refused, line}));
            if (line.starts_with("$")) must(stream_.read_line(until));
        }
    }

private:
    Stream stream_;
    std::string pending_;
    std::size_t sent_ = 0, answered_ = 0;
};

void fill(Feeder& feeder) {
    Dice dice;
    const std::array<std::string, 8> words = {"debate", "evidence", "claim",  "vote",
                                              "agent",  "receipt",  "tenant", "verdict"};
    const auto word = [&] { return words[dice.throw_one(words.size())]; };
    for (std::size_t i = 0; i < sessions; ++i)
        feeder.send(
            {"SET", fmt::format("session:{}", dice.hex(32)),
             fmt::format(R"({{"user":{},"tenant":"{}","roles":["{}","{}"],"created":{},"csrf":"{}","last":"/{}/{}"}})",
                         i, dice.hex(8), word(), word(), 1700000000 + i, dice.hex(32), word(), i % 977)});
    for (std::size_t i = 0; i < tokens; ++i)
        feeder.send({"SET", fmt::format("token:{}", i), dice.hex(40), "EX", std::to_string(86400 * 365 + i % 1000)});
    for (std::size_t i = 0; i < profiles; ++i)
        feeder.send({"HSET", fmt::format("profile:{}", i), "name", fmt::format("{} {}", word(), i), "mail",
                     fmt::format("{}@example.org", dice.hex(10)), "visits", std::to_string(dice.throw_one(5000)),
                     "score", std::to_string(dice.throw_one(100)), "since", std::to_string(1600000000 + i * 7), "state",
                     word()});
    for (std::size_t i = 0; i < rankings; ++i) {
        std::vector<std::string> command = {"ZADD", fmt::format("ranking:{}", i)};
        for (int member = 0; member < 24; ++member) {
            command.push_back(std::to_string(dice.throw_one(100000)));
            command.push_back(fmt::format("{}:{}", word(), member));
        }
        feeder.send(command);
    }
    for (std::size_t i = 0; i < big_rankings; ++i)
        for (int part = 0; part < 500; ++part) {
            std::vector<std::string> command = {"ZADD", fmt::format("board:{}", i)};
            for (int member = 0; member < 100; ++member) {
                command.push_back(fmt::format("{}.5", dice.throw_one(1000000)));
                command.push_back(fmt::format("user:{}:{}", part, member));
            }
            feeder.send(command);
        }
    for (std::size_t i = 0; i < feeds; ++i) {
        std::vector<std::string> command = {"RPUSH", fmt::format("feed:{}", i)};
        for (int item = 0; item < 20; ++item) command.push_back(fmt::format("{} {} {}", word(), word(), dice.hex(12)));
        feeder.send(command);
    }
    for (std::size_t i = 0; i < number_sets; ++i) {
        std::vector<std::string> command = {"SADD", fmt::format("followers:{}", i)};
        for (int member = 0; member < 40; ++member) command.push_back(std::to_string(dice.throw_one(10'000'000)));
        feeder.send(command);
    }
    for (std::size_t i = 0; i < word_sets; ++i) {
        std::vector<std::string> command = {"SADD", fmt::format("tags:{}", i)};
        for (int member = 0; member < 16; ++member)
            command.push_back(fmt::format("{}-{}", word(), dice.throw_one(1000)));
        feeder.send(command);
    }
    for (std::size_t i = 0; i < logs; ++i) {
        const std::string name = fmt::format("events:{}", i);
        for (int entry = 0; entry < 60; ++entry)
            feeder.send({"XADD", name, fmt::format("{}-{}", 1700000000000 + entry * 17, entry), "kind", word(), "by",
                         fmt::format("user:{}", dice.throw_one(100000)), "note", dice.hex(24)});
        feeder.send({"XGROUP", "CREATE", name, "readers", "0"});
    }
    feeder.flush();
}

void make_file(const std::string& path) {
    const std::string directory = fmt::format("/tmp/kedge-bench-redis-{}", getpid());
    must(make_directories(directory));
    const std::string socket = directory + "/s";
    Child server = must(Child::spawn({"redis-server", "--port", "0", "--unixsocket", socket, "--dir", directory,
                                      "--save", "", "--appendonly", "no", "--loglevel", "warning"},
                                     {}));
    const Until started = within(20s);
    Result<Stream> stream = Stream::connect_unix(socket, started);
    while (!stream && wait_out(within(10ms)) && SystemClock{}.now() < started.deadline)
        stream = Stream::connect_unix(socket, started);
    Feeder feeder(must(std::move(stream)));
    fill(feeder);
    feeder.send({"SAVE"});
    feeder.flush();
    server.kill_and_reap();
    must(copy_file(directory + "/dump.rdb", path, 0600));
    must(remove_tree(directory));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        fmt::print(stderr, "usage: redis_bench KEDGE FILE [ROUNDS]\n");
        return 3;
    }
    using kedge::verify::program;
    const std::string kedge = std::filesystem::absolute(argv[1]), path = std::filesystem::absolute(argv[2]);
    if (!exists(path)) make_file(path);
    kedge::verify::print_table(
        "snapshot of Redis", std::filesystem::file_size(path),
        kedge::verify::time_in_turns(
            {program("redis-check-rdb", {"redis-check-rdb", path}), program("kedge verify", {kedge, "verify", path}),
             program("kedge verify --threads 1", {kedge, "verify", path, "--threads", "1"}),
             program("ceiling: plain read (dd)", {"dd", "if=" + path, "of=/dev/null", "bs=1M"})},
            argc > 3 ? std::stoi(argv[3]) : 5));
}
