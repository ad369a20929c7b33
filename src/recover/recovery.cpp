#include "recover/recovery.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "os/files.h"
#include "verify/restore/own_postgres.h"
#include "verify/restore/own_redis.h"

namespace kedge::recover {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::size_t name_bytes_max = 40;  // a socket's path has 107, and it lies below a place that people choose
constexpr Span stop_limit = 10min, answer_limit = 10s;
constexpr std::array stages = {Stage::chosen,   Stage::working,  Stage::gated, Stage::recovered,
                               Stage::prepared, Stage::promoted, Stage::failed};

std::string directory_of(const std::string& state_directory) {
    return state_directory + "/recoveries";
}
std::string file_of(const std::string& state_directory, const std::string& name) {
    return fmt::format("{}/{}.json", directory_of(state_directory), name);
}
std::string lock_of(const std::string& state_directory, const std::string& name) {
    return fmt::format("{}/{}.lock", directory_of(state_directory), name);
}

// Beside the directory: it must outlast what is in it.
std::string mark_of(const Recovery& recovery) {
    return recovery.directory + ".kedge";
}

// Nothing there is success.
Result<void> remove_file(const std::string& path) {
    std::error_code failed;
    fs::remove(path, failed);
    if (failed) return Error{Fault::unavailable, fmt::format("{}: {}", path, failed.message())};
    return {};
}

// What was production, of one that was swapped in. It is the only copy of what was written since the point: nothing of
// it goes unless the one that replaced it is where it was put.
Result<void> remove_kept(const Recovery& recovery) {
    const Json& promotion = get(recovery.proof, "promotion");
    const std::string kept = get_string(promotion, "kept").value_or("");
    const std::string data = get_string(promotion, "data").value_or("");
    if (kept.empty() || !exists(kept)) return {};
    if (recovery.stage == Stage::promoted && exists(data) && !exists(recovery.directory + "/data"))
        return remove_tree(kept);
    return Error{Fault::conflict, fmt::format("{} is half swapped in: {} is kept", recovery.name, kept),
                 fmt::format("kedge recover promote {0}, or kedge recover put-back {0}", recovery.name)};
}

Json as_json(const Recovery& recovery) {
    return {{"name", recovery.name},
            {"target", recovery.target},
            {"policy", recovery.policy},
            {"asked", recovery.asked},
            {"database", recovery.database},
            {"directory", recovery.directory},
            {"who", recovery.who},
            {"begun", kedge::to_string(recovery.begun)},
            {"ended", recovery.ended ? Json(kedge::to_string(*recovery.ended)) : Json()},
            {"stage", to_string(recovery.stage)},
            {"says", recovery.says},
            {"major", recovery.major},
            {"choice", recovery.choice},
            {"proof", recovery.proof},
            {"comparison", recovery.comparison},
            {"key", recovery.key},
            {"address", recovery.address}};
}

Result<Recovery> from_json(const Json& json) {
    Recovery recovery;
    const std::array texts = {std::pair("name", &recovery.name),
                              std::pair("target", &recovery.target),
                              std::pair("policy", &recovery.policy),
                              std::pair("asked", &recovery.asked),
                              std::pair("database", &recovery.database),
                              std::pair("directory", &recovery.directory),
                              std::pair("who", &recovery.who),
                              std::pair("says", &recovery.says),
                              std::pair("key", &recovery.key)};
    for (const auto& [key, into] : texts) {
        const auto text = get_string(json, key);
        if (!text) return Error{Fault::corrupt, fmt::format("`{}` is missing", key)};
        *into = *text;
    }
    TRY(check_recovery_name(recovery.name));
    const std::string stage = get_string(json, "stage").value_or("");
    const auto found = std::ranges::find(stages, stage, [](Stage one) { return to_string(one); });
    if (found == stages.end()) return Error{Fault::corrupt, fmt::format("`{}` is no stage", stage)};
    recovery.stage = *found;
    recovery.begun = TRY(parse_moment(get_string(json, "begun").value_or("")));
    if (const auto ended = get_string(json, "ended")) recovery.ended = TRY(parse_moment(*ended));
    recovery.major = static_cast<int>(get_integer(json, "major").value_or(0));
    recovery.address = get_string(json, "address").value_or("");
    recovery.choice = get(json, "choice");
    recovery.proof = get(json, "proof");
    if (const Json& comparison = get(json, "comparison"); comparison.is_object()) recovery.comparison = comparison;
    return recovery;
}

}  // namespace

std::string_view to_string(Stage stage) {
    switch (stage) {
        case Stage::chosen: return "chosen";
        case Stage::working: return "working";
        case Stage::gated: return "gated";
        case Stage::recovered: return "recovered";
        case Stage::prepared: return "prepared";
        case Stage::promoted: return "promoted";
        case Stage::failed: break;
    }
    return "failed";
}

backup::PostgresServer Recovery::server() const {
    return {.region = "",
            .connection = fmt::format("host={} user=postgres dbname={}", directory, database),
            .environment = {},
            .programs = verify::postgres_programs(major)};
}

Result<void> check_recovery_name(const std::string& name) {
    const bool fits = !name.empty() && name.size() <= name_bytes_max && name.front() != '-' &&
                      std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) != 0 || c == '-'; });
    if (fits) return {};
    return Error{Fault::invalid_input, fmt::format("`{}` is no name for a recovery", name),
                 fmt::format("letters, digits and `-`, at most {}", name_bytes_max)};
}

