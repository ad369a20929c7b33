#include "journal/export.h"

#include <fmt/format.h>

#include <istream>
#include <optional>
#include <ostream>

#include "journal/chain.h"

namespace kedge {
namespace {

constexpr std::string_view format_name = "kedge-journal";
constexpr std::int64_t format_version = 1;
constexpr std::size_t entries_at_a_time = 500;
constexpr std::size_t line_bytes_max = body_bytes_max + 4096;  // what stands around a body is short

std::int64_t micros(Moment moment) {
    return moment.time_since_epoch().count();
}

// The body is written as the exact text that was hashed.
void write_entry(std::ostream& out, const Entry& entry) {
    const Json head = {{"position", entry.position},    {"run", entry.run},
                       {"epoch", entry.epoch},          {"kind", entry.kind},
                       {"time", to_string(entry.time)}, {"time_us", micros(entry.time)}};
    std::string line = dump(head);
    line.pop_back();
    out << line << R"(,"body":)" << dump(entry.body) << R"(,"digest":")" << entry.digest << "\"}\n";
}

// The next line without its end; nothing at the end of the stream.
Result<std::optional<std::string>> next_line(std::istream& in) {
    std::string line;
    for (int c = in.get(); c != std::istream::traits_type::eof(); c = in.get()) {
        if (c == '\n') return std::optional(std::move(line));
        if (line.size() == line_bytes_max) return Error{Fault::corrupt, "the line is longer than any entry can be"};
        line += static_cast<char>(c);
    }
    if (in.bad()) return Error{Fault::unavailable, "the export cannot be read further"};
    if (!line.empty()) return Error{Fault::corrupt, "the export ends within a line"};
    return std::optional<std::string>();
}

Result<void> check_heading(const std::optional<std::string>& line) {
    const Error no_export{Fault::invalid_input, "this is no export of a kedge journal"};
    if (!line) return no_export;
    const Result<Json> heading = parse_json(*line);
    if (!heading || get_string(*heading, "format") != format_name) return no_export;
    const std::optional<std::int64_t> version = get_integer(*heading, "version");
    if (version != format_version)
        return Error{Fault::invalid_input, fmt::format("this export has version {}, this kedge knows {}",
                                                       version.value_or(0), format_version)};
    return {};
}

Result<void> check_entry(ChainWalk& walk, const Json& line) {
    const auto position = get_integer(line, "position");
    const auto epoch = get_integer(line, "epoch");
    const auto time = get_integer(line, "time_us");
    const auto run = get_string(line, "run");
    const auto kind = get_string(line, "kind");
    const auto digest = get_string(line, "digest");
    const bool whole = position && epoch && time && run && kind && digest && line.contains("body");
    if (!whole) return Error{Fault::corrupt, "a field of the entry is missing or of the wrong kind"};
    const Moment moment{Span{*time}};
    // The readable time is not hashed; it must not say anything else than what is.
    if (get_string(line, "time") != to_string(moment))
        return Error{Fault::corrupt, fmt::format("the time of entry {} says otherwise than its time_us", *position)};
    const std::string body = dump(get(line, "body"));
    return walk.step({static_cast<Position>(*position), *run, static_cast<Epoch>(*epoch), *kind, moment, body},
                     *digest);
}

// Whether the line is the last one; it must then fit what was read.
Result<bool> is_ending(const ChainWalk& walk, const Json& line) {
    if (!line.contains("entries")) return false;
    if (get_integer(line, "entries") != static_cast<std::int64_t>(walk.entries()) ||
        get_string(line, "head") != walk.head())
        return Error{Fault::corrupt,
                     fmt::format("the export ends with other figures than its {} entries give", walk.entries())};
    return true;
}

Result<ExportSummary> verify_lines(std::istream& in, std::uint64_t& number) {
    number = 1;
    TRY(check_heading(TRY(next_line(in))));
    ChainWalk walk;
    for (;;) {
        ++number;
        const std::optional<std::string> text = TRY(next_line(in));
        if (!text) return Error{Fault::corrupt, "the export has no last line: it was cut off"};
        const Result<Json> line = parse_json(*text);
        if (!line || !line->is_object()) return Error{Fault::corrupt, "the line is no JSON object"};
        if (TRY(is_ending(walk, *line))) break;
        TRY(check_entry(walk, *line));
    }
    ++number;
    if (TRY(next_line(in))) return Error{Fault::corrupt, "there is more after the last line"};
    return ExportSummary{walk.entries(), walk.head()};
}

}  // namespace

Result<ExportSummary> export_journal(const Journal& journal, std::ostream& out) {
    out << dump(Json{{"format", format_name}, {"version", format_version}}) << '\n';
    ExportSummary summary;
    for (;;) {
        const std::vector<Entry> entries = TRY(journal.read("", summary.entries, entries_at_a_time));
        for (const Entry& entry : entries) write_entry(out, entry);
        if (!out) return Error{Fault::unavailable, "the export cannot be written further"};
        if (entries.empty()) break;
        summary = {entries.back().position, entries.back().digest};
    }
    out << dump(Json{{"entries", summary.entries}, {"head", summary.head}}) << '\n' << std::flush;
    if (!out) return Error{Fault::unavailable, "the export cannot be written further"};
    return summary;
}

Result<ExportSummary> verify_export(std::istream& in) {
    std::uint64_t number = 0;
    return verify_lines(in, number).within(fmt::format("line {}", number));
}

}  // namespace kedge
