#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "os/files.h"
#include "verify/figures.h"
#include "verify/restore/own_redis.h"
#include "verify/restore/restore.h"

namespace kedge::verify {
namespace {

namespace fs = std::filesystem;

void tell_refusal(const std::string& says, Examination& examination) {
    const bool is_ours = says.find("Can't handle RDB format version") != std::string::npos ||
                         says.find("module") != std::string::npos || says.find("Out Of Memory") != std::string::npos;
    examination.findings.add({is_ours ? Weight::doubt : Weight::damage,
                              is_ours ? "restore-impossible" : "restore-refused",
                              fmt::format("a redis-server of our own did not take it: {}", says),
                              {},
                              {}});
}

// The server counts what it loaded and what it left out as expired, which together is what the parser counted but for
// the empty collections that both leave out.
void compare_snapshot(const RedisFields& persistence, const std::string& server, Examination& examination) {
    const std::optional<LoadedKeys> keys = loaded_keys(persistence);
    if (!keys) {
        examination.unproved.push_back(
            fmt::format("that {} loaded as many keys: it does not say (before 7.0)", server));
        return;
    }
    const auto [loaded, expired] = *keys;
    const std::uint64_t expected = keys_in(examination);
    if (loaded + expired != expected) {
        examination.findings.add({Weight::damage,
                                  "restore-count",
                                  fmt::format("{} loaded {} and left out {} as expired; {} were counted in the file",
                                              server, counted(loaded, "key"), counted(expired), counted(expected)),
                                  {},
                                  {}});
        return;
    }
    examination.facts["restored_keys"] = loaded;
    examination.proofs.push_back(
        {Rung::restored, fmt::format("{} of our own loaded {} and left out {} as expired: as many as were counted",
                                     server, counted(loaded, "key"), counted(expired))});
}

Result<bool> has_redis(Examination& examination) {
    if (find_program("redis-server")) return true;
    examination.unproved.push_back("that a server takes it: there is no redis-server on this machine");
    return false;
}

void say(const RestoreOptions& options, const std::string& step) {
    if (options.on_step) options.on_step(step);
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
    OwnRedis redis = TRY(OwnRedis::start(workplace.path(), {"--appendonly", "no", "--dbfilename", "dump.rdb"}));
    if (const Result<void> loaded = redis.await_loaded(options.stop); !loaded) {
        if (loaded.error().fault != Fault::corrupt) return loaded.error();
        tell_refusal(loaded.error().message, examination);
        return {};
    }
    const RedisFields persistence = TRY(redis.info("persistence", options.stop));
    compare_snapshot(persistence, TRY(redis.name(options.stop)), examination);
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
    OwnRedis redis =
        TRY(OwnRedis::start(workplace.path(), {"--appendonly", "yes", "--appenddirname", "aof", "--appendfilename",
                                               name, "--auto-aof-rewrite-percentage", "0"}));
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
                                                              TRY(redis.name(options.stop)), counted(keys, "key"))});
    return {};
}

}  // namespace kedge::verify
