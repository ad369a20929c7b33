#include "targets/postgres/copy_in.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>

#include <charconv>
#include <limits>

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

}  // namespace

void CopyIn::Close::operator()(pg_conn* connection) const {
    PQfinish(connection);
}

void CopyIn::Free::operator()(pg_result* result) const {
    PQclear(result);
}

Result<CopyIn> CopyIn::open(const std::string& conninfo, const Until& until) {
    const char* const keywords[] = {"dbname", "application_name", "options", nullptr};
    const char* const values[] = {conninfo.c_str(), "kedge",
                                  "-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0",
                                  nullptr};
    std::unique_ptr<pg_conn, Close> connection{PQconnectStartParams(keywords, values, 1)};
    check(connection != nullptr, "there is memory for a connection");
    PostgresPollingStatusType wanted = PGRES_POLLING_WRITING;
    while (PQstatus(connection.get()) != CONNECTION_BAD && wanted != PGRES_POLLING_OK &&
           wanted != PGRES_POLLING_FAILED) {
        TRY(wait_ready(PQsocket(connection.get()), wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT, until));
        wanted = PQconnectPoll(connection.get());
    }
    CopyIn copy(std::move(connection), until);
    if (PQstatus(copy.connection_.get()) != CONNECTION_OK) return copy.lost();
    PQsetNoticeReceiver(copy.connection_.get(), drop_copy_notice, nullptr);
    if (PQsetnonblocking(copy.connection_.get(), 1) != 0) return copy.lost();
    return copy;
}

Error CopyIn::lost() const {
    const std::string says = first_line(PQerrorMessage(connection_.get()));
    return Error{Fault::unavailable, says.empty() ? "the connection broke" : says};
}

Result<void> CopyIn::flush() {
    for (;;) {
        const int left = PQflush(connection_.get());
        if (left == 0) return {};
        if (left < 0) return lost();
        // A server that says no must be heard, or it never reads on.
        TRY(wait_ready(PQsocket(connection_.get()), POLLIN | POLLOUT, until_));
        if (PQconsumeInput(connection_.get()) == 0) return lost();
    }
}

Result<CopyIn::Answer> CopyIn::next_answer() {
    while (PQisBusy(connection_.get()) != 0) {
        TRY(wait_ready(PQsocket(connection_.get()), POLLIN, until_));
        if (PQconsumeInput(connection_.get()) == 0) return lost();
    }
    return Answer{PQgetResult(connection_.get())};
}

Result<CopyIn::Answer> CopyIn::last_answer() {
    Answer last;
    for (;;) {
        Answer answer = TRY(next_answer());
        if (answer == nullptr) return last;
        switch (PQresultStatus(answer.get())) {
            case PGRES_COMMAND_OK:
            case PGRES_TUPLES_OK: last = std::move(answer); break;
            case PGRES_COPY_IN: return answer;
            default: return PQstatus(connection_.get()) == CONNECTION_BAD ? lost() : said_no(answer.get());
        }
    }
}

Result<void> CopyIn::execute(const std::string& sql) {
    if (PQsendQuery(connection_.get(), sql.c_str()) != 1) return lost();
    TRY(flush());
    TRY(last_answer());
    return {};
}

Result<void> CopyIn::begin(const std::string& statement) {
    if (PQsendQuery(connection_.get(), statement.c_str()) != 1) return lost();
    TRY(flush());
    const Answer answer = TRY(last_answer());
    if (PQresultStatus(answer.get()) == PGRES_COPY_IN) return {};
    return Error{Fault::refused, fmt::format("the server waits for no rows after `{}`", statement)};
}

Result<void> CopyIn::fill(std::string_view rows) {
    constexpr std::size_t at_once = std::numeric_limits<int>::max() / 2;
    while (!rows.empty()) {
        const std::string_view now = rows.substr(0, at_once);
        if (PQputCopyData(connection_.get(), now.data(), static_cast<int>(now.size())) != 1) return lost();
        TRY(flush());
        rows.remove_prefix(now.size());
    }
    return {};
}

Result<std::uint64_t> CopyIn::end() {
    if (PQputCopyEnd(connection_.get(), nullptr) != 1) return lost();
    TRY(flush());
    const Answer answer = TRY(last_answer());
    const std::string_view count = answer == nullptr ? "" : PQcmdTuples(answer.get());
    std::uint64_t rows = 0;
    if (std::from_chars(count.data(), count.data() + count.size(), rows).ec == std::errc()) return rows;
    return Error{Fault::corrupt, "the server does not say how many rows it took"};
}

}  // namespace kedge
