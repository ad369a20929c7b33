#include "targets/postgres/control_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace kedge {
namespace {

Result<std::string> value_of(std::string_view text, std::string_view label) {
    const std::string start = fmt::format("{}:", label);
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (!line.starts_with(start)) continue;
        line.remove_prefix(start.size());
        line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
        return std::string{line};
    }
    return Error{Fault::corrupt, fmt::format("pg_controldata: no line '{}'", label)};
}

template <class Number>
Result<Number> number_of(std::string_view text, std::string_view label) {
    const std::string value = TRY(value_of(text, label));
    Number number{};
    if (std::from_chars(value.data(), value.data() + value.size(), number).ec != std::errc{})
        return Error{Fault::corrupt, fmt::format("pg_controldata: {}: '{}' is no number", label, value)};
    return number;
}

}  // namespace

Result<ControlData> parse_control_data(std::string_view text) {
    ControlData data;
    data.state = TRY(value_of(text, "Database cluster state"));
    const std::string checkpoint = TRY(value_of(text, "Latest checkpoint location"));
    data.checkpoint = TRY(parse_lsn(checkpoint).within("pg_controldata: Latest checkpoint location"));
    data.timeline = TRY(number_of<std::uint32_t>(text, "Latest checkpoint's TimeLineID"));
    data.system_identifier = TRY(value_of(text, "Database system identifier"));
    data.wal_segment_bytes = TRY(number_of<std::uint64_t>(text, "Bytes per WAL segment"));
    data.wal_log_hints = TRY(value_of(text, "wal_log_hints setting")) == "on";
    data.data_checksums = TRY(number_of<int>(text, "Data page checksum version")) != 0;
    return data;
}

}  // namespace kedge
