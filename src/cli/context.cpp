#include "cli/context.h"

#include <fmt/format.h>

namespace kedge {

std::optional<std::string> Context::variable(const std::string& name) const {
    const auto found = around_.environment.find(name);
    if (found == around_.environment.end() || found->second.empty()) return std::nullopt;
    return found->second;
}

bool Context::may_ask() const {
    return around_.in_is_terminal && around_.errors_is_terminal && !global_.no_input && !variable("KEDGE_NO_INPUT");
}

Result<std::string> Context::ask(std::string_view question) {
    if (!may_ask()) return Error{Fault::refused, "nobody can be asked here"};
    console_.flush();
    around_.errors << question << ' ' << std::flush;
    std::string answer;
    if (!std::getline(around_.in, answer)) return Error{Fault::refused, "no answer was given"};
    return answer;
}

Result<void> Context::confirm(std::string given, const std::string& name, std::string_view question,
                              std::string_view first) {
    if (given.empty() && may_ask()) given = TRY(ask(question));
    if (given == name) return {};
    return Error{Fault::refused, given.empty() ? "it was not confirmed" : "what was typed is not its name",
                 fmt::format("{}say --confirm {}", first, name)};
}

}  // namespace kedge
