// What was found out about a policy's backups, remembered: each judgement with the digest and the fingerprint of what
// it was about, so that what has not changed is not read again.
//
// One file a policy, below the state directory: backups/POLICY.json (docs/formats/backup-verdicts.md). Who writes it
// holds the policy's lock.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "base/truth.h"
#include "estate/estate.h"
#include "os/lock_file.h"

namespace kedge::backup {

// One question of the policy, with its answer.
struct Answer {
    std::string
        question;  // "fresh", "intact", "proved", "tables", "filled", "production", "keys", "continuous", "copied"
    Truth holds = Truth::unknown;
    std::string says;  // one sentence with the figures
    Json evidence = Json::object();
};

struct Judgement {
    std::string name;         // of the backup; of log and copies, of the directory as a whole: "."
    std::string fingerprint;  // shelf.h: of what was judged
    std::string digest;       // of its content; empty where none was made
    Moment at{};              // when it was judged
    Moment read_at{};         // when it was read for that: earlier, if it had not changed since
    std::optional<Moment> taken;
    std::uint64_t bytes = 0;
    std::string rung;  // how far it was proved: "restored"
    std::vector<Answer> answers;

    const Answer* answer(std::string_view question) const;  // null if it was not asked
    // It was found intact, and proved as far as the policy asked.
    bool is_sound() const;
    // yes if every answer is, no if any is, else unknown.
    Truth holds() const;
};

struct Verdicts {
    std::vector<Judgement> judgements;  // the newest first

    const Judgement* of(std::string_view name) const;  // the newest of that backup; null if there is none
    // Puts it first, in the place of an earlier one of the same backup; the oldest beyond a bound are forgotten.
    void add(Judgement judgement);
};

Json judgement_json(const Judgement& judgement);

// Empty if there is no file yet. corrupt if it cannot be read as one.
Result<Verdicts> read_verdicts(const std::string& state_directory, const std::string& policy);
Result<void> write_verdicts(const std::string& state_directory, const std::string& policy, const Verdicts& verdicts);

// Held while a policy's backups are made, judged or removed. conflict if somebody else holds it.
Result<LockFile> lock_policy(const std::string& state_directory, const std::string& policy);
// Keeps a policy's backups from being removed while it lives, by any number of holders at once.
class BackupHold {
public:
    explicit BackupHold(LockFile lock) : lock_(std::move(lock)) {}
    BackupHold(BackupHold&& other) noexcept : lock_(std::exchange(other.lock_, std::nullopt)) {}
    BackupHold& operator=(BackupHold&&) = delete;
    ~BackupHold() {
        if (lock_) lock_->remove();
    }

private:
    std::optional<LockFile> lock_;
};
// `holder` is part of a file's name.
Result<BackupHold> hold_backups(const std::string& state_directory, const std::string& policy,
                                const std::string& holder);
// Those of the policy and of its copies (shelf.h).
Result<std::vector<BackupHold>> hold_with_copies(const std::string& state_directory, const Estate& estate,
                                                 const BackupPolicy& policy, const std::string& holder);
// Who does; empty if nobody.
Result<std::vector<std::string>> holders_of_backups(const std::string& state_directory, const std::string& policy);
// Whether somebody holds the lock.
Result<bool> is_policy_locked(const std::string& state_directory, const std::string& policy);

}  // namespace kedge::backup
