#include "recover/database_snapshot.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "backup/sql_text.h"
#include "recover/sql_session.h"

namespace kedge::recover {
namespace {

// Names as SQL: which words have to be quoted differs from version to version. What a type's binary form may hold
// decides whether a table goes by it: no numbers that differ from database to database, as those of types in arrays
// and of what reg* types name; what every PostgreSQL has (below 10000) or names its values by labels. Then the bytes of
// a row that are stored anywhere, packed and unpacked, without unpacking any.
constexpr const char* snapshot_tables_query = R"SQL(
SELECT n.nspname, c.relname, pg_table_size(c.oid), columns.names, columns.are_plain,
    CASE WHEN c.reltuples > 0 AND c.relpages > 0 AND pg_table_size(c.oid) >= 8 << 20 THEN
        format('SELECT %s * sum(%s) / count(*) FROM (SELECT * FROM ONLY %s TABLESAMPLE SYSTEM (%s) REPEATABLE (1) '
               'LIMIT 1000) AS sample', c.reltuples::int8, columns.widths, c.oid::regclass,
               least(100, 10000.0 / c.relpages)::numeric) END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT string_agg('"' || replace(a.attname, '"', '""') || '"', ', ' ORDER BY a.attnum) AS names,
        bool_and(t.typtype = 'e' OR b.oid < 10000 AND b.typtype IN ('b', 'r', 'm') AND b.typsend <> 0::oid
                 AND b.typreceive <> 0::oid AND b.typname !~ '^_?(reg|xml$|aclitem$)') AS are_plain,
        string_agg(format('coalesce(%s(%I), 0)', CASE WHEN t.oid IN (17, 25, 1042, 1043) THEN 'octet_length'
                          ELSE 'pg_column_size' END, a.attname), ' + ') AS widths
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    JOIN pg_type b ON b.oid = CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS columns
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_depend d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    AND NOT EXISTS (SELECT FROM pg_partition_ancestors(c.oid) AS above(oid)
        JOIN pg_partitioned_table p ON p.partrelid = above.oid AND p.partstrat = 'h'
        JOIN pg_opclass o ON o.oid = ANY (p.partclass) AND o.opcname = 'enum_ops')
ORDER BY 3 DESC, 1, 2)SQL";

std::uint64_t number(const std::optional<std::string>& text) {
    std::uint64_t number = 0;
    if (text) std::from_chars(text->data(), text->data() + text->size(), number);
    return number;
}

}  // namespace

// The rows of one table, and behind them `end`.
class DatabaseSnapshot::Rows final : public verify::ByteStream {
public:
    Rows(DatabaseSnapshot& of, std::unique_ptr<CopyOut> reader, std::string_view end)
        : of_(of), reader_(std::move(reader)), end_(end) {}

    Result<std::size_t> read(std::span<std::byte> into) override {
        const std::span text(reinterpret_cast<char*>(into.data()), into.size());
        std::size_t filled = 0;
        if (reader_ != nullptr) {
            filled = TRY(reader_->read(text).within("the copy"));
            if (filled == text.size()) return filled;
            of_.give_back(std::move(reader_));
        }
        const std::size_t rest = std::min(end_.size(), text.size() - filled);
        end_.copy(text.data() + filled, rest);
        end_.remove_prefix(rest);
        return filled + rest;
    }

private:
    DatabaseSnapshot& of_;
    std::unique_ptr<CopyOut> reader_;  // null once it has given all
    std::string_view end_;
};

// Values are written as pg_dump has them (setup_connection of pg_dump.c).
Result<CopyLink> DatabaseSnapshot::connect(const backup::PostgresServer& server, const Until& until) {
    CopyLink link = TRY(CopyLink::open({.conninfo = server.connection, .password = server.password()}, until));
    TRY(
        link.execute("SELECT set_config('client_encoding', getdatabaseencoding(), false); SET search_path = ''; "
                     "SET datestyle = ISO; SET intervalstyle = postgres; SET extra_float_digits = 3; "
                     "SET synchronize_seqscans = off; SET row_security = off"));
    TRY(link.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
    return link;
}

Result<std::unique_ptr<DatabaseSnapshot>> DatabaseSnapshot::take(const backup::PostgresServer& server,
                                                                 const Until& until) {
    CopyLink holder = TRY(connect(server, until));
    std::unique_ptr<DatabaseSnapshot> snapshot(new DatabaseSnapshot(server, until, std::move(holder)));
    TRY(snapshot->look());
    return snapshot;
}

Result<void> DatabaseSnapshot::look() {
    const kedge::Rows names =
        TRY(holder_.ask("SELECT pg_export_snapshot(), getdatabaseencoding(), current_setting('server_version_num')"));
    id_ = names.at(0).at(0).value_or("");
    encoding_ = names.at(0).at(1).value_or("");
    major_ = number(names.at(0).at(2)) / 10000;
    for (const Row& row : TRY(holder_.ask(snapshot_tables_query))) {
        verify::TableText table{.schema = row.at(0).value_or(""), .table = row.at(1).value_or("")};
        table.target = sql_name(table.schema) + "." + sql_name(table.table);
        if (row.at(3)) table.target += " (" + *row.at(3) + ")";
        table.bytes = number(row.at(2));
        table.is_binary = row.at(4) == "t";
        if (row.at(5)) table.bytes = TRY(cost_of(table.bytes, *row.at(5)));
        tables_.push_back(std::move(table));
    }
    std::ranges::stable_sort(tables_, std::ranges::greater(), &verify::TableText::bytes);
    return {};
}

// To pack a byte takes the server as long as to load two that stay as they are (pglz; measured).
Result<std::uint64_t> DatabaseSnapshot::cost_of(std::uint64_t stored, const std::string& unpacked_query) {
    const kedge::Rows unpacked = TRY(holder_.ask(unpacked_query));
    const std::uint64_t bytes = unpacked.empty() ? 0 : number(unpacked.at(0).at(0));
    return bytes <= stored ? stored : bytes + 2 * (bytes - stored);
}

Result<std::unique_ptr<CopyOut>> DatabaseSnapshot::take_reader() {
    {
        const std::lock_guard lock(mutex_);
        if (!idle_.empty()) {
            auto reader = std::move(idle_.back());
            idle_.pop_back();
            return reader;
        }
    }
    CopyLink link = TRY(connect(server_, until_));
    TRY(link.execute("SET TRANSACTION SNAPSHOT " + sql_literal(id_)));
    return std::make_unique<CopyOut>(std::move(link));
}

void DatabaseSnapshot::give_back(std::unique_ptr<CopyOut> reader) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(reader));
}

Result<std::unique_ptr<verify::ByteStream>> DatabaseSnapshot::open(const verify::TableText& table) {
    auto reader = TRY(take_reader().within("the copy"));
    TRY(reader->begin(fmt::format("COPY {} TO STDOUT{}", table.target, table.is_binary ? " (FORMAT binary)" : ""))
            .within("the copy"));
    return std::unique_ptr<verify::ByteStream>(
        std::make_unique<Rows>(*this, std::move(reader), table.is_binary ? "" : verify::text_end));
}

}  // namespace kedge::recover
