// What an action sees when it looks at its target, and what earlier steps of the run left for it to read.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/time.h"
#include "base/truth.h"

namespace kedge {

struct Look {
    // A check: whether the condition holds. An act: whether the effect is already there.
    Truth done = Truth::unknown;
    // An act: whether its effect may be applied now. Anything but yes blocks the step. A check ignores it.
    Truth allowed = Truth::unknown;
    std::string says;                            // one sentence for the operator, with the figures
    SharedJson evidence = SharedJson::object();  // name -> value; units in the names: lag_seconds, behind_bytes
    std::optional<double> progress;              // 0..1 of long work
    bool gave_up = false;                        // long work that was accepted has ended without its effect
    // Long work that was accepted was cut off: asked for again it goes on where it stopped, while tries are left.
    bool cut_off = false;
    std::optional<Span> again_after;  // when to look again, if that is sooner than anybody would
};

}  // namespace kedge
