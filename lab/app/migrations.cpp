#include "migrations.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <vector>

namespace kedge::lab {
namespace {

// To `version` from the one before it, and back.
struct Step {
    int version;
    std::vector<const char*> up, down;
    const char *table, *column;  // that it brings
};

const std::array steps = {
    Step{2,
         {"ALTER TABLE debates ADD COLUMN language text", "CREATE INDEX debates_language ON debates (language)"},
         {"ALTER TABLE debates DROP COLUMN language"},
         "debates",
         "language"},
    Step{3,
         {"ALTER TABLE users ADD COLUMN locale text NOT NULL DEFAULT 'en'"},
         {"ALTER TABLE users DROP COLUMN locale"},
         "users",
         "locale"},
};

Result<Rows> run(const std::string& conninfo, const Transaction& transaction, Moment deadline) {
    auto opened = Connection::open({conninfo}, deadline);
    if (!opened.connection) return Error{Fault::unavailable, opened.lost.says};
    Exchange exchange = opened.connection->exchange({transaction}, deadline);
    if (exchange.lost) return Error{Fault::outcome_unknown, exchange.lost->says};
    TransactionAnswer& answer = exchange.answers.front();
    if (answer.error)
        return Error{Fault::refused, fmt::format("{} (SQLSTATE {})", answer.error->message, answer.error->state)};
    return std::move(answer.rows.front());
}

}  // namespace

Result<int> version_of(const Rows& rows) {
    const std::string text = rows.size() == 1 ? rows[0][0].value_or("") : "";
    int version = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), version).ec != std::errc())
        return Error{Fault::corrupt, fmt::format("{} rows say which version the schema has", rows.size())};
    return version;
}

Result<int> schema_version(const std::string& conninfo, Moment deadline) {
    return version_of(TRY(run(conninfo, {{select_version, {}}}, deadline)));
}

Result<void> check_schema(const std::string& conninfo, Moment deadline) {
    const int version = TRY(schema_version(conninfo, deadline));
    for (const Step& step : steps) {
        const Rows rows =
            TRY(run(conninfo,
                    {{"SELECT count(*) FROM information_schema.columns WHERE table_name = $1 AND column_name = $2",
                      {step.table, step.column}}},
                    deadline));
        const bool is_there = rows[0][0] == "1";
        if (is_there != (step.version <= version))
            return Error{Fault::refused, fmt::format("{}.{} is {}, and the version is {}", step.table, step.column,
                                                     is_there ? "there" : "missing", version)};
    }
    return {};
}

Result<void> move_schema(const std::string& conninfo, int version, Moment deadline) {
    if (version < 1 || version > newest_schema)
        return Error{Fault::invalid_input, fmt::format("there are the versions 1 to {}", newest_schema)};
    const int present = TRY(schema_version(conninfo, deadline));
    // First the row that says the version: whoever migrates at the same time waits for it.
    Transaction work = {{"UPDATE schema_version SET version = $1", {std::to_string(version)}}};
    for (const Step& step : steps)
        if (step.version > present && step.version <= version)
            for (const char* statement : step.up) work.push_back({statement, {}});
    for (auto step = steps.rbegin(); step != steps.rend(); ++step)
        if (step->version <= present && step->version > version)
            for (const char* statement : step->down) work.push_back({statement, {}});
    const Result<Rows> moved = run(conninfo, work, deadline);
    // Whoever moved it there meanwhile has done what was asked for.
    if (moved || TRY(schema_version(conninfo, deadline)) == version) return {};
    return moved.error();
}

}  // namespace kedge::lab
