#include "backup/create.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include "backup/prune.h"
#include "backup/servers.h"
#include "backup/shelf.h"
#include "os/clock.h"
#include "os/files.h"
#include "verify/files/examine.h"
#include "verify/files/own_manifest.h"

namespace kedge::backup {
namespace {

constexpr Span work_limit = std::chrono::hours(24);

// "20261125_020000", as the runbook names backups.
std::string stamp(Moment moment) {
    std::string text = to_string(moment).substr(0, 19);
    std::erase_if(text, [](char letter) { return letter == '-' || letter == ':'; });
    text[text.find('T')] = '_';
    return text;
}

// Removes what is unfinished however the work ends; once it has its name there is nothing left to remove.
class Unfinished {
public:
    explicit Unfinished(std::string path) : path_(std::move(path)) {}
    ~Unfinished() {
        for (const std::string& path : {path_, path_ + std::string(verify::globals_suffix)})
            // What cannot be removed now is removed by the next backup.
            static_cast<void>(remove_stored(path));
    }
    Unfinished(const Unfinished&) = delete;
    Unfinished& operator=(const Unfinished&) = delete;
    const std::string& path() const { return path_; }

private:
    const std::string path_;
};

class Creation {
public:
    Creation(const Estate& estate, const BackupPolicy& policy, const CreateOptions& options)
        : estate_(estate), policy_(policy), options_(options) {}

    Result<std::vector<CreatedBackup>> run() {
        if (policy_.kind == BackupKind::log)
            return Error{Fault::refused, policy_.name + ": the log is archived by the server itself",
                         "set archive_command, and look with `kedge backup list`"};
        directory_ = TRY(make_directory_of(estate_, policy_));
        for (const std::string& left : TRY(look_at_shelf(estate_, policy_, options_.now)).unfinished)
            TRY(remove_stored(directory_ + "/" + left));
        if (policy_.kind == BackupKind::copy) return copy_all();
        return std::vector{TRY(take())};
    }

private:
    void step(const std::string& says) const {
        if (options_.on_step) options_.on_step(says);
    }
    Until until() const { return within(work_limit, options_.stop); }
    const Target& target() const {
        const Target* found = estate_.target(policy_.of);
        check(found != nullptr, "the estate was checked when it was read");
        return *found;
    }

    Result<CreatedBackup> take() {
        CreatedBackup made{.name = name_of_new()};
        made.path = directory_ + "/" + made.name;
        if (exists(made.path)) return Error{Fault::conflict, made.path + " is there already"};
        const Unfinished unfinished(fmt::format("{}/{}{}", directory_, unfinished_prefix, made.name));
        made.from = TRY(write(unfinished.path()));
        step("reading it back");
        verify::Effort effort{.threads = options_.threads};
        const std::stop_callback on_stop(options_.stop, [&] { effort.stop = true; });
        const verify::BlockManifest manifest = TRY(judged(unfinished.path(), effort));
        if (options_.stop.stop_requested()) return Error{Fault::unavailable, "stopped"};
        made.digest = manifest.digest();
        for (const verify::BlockDigests& file : manifest.files) made.bytes += file.bytes;
        TRY(give_name(unfinished.path(), made, manifest));
        return made;
    }

    std::string name_of_new() const {
        const std::string when = stamp(options_.now);
        switch (policy_.kind) {
            case BackupKind::dump:
                return fmt::format("{}_{}.{}", target().settings.text("database").value_or("postgres"), when,
                                   policy_.layout == DumpLayout::custom ? "dump" : "dir");
            case BackupKind::base_backup: return "base_" + when;
            case BackupKind::snapshot: return fmt::format("dump_{}.rdb", when);
            case BackupKind::log:
            case BackupKind::copy: break;
        }
        check(false, "log and copies are not taken");
        return {};
    }

    Result<std::string> write(const std::string& path) const {
        if (policy_.kind == BackupKind::snapshot) return write_snapshot(path);
        const PostgresServer server = TRY(find_postgres(target(), options_.region, options_.stop));
        const std::string from = fmt::format("the {} in {}", server.is_standby ? "standby" : "primary", server.region);
        step("taking it of " + from);
        const auto call = [&](Arguments arguments) -> Result<void> {
            arguments.insert(arguments.end(), {"-w", "-d", server.connection});
            // pg_basebackup forks, and what it forked would keep the server in backup mode, and a slot, without us.
            TRY(kedge::run_or_fail(arguments, until(), {.environment = server.environment, .guard_group = true}));
            return {};
        };
        if (policy_.kind == BackupKind::base_backup) {
            TRY(call({server.program("pg_basebackup"), "-D", path, "-c", "fast", "-X", "stream", "-l", policy_.name}));
            return from;
        }
        Arguments dump = {server.program("pg_dump"), "-f", path};
        if (policy_.layout == DumpLayout::custom)
            dump.insert(dump.end(), {"-Fc"});
        else
            dump.insert(dump.end(), {"-Fd", "-j", std::to_string(std::max<std::size_t>(1, options_.threads))});
        TRY(call(dump));
        // Roles and tablespaces are in no dump. They hold password hashes.
        const std::string globals = path + std::string(verify::globals_suffix);
        TRY(write_file_atomically(globals, "", 0600));
        TRY(call({server.program("pg_dumpall"), "--globals-only", "-f", globals}));
        return from;
    }

