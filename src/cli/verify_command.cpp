// verify: what backups hold and whether they are whole.

#include <fmt/format.h>
#include <unistd.h>

#include <thread>

#include "backup/restore_any.h"
#include "cli/commands.h"
#include "cli/context.h"
#include "cli/progress.h"
#include "cli/verification_view.h"

namespace kedge {
namespace {

struct Verify {
    std::vector<std::string> paths;
    std::int64_t threads = 0;
    bool everything = false, restore = false;
    std::string place, wal;
};

// Damage says more than a path that is not there, and that more than a doubt.
ExitCode graver(ExitCode left, ExitCode right) {
    const auto gravity = [](ExitCode code) {
        return code == ExitCode::interrupted    ? 4
               : code == ExitCode::negative     ? 3
               : code == ExitCode::unverifiable ? 1
               : code == ExitCode::ok           ? 0
                                                : 2;
    };
    return gravity(right) > gravity(left) ? right : left;
}

class Verification {
public:
    Verification(Context& context, const Verify& options)
        : context_(context), console_(context.console()), options_(options) {
        effort_.threads = options.threads > 0 ? static_cast<std::size_t>(options.threads)
                                              : std::max(1u, std::thread::hardware_concurrency());
    }

    ExitCode run() {
        context_.around().catch_interrupt();
        for (const std::string& path : options_.paths) {
            if (context_.around().interrupted()) effort_.stop = true;
            worst_ = graver(worst_, one(path));
            if (worst_ == ExitCode::interrupted) break;
        }
        if (console_.json() && worst_ != ExitCode::interrupted) console_.print_items("Verification", std::move(items_));
        if (worst_ == ExitCode::interrupted) console_.note("interrupted");
        return worst_;
    }

private:
    ExitCode one(const std::string& path) {
        if (effort_.stop) return ExitCode::interrupted;
        Result<verify::ExaminedPath> found = examine(path);
        ExitCode worst = found && options_.restore ? restore_all(found->backups) : ExitCode::ok;
        if (effort_.stop) return ExitCode::interrupted;
        if (!found) {
            if (!console_.json()) return console_.fail("not examined", found.error());
            console_.warn(found.error().message);
            return show_unread({path, found.error()});
        }
        for (const verify::ExaminedBackup& backup : found->backups) {
            show(backup, found->backups.size() == 1 ? read_took_ : Span{});
            worst = graver(worst, exit_code_of(verdict_of(backup.examination)));
        }
        for (const verify::UnreadPath& unread : found->unread) worst = graver(worst, show_unread(unread));
        if (!found->passed_over.empty() && !console_.json())
            console_.note(fmt::format("  passed over, as no backup that Kedge knows: {}", listed(found->passed_over)));
        return worst;
    }

    Result<verify::ExaminedPath> examine(const std::string& path) {
        Progress progress(context_, effort_);
        const verify::ExamineOptions options{
            .now = context_.now(),
            .on_begin = [&](const std::string& what, std::uint64_t bytes) { progress.begin(what, bytes); },
            .unreadable = verify::Unreadable::is_listed};
        Result<verify::ExaminedPath> found = path == "-" ? verify::examine_input(STDIN_FILENO, options, effort_)
                                                         : verify::examine_path(path, options, effort_);
        read_took_ = context_.now() - options.now;
        return found;
    }

    // One that cannot be given to a server is shown as it was read, with the reason. The gravest of the reasons.
    ExitCode restore_all(std::vector<verify::ExaminedBackup>& backups) {
        Progress progress(context_, effort_);
        ExitCode worst = ExitCode::ok;
        for (verify::ExaminedBackup& backup : backups) {
            if (effort_.stop) break;
            const Result<void> restored = restore(backup, progress);
            if (restored) continue;
            const Error& why = restored.error();
            const bool is_broken = why.fault == Fault::corrupt;
            backup.examination.findings.add({is_broken ? verify::Weight::damage : verify::Weight::doubt,
                                             is_broken ? "restore-refused" : "restore-impossible",
                                             why.message,
                                             {},
                                             {}});
            worst = graver(worst, exit_code_of(why.fault));
        }
        return worst;
    }

