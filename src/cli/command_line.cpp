#include "cli/command_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/suggest.h"

namespace kedge {
namespace {

Setter sets(bool GlobalOptions::*field) {
    return [field](void* options, const std::string&) -> Result<void> {
        static_cast<GlobalOptions*>(options)->*field = true;
        return {};
    };
}

template <class Field>
Setter sets(Field GlobalOptions::*field) {
    return [field](void* options, const std::string& text) {
        return written::read(text, static_cast<GlobalOptions*>(options)->*field);
    };
}

Error wrong(std::string message, std::string hint = {}) {
    return {Fault::invalid_input, std::move(message), std::move(hint)};
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& known, std::string_view otherwise) {
    if (const auto near = nearest(name, known)) return fmt::format("did you mean '{}'?", *near);
    return std::string(otherwise);
}

std::string joined(const std::string& path, const std::string& word) {
    return path.empty() ? word : path + " " + word;
}

// Reads one line; every member function returns at the first mistake.
class Reader {
public:
    Reader(const std::vector<Command>& commands, const std::vector<std::string>& words)
        : commands_(commands), words_(words) {}

    CommandLine take() {
        if (Result<void> done = read(); !done) {
            line_.wrong = std::move(done).error();
            // What is wrong is said in the form that was asked for, wherever on the line.
            line_.global.json = line_.global.json || std::ranges::find(words_, "--json") != words_.end();
        }
        return std::move(line_);
    }

private:
    Result<void> read() {
        bool options_ended = false;
        for (; at_ < words_.size(); ++at_) {
            const std::string& word = words_[at_];
            if (!options_ended && word == "--")
                options_ended = true;
            else if (!options_ended && word.starts_with("--"))
                TRY(read_long(word));
            else if (!options_ended && word.starts_with("-") && word.size() > 1)
                TRY(read_letter(word));
            else
                TRY(read_word(word, options_ended));
        }
        line_.command = find(path_);
        line_.group = line_.command == nullptr ? path_ : "";
        if (line_.command == nullptr || line_.global.help) return {};
        for (const ArgumentSpec& argument : line_.command->arguments)
            if (argument.required && !given_.contains(argument.name))
                return wrong(fmt::format("{} is missing", argument.name),
                             fmt::format("see `kedge {} --help`", line_.command->path));
        return {};
    }

    const Command* find(const std::string& path) const {
        const auto found = std::ranges::find(commands_, path, &Command::path);
        return found == commands_.end() ? nullptr : &*found;
    }

    // The words that may follow the path so far.
    std::vector<std::string> next_words() const {
        std::vector<std::string> words;
        const std::string before = path_.empty() ? "" : path_ + " ";
        for (const Command& command : commands_) {
            if (!command.path.starts_with(before) || command.path.size() == before.size()) continue;
            std::string word = command.path.substr(before.size());
            word.erase(std::min(word.find(' '), word.size()));
            if (std::ranges::find(words, word) == words.end()) words.push_back(word);
        }
        return words;
    }

    Result<void> read_word(const std::string& word, bool options_ended) {
        const std::vector<std::string> next = next_words();
        if (arguments_ == 0 && !options_ended && std::ranges::find(next, word) != next.end()) {
            path_ = joined(path_, word);
            return {};
        }
        const Command* command = find(path_);
        if (command == nullptr)
            return wrong(
                fmt::format("there is no command 'kedge {}'", joined(path_, word)),
                did_you_mean(word, next, fmt::format("see `kedge {}--help`", path_.empty() ? "" : path_ + " ")));
        const std::vector<ArgumentSpec>& arguments = command->arguments;
        if (arguments_ >= arguments.size() && (arguments.empty() || !arguments.back().many)) {
            if (arguments.empty() && !next.empty())
                return wrong(fmt::format("there is no command 'kedge {}'", joined(path_, word)),
                             did_you_mean(word, next, fmt::format("see `kedge {} --help`", path_)));
            return wrong(fmt::format("'{}' is one argument too many for `kedge {}`", word, path_),
                         fmt::format("see `kedge {} --help`", path_));
        }
        const ArgumentSpec& argument = arguments[std::min(arguments_++, arguments.size() - 1)];
        given_.insert(argument.name);
        line_.values.push_back({&argument.set, argument.name, word});
        return {};
    }

    Result<void> read_long(const std::string& word) {
        const std::size_t sign = word.find('=');
        const std::string name = word.substr(2, sign == std::string::npos ? sign : sign - 2);
        std::optional<std::string> value;
        if (sign != std::string::npos) value = word.substr(sign + 1);
        const OptionSpec* option = find_option([&](const OptionSpec& known) { return known.name == name; });
        if (option == nullptr) {
            std::vector<std::string> known;
            for (const auto* list : lists())
                for (const OptionSpec& each : *list) known.push_back("--" + each.name);
            const std::string where = path_.empty() ? "kedge" : "kedge " + path_;
            return wrong(fmt::format("`{}` has no option --{}", where, name),
                         did_you_mean("--" + name, known, fmt::format("see `{} --help`", where)));
        }
        return take_option(*option, "--" + name, std::move(value));
    }

