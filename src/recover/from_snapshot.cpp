#include "recover/from_snapshot.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <random>

#include "backup/servers.h"
#include "backup/shelf.h"
#include "base/check.h"
#include "base/digest.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/secret.h"
#include "recover/cached_keys.h"
#include "recover/gate.h"
#include "verify/files/examine.h"
#include "verify/restore/own_redis.h"
#include "verify/restore/workplace.h"

namespace kedge::recover {
namespace {

namespace fs = std::filesystem;
using verify::OwnRedis;

constexpr Span saving_limit = std::chrono::hours(2), keep_limit = std::chrono::hours(1);
constexpr std::uint64_t room_bytes = std::uint64_t{64} << 20;

constexpr const char* saved_name = "recovered.rdb";
std::string saved_in(const Recovery& recovery) {
    return fmt::format("{}/{}", recovery.directory, saved_name);
}

// A snapshot, read whole; or why it cannot be used.
struct ReadSnapshot {
    verify::Examination examination;
    std::string unusable;
};
Result<ReadSnapshot> read_snapshot(const std::string& path, Moment now, std::size_t threads,
                                   const std::stop_token& stop) {
    verify::Effort effort{.threads = threads};
    const std::stop_callback on_stop(stop, [&] { effort.stop = true; });
    verify::ExaminedPath examined = TRY(verify::examine_path(path, {.now = now}, effort));
    ReadSnapshot read;
    if (examined.backups.size() != 1 || examined.backups.front().shape != verify::Shape::rdb) {
        read.unusable = "it is no snapshot of Redis";
        return read;
    }
    if (examined.backups.front().is_packed) {
        read.unusable = "it is packed: a server takes it only as it was written";
        return read;
    }
    read.examination = std::move(examined.backups.front().examination);
    for (const verify::Finding& finding : read.examination.findings.kept())
        if (finding.weight == verify::Weight::damage) read.unusable = finding.says;
    return read;
}

std::uint64_t expired_in(const verify::Examination& examination) {
    std::int64_t expired = 0;
    for (const Json& database : get(examination.facts, "databases"))
        expired += get_integer(database, "expired").value_or(0);
    return static_cast<std::uint64_t>(expired);
}

Result<const Target*> cache_of(const Recovery& recovery, const Estate& estate) {
    const Target* const target = estate.target(recovery.target);
    if (target != nullptr && target->kind == TargetKind::cache) return target;
    return Error{Fault::not_found, fmt::format("the estate has no cache {}", recovery.target)};
}

Result<std::string> address_of(const Recovery& recovery, const Estate& estate) {
    const auto address = TRY(cache_of(recovery, estate))->settings.text("recovered-at");
    if (address && address->rfind(':') != std::string::npos) return *address;
    return Error{Fault::invalid_input,
                 fmt::format("the estate does not say where a recovered {} answers", recovery.target),
                 "`recovered-at: HOST:PORT` of the cache: an address of this machine that its nodes reach"};
}

// Nodes that copy it log in as they do among each other. Passwords stand in no argument list and in no file: the server
// is given digests, and our own way in is a token of its own.
Result<std::vector<std::string>> access_settings(const Recovery& recovery, const Target& cache) {
    const std::string reference = cache.settings.text("password").value_or("");
    if (reference.empty()) return std::vector<std::string>();
    const std::string digest = sha256_hex(TRY(read_secret(reference)));
    std::random_device random;
    const std::string token = fmt::format("{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
    std::string text =
        fmt::format("user kedge on #{} ~* &* +@all\nuser default on #{} ~* &* +@all\n", sha256_hex(token), digest);
    if (const auto user = cache.settings.text("username"))
        text += fmt::format("user {} on #{} ~* &* +@all\n", *user, digest);
    TRY(write_file_atomically(verify::own_redis_token(recovery.directory), token));
    TRY(write_file_atomically(recovery.directory + "/access.conf", text));
    return std::vector<std::string>{"--include", recovery.directory + "/access.conf"};
}

Result<verify::LoadedKeys> started_redis(const Recovery& recovery, std::vector<std::string> settings,
                                         const Target& cache, const std::stop_token& stop) {
    const std::vector<std::string> access = TRY(access_settings(recovery, cache));
    settings.insert(settings.end(), access.begin(), access.end());
    OwnRedis redis = TRY(OwnRedis::start(recovery.directory, settings, verify::Lifetime::its_own));
    TRY(redis.await_loaded(stop));
    const auto keys = verify::loaded_keys(TRY(redis.info("persistence", stop)));
    redis.leave_running();
    if (keys) return *keys;
    return Error{Fault::refused, "redis-server on this machine does not say what it loaded",
                 "it has to be of version 7.0 or newer"};
}

// Nobody said when the loss was, and most of what the one before it held is not in the newest.
void ask_which(SnapshotChoice& choice, const std::string& older, std::uint64_t keys_of_older) {
    std::string why = fmt::format("it holds {} keys and the one before it, {}, {}: it may be of after the loss",
                                  choice.keys, fs::path(older).filename().string(), keys_of_older);
    choice.passed_over.push_back({choice.path, why});
    choice.says = fmt::format("which is meant? the newest snapshot is {}, but {}; say which, or before which moment",
                              fs::path(choice.path).filename().string(), why);
    choice.path.clear();
}

class SnapshotRestoring {
public:
    SnapshotRestoring(const std::string& state_directory, Recovery& recovery, const SnapshotChoice& choice,
                      const Estate& estate, const std::vector<std::string>& drop, const ChooseOptions& options)
        : state_(state_directory),
          recovery_(recovery),
          choice_(choice),
          estate_(estate),
          drop_(drop),
          options_(options) {}

    Result<void> run() {
        recovery_.stage = Stage::working;
        TRY(address_of(recovery_, estate_));
        const Target& cache = *TRY(cache_of(recovery_, estate_));
        TRY(tell("preparing"));
        TRY(make_directory());
        TRY(tell("loading"));
        const verify::LoadedKeys keys =
            TRY(started_redis(recovery_, {"--appendonly", "no", "--dbfilename", saved_name}, cache, options_.stop));
        prove(keys);
        TRY(tell("taking out what must not come back"));
        std::vector<std::string> patterns = cache.settings.texts("drop-on-recovery");
        patterns.insert(patterns.end(), drop_.begin(), drop_.end());
        recovery_.proof["dropped"] =
            TRY(drop_keys(recovery_.directory, databases_in(choice_.examination.facts), patterns, options_.stop));
        return {};
    }

private:
    Result<void> tell(const std::string& step) {
        if (options_.on_step) options_.on_step(step);
        recovery_.says = step;
        return write_recovery(state_, recovery_);
    }

    Result<void> make_directory() const {
        TRY(clear_directory(recovery_, options_.stop));
        // A second file without what was taken out, and a third of what is kept, which is about as big.
        TRY(verify::prepare_place(fs::path(recovery_.directory).parent_path(),
                                  2 * choice_.examination.bytes + room_bytes));
        TRY(mark_directory(recovery_));
        TRY(make_directories(recovery_.directory));
        // The server only reads it, and saves into a new file that takes the place of the link.
        const std::string link = saved_in(recovery_);
        if (symlink(fs::absolute(choice_.path).c_str(), link.c_str()) == 0) return {};
        return Error{Fault::unavailable, fmt::format("{}: {}", link, std::strerror(errno))};
    }

    void prove(const verify::LoadedKeys& keys) {
        const bool fits = keys.loaded + keys.expired == choice_.keys;
        recovery_.proof = {{"proved", kedge::to_string(truth(fits))},
                           {"keys_in_file", choice_.keys},
                           {"loaded", keys.loaded},
                           {"expired", keys.expired},
                           {"databases", get(choice_.examination.facts, "databases")},
                           {"taken", choice_.taken ? Json(kedge::to_string(*choice_.taken)) : Json()}};
        loaded_ = fmt::format("{} keys were loaded and {} had expired; {} were counted in the snapshot", keys.loaded,
                              keys.expired, choice_.keys);
    }

public:
    const std::string& loaded() const { return loaded_; }

private:
    const std::string& state_;
    Recovery& recovery_;
    const SnapshotChoice& choice_;
    const Estate& estate_;
    const std::vector<std::string>& drop_;
    const ChooseOptions& options_;
    std::string loaded_;
};

}  // namespace

Json as_json(const SnapshotChoice& choice) {
    Json json{{"possible", !choice.path.empty()}, {"says", choice.says}, {"passed_over", as_json(choice.passed_over)}};
    if (choice.path.empty()) return json;
    json["snapshot"] = choice.path;
    json["taken"] = choice.taken ? Json(kedge::to_string(*choice.taken)) : Json();
    json["keys"] = choice.keys;
    json["expired"] = choice.expired;
    return json;
}

Result<SnapshotChoice> choose_snapshot(const Estate& estate, const BackupPolicy& policy, const SnapshotWanted& wanted,
                                       const ChooseOptions& options) {
    const backup::Shelves shelves = TRY(backup::look_at_shelves(estate, policy, options.now));
    SnapshotChoice choice;
    std::size_t too_new = 0;
    for (const backup::StoredBackup& stored : shelves.backups) {
        if (wanted.name && stored.name != *wanted.name) continue;
        if (wanted.before && (!stored.taken || *stored.taken >= *wanted.before)) {
            ++too_new;
            continue;
        }
        if (options.on_step) options.on_step("reading " + stored.name);
        ReadSnapshot read = TRY(read_snapshot(stored.path, options.now, options.threads, options.stop));
        const std::uint64_t keys = verify::keys_in(read.examination);
        if (read.unusable.empty() && keys == 0 && !wanted.name)
            read.unusable = "it holds no key: it may be of after the loss; name it if it should be taken";
        if (!read.unusable.empty()) {
            if (choice.path.empty()) choice.passed_over.push_back({stored.path, read.unusable});
            continue;
        }
        if (!choice.path.empty()) {
            if (choice.keys < keys / 2) ask_which(choice, stored.path, keys);
            return choice;
        }
        choice.path = stored.path;
        choice.says = "from " + stored.path;
        choice.taken = read.examination.taken;
        choice.keys = keys;
        choice.expired = expired_in(read.examination);
        choice.examination = std::move(read.examination);
        if (wanted.name || wanted.before) return choice;
    }
    if (!choice.path.empty()) return choice;
    if (wanted.name && choice.passed_over.empty())
        return Error{Fault::not_found, fmt::format("{} has no snapshot called `{}`{}", policy.name, *wanted.name,
                                                   too_new > 0 ? " of before that moment" : "")};
    choice.says = !choice.passed_over.empty() ? "no snapshot is sound; the newest: " + choice.passed_over.front().why
                                              : fmt::format("there is no snapshot{} in {}",
                                                            too_new > 0 ? " of before that moment" : "", shelves.where);
    return choice;
}

Result<void> restore_snapshot_beside(const std::string& state_directory, Recovery& recovery,
                                     const SnapshotChoice& choice, const Estate& estate,
                                     const std::vector<std::string>& drop, const ChooseOptions& options) {
    check(!choice.path.empty(), "only a snapshot that was chosen is restored");
    const Moment begun = SystemClock{}.now();
    SnapshotRestoring restoring(state_directory, recovery, choice, estate, drop, options);
    Result<void> made = restoring.run();
    recovery.says = restoring.loaded();
    if (made) pass_gate(recovery, estate, options.stop);
    if (made && recovery.stage == Stage::recovered) made = publish(recovery, estate, options.stop);
    recovery.proof["took_seconds"] = seconds(SystemClock{}.now() - begun);
    return conclude(state_directory, recovery, std::move(made));
}

Result<void> publish(Recovery& recovery, const Estate& estate, const std::stop_token& stop) {
    const Target& cache = *TRY(cache_of(recovery, estate));
    const std::string address = TRY(address_of(recovery, estate));
    const std::string path = saved_in(recovery);
    TRY(verify::ask_own_redis(recovery.directory, {"SAVE"}, saving_limit, stop));
    const ReadSnapshot saved = TRY(read_snapshot(path, SystemClock{}.now(), 1, stop));
    if (!saved.unusable.empty()) return Error{Fault::corrupt, fmt::format("{}: {}", path, saved.unusable)};
    TRY(verify::stop_own_redis(recovery.directory, stop));
    const std::size_t colon = address.rfind(':');
    const verify::LoadedKeys keys =
        TRY(started_redis(recovery,
                          {"--appendonly", "no", "--dbfilename", saved_name, "--bind", address.substr(0, colon),
                           "--port", address.substr(colon + 1), "--protected-mode", "no", "--repl-diskless-sync-delay",
                           "0", "--repl-ping-replica-period", "1"},
                          cache, stop));
    const std::uint64_t expected = verify::keys_in(saved.examination);
    if (keys.loaded + keys.expired != expected)
        return Error{Fault::corrupt, fmt::format("{} of {} keys were loaded from {}", keys.loaded, expected, path)};
    recovery.address = address;
    recovery.proof["keys"] = keys.loaded;
    recovery.proof["file"] = path;
    return {};
}

Result<void> keep_present(Recovery& recovery, const Estate& estate, const std::string& region, const std::string& key,
                          const std::stop_token& stop) {
    TRY(check_usable(recovery));
    const Json& before = get(recovery.proof, "kept");
    if (!before.is_null() && (key.empty() || get_string(before, "key") != key))
        return Error{Fault::conflict, fmt::format("{} holds what was kept at {} already", recovery.name,
                                                  get_string(before, "at").value_or("some time"))};
    const Target& cache = *TRY(cache_of(recovery, estate));
    const backup::RedisServer server = TRY(backup::find_redis(cache, region, stop));
    const std::string path = recovery.directory + "/kept.rdb", unfinished = path + ".part";
    TRY(backup::remove_stored(unfinished));
    TRY(run_or_fail(server.command({"--rdb", unfinished}), within(keep_limit, stop),
                    {.environment = server.environment}));
    const ReadSnapshot read = TRY(read_snapshot(unfinished, SystemClock{}.now(), 1, stop));
    if (!read.unusable.empty())
        return Error{Fault::corrupt, fmt::format("what {} holds cannot be kept: {}", region, read.unusable)};
    TRY(backup::remove_stored(path));
    TRY(rename_into_place(unfinished, path));
    const Json& facts = read.examination.facts;
    recovery.proof["kept"] = {{"key", key},
                              {"path", path},
                              {"region", region},
                              {"at", kedge::to_string(SystemClock{}.now())},
                              {"keys", verify::keys_in(read.examination)},
                              {"replication_id", get(facts, "replication_id")},
                              {"replication_offset", get(facts, "replication_offset")}};
    return {};
}

}  // namespace kedge::recover
