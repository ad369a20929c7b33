#include "recover/extract_live.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include "backup/sql_text.h"

namespace kedge::recover {
namespace {

std::int64_t milliseconds(Span span) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(span).count();
}

// The content of a row as one text, the key left out: by the server's own texts, since not every type has an equality.
std::string content(const Trial& trial, const std::string& of) {
    const std::vector<Equality> key = key_of(trial);
    std::vector<Column> rest;
    for (const Column& column : trial.columns)
        if (std::ranges::find(key, column.name, &Equality::left) == key.end()) rest.push_back(column);
    return fmt::format("ROW({})::text COLLATE \"C\"", column_list(rest, of + "."));
}

// Rows with their number, the keyless way: the same content, no more often than live has it.
std::string judged_by_content(const Trial& trial) {
    return fmt::format(R"(SELECT s.n, CASE WHEN s.nth > coalesce(t.times, 0) THEN 'absent' ELSE 'same' END AS state
FROM (SELECT n, row_number() OVER (PARTITION BY content ORDER BY n) AS nth, content
      FROM (SELECT "kedge n" AS n, {} AS content FROM {} AS s) AS s) AS s
LEFT JOIN (SELECT content, count(*) AS times FROM (SELECT {} AS content FROM {} AS t) AS t GROUP BY content) AS t
    ON t.content = s.content)",
                       content(trial, "s"), trial.rows, content(trial, "t"), trial.table->rows());
}

std::string judged_by_key(const Trial& trial, const std::string& first_case) {
    return fmt::format(R"(SELECT s."kedge n" AS n, CASE {} WHEN t.tableoid IS NULL THEN 'absent'
    WHEN {} = {} THEN 'same' ELSE 'differs' END AS state
FROM {} AS s LEFT JOIN {} AS t ON {})",
                       first_case, content(trial, "t"), content(trial, "s"), trial.rows, trial.table->rows(),
                       equal(key_of(trial), "t", "s"));
}

const char* word_of(const std::string& enabled) {
    if (enabled == "D") return "DISABLE";
    if (enabled == "R") return "ENABLE REPLICA";
    return enabled == "A" ? "ENABLE ALWAYS" : "ENABLE";
}

std::string set_trigger(const TriggerState& trigger, const std::string& enabled) {
    return fmt::format("ALTER TABLE ONLY {} {} TRIGGER {}", trigger.table, word_of(enabled), sql_name(trigger.name));
}

bool is_whole_number(const std::string& type) {
    return type == "smallint" || type == "integer" || type == "bigint";
}

std::int64_t furthest(std::int64_t one, std::int64_t other, std::int64_t increment) {
    return increment > 0 ? std::max(one, other) : std::min(one, other);
}

Result<void> same_count(const Trial& trial, std::int64_t written, std::uint64_t meant) {
    if (static_cast<std::uint64_t>(written) == meant) return {};
    return Error{Fault::refused, fmt::format("{}: {} rows were to be written, and the server wrote {}",
                                             trial.table->name, meant, written)};
}

}  // namespace

std::vector<Equality> key_of(const Trial& trial) {
    for (const Equality& column : trial.table->key)
        if (std::ranges::find(trial.columns, column.left, &Column::name) == trial.columns.end()) return {};
    return trial.table->key;
}

Result<ExtractLive> ExtractLive::open(const backup::PostgresServer& server, Span lock_limit, Span limit,
                                      const Until& until) {
    SqlSession session = TRY(SqlSession::open(server, "live", until));
    if (TRY(session.ask("SELECT pg_is_in_recovery()")) == "t")
        return Error{Fault::refused, "live: the server is a standby", "rows are brought back into the primary"};
    if (const std::string role = TRY(session.ask("SHOW session_replication_role")); role != "origin")
        return Error{Fault::refused, "live: session_replication_role is " + role + ": it would check no foreign key",
                     "reset it for the user that connects"};
    TRY(
        session.execute(fmt::format("BEGIN ISOLATION LEVEL READ COMMITTED;\nSET LOCAL lock_timeout = {};\n"
                                    "SET LOCAL statement_timeout = {};\n"
                                    "SET LOCAL idle_in_transaction_session_timeout = {};\n"
                                    "SET CONSTRAINTS ALL DEFERRED",
                                    milliseconds(lock_limit), milliseconds(limit), milliseconds(limit))));
    std::string transaction = TRY(session.ask("SELECT pg_current_xact_id()"));
    Catalogue catalogue = TRY(read_catalogue(session));
    return ExtractLive(std::move(session), std::move(transaction), std::move(catalogue));
}

Result<void> ExtractLive::define(const std::string& definitions) {
    return session_.execute(sql_statement(definitions));
}

Result<void> ExtractLive::reload() {
    catalogue_ = TRY(read_catalogue(session_));
    return {};
}

Result<void> ExtractLive::lock(const Table& table) {
    return session_.execute(fmt::format("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", table.name)).within(table.name);
}

