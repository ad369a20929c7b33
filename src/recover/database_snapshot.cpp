#include "recover/database_snapshot.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "recover/sql_session.h"

namespace kedge::recover {
namespace {

// Names as SQL: which words have to be quoted differs from version to version.
constexpr const char* snapshot_tables_query = R"SQL(
SELECT n.nspname, c.relname, pg_table_size(c.oid),
       (SELECT string_agg('"' || replace(a.attname, '"', '""') || '"', ', ' ORDER BY a.attnum) FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_depend d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    AND NOT EXISTS (SELECT FROM pg_partition_ancestors(c.oid) AS above(oid)
        JOIN pg_partitioned_table p ON p.partrelid = above.oid AND p.partstrat = 'h'
        JOIN pg_opclass o ON o.oid = ANY (p.partclass) AND o.opcname = 'enum_ops')
ORDER BY 3 DESC, 1, 2)SQL";

}  // namespace

// The rows of one table, and what ends a text.
class DatabaseSnapshot::Rows final : public verify::ByteStream {
public:
    Rows(DatabaseSnapshot& of, std::unique_ptr<CopyOut> reader) : of_(of), reader_(std::move(reader)) {}

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
    std::string_view end_ = verify::text_end;
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
    const kedge::Rows names = TRY(holder_.ask("SELECT pg_export_snapshot(), getdatabaseencoding()"));
    id_ = names.at(0).at(0).value_or("");
    encoding_ = names.at(0).at(1).value_or("");
    for (const Row& row : TRY(holder_.ask(snapshot_tables_query))) {
        verify::TableText table{.schema = row.at(0).value_or(""), .table = row.at(1).value_or("")};
        table.target = sql_name(table.schema) + "." + sql_name(table.table);
        if (row.at(3)) table.target += " (" + *row.at(3) + ")";
        const std::string bytes = row.at(2).value_or("");
        std::from_chars(bytes.data(), bytes.data() + bytes.size(), table.bytes);
        tables_.push_back(std::move(table));
    }
    return {};
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
    TRY(reader->begin(fmt::format("COPY {} TO STDOUT", table.target)).within("the copy"));
    return std::unique_ptr<verify::ByteStream>(std::make_unique<Rows>(*this, std::move(reader)));
}

}  // namespace kedge::recover
