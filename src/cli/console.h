// Where a command writes: data to the one stream, everything else to the other, in the form that was asked for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "cli/exit_code.h"
#include "cli/surroundings.h"
#include "document/mistake.h"

namespace kedge {

enum class Form { human, json };

struct ConsoleOptions {
    Form form = Form::human;
    ColourChoice colour = ColourChoice::automatic;
    bool quiet = false;
};

// One for each command. Not thread-safe.
class Console {
public:
    Console(const Surroundings& surroundings, const ConsoleOptions& options);

    bool json() const { return options_.form == Form::json; }
    bool quiet() const { return options_.quiet; }
    const Surface& out() const { return out_; }
    const Surface& errors() const { return errors_; }
    // The size of the window may have changed.
    void measure();

    // Data, for people. `print_line` adds the line break.
    void print(std::string_view text);
    void print_line(std::string_view text = {});
    // Data, for programs: {"api_version", "kind", "items" or "item", "warnings", "as_of"}, written once, at the end.
    void print_item(std::string_view kind, Json item);
    void print_items(std::string_view kind, Json items);
    // One line of a stream for programs.
    void print_record(const Json& record);
    void flush();
    // False once a write has failed: nobody reads any more.
    bool is_read() const;

    // What a person should know beside the data. Quiet drops it.
    void note(std::string_view text);
    // Joins the envelope, or goes to the other stream.
    void warn(std::string_view text);

    // Says what failed, why, and what to do, and gives the exit code. `what`: "the run was not started".
    ExitCode fail(std::string_view what, const Error& error);
    // The same for files: every mistake with its place.
    ExitCode fail(std::string_view what, const Mistakes& mistakes);
    // For a wrong command line.
    ExitCode fail_usage(const Error& error);

private:
    ExitCode fail_as(std::string_view what, const Error& error, ExitCode code);
    void print_envelope(std::string_view kind, std::string_view name, Json content);

    const Surroundings& surroundings_;
    ConsoleOptions options_;
    Surface out_, errors_;
    std::vector<std::string> warnings_;
};

}  // namespace kedge
