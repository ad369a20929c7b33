// version, completion, help: what the program says of itself.

#include <fmt/format.h>

#include <algorithm>

#include "base/suggest.h"
#include "cli/commands.h"
#include "cli/context.h"
#include "cli/help.h"

namespace kedge {
namespace {

ExitCode show_version(Context& context, const Nothing&) {
    Console& console = context.console();
    if (console.json())
        console.print_item("Version", {{"version", KEDGE_VERSION},
                                       {"commit", KEDGE_COMMIT},
                                       {"compiler", __VERSION__},
                                       {"plan_format", 1},
                                       {"estate_format", 1},
                                       {"journal_format", 1}});
    else
        console.print_line(fmt::format("kedge {} ({})", KEDGE_VERSION, KEDGE_COMMIT));
    return ExitCode::ok;
}

struct Completion {
    std::string shell;
};

ExitCode show_completion(Context& context, const Completion& options) {
    const std::string script = completion_script(context.commands(), options.shell);
    Console& console = context.console();
    if (script.empty())
        return console.fail_usage({Fault::invalid_input, fmt::format("there is no completion for '{}'", options.shell),
                                   "known: bash, zsh, fish"});
    if (console.json())
        console.print_item("Completion", {{"shell", options.shell}, {"script", script}});
    else
        console.print(script);
    return ExitCode::ok;
}

struct Help {
    std::vector<std::string> words;
};

Json described(const Command& command) {
    Json options = Json::array(), arguments = Json::array(), exits = Json::array();
    for (const OptionSpec& option : command.options)
        options.push_back({{"name", "--" + option.name}, {"value", option.value}, {"says", option.says}});
    for (const ArgumentSpec& argument : command.arguments)
        arguments.push_back({{"name", argument.name}, {"required", argument.required}, {"says", argument.says}});
    for (const ExitCode code : command.exits)
        exits.push_back({{"code", static_cast<int>(code)}, {"meaning", meaning(code)}});
    return {{"command", command.path}, {"summary", command.summary},   {"arguments", arguments},
            {"options", options},      {"examples", command.examples}, {"exits", exits}};
}

ExitCode show_help(Context& context, const Help& options) {
    Console& console = context.console();
    const std::string path = fmt::format("{}", fmt::join(options.words, " "));
    Json items = Json::array();
    std::vector<std::string> known;
    for (const Command& command : context.commands()) {
        known.push_back(command.path);
        if (path.empty() || command.path == path || command.path.starts_with(path + " "))
            items.push_back(described(command));
    }
    if (items.empty()) {
        const auto near = nearest(path, known);
        return console.fail_usage({Fault::invalid_input, fmt::format("there is no command 'kedge {}'", path),
                                   near ? fmt::format("did you mean 'kedge {}'?", *near) : "see `kedge --help`"});
    }
    if (console.json()) {
        console.print_items("CommandList", std::move(items));
        return ExitCode::ok;
    }
    const auto command = std::ranges::find(context.commands(), path, &Command::path);
    console.print(command != context.commands().end() ? help_of(*command, console.out())
                                                      : help_of_group(context.commands(), path, console.out()));
    return ExitCode::ok;
}

}  // namespace

std::vector<Command> about_commands() {
    return {command("version", "Say which kedge this is", show_version).example("kedge version --json"),
            command("completion", "Write a completion script for a shell", show_completion)
                .argument("SHELL", &Completion::shell, "bash, zsh or fish")
                .example("source <(kedge completion bash)")
                .example("kedge completion fish > ~/.config/fish/completions/kedge.fish"),
            command("help", "Say how a command is used", show_help)
                .argument("COMMAND", &Help::words, "its words; nothing for all commands")
                .example("kedge help run start")};
}

}  // namespace kedge
