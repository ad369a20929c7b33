#include "verify/restore/base_restore.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <set>

#include "os/files.h"
#include "verify/figures.h"
#include "verify/restore/own_postgres.h"
#include "verify/restore/restored_rows.h"
#include "verify/unpack/member_stream.h"
#include "verify/wal/wal_archive.h"

namespace kedge::verify {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr Span copy_limit = std::chrono::hours(24), recovery_limit = std::chrono::hours(24);
// Beside what is copied: what the server itself writes while it recovers.
constexpr std::uint64_t working_bytes = std::uint64_t{512} << 20;

// Words of a server that say that this machine lacks something, not that the backup is bad.
constexpr std::array<std::string_view, 6> lacks = {
    "locale",        "could not access file",          "could not load library",
    "No space left", "could not create shared memory", "role \"postgres\" does not exist"};

// A replayed CREATE TABLESPACE makes its directory where the original has it: perhaps in production's own. A server of
// ours must not be given such log (rmgrlist.h: 5 is Tablespace; tablespace.h: XLOG_TBLSPC_CREATE is 0x00).
class NewTablespaces final : public RecordObserver {
public:
    void see(const WalRecordView& record) override {
        constexpr std::uint8_t tablespace = 5, operation = 0x70;
        if (record.manager == tablespace && (record.info & operation) == 0) any_ = true;
    }
    bool any() const { return any_; }

private:
    std::atomic<bool> any_ = false;
};

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

// The log's files that recovery may ask for.
std::vector<const Member*> needed_log(const std::vector<Member>& wal) {
    std::vector<const Member*> needed;
    for (const Member& member : wal) {
        const WalFileKind kind = parse_wal_file_name(member.path).kind;
        if (kind == WalFileKind::segment || kind == WalFileKind::history) needed.push_back(&member);
    }
    return needed;
}

Result<void> write_unpacked(const Member& member, const std::string& path) {
    const Limits limits;
    const std::unique_ptr<MemberStream> stream = TRY(MemberStream::open(member, limits));
    Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!file.is_open()) return Error{Fault::unavailable, path + " cannot be written"};
    std::vector<std::byte> piece(std::size_t{1} << 20);
    for (;;) {
        const std::size_t got = TRY(stream->read(piece));
        for (std::size_t done = 0; done < got;) {
            const ssize_t count = ::write(file.get(), piece.data() + done, got - done);
            if (count < 0 && errno == EINTR) continue;
            if (count <= 0) return Error{Fault::unavailable, path + " cannot be written"};
            done += static_cast<std::size_t>(count);
        }
        if (got < piece.size()) return {};
    }
}

class BaseRestoration {
public:
    BaseRestoration(const BaseRestore& what, Examination& examination, const RestoreOptions& options)
        : what_(what), examination_(examination), options_(options) {}

    Result<void> run() {
        const std::optional<int> major = TRY(version());
        if (!major || !TRY(log_is_harmless())) return {};
        const std::optional<Login> owner = TRY(postgres_owner());
        std::uint64_t bytes = TRY(bytes_below(what_.path)) + working_bytes;
        for (const Member* member : needed_log(what_.wal))
            bytes += std::max<std::uint64_t>(member->bytes, std::uint64_t{16} << 20);
        const Workplace workplace = TRY(Workplace::open(options_.place, bytes, owner));
        TRY(copy(workplace, owner));
        step(what_.to ? "recovering to " + kedge::to_string(*what_.to) : "recovering to consistency");
        const Result<OwnPostgres> postgres =
            OwnPostgres::start_on_copy(workplace, *major, owner, recovery_settings(), recovery_limit, options_.stop);
        if (!postgres) return tell_refusal(postgres.error());
        return examine(*postgres, *major);
    }

private:
    void step(const std::string& says) const {
        if (options_.on_step) options_.on_step(says);
    }
    void unproved(const std::string& why) { examination_.unproved.push_back("that a server takes it: " + why); }

    Result<std::optional<int>> version() {
        if (!exists(what_.path + "/PG_VERSION")) {
            unproved("only a backup in plain form is restored, and this one is packed in tars");
            return std::optional<int>();
        }
        const std::optional<int> major = major_of(TRY(read_file(what_.path + "/PG_VERSION", 64)));
        if (!major)
            unproved("its PG_VERSION names no version");
        else if (!has_postgres(*major))
            unproved(fmt::format("PostgreSQL {} is not on this machine", *major));
        else
            return major;
        return std::optional<int>();
    }

    Result<bool> log_is_harmless() {
        NewTablespaces observer;
        Effort effort{.threads = options_.threads};
        const Limits limits;
        examine_wal(what_.wal, limits, effort, {.may_end_open = true, .observer = &observer});
        if (!observer.any()) return true;
        unproved("its log makes a tablespace, which a server on this machine would make where the original is");
        return false;
    }

