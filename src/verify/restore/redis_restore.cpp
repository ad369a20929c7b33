#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <map>
#include <utility>

#include "os/files.h"
#include "os/socket.h"
#include "verify/figures.h"
#include "verify/restore/restore.h"

namespace kedge::verify {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// 1 GB loads in about ten seconds.
constexpr Span load_limit = std::chrono::hours(6);
constexpr Span answer_limit = 30s;
constexpr Span ask_again = 50ms;

using Fields = std::map<std::string, std::string>;  // what INFO answers

// A redis-server that belongs to us alone.
class OwnRedis {
public:
    static Result<OwnRedis> start(const Workplace& workplace, const std::vector<std::string>& settings) {
        const std::string& directory = workplace.path();
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
        Child child = TRY(Child::spawn(arguments, {.directory = directory}));
        return OwnRedis(directory, std::move(child));
    }

    // Returns when it has loaded everything. corrupt with its last words if it gave up.
    Result<void> await_loaded(const std::stop_token& stop) {
        const Moment deadline = SystemClock{}.now() + load_limit;
        for (;;) {
            const Result<std::string> answer = ask("PING", stop);
            if (answer && answer->starts_with("+PONG")) return {};
            if (child_.wait(within(ask_again, stop))) return Error{Fault::corrupt, last_words()};
            if (stop.stop_requested()) return Error{Fault::unavailable, "stopped"};
            if (SystemClock{}.now() > deadline) return Error{Fault::unavailable, "redis-server loads for too long"};
        }
    }

    Result<Fields> info(const std::string& section, const std::stop_token& stop) {
        const std::string text = TRY(ask("INFO " + section, stop));
        Fields fields;
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t end = std::min(text.find("\r\n", at), text.size());
            const std::string line = text.substr(at, end - at);
            if (const std::size_t colon = line.find(':'); colon != std::string::npos)
                fields[line.substr(0, colon)] = line.substr(colon + 1);
            at = end + 2;
        }
        return fields;
    }

private:
    OwnRedis(std::string directory, Child child) : directory_(std::move(directory)), child_(std::move(child)) {}

    static std::string socket_of(const std::string& directory) { return directory + "/socket"; }

    // One command on a connection of its own; the answer, of a text without its length.
    Result<std::string> ask(const std::string& command, const std::stop_token& stop) {
        const Until until = within(answer_limit, stop);
        Stream stream = TRY(Stream::connect_unix(socket_of(directory_), until));
        TRY(stream.write_all(command + "\r\n", until));
        const std::string line = TRY(stream.read_line(until));
        if (!line.starts_with("$")) return line;
        std::size_t bytes = 0;
        std::from_chars(line.data() + 1, line.data() + line.size(), bytes);
        return stream.read_exactly(std::min<std::size_t>(bytes, 1u << 20), until);
    }

    // Of its log, the last two warnings: what is wrong, and that it therefore ends.
    std::string last_words() const {
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

    std::string directory_;
    Child child_;
};

std::optional<std::uint64_t> number(const Fields& fields, const std::string& name) {
    const auto found = fields.find(name);
    std::uint64_t value = 0;
    if (found == fields.end()) return std::nullopt;
    const std::string& text = found->second;
    if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc()) return std::nullopt;
    return value;
}

void tell_refusal(const std::string& says, Examination& examination) {
    const bool is_ours = says.find("Can't handle RDB format version") != std::string::npos ||
                         says.find("module") != std::string::npos || says.find("Out Of Memory") != std::string::npos;
    examination.findings.add({is_ours ? Weight::doubt : Weight::damage,
                              is_ours ? "restore-impossible" : "restore-refused",
                              fmt::format("a redis-server of our own did not take it: {}", says),
                              {},
                              {}});
}

std::uint64_t total(const Examination& examination, const char* count) {
    std::uint64_t sum = 0;
    for (const Json& database : get(examination.facts, "databases"))
        sum += static_cast<std::uint64_t>(get_integer(database, count).value_or(0));
    return sum;
}