    Result<std::string> write_snapshot(const std::string& path) const {
        const RedisServer server = TRY(find_redis(target(), options_.region, options_.stop));
        const std::string from = fmt::format("the {} in {}", server.is_replica ? "replica" : "master", server.region);
        step("taking it of " + from);
        TRY(kedge::run_or_fail(server.command({"--rdb", path}), until(), {.environment = server.environment}));
        return from;
    }

    // What was made, as it can be read: damage is told now, not when it is needed.
    Result<verify::BlockManifest> judged(const std::string& path, verify::Effort& effort) const {
        const verify::ExaminedPath examined = TRY(verify::examine_path(path, {.now = SystemClock{}.now()}, effort));
        verify::BlockManifest manifest{
            .kind = std::string(to_string(policy_.kind)), .of = policy_.of, .made = SystemClock{}.now()};
        for (const verify::ExaminedBackup& backup : examined.backups) {
            const verify::Examination& examination = backup.examination;
            if (examination.findings.any(verify::Weight::damage) || examination.rung() < verify::Rung::decoded)
                return Error{Fault::corrupt, fmt::format("what was made is damaged: {}",
                                                         examination.findings.kept().empty()
                                                             ? "it cannot be decoded"
                                                             : examination.findings.kept().front().says)};
            if (examination.taken) manifest.taken = *examination.taken;
        }
        manifest.files = TRY(verify::digest_blocks(TRY(verify::manifested_members(path, {}, effort)), effort));
        return manifest;
    }

    static Result<void> give_name(const std::string& unfinished, const CreatedBackup& made,
                                  const verify::BlockManifest& manifest) {
        const std::string text = verify::manifest_text(manifest);
        const std::string manifest_path = made.path + std::string(verify::manifest_suffix);
        TRY(write_file_atomically(manifest_path, text));
        TRY(write_file_atomically(
            made.path + std::string(verify::manifest_digest_suffix),
            verify::manifest_digest_text(text, made.name + std::string(verify::manifest_suffix))));
        const std::string globals(verify::globals_suffix);
        if (exists(unfinished + globals)) TRY(rename_into_place(unfinished + globals, made.path + globals));
        return rename_into_place(unfinished, made.path);
    }

    Result<std::vector<CreatedBackup>> copy_all() {
        const BackupPolicy& source = *estate_.backup(policy_.of);
        const Shelf there = TRY(look_at_shelf(estate_, source, options_.now));
        std::vector<CreatedBackup> copied;
        for (const StoredBackup& backup : there.backups)
            if (backup.unusable.empty() && !exists(directory_ + "/" + backup.name) &&
                !is_past_copying(estate_, policy_, there, backup, options_.now)) {
                step("copying " + backup.name);
                copied.push_back(TRY(copy(backup)));
            }
        return copied;
    }

    Result<CreatedBackup> copy(const StoredBackup& backup) const {
        CreatedBackup made{
            .name = backup.name, .path = directory_ + "/" + backup.name, .from = policy_.of, .bytes = backup.bytes};
        const Unfinished unfinished(fmt::format("{}/{}{}", directory_, unfinished_prefix, backup.name));
        TRY(copy_tree(backup.path, unfinished.path()));
        for (const std::string_view suffix :
             {verify::manifest_suffix, verify::manifest_digest_suffix, verify::globals_suffix}) {
            const std::string companion = backup.path + std::string(suffix);
            if (exists(companion)) TRY(copy_file(companion, made.path + std::string(suffix), 0600));
        }
        TRY(rename_into_place(unfinished.path(), made.path));
        return made;
    }

    Result<void> copy_tree(const std::string& from, const std::string& to) const {
        TRY(kedge::run_or_fail({"cp", "-R", "--reflink=auto", "--preserve=timestamps", "--", from, to}, until()));
        TRY(kedge::run_or_fail({"sync", "-f", "--", to}, until()));
        return {};
    }

    const Estate& estate_;
    const BackupPolicy& policy_;
    const CreateOptions& options_;
    std::string directory_;
};

}  // namespace

Result<std::vector<CreatedBackup>> create_backup(const Estate& estate, const BackupPolicy& policy,
                                                 const CreateOptions& options) {
    return Creation(estate, policy, options).run();
}

}  // namespace kedge::backup