    Result<void> copy(const Workplace& workplace, const std::optional<Login>& owner) const {
        step("copying the backup");
        const std::string data = workplace.path() + "/data";
        // What links lead to is copied, so that nothing in the copy leads out of it.
        TRY(run_or_fail({"cp", "-RL", "--reflink=auto", "--", fs::absolute(what_.path), data},
                        within(copy_limit, options_.stop)));
        for (const char* name : {"tablespace_map", "standby.signal", "recovery.signal", "postmaster.pid",
                                 "postgresql.auto.conf", "backup_manifest"}) {
            std::error_code failed;
            fs::remove(data + "/" + name, failed);
            if (failed) return Error{Fault::unavailable, fmt::format("{}/{}: {}", data, name, failed.message())};
        }
        TRY(write_file_atomically(data + "/recovery.signal", "", 0600, Durability::after_process_death));
        TRY(write_file_atomically(data + "/postgresql.auto.conf", "", 0600, Durability::after_process_death));
        const std::vector<const Member*> log = needed_log(what_.wal);
        if (!log.empty()) step(fmt::format("copying {}", counted(log.size(), "file of the log", "files of the log")));
        for (const Member* member : log)
            TRY(write_unpacked(*member, data + "/pg_wal/" + parse_wal_file_name(member->path).stem)
                    .within(member->path));
        TRY(run_or_fail({"chmod", "-R", "u=rwX,go=", "--", data}, within(copy_limit, options_.stop)));
        if (owner)
            TRY(run_or_fail({"chown", "-R", fmt::format("{}:{}", owner->uid, owner->gid), "--", data},
                            within(copy_limit, options_.stop)));
        return {};
    }

    // All of the log lies in pg_wal already: the command only has to say that there is no more.
    std::string recovery_settings() const {
        std::string settings =
            "restore_command = '/bin/false'\nhot_standby = off\nrecovery_target_action = promote\n"
            "shared_preload_libraries = ''\ntimezone = 'UTC'\nlog_timezone = 'UTC'\nlc_messages = 'C'\n";
        if (!what_.to) return settings + "recovery_target = 'immediate'\nrecovery_target_timeline = 'current'\n";
        const auto fraction = what_.to->time_since_epoch() % 1s;
        const std::string seconds = kedge::to_string(*what_.to).substr(0, 19);
        return settings + fmt::format("recovery_target_time = '{}.{:06}+00'\nrecovery_target_timeline = '{}'\n",
                                      seconds, fraction.count(), what_.timeline);
    }

    Result<void> tell_refusal(const Error& error) {
        if (error.fault != Fault::corrupt) return error;
        const bool lacking = std::ranges::any_of(
            lacks, [&](std::string_view word) { return error.message.find(word) != std::string::npos; });
        examination_.findings.add({lacking ? Weight::doubt : Weight::damage,
                                   lacking ? "restore-impossible" : "restore-refused",
                                   "PostgreSQL of our own did not recover from it: " + error.message,
                                   {},
                                   {}});
        return {};
    }

    Result<void> examine(const OwnPostgres& postgres, int major) {
        take_last_transaction(postgres.log());
        step("counting rows");
        std::uint64_t rows = 0, tables = 0;
        const std::string names = TRY(postgres.query(
            "postgres", "SELECT datname FROM pg_database WHERE datallowconn AND datname <> 'template1' ORDER BY 1",
            answer_limit, options_.stop));
        for (std::size_t at = 0; at < names.size();) {
            const std::size_t end = std::min(names.find('\n', at), names.size());
            const std::string database = names.substr(at, end - at);
            at = end + 1;
            for (const auto& [table, count] : TRY(count_rows(postgres, database, options_.stop))) {
                examination_.contents.push_back({"table", database + "." + table, count, {}});
                rows += count;
                ++tables;
            }
        }
        examination_.facts["restored_rows"] = rows;
        examination_.facts["restored_tables"] = tables;
        step("checking with pg_amcheck");
        TRY(check_tables_and_indexes(postgres, {"--all"}, examination_, options_));
        if (examination_.findings.any(Weight::damage)) return {};
        examination_.proofs.push_back(
            {Rung::restored,
             fmt::format("PostgreSQL {} of our own recovered from it{}: {} with {}{}", major, where_it_ended(),
                         counted(tables, "table"), counted(rows, "row"),
                         examination_.facts.contains("amcheck") ? "; pg_amcheck found nothing wrong" : "")});
        return {};
    }

    std::string where_it_ended() const {
        return what_.to ? " to " + kedge::to_string(*what_.to) : " until it was consistent";
    }

    // "... LOG:  last completed transaction was at log time 2026-11-25 22:00:00.123456+00" (xlogrecovery.c)
    void take_last_transaction(const std::string& log) {
        constexpr std::string_view words = "last completed transaction was at log time ";
        const std::size_t at = log.rfind(words);
        if (at == std::string::npos) return;
        std::string text = log.substr(at + words.size(), log.find('\n', at) - at - words.size());
        if (text.size() < 22 || !text.ends_with("+00")) return;
        text[10] = 'T';
        text.replace(text.size() - 3, 3, "Z");
        if (const auto moment = parse_moment(text))
            examination_.facts["last_transaction_us"] = moment->time_since_epoch().count();
    }

    const BaseRestore& what_;
    Examination& examination_;
    const RestoreOptions& options_;
};

}  // namespace

Result<void> restore_base_backup(const BaseRestore& what, Examination& examination, const RestoreOptions& options) {
    return BaseRestoration(what, examination, options).run();
}

}  // namespace kedge::verify
