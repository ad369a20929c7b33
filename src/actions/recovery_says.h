// How looks at recoveries are put together.
#pragma once

#include <string>

#include "actions/says.h"

namespace kedge {

// "pitr-r-37e1fm" of the run r-37e1fm: every step of a run means the same one.
inline std::string name_of(const Call& call) {
    return call.has("name") ? call.text("name") : "pitr-" + call.key.substr(0, call.key.find('/'));
}

inline Result<RecoveryLook> look_at(const Call& call) {
    return TRY(call.recoveries())->look(name_of(call), call.deadline);
}

// Not done yet: it is being worked on, failed, or may be asked for.
inline Result<Look> not_yet(const Call& call, const RecoveryLook& recovery, const std::string& doing) {
    if (recovery.working == Truth::yes)
        return absent(Truth::no, fmt::format("{}: {}", doing, recovery.says.empty() ? "it goes on" : recovery.says));
    const auto failed = TRY(TRY(call.recoveries())->failure(call.key));
    if (failed)
        return Look{.done = Truth::no, .allowed = Truth::yes, .says = doing + " failed: " + *failed, .gave_up = true};
    return absent(Truth::yes, doing + " has not begun");
}

inline const Parameter name_parameter{"name", ParameterType::text, false, "",
                                      "what the recovery is called; absent = after the run"};

}  // namespace kedge
