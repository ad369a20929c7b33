#include "init.h"

#include <fmt/format.h>

#include "password.h"
#include "schema.h"
#include "targets/postgres/connection.h"

namespace kedge::lab {
namespace {

// As schema.sql promises: a statement ends with a semicolon at the end of a line.
Transaction split_statements(std::string_view text) {
    Transaction statements;
    while (!text.empty()) {
        const auto end = text.find(";\n");
        if (end == std::string_view::npos) break;
        statements.push_back({std::string(text.substr(0, end)), {}});
        text.remove_prefix(end + 2);
    }
    return statements;
}

Result<TransactionAnswer> run(Connection& connection, const Transaction& transaction, Moment deadline) {
    Exchange exchange = connection.exchange({transaction}, deadline);
    if (exchange.lost) return Error{Fault::outcome_unknown, exchange.lost->says};
    TransactionAnswer answer = std::move(exchange.answers.front());
    if (!answer.error) return answer;
    const bool is_there = answer.error->state == "42P07";  // duplicate table
    return Error{is_there ? Fault::conflict : Fault::refused,
                 fmt::format("{} (SQLSTATE {})", answer.error->message, answer.error->state)};
}

Statement probe_login(const std::string& password) {
    const std::string salt = new_salt();
    return {
        "INSERT INTO users (id, tenant_id, email, password_hash, password_salt, name, role)"
        " VALUES ('usr_dr_probe', 'ten_1', $1, $2, $3, 'Disaster recovery probe', 'member')",
        {probe_email, hash_password(password, salt), salt}};
}

}  // namespace

Result<void> initialise_database(const std::string& conninfo, const std::string& probe_password, Moment deadline) {
    auto opened = Connection::open({conninfo}, deadline);
    if (!opened.connection) return Error{Fault::unavailable, "the database to be filled: " + opened.lost.says};
    Connection& connection = *opened.connection;
    const auto role = TRY(run(connection, {{"SELECT 1 FROM pg_roles WHERE rolname = 'aragora'", {}}}, deadline));
    Transaction load;
    if (role.rows[0].empty()) load.push_back({"CREATE ROLE aragora LOGIN", {}});
    for (Statement& statement : split_statements(schema_text)) load.push_back(std::move(statement));
    load.push_back(probe_login(probe_password));
    TRY(run(connection, load, deadline).within("loading the lab's tables"));
    return {};
}

}  // namespace kedge::lab
