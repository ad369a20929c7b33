#include "verify/restore/base_copy.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <thread>

#include "base/check.h"
#include "os/files.h"
#include "verify/base_backup/reading.h"
#include "verify/base_backup/recovery_base.h"
#include "verify/figures.h"
#include "verify/files/member_files.h"
#include "verify/restore/log_beside.h"
#include "verify/restore/tar_backup.h"
#include "verify/wal/new_tablespaces.h"
#include "verify/wal/wal_archive.h"

namespace kedge::verify {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr Span copy_limit = std::chrono::hours(24);
// Beside what is copied: what the server itself writes while it recovers.
constexpr std::uint64_t working_bytes = std::uint64_t{512} << 20;

Result<std::uint64_t> bytes_below(const std::string& path) {
    std::uint64_t bytes = 0;
    std::error_code failed;
    fs::recursive_directory_iterator entry(path, fs::directory_options::follow_directory_symlink, failed);
    for (; !failed && entry != fs::recursive_directory_iterator(); entry.increment(failed)) {
        std::error_code gone;
        if (!fs::is_regular_file(entry->status(gone))) continue;
        const std::uintmax_t size = entry->file_size(gone);
        if (!gone) bytes += size;
    }
    if (failed) return Error{Fault::unavailable, fmt::format("{}: {}", path, failed.message())};
    return bytes;
}

Result<std::vector<Member>> files_of(const std::string& path, Effort& effort) {
    return members_below(path, Limits{}.objects_max, effort);
}

// A server asks the archive before it looks at what the backup brought: so what was copied from there wins.
Result<void> put_log(const std::string& from, const std::string& to) {
    std::error_code failed;
    fs::create_directories(to, failed);
    for (fs::directory_iterator file(from, failed); !failed && file != fs::directory_iterator();
         file.increment(failed)) {
        fs::rename(file->path(), to / file->path().filename(), failed);
        if (failed) break;
    }
    if (!failed) fs::remove_all(from, failed);
    if (failed) return Error{Fault::unavailable, fmt::format("{}: {}", from, failed.message())};
    return {};
}

Result<void> copy_data(const std::string& path, const std::string& data, std::uint64_t bytes_max,
                       const std::stop_token& stop) {
    Effort effort;
    const std::vector<Member> members = TRY(files_of(path, effort));
    if (is_tar_backup(members)) {
        TRY(make_directories(data));
        return unpack_tars(members, data, bytes_max, {}, stop);
    }
    // What links lead to is copied, so that nothing in the copy leads out of it.
    TRY(run_or_fail({"cp", "-RL", "--reflink=auto", "--", fs::absolute(path), data}, within(copy_limit, stop)));
    return {};
}

// Side by side: each is bound by how fast one thread writes.
Result<void> copy_both(const std::string& path, const LogBeside& log, const std::string& data,
                       const std::string& log_place, std::uint64_t bytes_max, const std::stop_token& stop) {
    TRY(make_directories(log_place));
    std::stop_source either;
    const std::stop_callback on_stop(stop, [&] { either.request_stop(); });
    std::mutex mutex;
    std::optional<Error> first;  // the other one was only called off
    const auto end = [&](const Result<void>& done) {
        if (done) return;
        const std::lock_guard lock(mutex);
        if (!first) first = done.error();
        either.request_stop();
    };
    {
        const std::jthread beside([&] { end(log.write(log_place, either.get_token())); });
        end(copy_data(path, data, bytes_max, either.get_token()));
    }
    if (first) return *first;
    return {};
}

// Slots of the original would keep log for nobody.
Result<void> empty(const std::string& directory) {
    std::error_code failed;
    for (fs::directory_iterator entry(directory, failed); !failed && entry != fs::directory_iterator();
         entry.increment(failed)) {
        fs::remove_all(entry->path(), failed);
        if (failed) break;
    }
    if (failed && failed != std::errc::no_such_file_or_directory)
        return Error{Fault::unavailable, fmt::format("{}: {}", directory, failed.message())};
    return {};
}

// A server takes no directory for a tablespace (since 15), only a link: to where it lies beside the copy.
Result<void> link_tablespaces(const std::string& from, const std::string& spaces) {
    std::error_code failed;
    std::vector<fs::path> directories;
    for (fs::directory_iterator entry(from, failed); !failed && entry != fs::directory_iterator();
         entry.increment(failed))
        if (entry->is_directory(failed)) directories.push_back(entry->path());
    for (const fs::path& directory : directories) {
        const fs::path space = spaces / directory.filename();
        if (!failed) fs::rename(directory, space, failed);
        if (!failed) fs::create_directory_symlink(space, directory, failed);
    }
    if (failed && failed != std::errc::no_such_file_or_directory)
        return Error{Fault::unavailable, fmt::format("{}: {}", from, failed.message())};
    return {};
}

// "2026-11-24 03:05:07.123456+00": what PostgreSQL reads without asking for its own zone.
std::string for_postgres(Moment moment) {
    const auto fraction = moment.time_since_epoch() % 1s;
    return fmt::format("{}.{:06}+00", kedge::to_string(moment).substr(0, 19), fraction.count());
}

std::string quoted(const std::string& value) {
    std::string text = "'";
    for (const char c : value) {
        if (c == '\'' || c == '\\') text += c;
        text += c;
    }
    return text + "'";
}

std::string target_setting(const RecoveryTarget& target) {
    switch (target.kind) {
        case RecoveryTarget::Kind::moment: return "recovery_target_time = " + quoted(for_postgres(target.moment));
        case RecoveryTarget::Kind::position:
            return "recovery_target_lsn = " + quoted(kedge::to_string(target.position));
        case RecoveryTarget::Kind::transaction: return fmt::format("recovery_target_xid = '{}'", target.transaction);
        case RecoveryTarget::Kind::restore_point: return "recovery_target_name = " + quoted(target.name);
        case RecoveryTarget::Kind::consistent: return "recovery_target = 'immediate'";
        case RecoveryTarget::Kind::latest: break;
    }
    return "";
}

}  // namespace

