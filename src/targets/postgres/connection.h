// One connection to one PostgreSQL server, through libpq, that never waits beyond a deadline.
//
// Everything a caller wants is sent at once (libpq's pipeline mode), so that several transactions cost one
// round trip. A connection that lost its server or ran into a deadline is spent: it is only destroyed.
// One thread at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "base/truth.h"

struct pg_conn;

namespace kedge {

struct Statement {
    std::string sql;  // one statement, its parameters written $1, $2, ...
    std::vector<std::optional<std::string>> parameters;
};
// Statements that take effect together: committed when the last has succeeded, or not at all.
using Transaction = std::vector<Statement>;

using Row = std::vector<std::optional<std::string>>;
using Rows = std::vector<Row>;

// The server's own "no": SQLSTATE (PostgreSQL manual, appendix A) and message.
struct SqlError {
    std::string state;
    std::string message;
};

struct TransactionAnswer {
    std::vector<Rows> rows;  // of each statement that succeeded, in order
    std::optional<SqlError> error;
    bool committed = false;
};

// Why there is no (further) answer. `reachable`: no = it refused or closed the connection, unknown = silence,
// yes = a server answered, and what it said was no.
struct LostContact {
    Truth reachable = Truth::unknown;
    std::string says;
};

struct Exchange {
    std::vector<TransactionAnswer> answers;  // one for each transaction; those after the loss are not committed
    std::optional<LostContact> lost;
    bool sent = false;  // whether the server may have got anything
};

// How libpq gets in.
struct ServerAccess {
    std::string conninfo;
    std::string password{};  // empty: libpq's own ways (a password file, a certificate, trust)
    std::string database{};  // instead of the conninfo's; empty: that
};

class Connection {
public:
    struct Opened {
        std::unique_ptr<Connection> connection;  // null: see `lost`
        LostContact lost;
    };

    static Opened open(const ServerAccess& access, Moment deadline);

    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection();

    // Sends all of `transactions`, then waits for all answers. The server is told the deadline as well
    // (statement_timeout). When contact is lost, a transaction that is not `committed` may have been.
    Exchange exchange(const std::vector<Transaction>& transactions, Moment deadline);

    // Whether an idle connection is unfit for use: the server has closed it or is about to. Does not block.
    bool is_spent() const;

private:
    struct Close {
        void operator()(pg_conn* connection) const;
    };
    explicit Connection(pg_conn* connection);

    std::optional<LostContact> flush(Moment deadline);
    std::optional<LostContact> await_result(Moment deadline);
    std::optional<LostContact> read_transaction(TransactionAnswer& answer, Moment deadline);
    LostContact lost(const std::string& doing);

    std::unique_ptr<pg_conn, Close> connection_;
    bool spent_ = false;
};

// A conninfo that can stand in a file or in the arguments of a program: it parses and holds no password.
// invalid_input with `what` (the name of the setting) otherwise.
Result<void> check_conninfo(const std::string& conninfo, const std::string& what);
// The user that `conninfo` names, or that libpq would take.
std::string user_of(const std::string& conninfo);
// A password as a field of a password file (PostgreSQL manual, 34.16).
std::string escaped_for_passfile(const std::string& password);
// `conninfo` with `keyword` set to `value`.
std::string with_keyword(const std::string& conninfo, const std::string& keyword, const std::string& value);

}  // namespace kedge
