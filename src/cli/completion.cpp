// Completion scripts. Words and options stand in the script itself, so that a key press costs no start of kedge;
// only names of plans, runs and targets are asked for.

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cli/command_line.h"
#include "cli/help.h"

namespace kedge {
namespace {

// What can follow each path: words of longer paths.
std::map<std::string, std::vector<std::string>> words_after(const std::vector<Command>& commands) {
    std::map<std::string, std::vector<std::string>> after;
    for (const Command& command : commands) {
        std::string before;
        for (std::size_t at = 0; at < command.path.size();) {
            const std::size_t end = std::min(command.path.find(' ', at), command.path.size());
            const std::string word = command.path.substr(at, end - at);
            std::vector<std::string>& list = after[before];
            if (std::ranges::find(list, word) == list.end()) list.push_back(word);
            before += (before.empty() ? "" : " ") + word;
            at = end + 1;
        }
    }
    return after;
}

std::string_view names_of(Completes completes) {
    switch (completes) {
        case Completes::nothing: return "";
        case Completes::files: return "files";
        case Completes::plans: return "plans";
        case Completes::runs: return "runs";
        case Completes::targets: return "targets";
    }
    return "";
}

std::string option_words(const std::vector<OptionSpec>& options) {
    std::string words;
    for (const OptionSpec& option : options) words += (words.empty() ? "" : " ") + ("--" + option.name);
    return words;
}

// bash and zsh (through bashcompinit) share one function.
std::string bash_function(const std::vector<Command>& commands) {
    std::string out = R"bash(_kedge() {
    local word="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}" path="" options words="" names="" i
)bash";
    out += fmt::format("    options=\"{}\"\n", option_words(global_options()));
    out += "    for ((i = 1; i < COMP_CWORD; i++)); do\n        case \"$path ${COMP_WORDS[i]}\" in\n";
    for (const auto& [path, words] : words_after(commands))
        for (const std::string& word : words)
            out += fmt::format("            \"{} {}\") path=\"{} {}\" ;;\n", path.empty() ? "" : " " + path, word,
                               path.empty() ? "" : " " + path, word);
    out += "        esac\n    done\n    case \"$path\" in\n";
    std::map<std::string, std::string> arms;
    for (const auto& [path, words] : words_after(commands))
        arms[path.empty() ? "" : " " + path] += fmt::format("words=\"{}\"; ", fmt::join(words, " "));
    for (const Command& command : commands) {
        std::string& arm = arms[" " + command.path];
        if (!command.options.empty()) arm += fmt::format("options+=\" {}\"; ", option_words(command.options));
        if (!command.arguments.empty() && command.arguments.front().completes != Completes::nothing)
            arm += fmt::format("names={}; ", names_of(command.arguments.front().completes));
    }
    for (const auto& [path, arm] : arms)
        if (!arm.empty()) out += fmt::format("        \"{}\") {};;\n", path, arm);
    out += R"bash(    esac
    case "$previous" in
        --estate|--plans|--state|--output) names=files; words="" ;;
    esac
    case "$names" in
        plans) words="$words $(kedge plan list --names 2>/dev/null)" ;;
        runs) words="$words $(kedge run list --names 2>/dev/null)" ;;
        targets) words="$words $(kedge estate show --names 2>/dev/null)" ;;
        files) COMPREPLY=($(compgen -f -- "$word")); return ;;
    esac
    case "$word" in
        -*) COMPREPLY=($(compgen -W "$options" -- "$word")) ;;
        *) COMPREPLY=($(compgen -W "$words" -- "$word")) ;;
    esac
}
)bash";
    return out;
}

std::string fish_script(const std::vector<Command>& commands) {
    const auto quoted = [](std::string text) {
        for (std::size_t at = 0; (at = text.find('\'', at)) != std::string::npos; at += 2) text.insert(at, 1, '\\');
        return "'" + text + "'";
    };
    std::string out = R"fish(function __kedge_at
    set -l words
    for word in (commandline -opc)[2..-1]
        string match -q -- '-*' $word; or set -a words $word
    end
    test "$words" = "$argv"
end
complete -c kedge -f
)fish";
    for (const OptionSpec& option : global_options())
        out += fmt::format("complete -c kedge -l {}{} -d {}\n", option.name, option.value.empty() ? "" : " -r",
                           quoted(option.says));
    for (const auto& [path, words] : words_after(commands))
        for (const std::string& word : words)
            out += fmt::format("complete -c kedge -n {} -a {}\n", quoted("__kedge_at " + path), word);
    for (const Command& command : commands) {
        for (const OptionSpec& option : command.options)
            out += fmt::format("complete -c kedge -n {} -l {}{} -d {}\n", quoted("__kedge_at " + command.path),
                               option.name, option.value.empty() ? "" : " -r", quoted(option.says));
        const Completes first = command.arguments.empty() ? Completes::nothing : command.arguments.front().completes;
        const char* list = first == Completes::plans     ? "(kedge plan list --names 2>/dev/null)"
                           : first == Completes::runs    ? "(kedge run list --names 2>/dev/null)"
                           : first == Completes::targets ? "(kedge estate show --names 2>/dev/null)"
                                                         : nullptr;
        if (list != nullptr)
            out += fmt::format("complete -c kedge -n {} -a {}\n", quoted("__kedge_at " + command.path), quoted(list));
    }
    return out;
}

}  // namespace

std::string completion_script(const std::vector<Command>& commands, std::string_view shell) {
    if (shell == "bash") return bash_function(commands) + "complete -F _kedge kedge\n";
    if (shell == "zsh")
        return "#compdef kedge\nautoload -U +X bashcompinit && bashcompinit\n" + bash_function(commands) +
               "complete -F _kedge kedge\n";
    if (shell == "fish") return fish_script(commands);
    return {};
}

}  // namespace kedge
