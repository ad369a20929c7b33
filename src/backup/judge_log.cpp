#include "backup/judge_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <random>

#include "backup/material.h"
#include "os/files.h"
#include "verify/figures.h"
#include "verify/restore/base_restore.h"

namespace kedge::backup {
namespace {

// The directories of the policies whose base backups need this log; those that hold none are left out.
Result<std::vector<std::string>> bases_of(const Estate& estate, const BackupPolicy& log, Moment now) {
    std::vector<std::string> directories;
    for (const BackupPolicy& policy : estate.backups) {
        if (policy.kind != BackupKind::base_backup || policy.log != log.name) continue;
        const Result<Shelf> shelf = look_at_shelf(estate, policy, now);
        if (!shelf && shelf.error().fault == Fault::not_found) continue;
        if (!shelf) return shelf.error();
        if (shelf->newest() != nullptr) directories.push_back(shelf->directory);
    }
    return directories;
}

Answer age_of_log(const BackupPolicy& policy, const Shelf& shelf, const verify::WalArchive& archive, Moment now) {
    Answer answer{.question = "fresh", .holds = Truth::no};
    if (shelf.log.segments == 0) {
        answer.says = "there is no log in " + shelf.directory;
        return answer;
    }
    // A server that nobody writes to archives segments without a transaction: then the file's own time is all there is.
    const auto transaction = archive.examination.taken;
    const Moment newest = std::max(transaction.value_or(Moment{}), shelf.log.newest_modified);
    const Span age = now - newest;
    answer.holds = truth(age <= policy.max_age);
    answer.says = fmt::format("the newest segment, {}, is {} old, {} is allowed", shelf.log.newest,
                              readable(std::max(age, Span{})), readable(policy.max_age));
    answer.evidence = {{"segment", shelf.log.newest},
                       {"age_seconds", seconds(age)},
                       {"last_transaction", transaction ? Json(to_string(*transaction)) : Json()}};
    return answer;
}

Answer continuity(const Material& material, const verify::Window& window) {
    Answer answer{.question = "continuous"};
    const std::uint64_t damages = material.archive.examination.findings.count(verify::Weight::damage);
    answer.evidence = {{"segments", material.archive.segments.size()}, {"damages", damages}};
    if (window.bases.empty()) {
        answer.says = "there is no base backup from which the log would be replayed";
        if (damages > 0) answer.holds = Truth::no;
        return answer;
    }
    const auto newest = std::ranges::max_element(
        window.bases, {}, [](const verify::RecoveryBase& base) { return base.taken.value_or(Moment{}); });
    const auto base = static_cast<std::size_t>(newest - window.bases.begin());
    const auto reach = std::ranges::find(window.reaches, base, &verify::Reach::base);  // its newest timeline
    const std::string name = std::filesystem::path(newest->name).filename();
    if (reach == window.reaches.end() || !reach->reaches()) {
        answer.holds = Truth::no;
        answer.says = fmt::format("nothing can be recovered from {}: {}", name,
                                  reach == window.reaches.end() ? newest->unusable : reach->why_not);
        return answer;
    }
    answer.holds = truth(!reach->path.damaged && damages == 0);
    answer.says =
        fmt::format("from {} on, along timeline {}, {} to {}: {}", name, reach->timeline,
                    verify::counted(reach->path.segments.size(), "segment"),
                    reach->latest ? to_string(*reach->latest) : to_string(reach->path.end), reach->path.why_it_ends);
    return answer;
}

// A moment of the window; nothing if it has no width.
std::optional<Moment> moment_by_chance(const verify::Window& window, std::uint64_t chance) {
    std::mt19937_64 random(chance);
    std::vector<const verify::Reach*> wide;
    for (const verify::Reach& reach : window.reaches)
        if (reach.reaches() && reach.earliest && reach.latest && *reach.earliest < *reach.latest)
            wide.push_back(&reach);
    if (wide.empty()) return std::nullopt;
    const verify::Reach& reach = *wide[std::uniform_int_distribution<std::size_t>(0, wide.size() - 1)(random)];
    const auto width = (*reach.latest - *reach.earliest).count();
    return *reach.earliest + Span(std::uniform_int_distribution<Span::rep>(0, width - 1)(random));
}

Answer judge_recovery(const verify::Examination& examination, const verify::Recovery& recovery, Moment moment,
                      const std::string& base) {
    Answer answer{
        .question = "recovered",
        .evidence = {{"moment", to_string(moment)}, {"base", base}, {"rows", get(examination.facts, "restored_rows")}}};
    const auto damage =
        std::ranges::find(examination.findings.kept(), verify::Weight::damage, &verify::Finding::weight);
    if (damage != examination.findings.kept().end()) {
        answer.holds = Truth::no;
        answer.says = fmt::format("to {} from {}: {}", to_string(moment), base, damage->says);
        return answer;
    }
    if (examination.rung() < verify::Rung::restored) {
        answer.says = "not " + (examination.unproved.empty() ? std::string("proved") : examination.unproved.back());
        return answer;
    }
    const auto ended = get_integer(examination.facts, "last_transaction_us");
    const bool fits = recovery.last ? ended == recovery.last->time.time_since_epoch().count() : !ended;
    answer.holds = truth(fits);
    answer.says = fmt::format("{}; its last transaction is {}", examination.proofs.back().says,
                              fits ? "the one that was read in the log" : "another than was read in the log");
    return answer;
}

}  // namespace

Result<Judgement> judge_log(const Estate& estate, const BackupPolicy& policy, const JudgeOptions& options) {
    const Shelf shelf = TRY(look_at_shelf(estate, policy, options.now));
    if (options.on_step) options.on_step("reading the log");
    Material material;
    material.effort.threads = options.threads;
    const std::stop_callback on_stop(options.stop, [&] { material.effort.stop = true; });
    TRY(gather(material, TRY(bases_of(estate, policy, options.now)), {shelf.directory}));
    const verify::MemberTransactions transactions(material.archive, material.wal, material.limits, material.effort);
    const verify::Window window = TRY(verify::recovery_window(material.archive, material.bases, transactions));
    return Judgement{
        .name = ".",
        .fingerprint = TRY(footprint_of(shelf.directory)).fingerprint,
        .read_at = options.now,
        .taken = material.archive.examination.taken,
        .bytes = shelf.log.bytes,
        .rung = std::string(to_string(material.archive.examination.rung())),
        .answers = {age_of_log(policy, shelf, material.archive, options.now), continuity(material, window)}};
}

Result<Answer> recover_by_chance(const Estate& estate, const BackupPolicy& policy, const JudgeOptions& options) {
    if (policy.log.empty()) return Answer{.question = "recovered", .says = "the policy names no log to recover with"};
    Material material;
    material.effort.threads = options.threads;
    const std::stop_callback on_stop(options.stop, [&] { material.effort.stop = true; });
    const std::string bases = TRY(directory_of(estate, policy));
    const std::string log = TRY(directory_of(estate, *estate.backup(policy.log)));
    TRY(gather(material, {bases}, {log}));
    const verify::MemberTransactions transactions(material.archive, material.wal, material.limits, material.effort);
    const verify::Window window = TRY(verify::recovery_window(material.archive, material.bases, transactions));
    const auto moment = moment_by_chance(window, options.chance);
    if (!moment)
        return Answer{.question = "recovered",
                      .holds = Truth::no,
                      .says = "there is no moment to which anything could be recovered"};
    verify::RecoveryTarget target = verify::RecoveryTarget::at(*moment);
    const verify::Recovery recovery =
        TRY(verify::recovery_to(material.archive, window, target, options.now, transactions));
    if (!recovery.possible) return Answer{.question = "recovered", .holds = Truth::no, .says = recovery.says};
    const verify::Reach& reach = window.reaches[*recovery.reach];
    target.timeline = reach.timeline;
    const std::string base = window.bases[reach.base].name;
    verify::RestoreOptions restore{.threads = options.threads, .stop = options.stop, .on_step = options.on_step};
    if (!options.place.empty()) restore.place = options.place;
    verify::Examination examination;
    TRY(verify::restore_base_backup({.from = {base, log_on(material, reach, recovery.stop)}, .to = target}, examination,
                                    restore));
    return judge_recovery(examination, recovery, *moment, std::filesystem::path(base).filename());
}

}  // namespace kedge::backup
