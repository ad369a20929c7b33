#include "recover/sql_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <random>
#include "backup/sql_text.h"

namespace kedge::recover {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t row_bytes_max = std::size_t{1} << 31;  // a field is at most 1 GB
constexpr std::size_t errors_bytes_max = 1 << 20;
constexpr std::size_t rows_at_once_bytes = 64 * 1024;
constexpr Span ending_limit = 10s;  // of a psql that has closed its output

// One message, since a server may be far away. The last is for a session that dies while it holds locks: the server
// notices within seconds.
constexpr const char* same_everywhere = R"(SET client_min_messages = error\;
SET client_encoding = 'UTF8'\;
SET datestyle = 'ISO, YMD'\;
SET intervalstyle = 'postgres'\;
SET timezone = 'UTC'\;
SET bytea_output = 'hex'\;
SET extra_float_digits = 1\;
SET lc_monetary = 'C'\;
SET standard_conforming_strings = on\;
SET quote_all_identifiers = off\;
SET check_function_bodies = off\;
SET xmloption = content\;
SET row_security = off\;
SET statement_timeout = 0\;
SET idle_in_transaction_session_timeout = 0\;
SELECT set_config('search_path', '', false)\;
SELECT set_config(name, '2s', false) FROM pg_settings WHERE name = 'client_connection_check_interval')";

std::string random_mark() {
    std::random_device random;
    return fmt::format("kedge-{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
}

// What psql writes with VERBOSITY=verbose: "ERROR:  23505: duplicate key ...", then lines "DETAIL:  ...".
struct Said {
    std::string state, message, detail, hint;
    bool ended = false;  // the server ended the connection
};

std::string_view after(std::string_view line, std::string_view word) {
    return line.starts_with(word) ? line.substr(word.size()) : std::string_view{};
}

bool is_state(std::string_view text) {
    return text.size() == 5 && std::ranges::all_of(text, [](char letter) {
               return (letter >= '0' && letter <= '9') || (letter >= 'A' && letter <= 'Z');
           });
}

void read_said_line(std::string_view line, Said& said) {
    // The severity may be in any language.
    const std::size_t colon = line.find(":  ");
    if (said.state.empty() && colon != std::string_view::npos && line.size() > colon + 9 &&
        is_state(line.substr(colon + 3, 5)) && line[colon + 8] == ':') {
        said.state = line.substr(colon + 3, 5);
        said.message = line.substr(std::min(line.size(), colon + 10));
        said.ended = line.starts_with("FATAL") || line.starts_with("PANIC");
    } else if (const auto detail = after(line, "DETAIL:  "); !detail.empty()) {
        said.detail = detail;
    } else if (const auto hint = after(line, "HINT:  "); !hint.empty()) {
        said.hint = hint;
    } else if (said.message.empty() && !line.empty()) {
        said.message = line;
    }
}

Said read_said(std::string_view text) {
    Said said;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        read_said_line(text.substr(0, end), said);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return said;
}

Fault fault_of(const Said& said) {
    const std::string_view state = said.state;
    if (state.empty() || said.ended || state.starts_with("08") || state.starts_with("57P")) return Fault::unavailable;
    if (state == "55P03" || state.starts_with("40")) return Fault::conflict;
    if (state == "42501") return Fault::not_allowed;
    if (state == "57014" || state.starts_with("53") || state.starts_with("58")) return Fault::unavailable;
    return Fault::refused;
}

std::string hint_of(const Said& said) {
    if (said.state == "55P03")
        return "somebody holds it: see pg_locks and pg_stat_activity, then repeat, or wait longer for locks";
    if (said.state.starts_with("40")) return "repeat: nothing of it was kept";
    return said.hint;
}

// "INSERT 0 3" is not printed with -q; a count is.
Result<std::int64_t> number_in(const std::string& server, const std::string& text) {
    std::int64_t number = 0;
    const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (wrong != std::errc() || end != text.data() + text.size())
        return Error{Fault::corrupt, fmt::format("{}: `{}` is no number", server, text)};
    return number;
}

}  // namespace

std::string sql_statement(const std::string& sql) {
    return "DO LANGUAGE plpgsql " + sql_literal("BEGIN EXECUTE " + sql_literal(sql) + "; END");
}

Error error_of_psql(const std::string& server, const std::string& text) {
    const Said said = read_said(text);
    std::string message =
        fmt::format("{}: {}", server, said.message.empty() ? "psql ended without a word" : said.message);
    if (!said.detail.empty()) message += ": " + said.detail;
    return Error{fault_of(said), std::move(message), hint_of(said)};
}

