#include "cli/text.h"

#include <fmt/format.h>
#include <wchar.h>

#include <algorithm>
#include <clocale>
#include <cstdint>

namespace kedge {
namespace {

// One character of UTF-8 (RFC 3629), or one byte that is none.
struct Character {
    std::uint32_t code = 0;
    std::size_t bytes = 1;
    bool valid = false;
};

Character character_at(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    const std::uint8_t first = byte(at);
    if (first < 0x80) return {first, 1, true};
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || at + length > text.size()) return {first, 1, false};
    std::uint32_t code = first & (0xffu >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(at + i) & 0xc0) != 0x80) return {first, 1, false};
        code = (code << 6) | (byte(at + i) & 0x3f);
    }
    const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    if (overlong || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return {first, 1, false};
    return {code, length, true};
}

std::size_t width_of(const Character& character) {
    if (!character.valid) return 1;
    const int width = wcwidth(static_cast<wchar_t>(character.code));
    return width < 0 ? 1 : static_cast<std::size_t>(width);
}

bool overrides_direction(std::uint32_t code) {
    return (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code == 0x200e || code == 0x200f;
}

// How many bytes of `text` from `at` fit into `width` columns.
std::size_t fitting(std::string_view text, std::size_t at, std::size_t width) {
    std::size_t end = at, used = 0;
    while (end < text.size()) {
        const Character character = character_at(text, end);
        used += width_of(character);
        if (used > width) break;
        end += character.bytes;
    }
    return end - at;
}

}  // namespace

std::string printable(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const Character character = character_at(text, at);
        if (!character.valid || character.code == 0x7f || (character.code >= 0x80 && character.code < 0xa0))
            out += fmt::format("\\x{:02x}", character.code);
        else if (character.code == '\n' || character.code == '\t')
            out += ' ';
        else if (character.code < 0x20)
            out += fmt::format("\\x{:02x}", character.code);
        else if (overrides_direction(character.code))
            out += fmt::format("\\u{:04x}", character.code);
        else
            out += text.substr(at, character.bytes);
        at += character.bytes;
    }
    return out;
}

void know_widths() {
    std::setlocale(LC_CTYPE, "C.UTF-8");
}

std::size_t display_width(std::string_view text) {
    std::size_t width = 0;
    for (std::size_t at = 0; at < text.size();) {
        const Character character = character_at(text, at);
        width += width_of(character);
        at += character.bytes;
    }
    return width;
}

std::string shortened(std::string_view text, std::size_t width, Charset charset) {
    if (display_width(text) <= width) return std::string(text);
    const std::string_view ellipsis = charset == Charset::utf8 ? "…" : "~";
    if (width == 0) return {};
    return std::string(text.substr(0, fitting(text, 0, width - 1))) + std::string(ellipsis);
}

std::string padded(std::string_view text, std::size_t width) {
    const std::size_t used = display_width(text);
    return std::string(text) + std::string(width > used ? width - used : 0, ' ');
}

std::vector<std::string> wrapped(std::string_view text, std::size_t width) {
    std::vector<std::string> lines;
    width = std::max<std::size_t>(width, 1);
    while (display_width(text) > width) {
        std::size_t end = std::max<std::size_t>(fitting(text, 0, width), character_at(text, 0).bytes);
        // A break is at a blank within the line or right after it.
        const std::size_t blank = text.substr(0, end + 1).rfind(' ');
        if (blank != std::string_view::npos && blank > 0) end = blank;
        lines.emplace_back(text.substr(0, end));
        text.remove_prefix(end);
        while (text.starts_with(' ')) text.remove_prefix(1);
    }
    if (!text.empty() || lines.empty()) lines.emplace_back(text);
    return lines;
}

}  // namespace kedge