Result<Trial> ExtractLive::begin_trial(const Table& table, std::vector<Column> columns) {
    Trial trial{.table = &table,
                .columns = std::move(columns),
                .rows = fmt::format("pg_temp.kedge_rows_{}", trials_),
                .states = fmt::format("pg_temp.kedge_states_{}", trials_)};
    ++trials_;
    const std::string list = column_list(trial.columns);
    const std::string more = list.empty() ? "" : ", " + list;
    // Live's types and collations, none of its constraints. Gone with the transaction: at the end of the session there
    // is nothing left to be dropped by another one.
    TRY(session_.execute(
        fmt::format("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT 0::bigint AS \"kedge n\"{} FROM {} WITH NO DATA",
                    trial.rows, more, table.rows())));
    TRY(session_.begin_filling(fmt::format("{} (\"kedge n\"{})", trial.rows, more)));
    return trial;
}

Result<void> ExtractLive::end_trial(const Trial& trial) {
    TRY(session_.end_filling().within(trial.table->name));
    return session_.execute("ANALYZE " + trial.rows);
}

Result<void> ExtractLive::judge_by(Trial& trial, const std::string& sql) {
    const Json counts = TRY(session_.ask_json(
        fmt::format("DROP TABLE IF EXISTS {0};\nCREATE TEMP TABLE {0} ON COMMIT DROP AS {1};\nANALYZE {0};\n"
                    "SELECT coalesce(jsonb_object_agg(state, count), '{{}}') FROM (SELECT state, count(*) FROM {0} "
                    "GROUP BY state) AS c",
                    trial.states, sql)));
    const auto count = [&](const char* state) {
        return static_cast<std::uint64_t>(get_integer(counts, state).value_or(0));
    };
    trial.absent = count("absent");
    trial.same = count("same");
    trial.differs = count("differs");
    return {};
}

Result<void> ExtractLive::judge(Trial& trial) {
    return judge_by(trial, key_of(trial).empty() ? judged_by_content(trial) : judged_by_key(trial, ""))
        .within(trial.table->name);
}

Result<void> ExtractLive::judge_parents(Trial& trial, const ForeignKey& key) {
    std::vector<Equality> referred = key.columns;
    for (Equality& column : referred) column.right = column.left;
    const std::string there =
        fmt::format("EXISTS (SELECT FROM {} AS p WHERE {})", trial.table->rows(), equal(referred, "p", "s"));
    if (!key_of(trial).empty())
        return judge_by(trial, judged_by_key(trial, "WHEN " + there + " THEN 'same'")).within(trial.table->name);
    return judge_by(trial, fmt::format("SELECT s.\"kedge n\" AS n, CASE WHEN {} THEN 'same' ELSE 'absent' END AS state "
                                       "FROM {} AS s",
                                       there, trial.rows))
        .within(trial.table->name);
}

Result<void> ExtractLive::begin_numbers(const Trial& trial, const std::string& states) {
    return session_.begin_rows(fmt::format("SELECT n FROM {} WHERE state IN ({})", trial.states, states));
}

Result<std::vector<std::string>> ExtractLive::differing_keys(const Trial& trial, std::size_t count) {
    std::vector<std::string> keys;
    const Json rows = TRY(session_.ask_json(fmt::format(
        "SELECT coalesce(jsonb_agg(key), '[]') FROM (SELECT ROW({})::text COLLATE \"C\" AS key FROM {} AS s "
        "JOIN {} AS m ON m.n = s.\"kedge n\" WHERE m.state = 'differs' ORDER BY 1 LIMIT {}) AS k",
        key_list(key_of(trial), "s."), trial.rows, trial.states, count)));
    for (const Json& row : rows) keys.push_back(without_parentheses(row.get<std::string>()));
    return keys;
}

Result<std::vector<TriggerState>> ExtractLive::triggers_of(const std::string& table) {
    std::vector<TriggerState> triggers;
    const Json rows = TRY(session_.ask_json(fmt::format(
        R"(SELECT coalesce(jsonb_agg(jsonb_build_object('table', t.tgrelid::regclass, 'name', t.tgname,
    'enabled', t.tgenabled, 'ours', c.oid IS NULL OR c.contype = 't') ORDER BY t.tgrelid, t.oid), '[]')
FROM pg_trigger t LEFT JOIN pg_constraint c ON c.oid = t.tgconstraint
WHERE t.tgrelid IN (SELECT {0}::regclass UNION SELECT relid FROM pg_partition_tree({0}::regclass)))",
        sql_literal(table))));
    for (const Json& row : rows)
        triggers.push_back({get_string(row, "table").value_or(""), get_string(row, "name").value_or(""),
                            get_string(row, "enabled").value_or(""), get_bool(row, "ours").value_or(false)});
    return triggers;
}

