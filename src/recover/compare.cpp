#include "recover/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace kedge::recover {
namespace {

constexpr Span whole_limit = std::chrono::hours{24 * 7};

// A line of the ordered output: the key in hexadecimal, a tab, the digest.
struct KeyedRow {
    std::string key, digest;
};

// One side's rows of a table, in order.
class OrderedRows {
public:
    explicit OrderedRows(SqlSession& session) : session_(session) {}

    // The row at hand; nothing after the last.
    const std::optional<KeyedRow>& head() const { return head_; }
    Result<void> advance() {
        const auto line = TRY(session_.next_row());
        if (!line) {
            head_.reset();
            return {};
        }
        const std::size_t tab = line->find('\t');
        if (tab == std::string::npos) return Error{Fault::corrupt, session_.name() + ": a row without a digest"};
        KeyedRow row{line->substr(0, tab), line->substr(tab + 1)};
        // The merge is right only if both sides keep to the order that was asked for.
        if (head_ && row.key < head_->key)
            return Error{Fault::corrupt, session_.name() + ": its rows came out of order"};
        head_ = std::move(row);
        return {};
    }

private:
    SqlSession& session_;
    std::optional<KeyedRow> head_;
};

std::string bytes_of_hex(const std::string& hex) {
    const auto digit = [](char letter) { return letter <= '9' ? letter - '0' : letter - 'a' + 10; };
    std::string bytes;
    for (std::size_t at = 0; at + 1 < hex.size(); at += 2)
        bytes += static_cast<char>(digit(hex[at]) * 16 + digit(hex[at + 1]));
    return bytes;
}

// Which columns of a table both sides have, and what of the rest is told.
std::vector<Column> common_columns(const Table& recovered, const Table& live, TableComparison& found) {
    std::vector<Column> common;
    for (const Column& column : recovered.columns) {
        const Column* other = live.column(column.name);
        if (other == nullptr) {
            found.columns_only_recovered.push_back(column.name + " " + column.type);
            continue;
        }
        if (other->type != column.type)
            found.columns_of_other_type.push_back(
                fmt::format("{} {}, live: {}", column.name, column.type, other->type));
        common.push_back(column);
    }
    for (const Column& column : live.columns)
        if (recovered.column(column.name) == nullptr)
            found.columns_only_live.push_back(column.name + " " + column.type);
    return common;
}

// Half of a SHA-256 of the whole row: 128 bits tell rows apart that nobody made alike on purpose, and half the bytes
// travel.
std::string digest_sql(const std::vector<Column>& columns) {
    return fmt::format("encode(substr(sha256(convert_to(ROW({})::text, 'UTF8')), 1, 16), 'hex')",
                       column_list(columns, "t."));
}

std::string ordered_rows_sql(const Table& table, const std::vector<Equality>& key, const std::vector<Column>& columns) {
    const std::string digest = digest_sql(columns);
    const std::string sorted =
        key.empty() ? digest : fmt::format("encode(convert_to(ROW({})::text, 'UTF8'), 'hex')", key_list(key, "t."));
    return fmt::format("SELECT ({}) COLLATE \"C\" AS k, {} FROM {} AS t ORDER BY 1", sorted,
                       key.empty() ? "''" : digest, table.rows());
}

// Both have all of its columns, or rows cannot be told apart by it.
std::vector<Equality> common_key(const Table& recovered, const Table& live) {
    for (const Equality& column : recovered.key)
        if (live.column(column.left) == nullptr) return {};
    return recovered.key;
}

class Comparing {
public:
    Comparing(SqlSession& recovered, SqlSession& live, const CompareOptions& options)
        : recovered_(recovered), live_(live), options_(options) {}

    Result<Comparison> run() {
        for (SqlSession* session : {&recovered_, &live_}) TRY(begin(*session));
        in_recovered_ = TRY(read_catalogue(recovered_));
        in_live_ = TRY(read_catalogue(live_));
        for (const std::string& name : TRY(names())) TRY(look_at(name));
        if (options_.tables.empty()) look_at_sequences();
        return std::move(found_);
    }

private:
    Result<void> begin(SqlSession& session) const {
        const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(options_.limit).count();
        return session.execute(
            fmt::format("SET statement_timeout = {};\nSET work_mem = '64MB';\n"
                        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
                        limit));
    }

    // The tables in question, each once.
    Result<std::set<std::string>> names() const {
        std::set<std::string> names;
        for (const std::string& written : options_.tables)
            names.insert(TRY(table_meant(written, in_recovered_, in_live_)));
        if (!options_.tables.empty()) return names;
        for (const Catalogue* catalogue : {&in_recovered_, &in_live_})
            for (const auto& [name, table] : catalogue->tables) names.insert(name);
        return names;
    }

