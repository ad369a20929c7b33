#include "cli/console.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/text.h"

namespace kedge {
namespace {

// The schema of everything that is written for programs.
constexpr std::string_view api_version = "v1";

Json problem(std::string_view what, const Error& error, ExitCode code) {
    return {{"type", fmt::format("urn:kedge:problem:{}", to_string(error.fault))},
            {"title", what},
            {"detail", error.message},
            {"hint", error.hint},
            {"fault", to_string(error.fault)},
            {"exit_code", static_cast<int>(code)}};
}

}  // namespace

Console::Console(const Surroundings& surroundings, const ConsoleOptions& options)
    : surroundings_(surroundings), options_(options) {
    measure();
}

void Console::measure() {
    out_ = surface_of(surroundings_, surroundings_.out_is_terminal, options_.colour);
    errors_ = surface_of(surroundings_, surroundings_.errors_is_terminal, options_.colour);
}

void Console::print(std::string_view text) {
    surroundings_.out << text;
}

void Console::print_line(std::string_view text) {
    surroundings_.out << text << '\n';
}

void Console::flush() {
    surroundings_.out.flush();
}

bool Console::is_read() const {
    return surroundings_.out.good();
}

void Console::print_envelope(std::string_view kind, std::string_view name, Json content) {
    Json envelope = {{"api_version", api_version}, {"kind", kind}};
    envelope[std::string(name)] = std::move(content);
    envelope["warnings"] = warnings_;
    envelope["as_of"] = to_string(surroundings_.clock.now());
    print_line(dump_pretty(envelope));
}

void Console::print_item(std::string_view kind, Json item) {
    print_envelope(kind, "item", std::move(item));
}

void Console::print_items(std::string_view kind, Json items) {
    print_envelope(kind, "items", std::move(items));
}

void Console::print_record(const Json& record) {
    print_line(dump(record));
}

void Console::note(std::string_view text) {
    if (!options_.quiet) surroundings_.errors << text << '\n';
}

void Console::warn(std::string_view text) {
    warnings_.emplace_back(text);
    if (!json()) surroundings_.errors << painted("warning: ", Tone::unknown, errors_) << text << '\n';
}

ExitCode Console::fail_as(std::string_view what, const Error& error, ExitCode code) {
    flush();
    if (json()) {
        surroundings_.errors << dump_pretty(problem(what, error, code)) << '\n';
        return code;
    }
    const bool unknown = code == ExitCode::outcome_unknown || code == ExitCode::unverifiable;
    const Mark mark = mark_of(unknown ? Truth::unknown : Truth::no);
    surroundings_.errors << painted(fmt::format("{} {}", glyph(mark, errors_), what), mark.tone, errors_) << '\n';
    for (std::string_view rest = error.message; !rest.empty();) {  // a line for each mistake of a file
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        surroundings_.errors << "  " << printable(rest.substr(0, end)) << '\n';
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    if (!error.hint.empty())
        surroundings_.errors << "  " << (errors_.charset == Charset::utf8 ? "→ " : "-> ") << printable(error.hint)
                             << '\n';
    return code;
}

ExitCode Console::fail(std::string_view what, const Error& error) {
    return fail_as(what, error, exit_code_of(error.fault));
}

ExitCode Console::fail_usage(const Error& error) {
    return fail_as("the command line is not understood", error, ExitCode::usage);
}

ExitCode Console::fail(std::string_view what, const Mistakes& mistakes) {
    flush();
    const ExitCode code = ExitCode::invalid_input;
    if (json()) {
        Json errors = Json::array();
        for (const Mistake& mistake : mistakes.list())
            errors.push_back({{"file", mistakes.path()},
                              {"line", mistake.place.line},
                              {"column", mistake.place.column},
                              {"detail", mistake.what},
                              {"hint", mistake.hint}});
        Json document = problem(what, mistakes.error(), code);
        document["errors"] = std::move(errors);
        surroundings_.errors << dump_pretty(document) << '\n';
        return code;
    }
    const Mark mark = mark_of(Truth::no);
    surroundings_.errors << painted(fmt::format("{} {}", glyph(mark, errors_), what), mark.tone, errors_) << '\n';
    for (const std::string& line : mistakes.lines()) surroundings_.errors << "  " << printable(line) << '\n';
    return code;
}

}  // namespace kedge