Result<std::size_t> ExtractLive::switch_triggers_off(const Table& table) {
    std::vector<TriggerState> before = TRY(triggers_of(table.name));
    std::size_t on = 0;
    for (const TriggerState& trigger : before) {
        if (!trigger.ours || trigger.enabled == "D") continue;
        TRY(session_.execute(set_trigger(trigger, "D")).within(table.name));
        ++on;
    }
    triggers_before_.emplace(table.name, std::move(before));
    return on;
}

Result<void> ExtractLive::put_triggers_back() {
    for (const auto& [table, before] : triggers_before_) {
        for (const TriggerState& trigger : before)
            if (trigger.ours && trigger.enabled != "D")
                TRY(session_.execute(set_trigger(trigger, trigger.enabled)).within(table));
        // Foreign keys that were made again have brought triggers of their own.
        const std::vector<TriggerState> now = TRY(triggers_of(table));
        if (!std::ranges::all_of(before,
                                 [&](const TriggerState& trigger) { return std::ranges::count(now, trigger) == 1; }))
            return Error{Fault::refused, table + ": its triggers would not be as they were"};
    }
    return {};
}

Result<std::uint64_t> ExtractLive::insert(const std::vector<const Trial*>& trials) {
    const Trial& first = *trials.front();
    const std::string list = column_list(first.columns);
    std::string rows;
    std::uint64_t meant = 0;
    for (const Trial* trial : trials) {
        rows += fmt::format("{}SELECT {} FROM {} AS s JOIN {} AS m ON m.n = s.\"kedge n\" WHERE m.state = 'absent'",
                            rows.empty() ? "" : " UNION ALL ", column_list(trial->columns, "s."), trial->rows,
                            trial->states);
        meant += trial->absent;
    }
    // One statement for a table: rows that refer to each other are looked at together when it ends.
    const auto written = TRY(session_
                                 .ask_number(fmt::format("WITH written AS (INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE "
                                                         "{} RETURNING 1) SELECT count(*) FROM written",
                                                         first.table->name, list, rows))
                                 .within(first.table->name));
    TRY(same_count(first, written, meant));
    return meant;
}

Result<std::uint64_t> ExtractLive::replace(const Trial& trial) {
    const std::vector<Equality> key = key_of(trial);
    std::string changes;
    for (const Column& column : trial.columns) {
        if (std::ranges::find(key, column.name, &Equality::left) != key.end()) continue;
        if (trial.table->column(column.name)->always_identity)
            return Error{Fault::refused,
                         fmt::format("{}: {} is GENERATED ALWAYS AS IDENTITY: no row of it can be replaced",
                                     trial.table->name, column.name)};
        changes += fmt::format("{}{} = s.{}", changes.empty() ? "" : ", ", column.sql(), column.sql());
    }
    const auto written = TRY(
        session_
            .ask_number(fmt::format("WITH written AS (UPDATE {} AS t SET {} FROM {} AS s JOIN {} AS m ON m.n = "
                                    "s.\"kedge n\" WHERE m.state = 'differs' AND {} RETURNING 1) SELECT count(*) FROM "
                                    "written",
                                    trial.table->rows(), changes, trial.rows, trial.states, equal(key, "t", "s")))
            .within(trial.table->name));
    TRY(same_count(trial, written, trial.differs));
    return trial.differs;
}

Result<void> ExtractLive::check_constraints() {
    return session_.execute("SET CONSTRAINTS ALL IMMEDIATE");
}

Result<std::optional<MovedSequence>> ExtractLive::move_on(const Sequence& sequence,
                                                          std::optional<std::int64_t> recovered) {
    // ALTER SEQUENCE keeps others from the sequence until the end, and is undone with the transaction; setval is not.
    const std::string lock = fmt::format("ALTER SEQUENCE {} CACHE {};\n", sequence.name, sequence.cache);
    const Column* column = catalogue_.table(sequence.table)->column(sequence.column);
    const std::string in_column =
        column != nullptr && is_whole_number(column->type)
            ? fmt::format("(SELECT {}({})::bigint FROM {})", sequence.increment > 0 ? "max" : "min", column->sql(),
                          catalogue_.table(sequence.table)->rows())
            : "NULL::bigint";
    const Json stands = TRY(session_
                                .ask_json(fmt::format("{}SELECT jsonb_build_object('last', "
                                                      "pg_sequence_last_value({}::regclass), 'column', {})",
                                                      lock, sql_literal(sequence.name), in_column))
                                .within(sequence.name));
    const auto last = get_integer(stands, "last");
    std::optional<std::int64_t> to = last;
    for (const auto& other : {recovered, get_integer(stands, "column")})
        if (other) to = to ? furthest(*to, *other, sequence.increment) : *other;
    if (!to || to == last) return std::optional<MovedSequence>{};
    TRY(session_
            .execute(fmt::format("ALTER SEQUENCE {} RESTART WITH {};\nSELECT nextval({}::regclass)", sequence.name, *to,
                                 sql_literal(sequence.name)))
            .within(sequence.name));
    return std::optional(MovedSequence{sequence.name, last, *to});
}

}  // namespace kedge::recover
