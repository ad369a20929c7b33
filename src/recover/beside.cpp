#include "recover/beside.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "base/check.h"
#include "os/clock.h"
#include "os/files.h"
#include "recover/gate.h"
#include "verify/restore/base_copy.h"
#include "verify/restore/own_postgres.h"

namespace kedge::recover {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using verify::OwnPostgres;

constexpr Span recovery_limit = std::chrono::hours(24), restart_limit = 10min, answer_limit = 2min;
// A heartbeat has the time of whoever wrote it, a transaction that of the server.
constexpr Span clocks_differ = 2s;
constexpr int says_where_it_is = 15;  // the first version that has log_startup_progress_interval

// Of the last line "... redo in progress, elapsed time: 1.00 s, current LSN: 0/5A10F08" (xlogrecovery.c).
std::optional<Lsn> replayed_to(const std::string& log) {
    constexpr std::string_view words = "current LSN: ";
    const std::size_t at = log.rfind(words);
    if (at == std::string::npos) return std::nullopt;
    const std::size_t begin = at + words.size();
    const auto lsn = parse_lsn(std::string_view(log).substr(begin, log.find_first_of(" \n", begin) - begin));
    return lsn ? std::optional(*lsn) : std::nullopt;
}

// Replay is one process reading pages: what it has in memory it need not read again.
std::string replay_settings(int major) {
    const auto memory =
        static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(sysconf(_SC_PAGE_SIZE));
    constexpr std::uint64_t least = 128, most = 4096;  // MB
    const std::uint64_t buffers = std::clamp(memory / 8 >> 20, least, most);
    std::string settings = fmt::format(
        "shared_buffers = {}MB\nmax_wal_size = 64GB\ncheckpoint_timeout = 1h\nbgwriter_lru_maxpages = 0\n"
        "max_logical_replication_workers = 0\nprimary_conninfo = ''\n",
        buffers);
    if (major >= says_where_it_is) settings += "log_startup_progress_interval = 1s\n";
    return settings;
}

// It stays, and people may promote it: then it has to survive a crash.
constexpr const char* durable_settings =
    "fsync = on\nfull_page_writes = on\nsynchronous_commit = on\nautovacuum = on\nshared_preload_libraries = ''\n"
    "max_logical_replication_workers = 0\nprimary_conninfo = ''\ntimezone = 'UTC'\nlog_timezone = 'UTC'\n"
    "lc_messages = 'C'\n";

class Making {
public:
    Making(const std::string& state_directory, Recovery& recovery, const Choice& choice, const Estate& estate,
           const MakeOptions& options)
        : state_(state_directory), recovery_(recovery), choice_(choice), estate_(estate), options_(options) {}

    Result<void> run() {
        const Moment begun = SystemClock{}.now();
        recovery_.stage = Stage::working;
        TRY(read_version());
        TRY(tell("preparing"));
        TRY(make_directory());
        TRY(verify::copy_base_backup({choice_.base, choice_.log}, recovery_.directory + "/data", owner_, options_.stop,
                                     [&](const std::string& step) { say(step); }));
        const Moment copied = SystemClock{}.now();
        const std::string log = TRY(replay());
        const Moment replayed = SystemClock{}.now();
        const OwnPostgres postgres = TRY(restart_durably());
        TRY(prove(postgres, log));
        recovery_.proof["took_seconds"] = seconds(SystemClock{}.now() - begun);
        recovery_.proof["copy_seconds"] = seconds(copied - begun);
        recovery_.proof["replay_seconds"] = seconds(replayed - copied);
        return {};
    }

private:
    void say(const std::string& step) const {
        if (options_.on_step) options_.on_step(step);
    }
    Result<void> tell(const std::string& step) {
        say(step);
        recovery_.says = step;
        return write_recovery(state_, recovery_);
    }

