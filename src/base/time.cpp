#include "base/time.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>

namespace kedge {
namespace {

using namespace std::chrono;

struct Unit {
    std::string_view name;
    std::int64_t micros;
};
// Longest first, so that a span is written in the largest unit that divides it.
constexpr std::array units = {Unit{"d", 86'400'000'000}, Unit{"h", 3'600'000'000}, Unit{"m", 60'000'000},
                              Unit{"s", 1'000'000},      Unit{"ms", 1'000},        Unit{"us", 1}};

bool digits(std::string_view text, std::size_t at, std::size_t count, int& out) {
    if (at + count > text.size()) return false;
    out = 0;
    for (std::size_t i = at; i < at + count; ++i) {
        if (text[i] < '0' || text[i] > '9') return false;
        out = out * 10 + (text[i] - '0');
    }
    return true;
}

Error bad_moment(std::string_view text, std::string_view why) {
    return {Fault::invalid_input, fmt::format("'{}' is not a moment: {}", text, why),
            "write it as 2026-11-23T14:00:12Z or with an offset such as +01:00"};
}

}  // namespace

std::string to_string(Moment moment) {
    const auto day = floor<days>(moment);
    const year_month_day date{day};
    const hh_mm_ss clock{floor<milliseconds>(moment - day)};
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                       clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

Result<Moment> parse_moment(std::string_view text) {
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
    const bool shape = digits(text, 0, 4, year) && text.size() >= 19 && text[4] == '-' && digits(text, 5, 2, month) &&
                       text[7] == '-' && digits(text, 8, 2, day) && (text[10] == 'T' || text[10] == ' ') &&
                       digits(text, 11, 2, hour) && text[13] == ':' && digits(text, 14, 2, minute) && text[16] == ':' &&
                       digits(text, 17, 2, second);
    if (!shape) return bad_moment(text, "it has not the form year-month-dayThour:minute:second");
    const year_month_day date{std::chrono::year{year}, std::chrono::month(static_cast<unsigned>(month)),
                              std::chrono::day(static_cast<unsigned>(day))};
    if (!date.ok() || hour > 23 || minute > 59 || second > 59) return bad_moment(text, "no such day or time");

    std::size_t at = 19;
    std::int64_t micros = 0;
    if (at < text.size() && text[at] == '.') {
        std::int64_t scale = 100'000;
        const std::size_t first = ++at;
        for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, scale /= 10)
            micros += (text[at] - '0') * scale;
        if (at == first) return bad_moment(text, "no digits after the point");
    }
    int offset_minutes = 0;
    const std::string_view zone = text.substr(at);
    if (zone.empty()) return bad_moment(text, "it has no time zone");
    if (zone != "Z") {
        int hours = 0, minutes = 0;
        if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || !digits(zone, 1, 2, hours) || zone[3] != ':' ||
            !digits(zone, 4, 2, minutes) || hours > 14 || minutes > 59)
            return bad_moment(text, "its time zone is neither Z nor of the form +hh:mm");
        offset_minutes = (zone[0] == '-' ? -1 : 1) * (hours * 60 + minutes);
    }
    return Moment{sys_days{date}.time_since_epoch() + std::chrono::hours{hour} +
                  std::chrono::minutes{minute - offset_minutes} + std::chrono::seconds{second} + microseconds{micros}};
}

std::string to_string(Span span) {
    for (const Unit& unit : units)
        if (span.count() % unit.micros == 0 && (span.count() != 0 || unit.name == "s"))
            return fmt::format("{}{}", span.count() / unit.micros, unit.name);
    return fmt::format("{}us", span.count());
}

Result<Span> parse_span(std::string_view text) {
    const auto bad = [&](std::string_view why) {
        return Error{Fault::invalid_input, fmt::format("'{}' is not a span of time: {}", text, why),
                     "write it with its unit, such as 250ms, 30s, 5m, 4h or 7d"};
    };
    double number = 0;
    const auto [end, status] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (status != std::errc{} || !std::isfinite(number)) return bad("it does not begin with a number");
    if (number < 0) return bad("it is negative");
    const std::string_view name(end, static_cast<std::size_t>(text.data() + text.size() - end));
    if (name.empty()) return bad("its unit is missing");
    for (const Unit& unit : units) {
        if (unit.name != name) continue;
        const double micros = number * static_cast<double>(unit.micros);
        if (micros > 9e17) return bad("it is too long");
        return Span{static_cast<std::int64_t>(std::llround(micros))};
    }
    return bad(fmt::format("'{}' is no unit", name));
}

std::string readable(Span span) {
    if (span < Span::zero()) return "-" + readable(-span);
    const std::int64_t total = duration_cast<std::chrono::seconds>(span).count();
    if (span < milliseconds{10}) return fmt::format("{:.1f} ms", seconds(span) * 1e3);
    if (span < milliseconds{999}) return fmt::format("{:.0f} ms", seconds(span) * 1e3);
    if (span < std::chrono::seconds{60}) return fmt::format("{:.1f} s", seconds(span));
    if (total < 3600) return fmt::format("{}m{:02}s", total / 60, total % 60);
    if (total < 86400) return fmt::format("{}h{:02}m", total / 3600, total / 60 % 60);
    return fmt::format("{}d{}h", total / 86400, total / 3600 % 24);
}

}  // namespace kedge
