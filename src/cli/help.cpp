#include "cli/help.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/command_line.h"
#include "cli/text.h"

namespace kedge {
namespace {

constexpr std::size_t help_width = 80;

std::string heading(std::string_view text, const Surface& surface) {
    return "\n" + painted(text, Tone::strong, surface) + "\n";
}

// "  left   what it says, broken into lines beside it"
void add_row(std::string& out, std::string_view left, std::string_view says, std::size_t left_width) {
    const std::size_t indent = left_width + 4;
    const std::vector<std::string> lines = wrapped(says, help_width - indent);
    out += fmt::format("  {}  {}\n", padded(left, left_width), lines.front());
    for (std::size_t i = 1; i < lines.size(); ++i) out += std::string(indent, ' ') + lines[i] + "\n";
}

struct Row {
    std::string left, says;
};

std::string rows(const std::vector<Row>& list) {
    std::size_t width = 0;
    for (const Row& row : list) width = std::max(width, display_width(row.left));
    std::string out;
    for (const Row& row : list) add_row(out, row.left, row.says, width);
    return out;
}

std::string usage_of(const Command& command) {
    std::string usage = "kedge " + command.path;
    for (const ArgumentSpec& argument : command.arguments) {
        const std::string name = argument.name + (argument.many ? "..." : "");
        usage += argument.required ? " " + name : " [" + name + "]";
    }
    if (!command.options.empty()) usage += " [options]";
    return usage;
}

Row row_of(const OptionSpec& option) {
    std::string left = option.letter == 0 ? "    " : fmt::format("-{}, ", option.letter);
    left += "--" + option.name;
    if (!option.value.empty()) left += " " + option.value;
    std::string says = option.says;
    if (!option.choices.empty() && option.name != "color")
        says += fmt::format(" ({})", fmt::join(option.choices, ", "));
    return {std::move(left), std::move(says)};
}

std::string option_rows(const std::vector<OptionSpec>& options) {
    std::vector<Row> list;
    for (const OptionSpec& option : options) list.push_back(row_of(option));
    return rows(list);
}

std::string first_word(const std::string& path, std::size_t from) {
    return path.substr(from, path.find(' ', from) - from);
}

}  // namespace

std::string help_of(const Command& command, const Surface& surface) {
    std::string out = command.summary + (command.summary.ends_with('?') ? "\n" : ".\n");
    for (const std::string& line : wrapped(command.details, help_width))
        if (!command.details.empty()) out += line + "\n";
    out += heading("Usage", surface) + "  " + usage_of(command) + "\n";
    if (!command.arguments.empty()) {
        std::vector<Row> list;
        for (const ArgumentSpec& argument : command.arguments) list.push_back({argument.name, argument.says});
        out += heading("Arguments", surface) + rows(list);
    }
    if (!command.options.empty()) out += heading("Options", surface) + option_rows(command.options);
    out += heading("Options of every command", surface) + option_rows(global_options());
    if (!command.examples.empty()) {
        out += heading("Examples", surface);
        for (const std::string& example : command.examples) out += "  " + example + "\n";
    }
    std::vector<ExitCode> codes = {ExitCode::ok, ExitCode::failed, ExitCode::usage};
    codes.insert(codes.end(), command.exits.begin(), command.exits.end());
    std::ranges::sort(codes);
    std::vector<Row> list;
    for (const ExitCode code : codes)
        list.push_back({fmt::format("{:>3}", static_cast<int>(code)), std::string(meaning(code))});
    return out + heading("Exit codes", surface) + rows(list);
}

std::string help_of_group(const std::vector<Command>& commands, const std::string& group, const Surface& surface) {
    std::vector<Row> list;
    const std::string before = group.empty() ? "" : group + " ";
    for (const Command& command : commands) {
        if (!command.path.starts_with(before)) continue;
        const std::string word = first_word(command.path, before.size());
        const bool leaf = command.path.size() == before.size() + word.size();
        const auto seen = std::ranges::find(list, word, &Row::left);
        if (seen == list.end())
            list.push_back({word, leaf ? command.summary : command.path.substr(before.size() + word.size() + 1)});
        else if (!leaf)
            seen->says += ", " + command.path.substr(before.size() + word.size() + 1);
    }
    std::string out;
    if (group.empty()) out = "Kedge runs recovery plans, measures what they achieve, and remembers what is owed.\n";
    out += heading("Usage", surface) + fmt::format("  kedge {}COMMAND [options]\n", before);
    out += heading("Commands", surface) + rows(list);
    out += heading("Options of every command", surface) + option_rows(global_options());
    return out + fmt::format("\n`kedge {}COMMAND --help` says more about one of them.\n", before);
}

}  // namespace kedge