SqlSession::SqlSession(Child psql, Stream conversation, Stream errors, std::string name, Until until)
    : psql_(std::move(psql)),
      conversation_(std::move(conversation)),
      errors_(std::move(errors)),
      name_(std::move(name)),
      until_(std::move(until)),
      mark_(random_mark()) {}

Result<SqlSession> SqlSession::open(const backup::PostgresServer& server, std::string name, const Until& until) {
    Descriptor theirs, their_errors;
    Stream conversation = TRY(Stream::to_child(name, theirs));
    Stream errors = TRY(Stream::to_child(name, their_errors));
    Environment environment = server.environment;
    environment.insert(environment.end(), {"PGCONNECT_TIMEOUT=5", "PGAPPNAME=kedge"});
    Child psql = TRY(Child::spawn({server.program("psql"), "-X", "-q", "-A", "-t", "-F", "\t", "-w", "-v",
                                   "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose", "-d", server.connection},
                                  {.input = Redirect::of(theirs.get()),
                                   .output = Redirect::of(theirs.get()),
                                   .errors = Redirect::of(their_errors.get()),
                                   .environment = std::move(environment)}));
    theirs.close();
    their_errors.close();
    SqlSession session(std::move(psql), std::move(conversation), std::move(errors), std::move(name), until);
    TRY(session.execute(same_everywhere));
    return session;
}

Result<void> SqlSession::send(const std::string& sql) {
    // A psql that has ended takes nothing: why is told when its answer is read.
    if (const auto sent = conversation_.write_all(sql, until_); !sent && !names_a_refusal(sent.error())) {
        lost_ = true;
        return sent.error();
    }
    return {};
}

Result<std::optional<std::string>> SqlSession::next_line() {
    auto line = conversation_.read_line(until_, row_bytes_max);
    if (!line) return names_a_refusal(line.error()) ? why_it_ended() : (lost_ = true, std::move(line).error());
    if (*line == mark_) return std::optional<std::string>{};
    return std::optional<std::string>{std::move(*line)};
}

Error SqlSession::why_it_ended() {
    const auto text = errors_.read_to_end(within(ending_limit), errors_bytes_max);
    const std::string said = text ? *text : "";
    const Said read = read_said(said);
    lost_ = read.state.empty() || read.ended;
    return error_of_psql(name_, said);
}

Result<std::string> SqlSession::ask(const std::string& sql) {
    TRY(send(fmt::format("{};\n\\echo {}\n", sql, mark_)));
    std::string answer;
    while (const auto line = TRY(next_line())) answer += *line + "\n";
    if (!answer.empty()) answer.pop_back();
    return answer;
}

Result<void> SqlSession::execute(const std::string& sql) {
    TRY(ask(sql));
    return {};
}

Result<std::int64_t> SqlSession::ask_number(const std::string& sql) {
    return number_in(name_, TRY(ask(sql)));
}

Result<Json> SqlSession::ask_json(const std::string& sql) {
    auto json = parse_json(TRY(ask(sql)));
    if (!json) return Error{Fault::corrupt, json.error().message}.within(name_);
    return json;
}

Result<void> SqlSession::begin_rows(const std::string& query) {
    return send(fmt::format("COPY ({}) TO STDOUT;\n\\echo {}\n", query, mark_));
}

Result<std::optional<std::string>> SqlSession::next_row() {
    return next_line();
}

Result<void> SqlSession::begin_filling(const std::string& table) {
    filled_ = 0;
    waiting_ = fmt::format("COPY {} FROM STDIN;\n", table);
    return {};
}

Result<void> SqlSession::flush() {
    const std::string rows = std::exchange(waiting_, {});
    return send(rows);
}

Result<void> SqlSession::fill(std::string_view row) {
    waiting_.append(row);
    waiting_ += '\n';
    ++filled_;
    return waiting_.size() < rows_at_once_bytes ? Result<void>{} : flush();
}

Result<std::uint64_t> SqlSession::end_filling() {
    waiting_ += fmt::format("\\.\n\\echo {}\n", mark_);
    TRY(flush());
    if (const auto line = TRY(next_line()))
        return Error{Fault::corrupt, fmt::format("{}: it answered `{}` to rows", name_, *line)};
    return filled_;
}

Result<void> SqlSession::commit() {
    auto committed = execute("COMMIT");
    if (committed) return committed;
    Error error = std::move(committed).error();
    if (lost_) error.fault = Fault::outcome_unknown;
    return error;
}

}  // namespace kedge::recover
