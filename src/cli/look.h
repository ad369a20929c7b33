// How states look: each has a glyph, a word and a colour, and no meaning rests on colour alone.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/truth.h"
#include "cli/text.h"
#include "engine/run_state.h"

namespace kedge {

enum class Tone { plain, strong, faint, active, waiting, good, bad, unknown, taking_back, alarm };

// A place that texts are written to, as far as their looks depend on it.
struct Surface {
    bool interactive = false;  // a terminal: may be redrawn, has a width
    bool colour = false;
    Charset charset = Charset::ascii;
    std::size_t columns = 80, rows = 24;  // of a terminal
};

// `text` in its colour, if there are colours.
std::string painted(std::string_view text, Tone tone, const Surface& surface);

struct Mark {
    std::string_view glyph, ascii, word;
    Tone tone;
};
Mark mark_of(StepState state);
Mark mark_of(RunPhase phase, std::optional<RunResult> result);
Mark mark_of(Truth value);

std::string_view glyph(const Mark& mark, const Surface& surface);
// "✔ succeeded", painted.
std::string shown(const Mark& mark, const Surface& surface);

}  // namespace kedge
