// The backups that an estate's policies are about, as plans see them. Contracts as in database.h.
//
// To judge backups takes long: it is asked for, and goes on in a process of its own. `look` tells how it stands.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "base/truth.h"

namespace kedge {

// One question of a policy, as the last judgement answered it.
struct BackupAnswer {
    Truth holds = Truth::unknown;
    std::string says;
    Json evidence = Json::object();
};

struct BackupsLook {
    Truth reachable = Truth::unknown;  // no = there is no such directory
    std::string says;
    std::optional<std::string> newest;  // its name
    std::optional<Moment> taken;        // by what it says of itself
    Span max_age{};                     // that the policy allows
    // The newest was judged as it lies there now, not longer ago than the policy reads again.
    Truth judged = Truth::unknown;
    std::optional<Moment> judged_at;
    std::map<std::string, BackupAnswer> answers;  // by question, of the newest judgement, whatever it was about
    Truth working = Truth::unknown;               // somebody judges, makes or removes backups of this policy now
};

enum class Judging {
    as_needed,  // what has not changed since it was judged is not read again
    again,
    recovery,  // of base backups: a server of its own recovers to a moment of the window, chosen by chance
};

class Backups {
public:
    virtual ~Backups() = default;

    virtual Result<BackupsLook> look(const std::string& policy, Moment deadline) = 0;
    // Starts to judge; returns when that has begun. Its answers carry `key` in their evidence. conflict if somebody
    // works on the policy.
    virtual Result<void> judge(const std::string& policy, Judging judging, const std::string& key, Moment deadline) = 0;
    // Takes a backup as the policy asks, of the copy in `region`, and reads it back; returns when that has begun.
    // conflict if somebody works on the policy.
    virtual Result<void> create(const std::string& policy, const std::string& region, const std::string& key,
                                Moment deadline) = 0;
    // How the work that was asked for with `key` ended, if it left no answers: its last words. Nothing while it goes
    // on, when it left answers, or when this process did not start it.
    virtual Result<std::optional<std::string>> failure(const std::string& policy, const std::string& key) = 0;
};

}  // namespace kedge
