#include "targets/postgres/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "os/clock.h"
#include "targets/postgres/look_query.h"

namespace kedge {
namespace {

constexpr std::size_t idle_connections_max = 4;
// How many heartbeats the table keeps: more than three hours at one a second.
constexpr std::int64_t heartbeats_kept = 12'000;

// How long a promotion is stayed with. A standby that has more left to replay may still oversleep its end once, for
// what `retrieve_retry` says.
constexpr Span wake_max = std::chrono::seconds{2};

constexpr std::string_view not_in_prerequisite_state = "55000";
constexpr std::string_view read_only_transaction = "25006";
constexpr std::array missing_relation{std::string_view{"42P01"}, std::string_view{"3F000"}};
// Two sessions that create the same thing at once: one of them gets one of these.
constexpr std::array created_meanwhile{std::string_view{"23505"}, std::string_view{"42P06"}, std::string_view{"42P07"}};

Error to_error(const SqlError& said) {
    const std::string message = fmt::format("{} (SQLSTATE {})", said.message, said.state);
    const std::string_view group = std::string_view{said.state}.substr(0, 2);
    if (said.state == "42501") return {Fault::not_allowed, message, "grant it to the role that Kedge connects as"};
    if (said.state == read_only_transaction)
        return {Fault::refused, message, "it is a standby or held read-only: write to the primary"};
    // No connection left, out of resources, shutting down, cancelled: the transaction was rolled back.
    if (group == "08" || group == "53" || group == "57" || group == "40" || group == "55")
        return {Fault::unavailable, message};
    return {Fault::refused, message};
}

std::optional<Heartbeat> newest_heartbeat(const TransactionAnswer& answer) {
    return answer.rows.empty() || answer.rows[0].empty() ? std::nullopt : read_heartbeat(answer.rows[0][0]);
}

// Of a server that is asked by another database no more is asked if that does not serve, either: no `database`.
ServerAccess beside(const ServerAccess& access) {
    return {.conninfo = with_keyword(access.conninfo, "dbname", other_database(access.database)),
            .password = access.password,
            .database = {}};
}

bool is_any(std::string_view state, const auto& states) {
    return std::ranges::find(states, state) != states.end();
}

}  // namespace

PostgresServer::PostgresServer(std::string name, ServerAccess access, std::string probe_schema)
    : name_(std::move(name)), access_(std::move(access)), schema_(std::move(probe_schema)) {
    if (access_.database.empty()) return;
    beside_ = std::make_unique<PostgresServer>(name_, beside(access_), schema_);
}

std::unique_ptr<Connection> PostgresServer::take_idle() {
    const std::lock_guard lock{mutex_};
    while (!idle_.empty()) {
        auto connection = std::move(idle_.back());
        idle_.pop_back();
        if (!connection->is_spent()) return connection;
    }
    return nullptr;
}

void PostgresServer::give_back(std::unique_ptr<Connection> connection) {
    const std::lock_guard lock{mutex_};
    if (idle_.size() < idle_connections_max) idle_.push_back(std::move(connection));
}

Exchange PostgresServer::exchange(const std::vector<Transaction>& transactions, Repeat repeat, Moment deadline) {
    if (auto warm = take_idle()) {
        Exchange exchange = warm->exchange(transactions, deadline);
        if (!exchange.lost) {
            give_back(std::move(warm));
            return exchange;
        }
        {
            const std::lock_guard lock{mutex_};
            idle_.clear();  // the others went the same way
        }
        if (exchange.lost->reachable == Truth::unknown || repeat == Repeat::never) return exchange;
    }
    Connection::Opened opened = Connection::open(access_, deadline);
    if (!opened.connection) {
        Exchange nothing;
        nothing.answers.resize(transactions.size());
        nothing.lost = std::move(opened.lost);
        return nothing;
    }
    Exchange exchange = opened.connection->exchange(transactions, deadline);
    if (!exchange.lost) give_back(std::move(opened.connection));
    return exchange;
}

Result<PostgresServer::Answers> PostgresServer::judge(Exchange exchange) const {
    Answers answers;
    for (TransactionAnswer& answer : exchange.answers) {
        if (answer.error) return to_error(*answer.error).within(name_);
        answers.push_back(std::move(answer.rows));
    }
    if (exchange.lost)
        return Error{exchange.sent ? Fault::outcome_unknown : Fault::unavailable,
                     fmt::format("{}: {}", name_, exchange.lost->says)};
    return answers;
}

// The heartbeats are asked for only where they are known to be: a question for a table that is not there would be an
// error in the server's log at each look.
DatabaseLook PostgresServer::look(Moment deadline) {
    std::vector<Transaction> transactions{state_transaction(schema_)};
    const bool with_heartbeat = heartbeats_exist_;
    if (with_heartbeat) transactions.insert(transactions.begin(), heartbeat_transaction(schema_));
    const Exchange seen = exchange(transactions, Repeat::safe, deadline);
    DatabaseLook look = read_state(seen.answers.back(), seen.lost);
    // libpq tells only in words why a server let nobody in, and they may be translated: not so the name.
    if (seen.lost && look.reachable == Truth::yes && beside_ && look.says.find(access_.database) != std::string::npos)
        return look_beside(std::move(look), deadline);
    if (look.primary != Truth::unknown) look.serves = Truth::yes;
    if (const auto exist = has_heartbeats(seen.answers.back())) heartbeats_exist_ = *exist;
    if (with_heartbeat)
        look.heartbeat = newest_heartbeat(seen.answers.front());
    else if (heartbeats_exist_)
        return this->look(deadline);  // once for each server; and the order of the two stays what it has to be
    return look;
}

DatabaseLook PostgresServer::look_beside(DatabaseLook refused, Moment deadline) {
    DatabaseLook look = beside_->look(deadline);
    if (look.primary == Truth::unknown) return refused;
    const auto found =
        beside_->ask({"SELECT datallowconn FROM pg_database WHERE datname = $1", {access_.database}}, deadline);
    const bool is_open = found && !found->empty() && found->front().front() == "t";
    look.serves = found && !is_open ? Truth::no : Truth::unknown;
    look.heartbeat.reset();
    look.says += fmt::format("; its database {} {}", access_.database,
                             !found || is_open ? "lets nobody in: " + refused.says
                             : found->empty()  ? "is not there"
                                               : "is closed");
    return look;
}

Result<Rows> PostgresServer::ask(const Statement& statement, Moment deadline) {
    auto answers = judge(exchange({{statement}}, Repeat::safe, deadline));
    // A lost answer to a question leaves nothing in doubt.
    if (!answers && answers.error().fault == Fault::outcome_unknown)
        return Error{Fault::unavailable, answers.error().message, answers.error().hint};
    return std::move(TRY(std::move(answers)).front().front());
}

Result<void> PostgresServer::promote(Moment deadline) {
    const Span left = deadline - SystemClock{}.now();
    Exchange exchange = this->exchange({{promote_statement()}, {wake_statement(std::min(wake_max, left / 2))}},
                                       Repeat::never, deadline);
    exchange.answers.pop_back();  // whatever became of the second: the request stands
    if (exchange.answers.front().committed) exchange.lost.reset();
    const Answers answers = TRY(judge(std::move(exchange)));
    const std::string said = answers.front().front().at(0).at(0).value_or("could not signal its startup process");
    if (said == "asked") return {};
    if (said == "manager unknown")
        return Error{Fault::refused, fmt::format("{}: whether another manager runs it cannot be seen", name_),
                     "grant pg_monitor to the role that Kedge connects as"};
    if (said.starts_with("is run by"))
        return Error{Fault::refused, fmt::format("{}: {}", name_, said),
                     "promote through that manager: bind the target to its driver"};
    return Error{Fault::refused, fmt::format("{}: {}", name_, said)};
}

Result<void> PostgresServer::checkpoint(Moment deadline) {
    TRY(judge(exchange({{Statement{"CHECKPOINT", {}}}}, Repeat::safe, deadline)));
    return {};
}

// Not repeated when its answer is lost: the name would stand for two positions. It is on disk with the next commit, so
// before whatever it is made for.
Result<Lsn> PostgresServer::create_restore_point(const std::string& name, Moment deadline) {
    Exchange named = exchange({{Statement{"SELECT pg_create_restore_point($1)", {name}}}}, Repeat::never, deadline);
    // A standby, or a log that holds too little to recover from: nothing that waiting would change.
    if (const auto& error = named.answers.front().error; error && error->state == not_in_prerequisite_state)
        return Error{Fault::refused, fmt::format("{}: {}", name_, error->message)};
    const Answers answers = TRY(judge(std::move(named)));
    const Rows& rows = answers.front().front();
    return parse_lsn(rows.empty() ? "" : rows[0][0].value_or("")).within(name_);
}

Result<void> PostgresServer::create_probe(Moment deadline) {
    const Transaction create{
        {fmt::format("CREATE SCHEMA IF NOT EXISTS {}", schema_), {}},
        {fmt::format("CREATE TABLE IF NOT EXISTS {}.heartbeat (sequence bigint PRIMARY KEY, written timestamptz NOT"
                     " NULL, position pg_lsn NOT NULL)",
                     schema_),
         {}},
        {fmt::format("CREATE TABLE IF NOT EXISTS {}.canary (key text PRIMARY KEY, written timestamptz NOT NULL)",
                     schema_),
         {}}};
    const Exchange exchange = this->exchange({create}, Repeat::safe, deadline);
    const auto& error = exchange.answers.front().error;
    if (error && !is_any(error->state, created_meanwhile)) return to_error(*error).within(name_);
    if (exchange.lost) return Error{Fault::outcome_unknown, fmt::format("{}: {}", name_, exchange.lost->says)};
    return {};
}

Result<PostgresServer::Answers> PostgresServer::write_probe(const std::vector<Transaction>& transactions,
                                                            Moment deadline) {
    Exchange first = exchange(transactions, Repeat::safe, deadline);
    const auto& error = first.answers.front().error;
    if (!error || !is_any(error->state, missing_relation)) return judge(std::move(first));
    TRY(create_probe(deadline));
    return judge(exchange(transactions, Repeat::safe, deadline));
}

Result<Canary> PostgresServer::write_canary(const std::string& key, Moment deadline) {
    const Transaction write{{fmt::format("INSERT INTO {}.canary (key, written) VALUES ($1, clock_timestamp())"
                                         " ON CONFLICT (key) DO UPDATE SET written = excluded.written",
                                         schema_),
                             {key}}};
    const Transaction read_back{
        {fmt::format("SELECT pg_current_wal_lsn(), ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))"
                     "::bit(32)::int FROM {}.canary WHERE key = $1",
                     schema_),
         {key}}};
    const Answers answers = TRY(write_probe({write, read_back}, deadline));
    const Rows& found = answers.at(1).at(0);
    if (found.empty())
        return Error{Fault::corrupt, fmt::format("{}: canary {}: committed, but not there afterwards", name_, key)};
    Canary canary{.key = key, .position = TRY(parse_lsn(found[0][0].value_or(""))), .timeline = 0};
    const std::string timeline = found[0][1].value_or("");
    std::from_chars(timeline.data(), timeline.data() + timeline.size(), canary.timeline);
    return canary;
}

Result<Heartbeat> PostgresServer::write_heartbeat(std::int64_t sequence, Moment written, Moment deadline) {
    const std::string number = std::to_string(sequence);
    const Transaction write{
        {"SELECT set_config('synchronous_commit', 'local', true)", {}},
        {fmt::format("INSERT INTO {}.heartbeat (sequence, written, position) VALUES ($1, $2,"
                     " pg_current_wal_insert_lsn()) ON CONFLICT (sequence) DO NOTHING",
                     schema_),
         {number, to_string(written)}},
        {fmt::format("DELETE FROM {}.heartbeat WHERE sequence <= $1::bigint - {}", schema_, heartbeats_kept),
         {number}}};
    const Transaction read_back{
        {fmt::format("SELECT sequence, floor(extract(epoch FROM written) * 1000000)::bigint, pg_current_wal_lsn()"
                     " FROM {}.heartbeat WHERE sequence = $1",
                     schema_),
         {number}}};
    const Answers answers = TRY(write_probe({write, read_back}, deadline));
    const Rows& found = answers.at(1).at(0);
    const auto heartbeat = found.empty() ? std::nullopt : read_heartbeat(found[0]);
    if (!heartbeat)
        return Error{Fault::corrupt,
                     fmt::format("{}: heartbeat {}: committed, but not there afterwards", name_, sequence)};
    return *heartbeat;
}

Result<void> check_probe_schema(const std::string& target, const std::string& schema) {
    const bool is_plain = !schema.empty() && (schema[0] < '0' || schema[0] > '9') &&
                          schema.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
    if (is_plain) return {};
    return Error{Fault::invalid_input, fmt::format("{}: probe schema '{}' is no plain name", target, schema)};
}

}  // namespace kedge
