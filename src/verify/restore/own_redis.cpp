#include "verify/restore/own_redis.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "os/files.h"
#include "os/socket.h"

namespace kedge::verify {
namespace {

using namespace std::chrono_literals;

// 1 GB loads in about ten seconds.
constexpr Span load_limit = std::chrono::hours(6);
constexpr Span redis_answer_limit = 30s, end_limit = 5min;
constexpr Span poll_every = 50ms;
constexpr std::size_t answer_bytes_max = 1u << 20;

std::string socket_of(const std::string& directory) {
    return directory + "/socket";
}

// As the protocol has it (redis.io/docs/reference/protocol-spec).
std::string written(const std::vector<std::string>& command) {
    std::string text = fmt::format("*{}\r\n", command.size());
    for (const std::string& word : command) text += fmt::format("${}\r\n{}\r\n", word.size(), word);
    return text;
}

Result<std::string> read_answer(Stream& stream, const Until& until) {
    const std::string line = TRY(stream.read_line(until));
    if (line.empty()) return Error{Fault::corrupt, "an empty answer"};
    const std::string rest = line.substr(1);
    if (line.front() == '-') return Error{Fault::refused, rest};
    if (line.front() != '$') return rest;
    std::size_t bytes = 0;
    if (rest.starts_with('-')) return std::string();  // null
    std::from_chars(rest.data(), rest.data() + rest.size(), bytes);
    if (bytes > answer_bytes_max) return Error{Fault::corrupt, "an answer that is too long"};
    std::string text = TRY(stream.read_exactly(bytes, until));
    TRY(stream.read_line(until));
    return text;
}

}  // namespace

std::optional<std::uint64_t> number(const RedisFields& fields, const std::string& name) {
    const auto found = fields.find(name);
    std::uint64_t value = 0;
    if (found == fields.end()) return std::nullopt;
    const std::string& text = found->second;
    if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc()) return std::nullopt;
    return value;
}

Result<OwnRedis> OwnRedis::start(const std::string& directory, const std::vector<std::string>& settings,
                                 Lifetime lifetime) {
    std::vector<std::string> arguments = {"redis-server",
                                          "--port",
                                          "0",
                                          "--unixsocket",
                                          socket_of(directory),
                                          "--dir",
                                          directory,
                                          "--save",
                                          "",
                                          "--databases",
                                          "100000",
                                          "--logfile",
                                          directory + "/log",
                                          "--daemonize",
                                          "no",
                                          "--maxmemory",
                                          "0"};
    arguments.insert(arguments.end(), settings.begin(), settings.end());
    const bool outlives_us = lifetime == Lifetime::its_own;
    Child child = TRY(
        Child::spawn(arguments, {.directory = directory, .own_session = outlives_us, .die_with_parent = !outlives_us}));
    return OwnRedis(directory, std::move(child));
}

Result<void> OwnRedis::await_loaded(const std::stop_token& stop) {
    const Moment deadline = SystemClock{}.now() + load_limit;
    for (;;) {
        const Result<std::string> answer = ask_own_redis(directory_, {"PING"}, redis_answer_limit, stop);
        if (answer && *answer == "PONG") return {};
        if (child_.wait(within(poll_every, stop))) return Error{Fault::corrupt, last_words()};
        if (stop.stop_requested()) return Error{Fault::unavailable, "stopped"};
        if (SystemClock{}.now() > deadline) return Error{Fault::unavailable, "redis-server loads for too long"};
    }
}

Result<RedisFields> OwnRedis::info(const std::string& section, const std::stop_token& stop) const {
    const std::string text = TRY(ask_own_redis(directory_, {"INFO", section}, redis_answer_limit, stop));
    RedisFields fields;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find("\r\n", at), text.size());
        const std::string line = text.substr(at, end - at);
        if (const std::size_t colon = line.find(':'); colon != std::string::npos)
            fields[line.substr(0, colon)] = line.substr(colon + 1);
        at = end + 2;
    }
    return fields;
}

Result<std::string> OwnRedis::name(const std::stop_token& stop) const {
    const RedisFields server = TRY(info("server", stop));
    const auto version = server.find("redis_version");
    return "redis-server" + (version == server.end() ? "" : " " + version->second);
}

// Of its log, the last two warnings: what is wrong, and that it therefore ends.
std::string OwnRedis::last_words() const {
    const Result<std::string> log = read_file(directory_ + "/log");
    if (!log) return "it ended and left no log";
    std::string before, last = "it ended without a word";
    for (std::size_t at = 0; at < log->size();) {
        const std::size_t end = std::min(log->find('\n', at), log->size());
        const std::string line = log->substr(at, end - at);
        at = end + 1;
        const std::size_t mark = line.find(" # ");
        if (mark == std::string::npos || line.find("WARNING") != std::string::npos) continue;
        before = std::exchange(last, line.substr(mark + 3));
    }
    return before.empty() ? last : before + "; " + last;
}

std::string own_redis_token(const std::string& directory) {
    return directory + "/token";
}

Result<std::string> ask_own_redis(const std::string& directory, const std::vector<std::string>& command, Span limit,
                                  const std::stop_token& stop) {
    const Until until = within(limit, stop);
    Stream stream = TRY(Stream::connect_unix(socket_of(directory), until));
    if (exists(own_redis_token(directory))) {
        const std::string token = TRY(read_file(own_redis_token(directory)));
        TRY(stream.write_all(written({"AUTH", "kedge", token}), until));
        TRY(read_answer(stream, until));
    }
    TRY(stream.write_all(written(command), until));
    return read_answer(stream, until);
}

// It answers nothing when it ends: it is gone when nobody listens any more.
Result<void> stop_own_redis(const std::string& directory, const std::stop_token& stop) {
    if (!exists(socket_of(directory))) return {};
    const Moment deadline = SystemClock{}.now() + end_limit;
    (void)ask_own_redis(directory, {"SHUTDOWN", "NOSAVE"}, redis_answer_limit, stop);
    while (Stream::connect_unix(socket_of(directory), within(redis_answer_limit, stop))) {
        if (stop.stop_requested() || SystemClock{}.now() > deadline)
            return Error{Fault::unavailable, fmt::format("the server in {} does not stop", directory)};
        wait_out(within(poll_every, stop));
    }
    return {};
}

std::uint64_t keys_in(const Examination& snapshot) {
    std::int64_t keys = 0;
    for (const Json& database : get(snapshot.facts, "databases"))
        keys += get_integer(database, "keys").value_or(0) - get_integer(database, "empty").value_or(0);
    return static_cast<std::uint64_t>(std::max<std::int64_t>(keys, 0));
}

std::optional<LoadedKeys> loaded_keys(const RedisFields& persistence) {
    const auto loaded = number(persistence, "rdb_last_load_keys_loaded");
    const auto expired = number(persistence, "rdb_last_load_keys_expired");
    if (!loaded || !expired) return std::nullopt;
    return LoadedKeys{*loaded, *expired};
}

}  // namespace kedge::verify
