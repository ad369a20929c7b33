#include "backup/policy_backups.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "backup/judge.h"
#include "backup/shelf.h"
#include "backup/verdicts.h"
#include "os/clock.h"
#include "os/files.h"

namespace kedge::backup {
namespace {

// Of log and copies the directory as a whole was judged.
bool is_judged_as_a_whole(const BackupPolicy& policy) {
    return policy.kind == BackupKind::log || policy.kind == BackupKind::copy;
}

void take_judgement(const Judgement& judgement, BackupsLook& look) {
    look.judged_at = judgement.at;
    for (const Answer& answer : judgement.answers)
        look.answers[answer.question] = {answer.holds, answer.says, answer.evidence};
}

// To whoever asked with `key`.
bool holds_answers(const Verdicts& verdicts, const std::string& key) {
    return std::ranges::any_of(verdicts.judgements, [&](const Judgement& judgement) {
        return !judgement.answers.empty() && get_string(judgement.answers.front().evidence, "key") == key;
    });
}

}  // namespace

Result<const BackupPolicy*> PolicyBackups::find(const std::string& name) const {
    if (const BackupPolicy* policy = settings_.estate.backup(name)) return policy;
    return Error{Fault::not_found, fmt::format("the estate has no backup policy `{}`", name)};
}

Result<BackupsLook> PolicyBackups::look(const std::string& name, Moment) {
    const BackupPolicy& policy = *TRY(find(name));
    const Moment now = SystemClock{}.now();
    BackupsLook look{.max_age = policy.max_age, .working = truth(TRY(is_worked_on(name)))};
    const Result<Shelf> shelf = look_at_shelf(settings_.estate, policy, now);
    if (!shelf) {
        look.says = shelf.error().message;
        if (shelf.error().fault == Fault::not_found) look.reachable = Truth::no;
        return look;
    }
    look.reachable = Truth::yes;
    const Verdicts verdicts = TRY(read_verdicts(settings_.state_directory, name));
    if (is_judged_as_a_whole(policy)) {
        look.says = shelf->directory;
        if (const Judgement* whole = verdicts.of(".")) {
            take_judgement(*whole, look);
            look.judged = truth(whole->fingerprint == TRY(footprint_of(shelf->directory)).fingerprint);
            look.taken = whole->taken;
        } else {
            look.judged = Truth::no;
        }
        return look;
    }
    const Answer fresh = freshness(policy, *shelf, now);
    look.says = fresh.says;
    const StoredBackup* newest = shelf->newest();
    look.judged = Truth::no;
    if (const Judgement* judgement = verdicts.of(newest != nullptr ? newest->name : ".")) {
        take_judgement(*judgement, look);
        look.judged = truth(newest != nullptr && is_known(judgement, *newest, policy, now));
    }
    if (newest != nullptr) {
        look.newest = newest->name;
        look.taken = newest->taken;
    }
    return look;
}

Result<bool> PolicyBackups::is_worked_on(const std::string& name) {
    return TRY(is_policy_locked(settings_.state_directory, name)) || making_.has_work(name) || judging_.has_work(name);
}

Result<void> PolicyBackups::start(Works& works, const std::string& name, const std::string& verb,
                                  const std::string& key, const Arguments& more) {
    TRY(find(name));
    if (TRY(is_worked_on(name)))
        return Error{Fault::conflict, fmt::format("somebody works on the backups of {}", name)};
    const std::string estate = TRY(keep_estate(settings_.estate, settings_.state_directory));
    const std::string words = fmt::format("{}/backups/{}-{}.words", settings_.state_directory, name, as_file_name(key));
    Arguments arguments = {settings_.program,         "backup", verb, name, "--estate", estate, "--state",
                           settings_.state_directory, "--quiet"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return works.start(key, name, arguments, words);
}

Result<void> PolicyBackups::judge(const std::string& name, Judging judging, const std::string& key, Moment) {
    Arguments more = {"--key", key};
    if (judging == Judging::again) more.push_back("--again");
    if (judging == Judging::recovery) more.push_back("--recover");
    return start(judging_, name, "verify", key, more);
}

Result<void> PolicyBackups::create(const std::string& name, const std::string& region, const std::string& key, Moment) {
    return start(making_, name, "create", key, {"--from", region});
}

Result<std::optional<std::string>> PolicyBackups::failure(const std::string& name, const std::string& key) {
    constexpr std::array done = {0};
    if (auto failed = making_.failure(key, done)) return failed;
    auto failed = judging_.failure(key, done);
    if (!failed) return failed;
    // A no and an unknown are answers; `kedge backup verify` ends alike, but leaves none, where it could not judge.
    const auto verdicts = read_verdicts(settings_.state_directory, name);
    return verdicts && holds_answers(*verdicts, key) ? std::nullopt : failed;
}

}  // namespace kedge::backup
