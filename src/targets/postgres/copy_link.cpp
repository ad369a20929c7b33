#include "targets/postgres/copy_link.h"

#include <libpq-fe.h>
#include <poll.h>

#include <string_view>
#include <vector>

#include "base/check.h"

namespace kedge {
namespace {

std::string first_line(std::string_view text) {
    return std::string(text.substr(0, text.find('\n')));
}

// What is printed for people comes with the error itself.
void drop_copy_notice(void*, const PGresult*) {}

Error said_no(const PGresult* result) {
    const auto field = [&](int code) {
        const char* text = PQresultErrorField(result, code);
        return std::string(text == nullptr ? "" : text);
    };
    std::string says = field(PG_DIAG_MESSAGE_PRIMARY);
    if (says.empty()) says = first_line(PQresultErrorMessage(result));
    // The detail may quote a row: it belongs to no log.
    if (const std::string table = field(PG_DIAG_TABLE_NAME); !table.empty()) says += " (table " + table + ")";
    return Error{Fault::refused, says};
}

// What stands behind the conninfo wins over what is in it (PQconnectStartParams, expand_dbname).
pg_conn* begin_to_connect(const ServerAccess& access, const std::string& settings) {
    const std::string options =
        "-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 " + settings;
    std::vector<const char*> keywords, values;
    const auto add = [&](const char* keyword, const char* value) {
        keywords.push_back(keyword);
        values.push_back(value);
    };
    add("dbname", access.conninfo.c_str());
    add("application_name", "kedge");
    add("options", options.c_str());
    if (!access.password.empty()) add("password", access.password.c_str());
    if (!access.database.empty()) add("dbname", access.database.c_str());
    add(nullptr, nullptr);
    return PQconnectStartParams(keywords.data(), values.data(), 1);
}

}  // namespace

void CopyLink::Close::operator()(pg_conn* connection) const {
    PQfinish(connection);
}

void CopyLink::Free::operator()(pg_result* result) const {
    PQclear(result);
}

Result<CopyLink> CopyLink::open(const ServerAccess& access, const Until& until, const std::string& settings) {
    std::unique_ptr<pg_conn, Close> connection{begin_to_connect(access, settings)};
    check(connection != nullptr, "there is memory for a connection");
    PostgresPollingStatusType wanted = PGRES_POLLING_WRITING;
    while (PQstatus(connection.get()) != CONNECTION_BAD && wanted != PGRES_POLLING_OK &&
           wanted != PGRES_POLLING_FAILED) {
        TRY(wait_ready(PQsocket(connection.get()), wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT, until));
        wanted = PQconnectPoll(connection.get());
    }
    CopyLink link(std::move(connection), until);
    if (PQstatus(link.get()) != CONNECTION_OK) return link.lost();
    PQsetNoticeReceiver(link.get(), drop_copy_notice, nullptr);
    if (PQsetnonblocking(link.get(), 1) != 0) return link.lost();
    return link;
}

Error CopyLink::lost() const {
    const std::string says = first_line(PQerrorMessage(get()));
    return Error{Fault::unavailable, says.empty() ? "the connection broke" : says};
}

Result<void> CopyLink::flush() {
    for (;;) {
        const int left = PQflush(get());
        if (left == 0) return {};
        if (left < 0) return lost();
        // A server that says no must be heard, or it never reads on.
        TRY(wait_ready(PQsocket(get()), POLLIN | POLLOUT, until_));
        if (PQconsumeInput(get()) == 0) return lost();
    }
}

Result<void> CopyLink::await_more() {
    TRY(wait_ready(PQsocket(get()), POLLIN, until_));
    if (PQconsumeInput(get()) == 0) return lost();
    return {};
}

Result<CopyLink::Answer> CopyLink::next_answer() {
    while (PQisBusy(get()) != 0) TRY(await_more());
    return Answer{PQgetResult(get())};
}

Result<CopyLink::Answer> CopyLink::last_answer() {
    Answer last;
    for (;;) {
        Answer answer = TRY(next_answer());
        if (answer == nullptr) return last;
        switch (PQresultStatus(answer.get())) {
            case PGRES_COMMAND_OK:
            case PGRES_TUPLES_OK: last = std::move(answer); break;
            case PGRES_COPY_IN:
            case PGRES_COPY_OUT: return answer;
            default: return PQstatus(get()) == CONNECTION_BAD ? lost() : said_no(answer.get());
        }
    }
}

Result<CopyLink::Answer> CopyLink::send(const std::string& sql) {
    if (PQsendQuery(get(), sql.c_str()) != 1) return lost();
    TRY(flush());
    return last_answer();
}

Result<void> CopyLink::execute(const std::string& sql) {
    TRY(send(sql));
    return {};
}

Result<Rows> CopyLink::ask(const std::string& sql) {
    const Answer answer = TRY(send(sql));
    Rows rows(answer == nullptr ? 0 : static_cast<std::size_t>(PQntuples(answer.get())));
    for (int i = 0; i < static_cast<int>(rows.size()); ++i)
        for (int field = 0; field < PQnfields(answer.get()); ++field) {
            auto& row = rows[static_cast<std::size_t>(i)];
            if (PQgetisnull(answer.get(), i, field) != 0)
                row.emplace_back();
            else
                row.emplace_back(std::string(PQgetvalue(answer.get(), i, field)));
        }
    return rows;
}

}  // namespace kedge
