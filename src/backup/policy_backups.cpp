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

std::string last_line(const std::string& text) {
    const std::size_t end = text.find_last_not_of("\n ");
    if (end == std::string::npos) return "it said nothing";
    const std::size_t begin = text.rfind('\n', end);
    return text.substr(begin == std::string::npos ? 0 : begin + 1, end - (begin == std::string::npos ? 0 : begin));
}

}  // namespace

Result<const BackupPolicy*> PolicyBackups::find(const std::string& name) const {
    if (const BackupPolicy* policy = settings_.estate.backup(name)) return policy;
    return Error{Fault::not_found, fmt::format("the estate has no backup policy `{}`", name)};
}

bool PolicyBackups::has_work(const std::string& policy) {
    const std::lock_guard lock(mutex_);
    return std::ranges::any_of(works_, [&](auto& entry) {
        return entry.second.policy == policy && !entry.second.child.wait(SystemClock{}.now());
    });
}

Result<BackupsLook> PolicyBackups::look(const std::string& name, Moment) {
    const BackupPolicy& policy = *TRY(find(name));
    const Moment now = SystemClock{}.now();
    BackupsLook look{.max_age = policy.max_age,
                     .working = truth(TRY(is_policy_locked(settings_.state_directory, name)) || has_work(name))};
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

Result<std::string> PolicyBackups::estate_file() const {
    const std::string path =
        fmt::format("{}/backups/estate-{}.yaml", settings_.state_directory, settings_.estate.digest.substr(0, 16));
    TRY(make_directories(settings_.state_directory + "/backups"));
    TRY(write_file_atomically(path, settings_.estate.text, 0600, Durability::after_process_death));
    return path;
}

Result<void> PolicyBackups::judge(const std::string& name, Judging judging, const std::string& key, Moment) {
    TRY(find(name));
    if (TRY(is_policy_locked(settings_.state_directory, name)))
        return Error{Fault::conflict, fmt::format("somebody works on the backups of {}", name)};
    const std::string estate = TRY(estate_file());
    std::string file = key;
    std::ranges::replace(file, '/', '-');
    const std::string words = fmt::format("{}/backups/{}-{}.words", settings_.state_directory, name, file);
    TRY(write_file_atomically(words, "", 0600, Durability::after_process_death));
    Arguments arguments = {settings_.program,         "backup", "verify", name,     "--estate", estate, "--state",
                           settings_.state_directory, "--key",  key,      "--quiet"};
    if (judging == Judging::again) arguments.push_back("--again");
    if (judging == Judging::recovery) arguments.push_back("--recover");
    Child child = TRY(Child::spawn(arguments, {.errors = Redirect::append_to(words), .die_with_parent = false}));
    const std::lock_guard lock(mutex_);
    works_.insert_or_assign(key, Work{name, std::move(child), words});
    return {};
}

Result<std::optional<std::string>> PolicyBackups::failure(const std::string&, const std::string& key) {
    // Those with which `kedge backup verify` has left answers.
    constexpr std::array answered = {0, 15, 16};
    const std::lock_guard lock(mutex_);
    const auto work = works_.find(key);
    if (work == works_.end()) return std::optional<std::string>();
    const std::optional<Exit> exit = work->second.child.wait(SystemClock{}.now());
    if (!exit || (exit->signal == 0 && std::ranges::find(answered, exit->code) != answered.end()))
        return std::optional<std::string>();
    return std::optional(
        fmt::format("{}: {}", to_string(*exit), last_line(read_file(work->second.words).value_or(""))));
}

}  // namespace kedge::backup
