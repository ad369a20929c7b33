#include "targets/postgres/connection.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/check.h"
#include "os/clock.h"
#include "os/wait.h"

namespace kedge {
namespace {

using std::chrono::milliseconds;

// The kernel gives a connection up whose data nobody acknowledged for so long; without it an idle connection through
// a silent path would be taken for good.
constexpr const char* tcp_user_timeout_ms = "15000";

struct FreeResult {
    void operator()(PGresult* result) const { PQclear(result); }
};
using ResultHandle = std::unique_ptr<PGresult, FreeResult>;

struct FreeOptions {
    void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using Options = std::unique_ptr<PQconninfoOption, FreeOptions>;

Options parse(const std::string& conninfo, std::string* problem = nullptr) {
    char* said = nullptr;
    Options options{PQconninfoParse(conninfo.c_str(), &said)};
    if (said != nullptr && problem != nullptr) *problem = said;
    PQfreemem(said);
    return options;
}

std::string value_of(const Options& options, std::string_view keyword) {
    for (const PQconninfoOption* option = options.get(); option != nullptr && option->keyword != nullptr; ++option)
        if (option->keyword == keyword && option->val != nullptr) return option->val;
    return {};
}

// libpq's messages are several lines; those that begin with a tab are its advice.
std::string one_line(std::string_view message) {
    std::string line;
    while (!message.empty()) {
        const auto end = std::min(message.find('\n'), message.size());
        const std::string_view part = message.substr(0, end);
        message.remove_prefix(std::min(end + 1, message.size()));
        if (part.empty() || part.front() == '\t') continue;
        line += line.empty() ? "" : "; ";
        line += part;
    }
    return line;
}

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

// libpq tells the cause of a broken connection only in words. The words of the system's errors are compared with
// strerror's own, so that a translation changes both sides.
bool names_system_error(std::string_view message, std::initializer_list<int> numbers) {
    return std::ranges::any_of(numbers, [&](int number) { return contains(message, std::strerror(number)); });
}

Truth reachable_after(std::string_view message, bool server_was_reading) {
    if (names_system_error(message, {ETIMEDOUT, EHOSTUNREACH, ENETUNREACH})) return Truth::unknown;
    if (names_system_error(message, {ECONNREFUSED, ECONNRESET, EPIPE, ENOENT})) return Truth::no;
    if (contains(message, "server closed the connection")) return Truth::no;
    return server_was_reading ? Truth::yes : Truth::unknown;
}

std::string field(const PGresult* result, int code) {
    const char* text = PQresultErrorField(result, code);
    return text == nullptr ? "" : text;
}

Rows rows_of(const PGresult* result) {
    Rows rows;
    for (int i = 0; i < PQntuples(result); ++i) {
        Row row;
        for (int j = 0; j < PQnfields(result); ++j)
            row.push_back(PQgetisnull(result, i, j) != 0 ? std::nullopt : std::optional{PQgetvalue(result, i, j)});
        rows.push_back(std::move(row));
    }
    return rows;
}

// libpq would print it to our stderr.
void drop_notice(void*, const PGresult*) {}

std::string silence(Moment since) {
    return fmt::format("no answer within {}", readable(SystemClock{}.now() - since));
}

}  // namespace

void Connection::Close::operator()(pg_conn* connection) const {
    PQfinish(connection);
}

Connection::Connection(pg_conn* connection) : connection_(connection) {
    PQsetNoticeReceiver(connection, drop_notice, nullptr);
}

Connection::~Connection() = default;

Connection::Opened Connection::open(const ServerAccess& access, Moment deadline) {
    const Moment start = SystemClock{}.now();
    std::vector<const char*> keywords{"dbname"}, values{access.conninfo.c_str()};  // the first dbname may be a conninfo
    const auto add = [&](const char* keyword, const char* value) {
        keywords.push_back(keyword);
        values.push_back(value);
    };
    if (!access.database.empty()) add("dbname", access.database.c_str());
    if (!access.password.empty()) add("password", access.password.c_str());
    add("application_name", "kedge");
    add("keepalives_idle", "5");
    add("keepalives_interval", "5");
    add("tcp_user_timeout", tcp_user_timeout_ms);
    add("client_encoding", "UTF8");
    keywords.push_back(nullptr);
    values.push_back(nullptr);

    std::unique_ptr<Connection> made{new Connection{PQconnectStartParams(keywords.data(), values.data(), 1)}};
    PGconn* const connection = made->connection_.get();
    check(connection != nullptr, "there is memory for a connection");
    bool server_was_reading = false;
    PostgresPollingStatusType wanted = PGRES_POLLING_WRITING;
    while (PQstatus(connection) != CONNECTION_BAD && wanted != PGRES_POLLING_OK && wanted != PGRES_POLLING_FAILED) {
        if (!wait_ready(PQsocket(connection), wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline))
            return {nullptr, {Truth::unknown, silence(start)}};
        server_was_reading = server_was_reading || PQstatus(connection) == CONNECTION_AWAITING_RESPONSE;
        wanted = PQconnectPoll(connection);
    }
    if (PQstatus(connection) != CONNECTION_OK) {
        const std::string message = PQerrorMessage(connection);
        return {nullptr, {reachable_after(message, server_was_reading), one_line(message)}};
    }
    check(PQsetnonblocking(connection, 1) == 0 && PQenterPipelineMode(connection) == 1, "an idle connection pipelines");
    return {std::move(made), {}};
}

LostContact Connection::lost(const std::string& doing) {
    spent_ = true;
    const std::string message = PQerrorMessage(connection_.get());
    return {reachable_after(message, true) == Truth::unknown ? Truth::unknown : Truth::no,
            fmt::format("{}: {}", doing, message.empty() ? "the connection broke" : one_line(message))};
}

std::optional<LostContact> Connection::flush(Moment deadline) {
    const Moment start = SystemClock{}.now();
    for (;;) {
        const int left = PQflush(connection_.get());
        if (left == 0) return std::nullopt;
        if (left < 0) return lost("sending");
        // A server that writes before it has read all must be read from, or both wait for ever.
        if (!wait_ready(PQsocket(connection_.get()), POLLIN | POLLOUT, deadline)) {
            spent_ = true;
            return LostContact{Truth::unknown, silence(start)};
        }
        if (PQconsumeInput(connection_.get()) == 0) return lost("sending");
    }
}

std::optional<LostContact> Connection::await_result(Moment deadline) {
    const Moment start = SystemClock{}.now();
    while (PQisBusy(connection_.get()) != 0) {
        if (!wait_ready(PQsocket(connection_.get()), POLLIN, deadline)) {
            spent_ = true;
            return LostContact{Truth::unknown, silence(start)};
        }
        if (PQconsumeInput(connection_.get()) == 0) return lost("reading");
    }
    return std::nullopt;
}

// Reads up to the answer of the synchronisation point that ends a transaction.
std::optional<LostContact> Connection::read_transaction(TransactionAnswer& answer, Moment deadline) {
    for (;;) {
        if (auto silent = await_result(deadline)) return silent;
        const ResultHandle result{PQgetResult(connection_.get())};
        if (!result) {  // between two statements; without end only on a broken connection
            if (PQstatus(connection_.get()) == CONNECTION_BAD) return lost("reading");
            continue;
        }
        switch (PQresultStatus(result.get())) {
            case PGRES_TUPLES_OK:
            case PGRES_COMMAND_OK: answer.rows.push_back(rows_of(result.get())); break;
            case PGRES_PIPELINE_ABORTED: break;
            case PGRES_PIPELINE_SYNC: answer.committed = !answer.error; return std::nullopt;
            default:
                if (PQstatus(connection_.get()) == CONNECTION_BAD) return lost("reading");
                if (!answer.error)
                    answer.error =
                        SqlError{field(result.get(), PG_DIAG_SQLSTATE), field(result.get(), PG_DIAG_MESSAGE_PRIMARY)};
        }
    }
}

Exchange Connection::exchange(const std::vector<Transaction>& transactions, Moment deadline) {
    check(!spent_, "a connection that lost its server is not used again");
    check(!transactions.empty(), "an exchange asks for something");
    Exchange exchange;
    exchange.answers.resize(transactions.size());
    const auto left = std::chrono::ceil<milliseconds>(deadline - SystemClock{}.now()).count();
    if (left <= 0) {
        exchange.lost = LostContact{Truth::unknown, "the deadline had passed before anything was sent"};
        return exchange;
    }
    const std::string limit = std::to_string(left);
    const auto send = [&](const std::string& sql, const std::vector<std::optional<std::string>>& parameters) {
        std::vector<const char*> values;
        for (const auto& parameter : parameters) values.push_back(parameter ? parameter->c_str() : nullptr);
        return PQsendQueryParams(connection_.get(), sql.c_str(), static_cast<int>(values.size()), nullptr,
                                 values.data(), nullptr, nullptr, 0) == 1;
    };
    exchange.sent = true;
    // A transaction of its own, since some commands (ALTER SYSTEM) want to be alone in theirs.
    std::vector<Transaction> all{{{"SELECT set_config('statement_timeout', $1, false)", {limit}}}};
    all.insert(all.end(), transactions.begin(), transactions.end());
    for (const Transaction& transaction : all) {
        bool sent = true;
        for (const Statement& statement : transaction) sent = sent && send(statement.sql, statement.parameters);
        if (!sent || PQpipelineSync(connection_.get()) != 1) {
            exchange.lost = lost("sending");
            return exchange;
        }
    }
    exchange.lost = flush(deadline);
    TransactionAnswer of_limit;
    if (!exchange.lost) exchange.lost = read_transaction(of_limit, deadline);
    for (TransactionAnswer& answer : exchange.answers) {
        if (exchange.lost) break;
        exchange.lost = read_transaction(answer, deadline);
    }
    return exchange;
}

bool Connection::is_spent() const {
    if (spent_ || PQstatus(connection_.get()) != CONNECTION_OK) return true;
    // Nothing was asked, so whatever comes is a goodbye.
    return wait_ready(PQsocket(connection_.get()), POLLIN, SystemClock{}.now()).has_value();
}

Result<void> check_conninfo(const std::string& conninfo, const std::string& what) {
    std::string problem;
    const Options options = parse(conninfo, &problem);
    if (!options) return Error{Fault::invalid_input, fmt::format("{}: {}", what, one_line(problem))};
    if (!value_of(options, "password").empty())
        return Error{Fault::invalid_input, fmt::format("{}: holds a password", what),
                     "put it into a file and name that with passfile=..., or use a certificate"};
    if (value_of(options, "host").empty() && value_of(options, "hostaddr").empty())
        return Error{Fault::invalid_input, fmt::format("{}: names no host", what)};
    return {};
}

std::string user_of(const std::string& conninfo) {
    if (std::string named = value_of(parse(conninfo), "user"); !named.empty()) return named;
    const Options defaults{PQconndefaults()};
    return value_of(defaults, "user");
}

std::string escaped_for_passfile(const std::string& password) {
    std::string escaped;
    for (const char c : password) {
        if (c == ':' || c == '\\') escaped += '\\';
        escaped += c;
    }
    return escaped;
}

std::string with_keyword(const std::string& conninfo, const std::string& keyword, const std::string& value) {
    const Options options = parse(conninfo);
    std::string built;
    const auto add = [&](std::string_view name, std::string_view text) {
        built += fmt::format("{}{}='", built.empty() ? "" : " ", name);
        for (const char c : text) {
            if (c == '\'' || c == '\\') built += '\\';
            built += c;
        }
        built += '\'';
    };
    for (const PQconninfoOption* option = options.get(); option != nullptr && option->keyword != nullptr; ++option)
        if (option->val != nullptr && keyword != option->keyword) add(option->keyword, option->val);
    add(keyword, value);
    return built;
}

}  // namespace kedge
