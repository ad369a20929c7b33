#include "lab/observe.h"

#include <fmt/format.h>

#include <charconv>

#include "os/process.h"

namespace kedge::lab {
namespace {

constexpr Span look_interval = std::chrono::milliseconds{20};

Arguments psql(const Layout& layout, const Place& place, const std::string& database) {
    return {"psql",
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            layout.of(place),
            "-p",
            std::to_string(place.port),
            "-U",
            "postgres",
            "-d",
            database,
            "-f",
            "-"};
}

RunOptions reading(const std::string& input) {
    return {.input = input, .environment = {"PGCONNECT_TIMEOUT=2", "PGAPPNAME=kedge-lab"}};
}

std::string trimmed(std::string text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    return text;
}

}  // namespace

Result<void> wait_for(const std::string& what, const Until& until, const std::function<Result<bool>()>& holds) {
    const SystemClock clock;
    std::string last = "no";
    for (;;) {
        const Result<bool> answer = holds();
        if (answer && *answer) return {};
        last = answer ? "not yet" : answer.error().message;
        if (clock.now() >= until.deadline || !wait_out({clock.now() + look_interval, until.stop}))
            return Error{Fault::unavailable, fmt::format("waited in vain for {} ({})", what, last)};
    }
}

Result<std::string> ask_postgres(const Layout& layout, const Place& place, const std::string& database,
                                 const std::string& query, const Until& until) {
    const RunOutput output =
        TRY(run_or_fail(psql(layout, place, database), until, reading(query + ";\n")).within(place.name));
    return trimmed(output.out);
}

Result<void> tell_postgres(const Layout& layout, const Place& place, const std::string& database,
                           const std::string& statements, const Until& until) {
    TRY(run_or_fail(psql(layout, place, database), until, reading(statements)).within(place.name));
    return {};
}

Result<std::string> ask_redis(const Place& place, const std::string& section, const std::string& field,
                              const Until& until) {
    Stream stream = TRY(Stream::connect(place.direct(), until));
    TRY(stream.write_all(fmt::format("INFO {}\r\n", section), until));
    const std::string head = TRY(stream.read_line(until));
    std::size_t size = 0;
    if (!head.starts_with('$') || std::from_chars(head.data() + 1, head.data() + head.size(), size).ec != std::errc{})
        return Error{Fault::unavailable, fmt::format("{}: answered '{}'", place.name, head)};
    const std::string text = TRY(stream.read_exactly(size, until));
    const std::size_t at = text.find("\n" + field + ":");
    if (at == std::string::npos) return Error{Fault::not_found, fmt::format("{}: no {} in INFO", place.name, field)};
    const std::size_t value = at + field.size() + 2;
    return text.substr(value, text.find('\r', value) - value);
}

bool listens(const Endpoint& at, const Until& until) {
    return Stream::connect(at, until).has_value();
}

Result<bool> is_up_at_entrance(const Layout& layout, const std::string& instance, const Until& until) {
    Stream stream = TRY(Stream::connect_unix(layout.haproxy_socket(), until));
    TRY(stream.write_all("show stat\n", until));
    const std::string table = TRY(stream.read_to_end(until));
    const std::size_t line = table.find("\napi," + instance + ",");
    if (line == std::string::npos) return Error{Fault::not_found, fmt::format("haproxy: no server {}", instance)};
    return table.substr(line + 1, table.find('\n', line + 1) - line).find(",UP,") != std::string::npos;
}

std::string role_of(const Layout& layout, const Place& place, const Until& until) {
    switch (place.kind) {
        case Kind::postgres: {
            const auto answer = ask_postgres(layout, place, "postgres", "select pg_is_in_recovery()", until);
            if (!answer) return "unknown";
            return *answer == "t" ? "standby" : *answer == "f" ? "primary" : "unknown";
        }
        case Kind::redis: {
            const auto answer = ask_redis(place, "replication", "role", until);
            return !answer ? "unknown" : *answer == "slave" ? "replica" : *answer;
        }
        case Kind::sentinel: return ask_redis(place, "sentinel", "sentinel_masters", until) ? "serving" : "unknown";
        case Kind::application:
        case Kind::haproxy:
        case Kind::prometheus: return listens(place.direct(), until) ? "serving" : "unknown";
        case Kind::relay: return Stream::connect_unix(layout.relay_socket(), until) ? "serving" : "unknown";
    }
    return "unknown";
}

}  // namespace kedge::lab