Result<void> check_place(const std::string& place) {
    // A socket's path has 107 bytes (unix(7)).
    constexpr std::size_t place_bytes_max = 107 - sizeof("/.s.PGSQL.5432") - name_bytes_max;
    const auto is_plain = [](unsigned char c) {
        return std::isalnum(c) != 0 || std::string_view("/._-").find(static_cast<char>(c)) != std::string_view::npos;
    };
    if (place.starts_with('/') && place.size() <= place_bytes_max && std::ranges::all_of(place, is_plain)) return {};
    return Error{Fault::invalid_input, fmt::format("`{}` is no place for a recovery", place),
                 fmt::format("an absolute path of letters, digits and `._-`, at most {} bytes", place_bytes_max)};
}

Result<Recovery> find_recovery(const std::string& state_directory, const std::string& name) {
    TRY(check_recovery_name(name));
    const std::string path = file_of(state_directory, name);
    const auto text = read_file(path);
    if (!text && text.error().fault == Fault::not_found)
        return Error{Fault::not_found, fmt::format("there is no recovery called `{}`", name),
                     "kedge recover list shows those there are"};
    return from_json(TRY(parse_json(TRY(text)).within(path))).within(path);
}

Result<std::vector<Recovery>> recoveries(const std::string& state_directory) {
    std::vector<std::string> names;
    std::error_code failed;
    for (fs::directory_iterator entry(directory_of(state_directory), failed);
         !failed && entry != fs::directory_iterator(); entry.increment(failed))
        if (entry->path().extension() == ".json") names.push_back(entry->path().stem());
    if (failed && failed != std::errc::no_such_file_or_directory)
        return Error{failed == std::errc::permission_denied ? Fault::not_allowed : Fault::unavailable,
                     fmt::format("{}: {}", directory_of(state_directory), failed.message())};
    std::ranges::sort(names);
    std::vector<Recovery> all;
    for (const std::string& name : names) all.push_back(TRY(find_recovery(state_directory, name)));
    return all;
}

Result<void> write_recovery(const std::string& state_directory, const Recovery& recovery) {
    TRY(make_directories(directory_of(state_directory)));
    return write_file_atomically(file_of(state_directory, recovery.name), as_json(recovery).dump(2) + "\n");
}

Result<LockFile> lock_recovery(const std::string& state_directory, const std::string& name) {
    TRY(check_recovery_name(name));
    TRY(make_directories(directory_of(state_directory)));
    auto lock = TRY(LockFile::try_acquire(lock_of(state_directory, name)));
    if (!lock) return Error{Fault::conflict, fmt::format("somebody works on the recovery `{}`", name)};
    return std::move(*lock);
}

Result<bool> is_recovery_locked(const std::string& state_directory, const std::string& name) {
    return LockFile::is_held(lock_of(state_directory, name));
}

ServerLook look_at_server(const Recovery& recovery, const std::stop_token& stop) {
    if (recovery.is_cache()) {
        const auto answer = verify::ask_own_redis(recovery.directory, {"PING"}, answer_limit, stop);
        if (answer) return {Truth::yes, "its server answers"};
        return {Truth::no, "its server does not answer: " + answer.error().message};
    }
    if (!exists(recovery.directory + "/data/postmaster.pid")) return {Truth::no, "its server does not run"};
    const auto answer = backup::ask_postgres(recovery.server(), "SELECT 1", answer_limit, stop);
    if (!answer) return {Truth::no, "its server does not answer: " + answer.error().message};
    return {Truth::yes, "its server answers"};
}

Result<void> mark_directory(const Recovery& recovery) {
    return write_file_atomically(mark_of(recovery), recovery.name + "\n");
}

// pg_ctl knows its server by the file that the server wrote, and leaves one that is gone alone.
Result<void> clear_directory(const Recovery& recovery, const std::stop_token& stop) {
    if (!exists(recovery.directory)) return remove_file(mark_of(recovery));
    if (!exists(mark_of(recovery)))
        return Error{Fault::refused, recovery.directory + " is there already, and no recovery made it",
                     "take another --name or --place; nothing in it was touched"};
    const std::string data = recovery.directory + "/data";
    if (recovery.is_cache()) TRY(verify::stop_own_redis(recovery.directory, stop));
    if (exists(data + "/postmaster.pid")) {
        const std::optional<Login> owner = TRY(verify::postgres_owner());
        const RunOutput stopped = TRY(run({verify::postgres_programs(recovery.major) + "/pg_ctl", "stop", "-D", data,
                                           "-m", "immediate", "-w", "-t", "60"},
                                          within(stop_limit, stop), {.login = owner}));
        // 3 of `status`: no server runs there.
        const RunOutput status = TRY(run({verify::postgres_programs(recovery.major) + "/pg_ctl", "status", "-D", data},
                                         within(answer_limit, stop), {.login = owner}));
        if (status.exit.code != 3)
            return Error{Fault::unavailable, fmt::format("the server in {} does not stop: {}", recovery.directory,
                                                         verify::last_line(stopped.err))};
    }
    TRY(remove_tree(recovery.directory));
    return remove_file(mark_of(recovery));
}

bool is_exchanged(const Recovery& recovery) {
    return !get(get(recovery.proof, "promotion"), "exchanges").is_null();
}

Result<void> discard(const std::string& state_directory, const Recovery& recovery, const std::stop_token& stop) {
    if (is_exchanged(recovery))
        return Error{Fault::conflict,
                     recovery.name + " has databases in the running server, which are not removed yet"};
    if (recovery.stage == Stage::prepared || recovery.stage == Stage::promoted) TRY(remove_kept(recovery));
    // Of one that was only chosen nothing was made.
    if (recovery.stage != Stage::chosen) TRY(clear_directory(recovery, stop));
    return remove_file(file_of(state_directory, recovery.name));
}

std::string usual_place() {
    return fmt::format("/var/tmp/kedge-recover-{}", geteuid());
}

}  // namespace kedge::recover