    Result<void> read_version() {
        const auto major = verify::major_of(TRY(read_file(choice_.base + "/PG_VERSION", 64)));
        if (!major) return Error{Fault::corrupt, choice_.base + "/PG_VERSION names no version"};
        if (!verify::has_postgres(*major))
            return Error{Fault::refused, fmt::format("PostgreSQL {} is not on this machine", *major),
                         fmt::format("install postgresql-{}: a backup is recovered by its own version", *major)};
        if (verify::makes_tablespaces(choice_.log, options_.threads))
            return Error{Fault::refused,
                         "the log makes a tablespace, which a server here would make where the original is",
                         "recover on a machine of its own, or to a moment before it"};
        recovery_.major = *major;
        owner_ = TRY(verify::postgres_owner());
        return {};
    }

    Result<void> make_directory() {
        TRY(clear_directory(recovery_, options_.stop));
        const std::string& directory = recovery_.directory;
        const std::uint64_t bytes = TRY(verify::bytes_of_copy({choice_.base, choice_.log}));
        TRY(verify::prepare_place(fs::path(directory).parent_path(), bytes));
        TRY(make_directories(directory));
        if (owner_ && chown(directory.c_str(), owner_->uid, owner_->gid) != 0)
            return Error{Fault::unavailable, fmt::format("{}: {}", directory, std::strerror(errno))};
        return {};
    }

    void show_progress(const std::string& log) const {
        const auto at = replayed_to(log);
        if (!at || !options_.on_replay || *at < choice_.start) return;
        options_.on_replay(at->value - choice_.start.value, choice_.recovery.replay_bytes);
    }

    // What the server wrote while it recovered.
    Result<std::string> replay() {
        TRY(tell("replaying the log to " + recovery_.asked));
        const OwnPostgres postgres = TRY(OwnPostgres::start_on_copy(
            recovery_.directory,
            {.major = recovery_.major,
             .owner = owner_,
             .settings = verify::recovery_settings(choice_.target) + replay_settings(recovery_.major),
             .limit = recovery_limit,
             .on_look = [&](const std::string& log) { show_progress(log); }},
            options_.stop));
        const std::string log = postgres.log();
        TRY(control(postgres, {"stop", "-m", "fast", "-w", "-t", "3600"}));
        return log;
    }

    Result<void> control(const OwnPostgres& postgres, const Arguments& words) const {
        Arguments all = {postgres.program("pg_ctl"), "-D", recovery_.directory + "/data", "-s"};
        all.insert(all.end(), words.begin(), words.end());
        TRY(run_or_fail(all, within(recovery_limit, options_.stop), {.login = owner_}));
        return {};
    }

