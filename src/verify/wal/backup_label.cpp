#include "verify/wal/backup_label.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "verify/wal/wal_file_name.h"

namespace kedge::verify {
namespace {

Error wrong(std::string_view line) {
    return Error{Fault::corrupt, fmt::format("not a line of a backup label: '{}'", line.substr(0, 80))};
}

Result<std::uint32_t> number(std::string_view text) {
    std::uint32_t value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || value == 0) return wrong(text);
    return value;
}

// "0/2000028 (file 000000010000000000000002)", or the position alone.
Result<Lsn> position(std::string_view text) {
    return parse_lsn(text.substr(0, text.find(' ')));
}

// The name in it; empty if it says none, or none that a segment has.
std::string segment_named(std::string_view text) {
    constexpr std::string_view before = "(file ", after = ")";
    const auto at = text.find(before);
    if (at == std::string_view::npos || !text.ends_with(after)) return "";
    const std::string_view name = text.substr(at + before.size(), text.size() - after.size() - at - before.size());
    return parse_wal_file_name(name).kind == WalFileKind::segment ? std::string(name) : "";
}

Result<void> take_line(BackupLabel& label, std::string_view key, std::string_view value) {
    if (key == "START WAL LOCATION") {
        label.start = TRY(position(value));
        label.start_segment = segment_named(value);
    } else if (key == "STOP WAL LOCATION") {
        label.stop = TRY(position(value));
    } else if (key == "CHECKPOINT LOCATION") {
        label.checkpoint = TRY(position(value));
    } else if (key == "START TIMELINE") {
        label.start_timeline = TRY(number(value));
    } else if (key == "STOP TIMELINE") {
        label.stop_timeline = TRY(number(value));
    } else if (key == "INCREMENTAL FROM LSN") {
        label.incremental_from = TRY(position(value));
    } else if (key == "INCREMENTAL FROM TLI") {
        label.incremental_from_timeline = TRY(number(value));
    } else if (key == "BACKUP METHOD") {
        label.method = value;
    } else if (key == "BACKUP FROM") {
        label.from = value;
        if (value != "primary" && value != "standby" && value != "master") return wrong(value);
    } else if (key == "START TIME") {
        label.start_time = value;
    } else if (key == "STOP TIME") {
        label.stop_time = value;
    } else if (key == "LABEL") {
        label.label = value;
    } else {
        return wrong(key);
    }
    return {};
}

}  // namespace

Result<BackupLabel> parse_backup_label(std::string_view text) {
    if (text.size() > backup_label_bytes_max) return Error{Fault::corrupt, "it is larger than any backup label"};
    BackupLabel label;
    std::set<std::string_view> seen;
    while (!text.empty()) {
        const auto end = text.find('\n');
        if (end == std::string_view::npos) return Error{Fault::corrupt, "its last line does not end"};
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(end + 1);
        const auto colon = line.find(": ");
        if (colon == std::string_view::npos) return wrong(line);
        const std::string_view key = line.substr(0, colon);
        if (!seen.insert(key).second) return Error{Fault::corrupt, fmt::format("it has two lines '{}'", key)};
        if (const auto taken = take_line(label, key, line.substr(colon + 2)); !taken) return wrong(line);
    }
    for (const std::string_view needed :
         {"START WAL LOCATION", "CHECKPOINT LOCATION", "BACKUP METHOD", "BACKUP FROM", "START TIMELINE"})
        if (!seen.contains(needed)) return Error{Fault::corrupt, fmt::format("it has no line '{}'", needed)};
    return label;
}

Result<std::vector<MappedTablespace>> parse_tablespace_map(std::string_view text) {
    std::vector<MappedTablespace> tablespaces;
    std::string line;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 1 < text.size()) {  // stands before a line break or a backslash in a path
            line.push_back(text[++i]);
            continue;
        }
        if (text[i] != '\n') {
            line.push_back(text[i]);
            continue;
        }
        MappedTablespace& mapped = tablespaces.emplace_back();
        const auto blank = std::min(line.find(' '), line.size());
        const auto read = std::from_chars(line.data(), line.data() + blank, mapped.oid);
        if (read.ec != std::errc{} || read.ptr != line.data() + blank || blank + 1 >= line.size())
            return Error{Fault::corrupt, fmt::format("not a line of a tablespace map: '{}'", line.substr(0, 80))};
        mapped.path = line.substr(blank + 1);
        line.clear();
    }
    if (!line.empty()) return Error{Fault::corrupt, "the last line of the tablespace map does not end"};
    return tablespaces;
}

}  // namespace kedge::verify
