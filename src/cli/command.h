// One declaration of each command: from it come the parser, the help, the completion and the documentation.
//
// A command is a function of a context and a plain struct of its options:
//
//     command("run show", "Show one run", show_run)
//         .argument("RUN", &ShowRun::run, "the run", Completes::runs)
//         .flag("evidence", &ShowRun::evidence, "also what every step found")
//         .example("kedge run show r-7k2f9c")
#pragma once

#include <concepts>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "cli/exit_code.h"

namespace kedge {

class Context;

// The options of a command that has none.
struct Nothing {};

// What a shell offers in the place of a value.
enum class Completes { nothing, files, plans, runs, targets };

// Sets a field of the options from what was written. invalid_input if it is no such thing.
using Setter = std::function<Result<void>(void* options, const std::string& text)>;

struct OptionSpec {
    std::string name;   // without the dashes
    char letter = 0;    // 0 = none
    std::string value;  // "FILE"; empty = a flag
    std::string says;
    bool many = false;                 // may be given more than once
    std::vector<std::string> choices;  // empty = any value
    Completes completes = Completes::nothing;
    Setter set;
};

struct ArgumentSpec {
    std::string name;  // "PLAN"
    std::string says;
    bool required = true;
    bool many = false;
    Completes completes = Completes::nothing;
    Setter set;
};

// What was written for one option or argument, in order.
struct Written {
    const Setter* set = nullptr;
    std::string name;  // "--input", "PLAN": for messages
    std::string text;
};

struct Command {
    std::string path;  // "run start"
    std::string summary;
    std::string details;  // may be empty
    std::vector<ArgumentSpec> arguments;
    std::vector<OptionSpec> options;
    std::vector<std::string> examples;
    std::vector<ExitCode> exits;  // beyond 0, 1 and 2
    // Fills in the options and runs. An error is one of the command line.
    std::function<Result<ExitCode>(Context&, const std::vector<Written>&)> run;
};

namespace written {
Result<void> read(const std::string& text, std::string& field);
Result<void> read(const std::string& text, std::optional<std::string>& field);
Result<void> read(const std::string& text, std::vector<std::string>& field);
Result<void> read(const std::string& text, std::map<std::string, std::string>& field);  // NAME=VALUE
Result<void> read(const std::string& text, Span& field);
Result<void> read(const std::string& text, std::optional<Span>& field);
Result<void> read(const std::string& text, std::int64_t& field);  // not negative
// Fills in `options` in order.
Result<void> fill(void* options, const std::vector<Written>& values);
}  // namespace written

// Builds the declaration of a command whose options are a `T`.
template <class T>
class CommandBuilder {
public:
    CommandBuilder(std::string path, std::string summary, std::function<ExitCode(Context&, const T&)> function) {
        command_.path = std::move(path);
        command_.summary = std::move(summary);
        command_.run = [function = std::move(function)](Context& context,
                                                        const std::vector<Written>& values) -> Result<ExitCode> {
            T options{};
            TRY(written::fill(&options, values));
            return function(context, options);
        };
    }

    CommandBuilder& details(std::string text) {
        command_.details = std::move(text);
        return *this;
    }
    template <class Field>
    CommandBuilder& argument(std::string name, Field T::*field, std::string says,
                             Completes completes = Completes::nothing) {
        constexpr bool many = std::same_as<Field, std::vector<std::string>>;
        constexpr bool optional = std::same_as<Field, std::optional<std::string>>;
        command_.arguments.push_back(
            {std::move(name), std::move(says), !optional && !many, many, completes, setter(field)});
        return *this;
    }
    template <class Field>
    CommandBuilder& option(std::string name, std::string value, Field T::*field, std::string says,
                           Completes completes = Completes::nothing) {
        constexpr bool many =
            std::same_as<Field, std::vector<std::string>> || std::same_as<Field, std::map<std::string, std::string>>;
        command_.options.push_back(
            {std::move(name), 0, std::move(value), std::move(says), many, {}, completes, setter(field)});
        return *this;
    }
    CommandBuilder& flag(std::string name, bool T::*field, std::string says) {
        command_.options.push_back({std::move(name),
                                    0,
                                    "",
                                    std::move(says),
                                    false,
                                    {},
                                    Completes::nothing,
                                    [field](void* options, const std::string&) -> Result<void> {
                                        static_cast<T*>(options)->*field = true;
                                        return {};
                                    }});
        return *this;
    }
    // Of the argument declared last, which takes a list: at least one has to be given.
    CommandBuilder& required() {
        command_.arguments.back().required = true;
        return *this;
    }
    // Of the option declared last.
    CommandBuilder& letter(char letter) {
        command_.options.back().letter = letter;
        return *this;
    }
    CommandBuilder& choices(std::vector<std::string> choices) {
        command_.options.back().choices = std::move(choices);
        return *this;
    }
    CommandBuilder& example(std::string line) {
        command_.examples.push_back(std::move(line));
        return *this;
    }
    CommandBuilder& exits(std::vector<ExitCode> codes) {
        command_.exits = std::move(codes);
        return *this;
    }
    operator Command() const { return command_; }

private:
    template <class Field>
    static Setter setter(Field T::*field) {
        return [field](void* options, const std::string& text) {
            return written::read(text, static_cast<T*>(options)->*field);
        };
    }

    Command command_;
};

template <class T>
CommandBuilder<T> command(std::string path, std::string summary, ExitCode (*function)(Context&, const T&)) {
    return CommandBuilder<T>(std::move(path), std::move(summary), function);
}

}  // namespace kedge