    // All that was written without a sync is synced before the server is told to rely on it.
    Result<void> sync() const {
        const Descriptor directory(::open(recovery_.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (directory.is_open() && syncfs(directory.get()) == 0) return {};
        return Error{Fault::unavailable, fmt::format("{}: {}", recovery_.directory, std::strerror(errno))};
    }

    Result<OwnPostgres> restart_durably() {
        TRY(tell("syncing"));
        TRY(sync());
        OwnPostgres postgres = TRY(OwnPostgres::start_on_copy(recovery_.directory,
                                                              {.major = recovery_.major,
                                                               .owner = owner_,
                                                               .settings = durable_settings,
                                                               .limit = restart_limit,
                                                               .outlives_us = true},
                                                              options_.stop));
        postgres.leave_running();
        return postgres;
    }

    Result<std::string> ask(const OwnPostgres& postgres, const std::string& sql) const {
        std::string answer = TRY(postgres.query(recovery_.database, sql, answer_limit, options_.stop));
        while (!answer.empty() && answer.back() == '\n') answer.pop_back();
        return answer;
    }

    // {sequence, written} of the newest heartbeat; null if there are none.
    Result<Json> heartbeat(const OwnPostgres& postgres) const {
        const Target* target = estate_.target(recovery_.target);
        const std::string schema =
            target == nullptr ? "kedge" : target->settings.text("probe-schema").value_or("kedge");
        if (TRY(ask(postgres, fmt::format("SELECT to_regclass('{}.heartbeat') IS NOT NULL", schema))) != "t")
            return Json();
        const std::string row = TRY(
            ask(postgres,
                fmt::format("SELECT sequence, to_char(written AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
                            " FROM {}.heartbeat ORDER BY sequence DESC LIMIT 1",
                            schema)));
        const std::size_t tab = row.find('\t');
        std::int64_t sequence = 0;
        if (tab == std::string::npos || std::from_chars(row.data(), row.data() + tab, sequence).ec != std::errc())
            return Json();
        return Json{{"sequence", sequence}, {"written", row.substr(tab + 1)}};
    }

    Result<void> prove(const OwnPostgres& postgres, const std::string& log) {
        const auto last = verify::last_transaction(log);
        std::optional<Moment> expected;
        if (choice_.recovery.last) expected = choice_.recovery.last->time;
        const Json beat = TRY(heartbeat(postgres));
        Json& proof = recovery_.proof;
        proof = {{"last_transaction", last ? Json(kedge::to_string(*last)) : Json()},
                 {"expected_last_transaction", expected ? Json(kedge::to_string(*expected)) : Json()},
                 {"heartbeat", beat},
                 {"timeline", TRY(ask(postgres, "SELECT timeline_id FROM pg_control_checkpoint()"))},
                 {"tables", TRY(ask(postgres,
                                    "SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p') AND "
                                    "relnamespace::regnamespace::text NOT IN "
                                    "('pg_catalog', 'information_schema')"))}};
        const bool both_none = !last && !expected;
        const Truth fits = truth(both_none || (last && expected && *last == *expected));
        const auto written = parse_moment(get_string(beat, "written").value_or(""));
        const bool too_late = choice_.target.kind == verify::RecoveryTarget::Kind::moment && written &&
                              *written > choice_.target.moment + clocks_differ;
        const Truth proved = too_late ? Truth::no : fits;
        proof["proved"] = kedge::to_string(proved);
        recovery_.says = words(proved, too_late, last, expected, beat);
        return {};
    }

    static std::string words(Truth proved, bool too_late, const std::optional<Moment>& last,
                             const std::optional<Moment>& expected, const Json& beat) {
        const auto text = [](const std::optional<Moment>& moment) {
            return moment ? kedge::to_string(*moment) : std::string("none");
        };
        if (too_late) return "it holds a heartbeat that was written after the moment that was asked for";
        if (proved != Truth::yes)
            return fmt::format("its last transaction is {}, but the log has {} there", text(last), text(expected));
        std::string says = fmt::format("its last transaction is the one that the log has there: {}", text(last));
        if (const auto written = get_string(beat, "written")) says += "; its newest heartbeat was written " + *written;
        return says;
    }

    const std::string& state_;
    Recovery& recovery_;
    const Choice& choice_;
    const Estate& estate_;
    const MakeOptions& options_;
    std::optional<Login> owner_;
};

}  // namespace

Result<void> recover_beside(const std::string& state_directory, Recovery& recovery, const Choice& choice,
                            const Estate& estate, const MakeOptions& options) {
    check(choice.recovery.possible, "only what is possible is made");
    Making making(state_directory, recovery, choice, estate, options);
    const Result<void> made = making.run();
    recovery.ended = SystemClock{}.now();
    if (made) {
        pass_gate(recovery, estate, options.stop);
    } else {
        recovery.stage = Stage::failed;
        recovery.says = made.error().message;
        // The room is needed, and a half made database is of no use; what the server said is kept in the note.
        if (const auto cleared = clear_directory(recovery, {}); !cleared)
            recovery.says += "; " + cleared.error().message;
    }
    TRY(write_recovery(state_directory, recovery));
    return made;
}

}  // namespace kedge::recover