    // -x, -xVALUE, -x VALUE; letters of flags may stand together.
    Result<void> read_letter(const std::string& word) {
        for (std::size_t i = 1; i < word.size(); ++i) {
            const OptionSpec* option = find_option([&](const OptionSpec& known) { return known.letter == word[i]; });
            if (option == nullptr)
                return wrong(fmt::format("there is no option -{}", word[i]),
                             fmt::format("see `kedge {}--help`", path_.empty() ? "" : path_ + " "));
            const std::string name = fmt::format("-{}", word[i]);
            if (option->value.empty()) {
                TRY(take_option(*option, name, {}));
                continue;
            }
            std::optional<std::string> rest;
            if (i + 1 < word.size()) rest = word.substr(i + 1);
            return take_option(*option, name, std::move(rest));
        }
        return {};
    }

    std::vector<const std::vector<OptionSpec>*> lists() const {
        std::vector<const std::vector<OptionSpec>*> lists = {&global_options()};
        if (const Command* command = find(path_)) lists.push_back(&command->options);
        return lists;
    }

    template <class Matches>
    const OptionSpec* find_option(Matches matches) const {
        for (const auto* list : lists())
            for (const OptionSpec& option : *list)
                if (matches(option)) return &option;
        return nullptr;
    }

    Result<void> take_option(const OptionSpec& option, const std::string& as_written,
                             std::optional<std::string> value) {
        if (option.value.empty() && value) return wrong(fmt::format("{} takes no value", as_written));
        if (!option.value.empty() && !value) {
            if (at_ + 1 >= words_.size()) return wrong(fmt::format("{} needs a value: {}", as_written, option.value));
            value = words_[++at_];
        }
        if (!option.many && !given_.insert("--" + option.name).second)
            return wrong(fmt::format("--{} is given twice", option.name));
        if (!option.choices.empty() && std::ranges::find(option.choices, *value) == option.choices.end())
            return wrong(fmt::format("{}: '{}' is none of {}", as_written, *value, fmt::join(option.choices, ", ")),
                         did_you_mean(*value, option.choices, ""));
        const auto& globals = global_options();
        const bool global = &option >= globals.data() && &option < globals.data() + globals.size();
        if (global) return option.set(&line_.global, value.value_or("")).within(as_written);
        line_.values.push_back({&option.set, as_written, value.value_or("")});
        return {};
    }

    const std::vector<Command>& commands_;
    const std::vector<std::string>& words_;
    std::size_t at_ = 0;
    std::string path_;
    std::size_t arguments_ = 0;
    std::set<std::string> given_;
    CommandLine line_;
};

}  // namespace

ConsoleOptions GlobalOptions::console() const {
    ConsoleOptions options;
    options.form = json ? Form::json : Form::human;
    options.colour = colour == "always"  ? ColourChoice::always
                     : colour == "never" ? ColourChoice::never
                                         : ColourChoice::automatic;
    options.quiet = quiet;
    return options;
}

const std::vector<OptionSpec>& global_options() {
    static const std::vector<OptionSpec> options = {
        {.name = "estate",
         .value = "FILE",
         .says = "what is protected (or KEDGE_ESTATE)",
         .completes = Completes::files,
         .set = sets(&GlobalOptions::estate)},
        {.name = "plans",
         .value = "DIR",
         .says = "where plans lie (or KEDGE_PLANS; else beside the estate)",
         .completes = Completes::files,
         .set = sets(&GlobalOptions::plans)},
        {.name = "state",
         .value = "DIR",
         .says = "where the journal lies (or KEDGE_STATE)",
         .completes = Completes::files,
         .set = sets(&GlobalOptions::state)},
        {.name = "json", .says = "write for programs", .set = sets(&GlobalOptions::json)},
        {.name = "color",
         .value = "WHEN",
         .says = "auto, always or never",
         .choices = {"auto", "always", "never"},
         .set = sets(&GlobalOptions::colour)},
        {.name = "quiet", .letter = 'q', .says = "no remarks beside the data", .set = sets(&GlobalOptions::quiet)},
        {.name = "no-input", .says = "never ask (or KEDGE_NO_INPUT)", .set = sets(&GlobalOptions::no_input)},
        {.name = "help", .letter = 'h', .says = "how a command is used", .set = sets(&GlobalOptions::help)},
        {.name = "version", .says = "the version", .set = sets(&GlobalOptions::version)},
    };
    return options;
}

CommandLine read_command_line(const std::vector<Command>& commands, const std::vector<std::string>& words) {
    return Reader(commands, words).take();
}

}  // namespace kedge
