#include "database.h"

#include <fmt/format.h>

#include <algorithm>

#include "os/clock.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;

constexpr Span calm_interval = 250ms;
constexpr Span alarmed_interval = 25ms;
// To each server, also to a standby: so many are kept open, and so many statements run at once.
constexpr std::size_t connections_max = 8;

// The timeline is read from the log's own position: the control file follows later.
const Statement role_query{
    "SELECT pg_is_in_recovery(), current_setting('transaction_read_only'),"
    " CASE WHEN pg_is_in_recovery() THEN '0' ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END",
    {}};

Moment now() {
    return SystemClock{}.now();
}

// One round trip less each for questions that the lab's servers always answer with no.
std::string without_negotiation(const std::string& conninfo) {
    return with_keyword(with_keyword(conninfo, "sslmode", "disable"), "gssencmode", "disable");
}

// Answers after which the statement was certainly not carried out and another server, or a later try, may
// do it (PostgreSQL manual, appendix A).
bool is_passing(const std::string& state) {
    return state == "25006"             // read only: a standby, or held
           || state == "57014"          // cancelled, by its timeout
           || state.starts_with("53")   // out of connections, memory, disk
           || state.starts_with("40")   // rolled back: serialisation, deadlock
           || state.starts_with("58");  // the server's system failed
}

}  // namespace

std::string_view to_string(Role role) {
    switch (role) {
        case Role::unknown: return "unknown";
        case Role::standby: return "standby";
        case Role::read_only_primary: return "read-only primary";
        case Role::primary: return "primary";
    }
    return "";
}

Database::Database(const DatabaseOptions& options)
    : write_limit_(options.write_limit), attempt_limit_(options.attempt_limit), connect_limit_(options.connect_limit) {
    for (const DatabaseServer& address : options.servers) {
        auto server = std::make_unique<Server>();
        server->address = {address.region, without_negotiation(address.conninfo)};
        server->state.region = address.region;
        server->pool = std::make_unique<ConnectionPool>(server->address.conninfo, connections_max, write_limit_);
        servers_.push_back(std::move(server));
    }
    for (std::size_t i = 0; i < servers_.size(); ++i)
        watchers_.emplace_back([this, i](const std::stop_token& stop) { watch(i, stop); });
}

Database::~Database() {
    for (auto& watcher : watchers_) watcher.request_stop();
    changed_.notify_all();
}

void Database::watch(std::size_t index, const std::stop_token& stop) {
    Server& server = *servers_[index];
    std::unique_ptr<Connection> connection;
    Span connect_limit = connect_limit_;
    while (!stop.stop_requested()) {
        publish(index, ask(connection, server, connect_limit));
        std::unique_lock lock{mutex_};
        // A suspicion, or the loss of the primary elsewhere, ends the calm at once.
        changed_.wait_for(lock, stop, calm_interval, [&] { return server.is_suspect || !primary_; });
        const Span pause = server.asked + alarmed_interval - now();
        if (pause > 0ms) changed_.wait_for(lock, stop, pause, [] { return false; });
    }
}

ServerState Database::ask(std::unique_ptr<Connection>& connection, const Server& server, Span& connect_limit) const {
    ServerState state{.region = server.address.region};
    if (connection && connection->is_spent()) connection.reset();
    if (!connection) {
        auto opened = Connection::open({server.address.conninfo}, now() + connect_limit);
        if (!opened.connection) {
            if (opened.lost.reachable == Truth::unknown) connect_limit = std::min(2 * connect_limit, write_limit_);
            state.says = opened.lost.says;
            return state;
        }
        connect_limit = connect_limit_;
        connection = std::move(opened.connection);
    }
    const Exchange exchange = connection->exchange({{role_query}}, now() + attempt_limit_);
    const TransactionAnswer& answer = exchange.answers.front();
    if (exchange.lost || answer.error || answer.rows.empty() || answer.rows[0].empty()) {
        state.says = exchange.lost ? exchange.lost->says : answer.error ? answer.error->message : "no answer";
        connection.reset();
        return state;
    }
    const Row& row = answer.rows[0][0];
    if (row[0] == "t")
        state.role = Role::standby;
    else
        state.role = row[1] == "on" ? Role::read_only_primary : Role::primary;
    state.timeline = static_cast<std::uint32_t>(std::stoul(row[2].value_or("0"), nullptr, 16));
    return state;
}

void Database::publish(std::size_t index, ServerState state) {
    {
        const std::lock_guard lock{mutex_};
        Server& server = *servers_[index];
        if (state.role == Role::unknown)
            server.pool->close();
        else
            server.pool->keep_open();
        server.state = std::move(state);
        server.asked = now();
        server.is_suspect = false;
        const auto before = primary_;
        primary_ = choose_primary();
        if (primary_ != before && primary_) ++counters_.switches;
    }
    changed_.notify_all();
}

std::optional<std::size_t> Database::choose_primary() const {
    std::optional<std::size_t> chosen;
    for (std::size_t i = 0; i < servers_.size(); ++i) {
        const ServerState& state = servers_[i]->state;
        if (state.role != Role::primary) continue;
        if (!chosen || state.timeline > servers_[*chosen]->state.timeline) chosen = i;
    }
    return chosen;
}

