#include "verify/wal/wal_file_name.h"

#include <charconv>

#include "base/wal_history.h"

namespace kedge::verify {
namespace {

constexpr std::size_t segment_digits = 24;

std::uint32_t eight_digits(std::string_view text, std::size_t at) {
    std::uint32_t value = 0;
    std::from_chars(text.data() + at, text.data() + at + 8, value, 16);
    return value;
}

bool strip(std::string_view& name, std::string_view suffix) {
    if (!name.ends_with(suffix)) return false;
    name.remove_suffix(suffix.size());
    return true;
}

void strip_compression(std::string_view& name) {
    for (const std::string_view suffix : {".gz", ".lz4", ".zst", ".xz", ".bz2"})
        if (strip(name, suffix)) return;
}

// pgBackRest: the name, a dash and the SHA-1 of what is inside.
void strip_digest(std::string_view& name) {
    constexpr std::size_t digest_digits = 40;
    if (name.size() == segment_digits + 1 + digest_digits && name[segment_digits] == '-' &&
        name.find_first_not_of("0123456789abcdef", segment_digits + 1) == std::string_view::npos)
        name = name.substr(0, segment_digits);
}

bool is_hexadecimal(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789ABCDEF") == std::string_view::npos;
}

WalFileKind kind_of(std::string_view name, bool partial) {
    if (is_segment_name(name)) return partial ? WalFileKind::partial : WalFileKind::segment;
    if (partial) return WalFileKind::foreign;
    if (name.size() == 16 && name.ends_with(".history") && is_hexadecimal(name.substr(0, 8)))
        return WalFileKind::history;
    if (name.size() == 40 && name.ends_with(".backup") && is_segment_name(name.substr(0, segment_digits)) &&
        name[segment_digits] == '.' && is_hexadecimal(name.substr(25, 8)))
        return WalFileKind::backup_history;
    return WalFileKind::foreign;
}

}  // namespace

WalFileName parse_wal_file_name(std::string_view path) {
    std::string_view name = path.substr(path.rfind('/') + 1);
    bool partial = strip(name, ".partial");
    strip_compression(name);
    partial = strip(name, ".partial") || partial;
    strip_digest(name);
    WalFileName parsed{.kind = kind_of(name, partial), .stem = std::string(name)};
    if (parsed.kind == WalFileKind::foreign) return parsed;
    parsed.timeline = eight_digits(name, 0);
    if (parsed.kind == WalFileKind::history) return parsed;
    parsed.log = eight_digits(name, 8);
    parsed.segment = eight_digits(name, 16);
    return parsed;
}

}  // namespace kedge::verify
