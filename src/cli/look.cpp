#include "cli/look.h"

#include <fmt/format.h>

namespace kedge {
namespace {

// Select Graphic Rendition (ECMA-48): the sixteen colours, which people's terminals have tuned to be readable.
std::string_view code_of(Tone tone) {
    switch (tone) {
        case Tone::plain: return "";
        case Tone::strong: return "1";
        case Tone::faint: return "2";
        case Tone::active: return "34";
        case Tone::waiting: return "35";
        case Tone::good: return "32";
        case Tone::bad: return "31";
        case Tone::unknown: return "33";
        case Tone::taking_back: return "33;1";
        case Tone::alarm: return "31;7";
    }
    return "";
}

}  // namespace

std::string painted(std::string_view text, Tone tone, const Surface& surface) {
    const std::string_view code = code_of(tone);
    if (!surface.colour || code.empty() || text.empty()) return std::string(text);
    return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

Mark mark_of(StepState state) {
    switch (state) {
        case StepState::pending: return {"○", ".", "later", Tone::faint};
        case StepState::ready: return {"◌", ",", "looking", Tone::plain};
        case StepState::waiting: return {"◷", "@", "waiting", Tone::waiting};
        case StepState::running: return {"▸", ">", "running", Tone::active};
        case StepState::succeeded: return {"✔", "+", "succeeded", Tone::good};
        case StepState::failed: return {"✖", "x", "failed", Tone::bad};
        case StepState::unknown: return {"?", "?", "unknown", Tone::unknown};
        case StepState::skipped: return {"⤼", "-", "skipped", Tone::faint};
        case StepState::cancelled: return {"⊘", "/", "cancelled", Tone::faint};
        case StepState::compensating: return {"↶", "<", "taking back", Tone::taking_back};
        case StepState::compensated: return {"↶", "<", "taken back", Tone::taking_back};
        case StepState::compensation_failed: return {"‼", "!", "not taken back", Tone::alarm};
    }
    return {"?", "?", "unknown", Tone::unknown};
}

Mark mark_of(RunPhase phase, std::optional<RunResult> result) {
    switch (phase) {
        case RunPhase::running: return {"▸", ">", "running", Tone::active};
        case RunPhase::paused: return {"◷", "@", "paused", Tone::waiting};
        case RunPhase::holding: return {"‼", "!", "holding", Tone::alarm};
        case RunPhase::compensating: return {"↶", "<", "taking back", Tone::taking_back};
        case RunPhase::finishing: return {"▸", ">", "finishing", Tone::active};
        case RunPhase::ended: break;
    }
    if (!result) return {"?", "?", "unknown", Tone::unknown};
    switch (*result) {
        case RunResult::succeeded: return {"✔", "+", "succeeded", Tone::good};
        case RunResult::compensated: return {"↶", "<", "failed, taken back", Tone::taking_back};
        case RunResult::failed: return {"✖", "x", "failed", Tone::bad};
        case RunResult::cancelled: return {"⊘", "/", "cancelled", Tone::faint};
    }
    return {"?", "?", "unknown", Tone::unknown};
}

Mark mark_of(Truth value) {
    switch (value) {
        case Truth::yes: return {"✔", "+", "yes", Tone::good};
        case Truth::no: return {"✖", "x", "no", Tone::bad};
        case Truth::unknown: return {"?", "?", "unknown", Tone::unknown};
    }
    return {"?", "?", "unknown", Tone::unknown};
}

std::string_view glyph(const Mark& mark, const Surface& surface) {
    return surface.charset == Charset::utf8 ? mark.glyph : mark.ascii;
}

std::string shown(const Mark& mark, const Surface& surface) {
    return painted(fmt::format("{} {}", glyph(mark, surface), mark.word), mark.tone, surface);
}

}  // namespace kedge