std::optional<std::size_t> Database::await_primary(Moment deadline) {
    std::unique_lock lock{mutex_};
    while (!primary_) {
        const Span left = deadline - now();
        if (left <= 0ms) return std::nullopt;
        changed_.wait_for(lock, left);
    }
    return primary_;
}

void Database::suspect(std::size_t index, const std::string& why) {
    {
        const std::lock_guard lock{mutex_};
        Server& server = *servers_[index];
        server.pool->close();
        server.state.role = Role::unknown;
        server.state.says = why;
        server.is_suspect = true;
        primary_ = choose_primary();
    }
    ++counters_.errors;
    changed_.notify_all();
}

// A server that was slow once is asked again before anybody gives it up: its pooled connections stay.
void Database::doubt(std::size_t index) {
    {
        const std::lock_guard lock{mutex_};
        servers_[index]->is_suspect = true;
    }
    ++counters_.errors;
    changed_.notify_all();
}

Database::Try Database::attempt(std::size_t index, const Transaction& transaction, Moment deadline, Span limit) {
    ConnectionPool& pool = *servers_[index]->pool;
    auto connection = pool.take(deadline);
    if (!connection) return {Try::Kind::not_tried, {}, {Fault::unavailable, "no connection came free in time"}};
    const Moment begin = now();
    Exchange exchange = connection->exchange({transaction}, std::min(deadline, begin + limit));
    TransactionAnswer& answer = exchange.answers.front();
    if (exchange.lost) {
        pool.give_up(now() - begin);
        return {exchange.sent ? Try::Kind::unknown : Try::Kind::not_done,
                {},
                {Fault::unavailable, exchange.lost->says},
                exchange.lost->reachable == Truth::unknown};
    }
    pool.give_back(std::move(connection), now() - begin);
    if (!answer.error)
        return {
            Try::Kind::done, answer.rows.empty() ? Rows{} : std::move(answer.rows.back()), {Fault::unavailable, ""}};
    const auto& [state, message] = *answer.error;
    const std::string said = fmt::format("{} (SQLSTATE {})", message, state);
    if (is_passing(state)) return {Try::Kind::not_done, {}, {Fault::unavailable, said}};
    const Fault fault = state == "23505" ? Fault::conflict : Fault::invalid_input;
    return {Try::Kind::refused, {}, {fault, said}};
}

Result<Rows> Database::write(const Transaction& transaction, Moment deadline) {
    deadline = std::min(deadline, now() + write_limit_);
    Error last{Fault::unavailable, "no database takes writes"};
    bool may_be_done = false;
    Span limit = attempt_limit_;
    for (int tries = 0;; ++tries) {
        const auto index = await_primary(deadline);
        if (!index || now() >= deadline) break;
        if (tries > 0) ++counters_.retries;
        Try result = attempt(*index, transaction, deadline, limit);
        if (result.kind == Try::Kind::done) return std::move(result.rows);
        if (result.kind == Try::Kind::refused) return std::move(result.error);
        may_be_done = may_be_done || result.kind == Try::Kind::unknown;
        last = result.error.within("database " + servers_[*index]->address.region);
        if (result.kind == Try::Kind::not_tried) continue;
        if (result.silent) {
            doubt(*index);
            limit *= 2;  // perhaps it only has a slow disk: less hurry leaves it less to do
        } else {
            suspect(*index, result.error.message);
        }
    }
    if (may_be_done) last.fault = Fault::outcome_unknown;
    return last;
}

std::vector<std::size_t> Database::readers() const {
    const std::lock_guard lock{mutex_};
    std::vector<std::size_t> order;
    if (primary_) order.push_back(*primary_);
    for (std::size_t i = 0; i < servers_.size(); ++i)
        if (servers_[i]->state.role != Role::unknown && i != primary_) order.push_back(i);
    return order;
}

Result<Rows> Database::read(const Statement& statement, Moment deadline) {
    Error last{Fault::unavailable, "no database answers"};
    for (const std::size_t index : readers()) {
        if (now() >= deadline) break;
        Try result = attempt(index, {statement}, std::min(deadline, now() + attempt_limit_), attempt_limit_);
        if (result.kind == Try::Kind::done) return std::move(result.rows);
        if (result.kind == Try::Kind::refused) return std::move(result.error);
        last = result.error.within("database " + servers_[index]->address.region);
        if (result.kind != Try::Kind::not_tried) suspect(index, result.error.message);
    }
    return last;
}

std::vector<ServerState> Database::servers() const {
    const std::lock_guard lock{mutex_};
    std::vector<ServerState> states;
    for (const auto& server : servers_) states.push_back(server->state);
    return states;
}

std::optional<std::string> Database::primary_region() const {
    const std::lock_guard lock{mutex_};
    if (!primary_) return std::nullopt;
    return servers_[*primary_]->address.region;
}

}  // namespace kedge::lab