Result<BaseLook> look_at_base(const BaseAndLog& what, const std::optional<Login>& owner, const std::stop_token& stop) {
    BaseLook look{.bytes = working_bytes};
    look.bytes += TRY(LogBeside::of(what.wal, owner, stop)).bytes();
    Effort effort;
    const std::vector<Member> members = TRY(files_of(what.path, effort));
    if (is_tar_backup(members)) {
        const TarSurvey survey = TRY(survey_tars(members, {}, stop));
        look.version = survey.version;
        look.bytes += survey.bytes;
        return look;
    }
    if (exists(what.path + "/PG_VERSION")) look.version = TRY(read_file(what.path + "/PG_VERSION", 64));
    look.bytes += TRY(bytes_below(what.path));
    return look;
}

Result<bool> copy_makes_tablespaces(const BaseAndLog& what, const std::string& data, const std::optional<Login>& owner,
                                    std::size_t threads, const std::stop_token& stop) {
    const Limits limits;
    Effort effort;
    const std::vector<Member> members = TRY(files_of(what.path, effort));
    const Lsn start = sketch_base_backup(what.path, members, limits).base.start;
    std::vector<Member> log = TRY(files_of(data + "/pg_wal", effort));
    const LogBeside beside = TRY(LogBeside::of(what.wal, owner, stop));
    for (const Member* member : beside.linked()) log.push_back(*member);
    NewTablespaces made;
    Effort reading{.threads = threads};
    examine_wal(log, limits, reading, {.may_end_open = true, .observer = &made});
    return made.any(start, Lsn{UINT64_MAX});
}

Result<void> copy_base_backup(const BaseAndLog& what, const std::string& data, const std::optional<Login>& owner,
                              const std::stop_token& stop, const std::function<void(const std::string&)>& on_step,
                              std::uint64_t bytes_max) {
    const auto step = [&](const std::string& says) {
        if (on_step) on_step(says);
    };
    const LogBeside log = TRY(LogBeside::of(what.wal, owner, stop));
    step(log.files() == 0
             ? "copying the backup"
             : fmt::format("copying the backup and {}", counted(log.files(), "file of the log", "files of the log")));
    const std::string log_place = data + "-log";
    TRY(copy_both(what.path, log, data, log_place, bytes_max, stop));
    for (const char* name : {"tablespace_map", "standby.signal", "recovery.signal", "postmaster.pid",
                             "postgresql.auto.conf", "backup_manifest"}) {
        std::error_code failed;
        fs::remove(data + "/" + name, failed);
        if (failed) return Error{Fault::unavailable, fmt::format("{}/{}: {}", data, name, failed.message())};
    }
    TRY(empty(data + "/pg_replslot"));
    TRY(write_file_atomically(data + "/recovery.signal", "", 0600, Durability::after_process_death));
    TRY(write_file_atomically(data + "/postgresql.auto.conf", "", 0600, Durability::after_process_death));
    TRY(put_log(log_place, data + "/pg_wal"));
    const std::string spaces = data + "-tablespaces";
    TRY(make_directories(spaces));
    TRY(link_tablespaces(data + "/pg_tblspc", spaces));
    TRY(run_or_fail({"chmod", "-R", "u=rwX,go=", "--", data, spaces}, within(copy_limit, stop)));
    if (owner)
        TRY(run_or_fail({"chown", "-R", fmt::format("{}:{}", owner->uid, owner->gid), "--", data, spaces},
                        within(copy_limit, stop)));
    return {};
}

// All of the log lies in pg_wal already: the command only has to say that there is no more.
std::string recovery_settings(const RecoveryTarget& target) {
    const bool current = target.kind == RecoveryTarget::Kind::consistent;
    check(current || target.timeline.has_value(), "a recovery follows the timeline that was chosen");
    return fmt::format(
        "restore_command = '/bin/false'\nhot_standby = off\nrecovery_target_action = promote\n"
        "shared_preload_libraries = ''\ntimezone = 'UTC'\nlog_timezone = 'UTC'\nlc_messages = 'C'\n"
        "{}\nrecovery_target_inclusive = {}\nrecovery_target_timeline = '{}'\n",
        target_setting(target), target.inclusive ? "on" : "off",
        current ? "current" : std::to_string(*target.timeline));
}

// "... LOG:  last completed transaction was at log time 2026-11-25 22:00:00.123456+00" (xlogrecovery.c)
std::optional<Moment> last_transaction(const std::string& log) {
    constexpr std::string_view words = "last completed transaction was at log time ";
    const std::size_t at = log.rfind(words);
    if (at == std::string::npos) return std::nullopt;
    std::string text = log.substr(at + words.size(), log.find('\n', at) - at - words.size());
    if (text.size() < 22 || !text.ends_with("+00")) return std::nullopt;
    text[10] = 'T';
    text.replace(text.size() - 3, 3, "Z");
    const auto moment = parse_moment(text);
    return moment ? std::optional(*moment) : std::nullopt;
}

}  // namespace kedge::verify