    Result<void> restore(verify::ExaminedBackup& backup, Progress& progress) {
        verify::RestoreOptions options{
            .threads = effort_.threads, .stop = progress.stop_token(), .on_step = [&](const std::string& step) {
                progress.begin(backup.examination.path + ": " + step, 0);
            }};
        if (!options_.place.empty()) options.place = options_.place;
        return backup::restore_any(backup, options_.wal, options);
    }

    ExitCode show_unread(const verify::UnreadPath& unread) {
        show({verify::Shape::unknown, false, unread.examination()}, {});
        return exit_code_of(unread.error.fault);
    }

    void show(const verify::ExaminedBackup& backup, Span took) {
        const VerificationView view{.now = context_.now(), .took = took, .everything = options_.everything};
        if (console_.json()) {
            items_.push_back(as_json(backup, view));
            return;
        }
        if (shown_++ > 0) console_.print_line();
        console_.print(rendered(backup, view, console_.out()));
        console_.flush();
    }

    std::string listed(const std::vector<std::string>& paths) const {
        constexpr std::size_t few = 5;
        std::string text;
        for (std::size_t i = 0; i < paths.size() && (i < few || options_.everything); ++i)
            text += (i > 0 ? ", " : "") + printable(paths[i]);
        if (paths.size() > few && !options_.everything) text += fmt::format(" and {} more", paths.size() - few);
        return text;
    }

    Context& context_;
    Console& console_;
    const Verify& options_;
    verify::Effort effort_;
    Json items_ = Json::array();
    std::size_t shown_ = 0;
    Span read_took_{};  // of the path that was examined last, without a restore
    ExitCode worst_ = ExitCode::ok;
};

ExitCode verify_paths(Context& context, const Verify& options) {
    for (const auto& [name, value] : {std::pair("--restore-in", &options.place), std::pair("--wal", &options.wal)})
        if (!options.restore && !value->empty())
            return context.console().fail_usage({Fault::invalid_input,
                                                 fmt::format("{} says nothing without --restore", name),
                                                 "add --restore to have a server take the backups, or leave it out"});
    return Verification(context, options).run();
}

}  // namespace

std::vector<Command> verify_commands() {
    return {
        command("verify", "Say what backups hold, what is broken and how far they are proved", verify_paths)
            .details("Reads each backup once and whole; needs no estate, no state and no right but to read. What it "
                     "is, is told by its content: dumps of PostgreSQL (custom, directory, tar), base backups, "
                     "archives of the write-ahead log, snapshots and append-only files of Redis, packed or not. "
                     "A directory may be a backup or hold several; - is standard input. Exit 0 only if all are "
                     "sound.")
            .argument("PATH", &Verify::paths, "a file, a directory, or - for standard input", Completes::files)
            .required()
            .option("threads", "N", &Verify::threads, "so many threads (else one for each processor)")
            .flag("restore", &Verify::restore, "also have a real server of its own take each, and count again")
            .option("restore-in", "DIR", &Verify::place, "where to restore, else below /var/tmp")
            .option("wal", "DIR", &Verify::wal, "archived log that base backups may need to be restored",
                    Completes::files)
            .flag("all", &Verify::everything, "all contents and findings, not only the first")
            .example("kedge verify /backup/main.dump")
            .example("kedge verify /backup --json")
            .example("kedge verify /backup/main.dump --restore")
            .example("ssh db1 cat /backup/dump.rdb | kedge verify -")
            .exits({ExitCode::not_found, ExitCode::not_allowed, ExitCode::conflict, ExitCode::refused,
                    ExitCode::negative, ExitCode::unverifiable, ExitCode::interrupted})};
}

}  // namespace kedge