// The server counts what it loaded and what it left out as expired, which together is what the parser counted but for
// the empty collections that both leave out.
void compare_snapshot(const Fields& persistence, const std::string& server, Examination& examination) {
    const auto loaded = number(persistence, "rdb_last_load_keys_loaded");
    const auto expired = number(persistence, "rdb_last_load_keys_expired");
    if (!loaded || !expired) {
        examination.unproved.push_back(
            fmt::format("that {} loaded as many keys: it does not say (before 7.0)", server));
        return;
    }
    const std::uint64_t expected = total(examination, "keys") - total(examination, "empty");
    if (*loaded + *expired != expected) {
        examination.findings.add({Weight::damage,
                                  "restore-count",
                                  fmt::format("{} loaded {} and left out {} as expired; {} were counted in the file",
                                              server, counted(*loaded, "key"), counted(*expired), counted(expected)),
                                  {},
                                  {}});
        return;
    }
    examination.facts["restored_keys"] = *loaded;
    examination.proofs.push_back(
        {Rung::restored, fmt::format("{} of our own loaded {} and left out {} as expired: as many as were counted",
                                     server, counted(*loaded, "key"), counted(*expired))});
}

Result<bool> has_redis(Examination& examination) {
    if (find_program("redis-server")) return true;
    examination.unproved.push_back("that a server takes it: there is no redis-server on this machine");
    return false;
}

void say(const RestoreOptions& options, const std::string& step) {
    if (options.on_step) options.on_step(step);
}

// What a running server calls itself: "redis-server 7.0.15".
Result<std::string> name_of(OwnRedis& redis, const RestoreOptions& options) {
    const Fields server = TRY(redis.info("server", options.stop));
    const auto version = server.find("redis_version");
    return "redis-server" + (version == server.end() ? "" : " " + version->second);
}

}  // namespace

Result<void> restore_rdb(const std::string& path, Examination& examination, const RestoreOptions& options) {
    if (!TRY(has_redis(examination))) return {};
    say(options, "loading into redis-server");
    const Workplace workplace = TRY(Workplace::open(options.place, 0, std::nullopt));
    // The server only reads it: it is told to save nothing.
    const std::string link = workplace.path() + "/dump.rdb";
    if (symlink(fs::absolute(path).c_str(), link.c_str()) != 0)
        return Error{Fault::unavailable, fmt::format("{}: {}", link, std::strerror(errno))};
    OwnRedis redis = TRY(OwnRedis::start(workplace, {"--appendonly", "no", "--dbfilename", "dump.rdb"}));
    if (const Result<void> loaded = redis.await_loaded(options.stop); !loaded) {
        if (loaded.error().fault != Fault::corrupt) return loaded.error();
        tell_refusal(loaded.error().message, examination);
        return {};
    }
    const Fields persistence = TRY(redis.info("persistence", options.stop));
    compare_snapshot(persistence, TRY(name_of(redis, options)), examination);
    return {};
}

Result<void> restore_aof_directory(const std::string& path, Examination& examination, const RestoreOptions& options) {
    if (!TRY(has_redis(examination))) return {};
    say(options, "loading into redis-server");
    std::string manifest;
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator(path, failed))
        if (entry.path().extension() == ".manifest") manifest = entry.path().filename();
    if (manifest.empty()) {
        examination.unproved.push_back("that a server takes it: its manifest has not the name that servers look for");
        return {};
    }
    const Workplace workplace = TRY(Workplace::open(options.place, examination.bytes, std::nullopt));
    TRY(make_directories(workplace.path() + "/aof"));
    for (const auto& entry : fs::directory_iterator(path, failed))
        if (entry.is_regular_file(failed))
            TRY(copy_file(entry.path(), workplace.path() + "/aof/" + entry.path().filename().string(), 0600));
    const std::string name = manifest.substr(0, manifest.size() - std::string_view(".manifest").size());
    OwnRedis redis = TRY(OwnRedis::start(workplace, {"--appendonly", "yes", "--appenddirname", "aof",
                                                     "--appendfilename", name, "--auto-aof-rewrite-percentage", "0"}));
    if (const Result<void> loaded = redis.await_loaded(options.stop); !loaded) {
        if (loaded.error().fault != Fault::corrupt) return loaded.error();
        tell_refusal(loaded.error().message, examination);
        return {};
    }
    std::uint64_t keys = 0;
    for (const auto& [database, says] : TRY(redis.info("keyspace", options.stop)))  // db0:keys=5,expires=1,...
        if (says.starts_with("keys=")) keys += number({{"keys", says.substr(5)}}, "keys").value_or(0);
    examination.facts["restored_keys"] = keys;
    std::erase_if(examination.unproved, [](const std::string& sentence) {
        return sentence.find("(--restore)") != std::string::npos;  // that was this
    });
    examination.proofs.push_back({Rung::restored, fmt::format("{} of our own took every command; it then held {}",
                                                              TRY(name_of(redis, options)), counted(keys, "key"))});
    return {};
}

}  // namespace kedge::verify
