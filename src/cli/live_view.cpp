// A run on a terminal: as much of it as fits, what needs people first.

#include <fmt/format.h>

#include <algorithm>

#include "cli/run_view.h"

namespace kedge {
namespace {

// A step that has to be seen whatever the size: it moves, it waits, or something is wrong with it.
bool matters(StepState state) {
    switch (state) {
        case StepState::pending:
        case StepState::succeeded:
        case StepState::skipped:
        case StepState::cancelled:
        case StepState::compensated: return false;
        case StepState::ready:
        case StepState::waiting:
        case StepState::running:
        case StepState::failed:
        case StepState::unknown:
        case StepState::compensating:
        case StepState::compensation_failed: return true;
    }
    return true;
}

// A line of one colour, cut at the width of the window.
std::string line_of(const std::string& text, Tone tone, const Surface& surface) {
    return painted(shortened(printable(text), surface.columns, surface.charset), tone, surface);
}

class View {
public:
    View(const RunState& state, const Surface& surface, Moment now)
        : state_(state), surface_(surface), now_(now), room_(std::max<std::size_t>(surface.rows, 2) - 1) {
        for (std::size_t i = 0; i < state.size(); ++i)
            id_width_ = std::max(id_width_, display_width(state.bound(i).id));
        id_width_ = std::min(id_width_, std::max<std::size_t>(surface.columns / 3, 8));
    }

    std::vector<std::string> take() {
        head();
        std::vector<std::vector<std::string>> steps;
        std::size_t needed = lines_.size();
        for (std::size_t i = 0; i < state_.size(); ++i) needed += steps.emplace_back(step_lines(i)).size();
        if (needed <= room_) {
            for (const auto& lines : steps) add(lines);
        } else {
            add_folded({StepState::succeeded, StepState::skipped, StepState::compensated}, "done");
            for (std::size_t i = 0; i < state_.size(); ++i)
                if (matters(state_.record(i).state)) add(steps[i]);
            add_folded({StepState::pending, StepState::cancelled}, "later");
        }
        if (lines_.size() > room_) {
            const std::size_t left_out = lines_.size() - room_ + 1;
            lines_.resize(room_ - 1);
            lines_.push_back(line_of(fmt::format(" {} more lines do not fit", left_out), Tone::faint, surface_));
        }
        return std::move(lines_);
    }

private:
    void add(const std::vector<std::string>& lines) { lines_.insert(lines_.end(), lines.begin(), lines.end()); }

    void head() {
        const Mark mark = mark_of(state_.phase(), state_.result());
        const Span age = state_.ended_at().value_or(now_) - state_.started_at();
        std::string title = fmt::format("{} {}  {} {}  {}  {}", state_.id(), state_.plan().name, glyph(mark, surface_),
                                        mark.word, readable(age), to_string(state_.header().mode));
        lines_.push_back(line_of(title, mark.tone == Tone::alarm ? Tone::alarm : Tone::strong, surface_));
        const bool stands = state_.phase() == RunPhase::paused || state_.phase() == RunPhase::holding ||
                            state_.phase() == RunPhase::compensating;
        if (stands && !state_.phase_says().empty())
            lines_.push_back(line_of("  " + state_.phase_says(), mark.tone, surface_));
    }

    std::vector<std::string> step_lines(std::size_t step) const {
        const BoundStep& bound = state_.bound(step);
        const StepRecord& record = state_.record(step);
        const Mark mark = mark_of(record.state);
        std::string says = record.says;
        if (record.state == StepState::waiting) says = "waiting: " + still_needed(state_, step);
        if (says.empty()) says = bound.title.empty() ? doing(bound) : bound.title;
        std::string text = fmt::format(" {} {}", glyph(mark, surface_),
                                       padded(shortened(bound.id, id_width_, surface_.charset), id_width_));
        std::string took;
        if (const auto span = time_taken(record, now_); span && record.state != StepState::skipped)
            took = readable(*span);
        const std::size_t used = display_width(text) + 2 + (took.empty() ? 0 : took.size() + 2);
        if (surface_.columns > used + 8) {
            const std::size_t room = surface_.columns - used;
            text += "  " + padded(shortened(printable(says), room, surface_.charset), took.empty() ? 0 : room);
            if (!took.empty()) text += "  " + took;
        }
        std::vector<std::string> lines = {line_of(text, mark.tone, surface_)};
        if (record.state == StepState::waiting && !record.asks.empty())
            lines.push_back(line_of("     " + record.asks, Tone::plain, surface_));
        if (record.state == StepState::waiting || record.state == StepState::unknown)
            lines.push_back(line_of(
                fmt::format("     {} {}", surface_.charset == Charset::utf8 ? "→" : "->", answer_command(state_, step)),
                Tone::plain, surface_));
        return lines;
    }

    // " ✔ 4 done (check-dr, promote, ...)"
    void add_folded(const std::vector<StepState>& states, std::string_view word) {
        std::vector<std::string> ids;
        for (std::size_t i = 0; i < state_.size(); ++i)
            if (std::ranges::find(states, state_.record(i).state) != states.end()) ids.push_back(state_.bound(i).id);
        if (ids.empty()) return;
        const Mark mark = mark_of(states.front());
        lines_.push_back(
            line_of(fmt::format(" {} {} {} ({})", glyph(mark, surface_), ids.size(), word, fmt::join(ids, ", ")),
                    mark.tone, surface_));
    }

    const RunState& state_;
    const Surface& surface_;
    const Moment now_;
    const std::size_t room_;
    std::size_t id_width_ = 0;
    std::vector<std::string> lines_;
};

}  // namespace

std::vector<std::string> live_view(const RunState& state, const Surface& surface, Moment now) {
    return View(state, surface, now).take();
}

}  // namespace kedge
