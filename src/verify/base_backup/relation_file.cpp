#include "verify/base_backup/relation_file.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

namespace kedge::verify {
namespace {

constexpr std::uint32_t default_tablespace = 1663, global_tablespace = 1664;

// A decimal number as the server writes object identifiers: no sign, no leading zero.
std::optional<std::uint32_t> number(std::string_view text) {
    std::uint32_t value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || text.front() == '0') return std::nullopt;
    return value;
}

// "16384", "16384_vm.1"
bool parse_name(std::string_view name, RelationFile& file) {
    if (const auto dot = name.find('.'); dot != std::string_view::npos) {
        const auto segment = number(name.substr(dot + 1));
        if (!segment) return false;
        file.segment = *segment;
        name = name.substr(0, dot);
    }
    constexpr std::array<std::string_view, 3> forks{"_fsm", "_vm", "_init"};
    for (std::size_t i = 0; i < forks.size(); ++i)
        if (name.ends_with(forks[i])) {
            file.fork = static_cast<std::uint8_t>(i + 1);
            name.remove_suffix(forks[i].size());
            break;
        }
    const auto relation = number(name);
    if (!relation) return false;
    file.relation = *relation;
    return true;
}

}  // namespace

std::optional<RelationFile> parse_relation_path(std::string_view path) {
    std::vector<std::string_view> parts;
    for (std::size_t at = 0; at <= path.size() && parts.size() < 6;) {
        const auto end = std::min(path.find('/', at), path.size());
        parts.push_back(path.substr(at, end - at));
        at = end + 1;
    }
    RelationFile file;
    std::optional<std::uint32_t> tablespace, database;
    if (parts.size() == 2 && parts[0] == "global") {
        tablespace = global_tablespace;
        database = 0;
    } else if (parts.size() == 3 && parts[0] == "base") {
        tablespace = default_tablespace;
        database = number(parts[1]);
    } else if (parts.size() == 5 && parts[0] == "pg_tblspc" && parts[2].starts_with("PG_")) {
        tablespace = number(parts[1]);
        database = number(parts[3]);
    }
    if (!tablespace || !database || !parse_name(parts.back(), file)) return std::nullopt;
    file.tablespace = *tablespace;
    file.database = *database;
    return file;
}

}  // namespace kedge::verify
