#include "recover/copy_database.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <map>
#include <optional>

#include "os/process.h"
#include "recover/database_snapshot.h"
#include "recover/dump_restore.h"
#include "verify/files/file_source.h"

namespace kedge::recover {
namespace {

using verify::TableText;
using verify::TableTexts;

constexpr Span copy_limit = std::chrono::hours(24), question_limit = std::chrono::minutes(1);
// One argument may have 128 KiB (execve(2)), and the server reads each as one regular expression.
constexpr std::size_t pattern_bytes_max = 8 << 10;

// A name as pg_dump reads it in a pattern: in quotes nothing else means anything (psql's manual, "Patterns").
std::string in_pattern(const std::string& name) {
    std::string quoted = "\"";
    for (const char c : name) quoted += c == '"' ? "\"\"" : std::string(1, c);
    return quoted + '"';
}

// What pg_dump is told to leave the rows of: one pattern for many tables of a schema, since it asks the server for
// each. `count` tables found room.
struct Patterns {
    Arguments words;
    std::size_t count = 0;
};
Patterns patterns_of(const std::vector<TableText>& tables, std::size_t bytes_max) {
    Patterns patterns;
    std::map<std::string, std::string> open;  // by schema
    std::size_t bytes = 0;
    for (const TableText& table : tables) {
        const std::string name = in_pattern(table.table);
        const std::string begin = "--exclude-table-data=" + in_pattern(table.schema) + ".";
        bytes += name.size() + 1 + (open.contains(table.schema) ? 0 : begin.size());
        if (bytes > bytes_max) break;
        std::string& pattern = open[table.schema];
        pattern += (pattern.empty() ? begin : "|") + name;
        ++patterns.count;
        if (pattern.size() < pattern_bytes_max) continue;
        patterns.words.push_back(std::move(pattern));
        open.erase(table.schema);
    }
    for (auto& [schema, pattern] : open) patterns.words.push_back(std::move(pattern));
    return patterns;
}

// What the small dump holds rows of, and what comes from the database itself.
class CopiedTexts final : public verify::RowTexts {
public:
    CopiedTexts(const TableTexts& dump, DatabaseSnapshot& snapshot, std::vector<TableText> tables)
        : dump_(dump), snapshot_(snapshot), tables_(std::move(tables)) {}

    const std::vector<TableText>& tables() const override { return tables_; }
    const std::string& encoding() const override { return snapshot_.encoding(); }
    Result<std::unique_ptr<verify::ByteStream>> open(const TableText& table) const override {
        return table.id != 0 ? dump_.open(table) : snapshot_.open(table);
    }

private:
    const TableTexts& dump_;
    DatabaseSnapshot& snapshot_;
    std::vector<TableText> tables_;
};

class DatabaseCopying {
public:
    DatabaseCopying(const backup::PostgresServer& from, const backup::PostgresServer& into,
                    const CopyDatabaseOptions& options)
        : from_(from),
          into_(into),
          options_(options),
          dump_(options.place + "/dump"),
          pg_dump_(into.program("pg_dump")),
          restore_({.dump = dump_,
                    .into = into,
                    .lists = options.place,
                    .words = {},
                    .settings = options.settings,
                    .fault = Fault::unavailable,
                    .threads = options.threads,
                    .worth_building = options.worth_building,
                    .stop = options.stop}) {}

    Result<CopiedDatabase> run() const {
        auto snapshot = TRY(DatabaseSnapshot::take(from_, within(copy_limit, options_.stop)).within("the copy"));
        tell("reading what the copy defines");
        const std::size_t count = TRY(write_dump(*snapshot));
        verify::Effort effort;
        const auto file = TRY(verify::FileSource::open(dump_, effort));
        const TableTexts dump = TRY(TableTexts::of_custom(*file, effort));
        tell("making the tables");
        TRY(restore_.make_tables());
        tell("loading rows");
        FilterPlan nothing_stays_behind;
        const CopiedTexts texts(dump, *snapshot, TRY(tables_to_load(dump, *snapshot, count)));
        const LoadedRows loaded = TRY(restore_.load(dump, texts, nothing_stays_behind));
        tell("building indexes and keys");
        TRY(restore_.build_the_rest(dump, loaded));
        CopiedDatabase copied{.built_beside = loaded.built.size()};
        for (const TableText& table : texts.tables()) {
            const std::string name = table.schema + "." + table.table;
            if (table.id == 0) copied.rows[name] = loaded.read.at(name);
            if (table.is_binary) ++copied.binary;
        }
        return copied;
    }

private:
    void tell(const std::string& step) const {
        if (options_.on_step) options_.on_step(step);
    }

    // What a server of another version makes of binary rows is promised by nobody (COPY in the manual).
    Result<std::uint64_t> major_of_into() const {
        const std::string text = TRY(backup::ask_postgres(
            into_, "SELECT current_setting('server_version_num')::int / 10000", question_limit, options_.stop));
        std::uint64_t major = 0;
        std::from_chars(text.data(), text.data() + text.size(), major);
        return major;
    }

    // Those that the dump has rows of, and the first `count` of the snapshot.
    Result<std::vector<TableText>> tables_to_load(const TableTexts& dump, const DatabaseSnapshot& snapshot,
                                                  std::size_t count) const {
        std::map<std::pair<std::string, std::string>, const TableTexts::MadeTable*> made;
        for (const auto& [id, one] : dump.made()) made[{one.schema, one.table}] = &one;
        std::vector<TableText> tables = dump.tables();
        const bool is_same_version = TRY(major_of_into()) == snapshot.major();
        for (TableText table : std::span(snapshot.tables()).first(count)) {
            const auto found = made.find({table.schema, table.table});
            if (found == made.end())
                return Error{Fault::corrupt,
                             fmt::format("pg_dump does not define {}.{}, which is there", table.schema, table.table)};
            table.is_alone = true;
            table.is_binary = table.is_binary && is_same_version;
            table.keys = found->second->keys;
            tables.push_back(std::move(table));
        }
        return tables;
    }

    // How many tables of the snapshot it leaves the rows of.
    Result<std::size_t> write_dump(const DatabaseSnapshot& snapshot) const {
        Arguments words = {pg_dump_,
                           "-w",
                           "--format=custom",
                           "--compress=0",
                           "--no-sync",
                           "--snapshot=" + snapshot.id(),
                           "--encoding=" + snapshot.encoding(),
                           "--file=" + dump_,
                           "--dbname=" + from_.connection};
        Patterns patterns = patterns_of(snapshot.tables(), options_.names_bytes_max);
        std::ranges::move(patterns.words, std::back_inserter(words));
        TRY(run_or_fail(words, within(copy_limit, options_.stop), {.environment = from_.environment}));
        return patterns.count;
    }

    const backup::PostgresServer &from_, &into_;
    const CopyDatabaseOptions& options_;
    const std::string dump_, pg_dump_;
    const DumpRestore restore_;
};

}  // namespace

Result<CopiedDatabase> copy_database(const backup::PostgresServer& from, const backup::PostgresServer& into,
                                     const CopyDatabaseOptions& options) {
    return DatabaseCopying(from, into, options).run();
}

}  // namespace kedge::recover
