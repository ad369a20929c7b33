#include "recover/instance.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "os/files.h"
#include "verify/restore/workplace.h"

namespace kedge::recover {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using verify::OwnPostgres;

constexpr Span replay_limit = std::chrono::hours(2), restart_limit = 10min, query_limit = 2min;

constexpr const char* working_settings =
    "max_wal_size = 64GB\ncheckpoint_timeout = 1h\nmax_logical_replication_workers = 0\nprimary_conninfo = ''\n";
// It stays, and people may promote it: then it has to survive a crash. Its tables are only read until it gets
// production's settings, and marking their pages would take the machine from whoever reads them; what must be vacuumed
// lest transaction ids run out is in any case.
constexpr const char* durable_settings =
    "fsync = on\nfull_page_writes = on\nsynchronous_commit = on\nautovacuum = off\nshared_preload_libraries = ''\n"
    "max_logical_replication_workers = 0\nprimary_conninfo = ''\ntimezone = 'UTC'\nlog_timezone = 'UTC'\n"
    "lc_messages = 'C'\n";

}  // namespace

Result<Instance> Instance::of(const Recovery& recovery, int major, const std::stop_token& stop) {
    if (!verify::has_postgres(major))
        return Error{Fault::refused, fmt::format("PostgreSQL {} is not on this machine", major),
                     fmt::format("install postgresql-{}: a backup is taken by its own version", major)};
    return Instance(recovery.directory, major, TRY(verify::postgres_owner()), stop);
}

Result<void> Instance::make_directory(const Recovery& recovery, std::uint64_t bytes) const {
    TRY(clear_directory(recovery, stop_));
    TRY(verify::prepare_place(fs::path(place_).parent_path(), bytes));
    TRY(mark_directory(recovery));
    TRY(make_directories(place_));
    if (owner_ && chown(place_.c_str(), owner_->uid, owner_->gid) != 0)
        return Error{Fault::unavailable, fmt::format("{}: {}", place_, std::strerror(errno))};
    return {};
}

std::string Instance::loading_settings() {
    const auto memory =
        static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(sysconf(_SC_PAGE_SIZE));
    constexpr std::uint64_t least = 128, most = 4096;  // MB
    return fmt::format("shared_buffers = {}MB\nbgwriter_lru_maxpages = 0\nmax_parallel_maintenance_workers = 4\n{}",
                       std::clamp(memory / 8 >> 20, least, most), working_settings);
}

// One process replays, and what it has changed is written by another beside it. Many buffers would be touched one after
// the other for the first time, and all be written at the end, while nobody does anything else.
std::string Instance::replay_settings() {
    return fmt::format(
        "shared_buffers = 256MB\nbgwriter_delay = 10ms\nbgwriter_lru_maxpages = 1000\nbgwriter_lru_multiplier = 10\n"
        "bgwriter_flush_after = 0\n{}",
        working_settings);
}

// All that was written without a sync is synced before the server is told to rely on it.
Result<void> Instance::sync() const {
    const Descriptor directory(::open(place_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory.is_open() && syncfs(directory.get()) == 0) return {};
    return Error{Fault::unavailable, fmt::format("{}: {}", place_, std::strerror(errno))};
}

std::string Instance::log_settings() {
    return "wal_level = replica\narchive_mode = on\narchive_command = ''\n";
}

Result<void> Instance::stop_server() const {
    const std::string programs = verify::postgres_programs(major_);
    // A server that ended by itself leaves its file; pg_ctl says so, and has nothing to stop.
    constexpr int not_running = 3;
    const RunOutput status = TRY(
        run({programs + "/pg_ctl", "-D", place_ + "/data", "status"}, within(replay_limit, stop_), {.login = owner_}));
    if (status.exit.code != not_running)
        TRY(run_or_fail({programs + "/pg_ctl", "-D", place_ + "/data", "-s", "stop", "-m", "fast", "-w", "-t", "3600"},
                        within(replay_limit, stop_), {.login = owner_}));
    return sync();
}

Result<OwnPostgres> Instance::start_durable(const std::string& log) const {
    OwnPostgres durable = TRY(OwnPostgres::start_on_copy(place_,
                                                         {.major = major_,
                                                          .owner = owner_,
                                                          .settings = durable_settings + log,
                                                          .limit = restart_limit,
                                                          .outlives_us = true},
                                                         stop_));
    durable.leave_running();
    return durable;
}

Result<std::string> Instance::ask(const OwnPostgres& postgres, const std::string& database,
                                  const std::string& sql) const {
    std::string answer = TRY(postgres.query(database, sql, query_limit, stop_));
    while (!answer.empty() && answer.back() == '\n') answer.pop_back();
    return answer;
}

Result<Json> Instance::heartbeat(const OwnPostgres& postgres, const Recovery& recovery, const Estate& estate) const {
    const Target* target = estate.target(recovery.target);
    const std::string schema = target == nullptr ? "kedge" : target->settings.text("probe-schema").value_or("kedge");
    if (TRY(ask(postgres, recovery.database, fmt::format("SELECT to_regclass('{}.heartbeat') IS NOT NULL", schema))) !=
        "t")
        return Json();
    const std::string row =
        TRY(ask(postgres, recovery.database,
                fmt::format("SELECT sequence, to_char(written AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
                            " FROM {}.heartbeat ORDER BY sequence DESC LIMIT 1",
                            schema)));
    const std::size_t tab = row.find('\t');
    std::int64_t sequence = 0;
    if (tab == std::string::npos || std::from_chars(row.data(), row.data() + tab, sequence).ec != std::errc())
        return Json();
    return Json{{"sequence", sequence}, {"written", row.substr(tab + 1)}};
}

}  // namespace kedge::recover
