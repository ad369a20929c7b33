#include "targets/postgres/fence_command.h"

#include <fmt/format.h>

#include <string_view>

namespace kedge {
namespace {

std::string last_line(std::string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
    const auto line = text.rfind('\n');
    return std::string(line == std::string_view::npos ? text : text.substr(line + 1));
}

// The sentence of the command: what it printed, else what it complained of, else how it ended.
std::string sentence(const RunOutput& output) {
    std::string said = last_line(output.out);
    if (said.empty()) said = last_line(output.err);
    return said.empty() ? to_string(output.exit) : said;
}

Error no_command(const std::string& who, std::string_view verb) {
    return {Fault::refused, fmt::format("{}: the estate names no command to {} the fence", who, verb),
            "name one under the target's fence, reached otherwise than the server itself"};
}

}  // namespace

Result<FenceLook> look_at_fence(const FenceCommands& commands, const std::string& who, Moment deadline) {
    if (commands.look.empty()) return no_command(who, "look at");
    const auto output = run(commands.look, deadline);
    if (!output) return FenceLook{Truth::unknown, output.error().message};
    if (output->exit == Exit{0, 0}) return FenceLook{Truth::yes, sentence(*output)};
    if (output->exit == Exit{1, 0}) return FenceLook{Truth::no, sentence(*output)};
    return FenceLook{Truth::unknown, sentence(*output)};
}

Result<void> change_fence(const FenceCommands& commands, FenceChange change, const std::string& who, Moment deadline) {
    const bool up = change == FenceChange::raise;
    const Arguments& command = up ? commands.raise : commands.lower;
    const std::string_view verb = up ? "raise" : "lower";
    if (command.empty()) return no_command(who, verb);
    const auto output = run(command, deadline);
    if (!output) return Error{output.error()}.within(fmt::format("{}: {} the fence", who, verb));
    if (output->exit.ok()) return {};
    const bool said_no = output->exit == Exit{1, 0};
    return Error{said_no ? Fault::refused : Fault::outcome_unknown,
                 fmt::format("{}: {} the fence: {}", who, verb, sentence(*output))};
}

}  // namespace kedge
