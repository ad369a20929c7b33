#include <fmt/format.h>

#include <algorithm>

#include "backup/judge_log.h"
#include "backup/prune.h"
#include "verify/figures.h"
#include "verify/files/own_manifest.h"

namespace kedge::backup {
namespace {

const StoredBackup* named(const Shelf& shelf, const std::string& name) {
    const auto found = std::ranges::find(shelf.backups, name, &StoredBackup::name);
    return found == shelf.backups.end() ? nullptr : &*found;
}

// How far the copies are behind what they are of.
Answer lateness(const BackupPolicy& policy, const Shelf& source, const Shelf& copies, Moment now) {
    Answer answer{.question = "fresh", .holds = Truth::no};
    const StoredBackup* newest = source.newest();
    if (newest == nullptr) {
        answer.holds = Truth::unknown;
        answer.says = "there is nothing that could be copied";
        return answer;
    }
    if (named(copies, newest->name) != nullptr) {
        answer.holds = Truth::yes;
        answer.says = fmt::format("the newest, {}, is copied", newest->name);
        return answer;
    }
    const Span behind = now - *newest->taken;
    answer.holds = truth(behind <= policy.max_age);
    answer.says = fmt::format("the newest, {}, is {} old and not copied, {} is allowed", newest->name, readable(behind),
                              readable(policy.max_age));
    answer.evidence = {{"name", newest->name}, {"behind_seconds", seconds(behind)}};
    return answer;
}

// Every backup of the source that is older than the copies may be behind, and that copies are kept of, is there, of the
// same size; the newest that both have is the same by content.
Result<Answer> sameness(const Estate& estate, const BackupPolicy& policy, const Shelf& source, const Shelf& copies,
                        Moment now, verify::Effort& effort) {
    Answer answer{.question = "copied", .holds = Truth::yes};
    const StoredBackup *first = nullptr, *copy_of_first = nullptr;
    std::size_t same = 0, missing = 0;
    for (const StoredBackup& backup : source.backups) {
        if (!backup.unusable.empty()) continue;
        const StoredBackup* copy = named(copies, backup.name);
        if (copy == nullptr) {
            if (now - backup.taken.value_or(Moment{}) <= policy.max_age) continue;
            if (is_past_copying(estate, policy, source, backup, now)) continue;
            ++missing;
            answer.says += backup.name + " is not copied; ";
        } else if (copy->bytes != backup.bytes) {
            ++missing;
            answer.says += fmt::format("{} has {}, its copy {}; ", backup.name, verify::sized(backup.bytes),
                                       verify::sized(copy->bytes));
        } else {
            ++same;
            if (first == nullptr) first = &backup, copy_of_first = copy;
        }
    }
    answer.evidence = {{"copied", same}, {"lacking", missing}};
    if (first == nullptr) {
        answer.holds = missing > 0 ? Truth::no : Truth::unknown;
        answer.says += "there is no copy to compare";
        return answer;
    }
    const std::string here = TRY(verify::content_digest(first->path, {}, effort)),
                      there = TRY(verify::content_digest(copy_of_first->path, {}, effort));
    answer.holds = truth(missing == 0 && here == there);
    answer.says += fmt::format("{} and its copy are {} by content; {} of the same size", first->name,
                               here == there ? "the same" : "not the same", verify::counted(same, "copy", "copies"));
    answer.evidence["digest"] = there;
    return answer;
}

}  // namespace

Result<Judgement> judge_copies(const Estate& estate, const BackupPolicy& policy, const JudgeOptions& options) {
    const Shelf source = TRY(look_at_shelf(estate, *estate.backup(policy.of), options.now));
    const Shelf copies = TRY(look_at_shelf(estate, policy, options.now));
    if (options.on_step) options.on_step("comparing copies");
    verify::Effort effort{.threads = options.threads};
    const std::stop_callback on_stop(options.stop, [&] { effort.stop = true; });
    const Footprint footprint = TRY(footprint_of(copies.directory));
    const Answer same = TRY(sameness(estate, policy, source, copies, options.now, effort));
    Judgement judgement{.name = ".",
                        .fingerprint = footprint.fingerprint,
                        .read_at = options.now,
                        .answers = {lateness(policy, source, copies, options.now), same}};
    for (const StoredBackup& copy : copies.backups) judgement.bytes += copy.bytes;
    if (const StoredBackup* newest = copies.newest()) judgement.taken = newest->taken;
    return judgement;
}

}  // namespace kedge::backup