    Result<void> look_at(const std::string& name) {
        if (options_.on_table) options_.on_table(name);
        const Table* recovered = in_recovered_.table(name);
        const Table* live = in_live_.table(name);
        if ((recovered != nullptr && recovered->unlogged) || (live != nullptr && live->unlogged))
            found_.not_compared.push_back(name);
        else if (live == nullptr)
            found_.only_recovered.push_back({name, TRY(count(recovered_, *recovered))});
        else if (recovered == nullptr)
            found_.only_live.push_back({name, TRY(count(live_, *live))});
        else
            found_.tables.push_back(TRY(compare_rows(*recovered, *live).within(name)));
        return {};
    }

    static Result<std::uint64_t> count(SqlSession& session, const Table& table) {
        return static_cast<std::uint64_t>(
            TRY(session.ask_number(fmt::format("SELECT count(*) FROM {}", table.rows()))));
    }

    Result<TableComparison> compare_rows(const Table& recovered, const Table& live) {
        TableComparison found{.name = recovered.name};
        const std::vector<Column> columns = common_columns(recovered, live, found);
        const std::vector<Equality> key = common_key(recovered, live);
        for (const Equality& column : key) found.key.push_back(column.left);
        // Both sort at the same time.
        TRY(recovered_.begin_rows(ordered_rows_sql(recovered, key, columns)));
        TRY(live_.begin_rows(ordered_rows_sql(live, key, columns)));
        TRY(merge(found));
        return found;
    }

    Result<void> merge(TableComparison& found) {
        OrderedRows left(recovered_), right(live_);
        TRY(left.advance());
        TRY(right.advance());
        while (left.head() || right.head()) {
            const bool take_left = left.head() && (!right.head() || left.head()->key <= right.head()->key);
            const bool take_right = right.head() && (!left.head() || right.head()->key <= left.head()->key);
            if (!take_right)
                note(found, found.only_recovered, *left.head());
            else if (!take_left)
                note(found, found.only_live, *right.head());
            else if (left.head()->digest == right.head()->digest)
                ++found.same;
            else
                note(found, found.changed, *left.head());
            if (take_left) TRY(left.advance());
            if (take_right) TRY(right.advance());
        }
        return {};
    }

    void note(const TableComparison& table, Difference& difference, const KeyedRow& row) const {
        ++difference.rows;
        if (difference.keys.size() < options_.keys_max)
            difference.keys.push_back(table.key.empty() ? row.key : without_parentheses(bytes_of_hex(row.key)));
    }

    void look_at_sequences() {
        const auto of = [](const Catalogue& catalogue, const std::string& name) {
            const auto found = std::ranges::find(catalogue.sequences, name, &Sequence::name);
            return found == catalogue.sequences.end() ? nullptr : &*found;
        };
        for (const Sequence& sequence : in_recovered_.sequences) {
            const Sequence* live = of(in_live_, sequence.name);
            if (live == nullptr)
                found_.sequences_only_recovered.push_back(sequence.name);
            else if (live->last != sequence.last)
                found_.sequences.push_back({sequence.name, sequence.last, live->last});
        }
        for (const Sequence& sequence : in_live_.sequences)
            if (of(in_recovered_, sequence.name) == nullptr) found_.sequences_only_live.push_back(sequence.name);
    }

    SqlSession& recovered_;
    SqlSession& live_;
    const CompareOptions& options_;
    Catalogue in_recovered_, in_live_;
    Comparison found_;
};

}  // namespace

bool TableComparison::equal() const {
    return only_recovered.rows == 0 && only_live.rows == 0 && changed.rows == 0 && columns_only_recovered.empty() &&
           columns_only_live.empty() && columns_of_other_type.empty();
}

bool Comparison::equal() const {
    return !live_is_gone && std::ranges::all_of(tables, &TableComparison::equal) && only_recovered.empty() &&
           only_live.empty() && sequences_only_recovered.empty() && sequences_only_live.empty();
}

Result<Comparison> compare(const backup::PostgresServer& recovered, const backup::PostgresServer& live,
                           const CompareOptions& options) {
    const Until until = within(whole_limit, options.stop);
    SqlSession from = TRY(SqlSession::open(recovered, "recovered", until));
    SqlSession with = TRY(SqlSession::open(live, "live", until));
    return Comparing(from, with, options).run();
}

}  // namespace kedge::recover
