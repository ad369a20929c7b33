#include "cli/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "os/wait.h"
#include "verify/figures.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;

constexpr Span progress_period = 50ms, draw_period = 200ms, shown_after = 1s;
constexpr std::size_t bar_columns = 20, name_columns_min = 12;

std::string bar(double done, const Surface& surface) {
    const std::size_t full = static_cast<std::size_t>(done * static_cast<double>(bar_columns));
    std::string text;
    for (std::size_t i = 0; i < bar_columns; ++i)
        text += surface.charset == Charset::utf8 ? (i < full ? "█" : "░") : (i < full ? "#" : ".");
    return text;
}

}  // namespace

std::string progress_line(const ProgressState& state, const Surface& surface) {
    const double spent = std::max(seconds(state.elapsed), 0.001);
    const double rate = static_cast<double>(state.bytes_done) / spent;
    std::string tail;
    if (state.bytes_all == 0 && state.bytes_done == 0) {  // not a matter of bytes
        tail = fmt::format("  {}", readable(state.elapsed));
    } else if (state.bytes_all > 0) {
        const double done = std::min(1.0, static_cast<double>(state.bytes_done) / static_cast<double>(state.bytes_all));
        tail = fmt::format("  {} {:>3.0f} %", bar(done, surface), done * 100);
    } else {
        tail = fmt::format("  {}", verify::sized(state.bytes_done));
    }
    if (state.bytes_done > 0) tail += fmt::format("  {}/s", verify::sized(static_cast<std::uint64_t>(rate)));
    if (state.bytes_all > state.bytes_done && rate > 0) {
        const double left = static_cast<double>(state.bytes_all - state.bytes_done) / rate;
        tail += fmt::format("  {} left", left < 60 ? fmt::format("{:.0f} s", std::ceil(left))
                                                   : readable(std::chrono::seconds(static_cast<std::int64_t>(left))));
    }
    const std::size_t used = display_width(tail);
    const std::size_t room = surface.columns > used + name_columns_min ? surface.columns - used - 1 : name_columns_min;
    return shortened(shortened(printable(state.what), room, surface.charset) + tail,
                     surface.columns > 0 ? surface.columns - 1 : 0, surface.charset);
}

Progress::Progress(Context& context, verify::Effort& effort)
    : context_(context),
      effort_(effort),
      draws_(context.console().errors().interactive && !context.console().quiet()),
      thread_([this](const std::stop_token& stop) { serve(stop); }) {}

Progress::~Progress() {
    thread_.request_stop();
}

void Progress::begin(const std::string& what, std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    state_ = {what, 0, bytes, {}};
    bytes_before_ = effort_.bytes_read;
    begun_ = context_.now();
}

void Progress::serve(const std::stop_token& stop) {
    const Moment start = context_.now();
    Moment drawn{};
    std::ostream& out = context_.around().errors;
    while (wait_out(within(progress_period, stop))) {
        if (context_.around().interrupted()) {
            effort_.stop = true;
            interrupt_.request_stop();
        }
        const Moment now = context_.now();
        if (!draws_ || now - start < shown_after || now - drawn < draw_period) continue;
        const std::lock_guard lock(mutex_);
        if (state_.what.empty()) continue;
        state_.bytes_done = effort_.bytes_read - bytes_before_;
        state_.elapsed = now - begun_;
        out << '\r' << progress_line(state_, context_.console().errors()) << "\x1b[K" << std::flush;
        drawn = now;
    }
    if (drawn != Moment{}) out << "\r\x1b[K" << std::flush;
}

}  // namespace kedge
