#include "targets/command/command_migration.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "targets/command/words.h"

namespace kedge {
namespace {

// A number alone on its line.
std::optional<std::int64_t> number(const std::string& text) {
    const char* const end = text.data() + std::min(text.find('\n'), text.size());
    std::int64_t value = 0;
    const auto read = std::from_chars(text.data(), end, value);
    return read.ec == std::errc() && read.ptr == end ? std::optional(value) : std::nullopt;
}

}  // namespace

Result<MigrationLook> CommandMigration::look(Moment deadline) {
    MigrationLook look;
    const auto asked = run(settings_.version, deadline);
    if (!asked || !asked->exit.ok()) {
        look.says = fmt::format("{}: {}", settings_.name, asked ? first_line(*asked) : asked.error().message);
        return look;
    }
    look.reachable = Truth::yes;
    look.version = number(asked->out);
    look.says = look.version ? fmt::format("the schema has version {}", *look.version)
                             : "the program that prints the version prints none: " + first_line(*asked);
    const auto validated = run(settings_.validate, deadline);
    if (!validated || validated->exit.signal != 0 || validated->exit.code > 1) {
        look.says += "; whether it is what that version says is unknown: " +
                     (validated ? first_line(*validated) : validated.error().message);
        return look;
    }
    look.sound = truth(validated->exit.ok());
    if (look.sound == Truth::no) look.says += "; it is not what that version says: " + first_line(*validated);
    return look;
}

Result<void> CommandMigration::migrate(std::int64_t version, Span lock_timeout, Moment deadline) {
    const Arguments words = filled(settings_.migrate, {{"version", std::to_string(version)}});
    // A timeout of 0 would mean none.
    const auto milliseconds = std::max<std::int64_t>(1, lock_timeout / std::chrono::milliseconds{1});
    const std::string options = fmt::format("PGOPTIONS=-c lock_timeout={}ms", milliseconds);
    const RunOutput output = TRY(run(words, deadline, {.environment = {options}}).within(settings_.name));
    if (output.exit.ok()) return {};
    return Error{output.exit.signal == 0 ? Fault::refused : Fault::outcome_unknown,
                 fmt::format("{}: to version {}: {}", settings_.name, version, first_line(output))};
}

}  // namespace kedge
