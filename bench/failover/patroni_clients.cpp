#include "failover/patroni_clients.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>

#include "lab/ground/lab_ground.h"
#include "os/files.h"
#include "os/wait.h"

namespace kedge::bench {
namespace {

using namespace std::chrono_literals;

constexpr const char* writer_program = KEDGE_BUILD "/kedge-lab-writer";
constexpr Span look_period = 200ms;
constexpr Span stop_limit = 10s;
constexpr Span read_back_limit = 60s;
constexpr std::size_t log_max = 256u << 20;

// The lab's, see lab/app/schema.sql.
constexpr const char* create_table =
    "CREATE TABLE lab_heartbeat (stream text NOT NULL, seq bigint NOT NULL, at timestamptz NOT NULL DEFAULT"
    " clock_timestamp(), PRIMARY KEY (stream, seq))";

}  // namespace

Result<std::unique_ptr<PatroniClients>> PatroniClients::start(const ScratchPatroni& cluster) {
    TRY(cluster.server("east").ask(create_table));
    std::unique_ptr<PatroniClients> clients(new PatroniClients(cluster));
    Json databases = Json::array();
    for (const char* member : {"east", "west"})
        databases.push_back({{"region", member}, {"conninfo", cluster.server(member).conninfo()}});
    const Json config = {
        {"log", clients->path("attempts.jsonl")},
        {"databases", databases},
        {"streams",
         Json::array({{{"name", stream}, {"kind", "postgres"}, {"interval", "20ms"}, {"deadline", "300ms"}}})}};
    TRY(write_file_atomically(clients->path("writer.json"), dump_pretty(config)));
    clients->writer_ = std::make_unique<Child>(
        TRY(Child::spawn({writer_program, clients->path("writer.json")}, {.errors = Redirect::inherit()})));
    return clients;
}

Result<std::vector<Attempt>> PatroniClients::attempts() const {
    if (!exists(path("attempts.jsonl"))) return std::vector<Attempt>{};
    return parse_attempt_log(TRY(read_file(path("attempts.jsonl"), log_max))).streams[stream];
}

Result<void> PatroniClients::await_unbroken(Moment from, Span span, Span limit) const {
    const SystemClock clock;
    const Moment deadline = clock.now() + limit;
    std::string last = "none failed";
    while (clock.now() < deadline) {
        Moment broken = from;
        for (const Attempt& attempt : TRY(attempts())) {
            if (attempt.sent < from) continue;
            if (!attempt.acknowledged) {
                broken = std::max(broken, attempt.done);
                last = fmt::format("the last that failed, {}: {}", to_string(attempt.sent), attempt.error);
            }
            if (attempt.acknowledged && attempt.done - broken >= span) return {};
        }
        wait_out(within(look_period));
    }
    return Error{Fault::unavailable,
                 fmt::format("no {} of unbroken writes within {}; {}", readable(span), readable(limit), last)};
}

Result<LoadRecord> PatroniClients::stop(Moment fault) {
    writer_->signal_group(SIGTERM);
    if (!writer_->wait(within(stop_limit))) return Error{Fault::outcome_unknown, "the writer did not end"};
    writer_.reset();
    LoadRecord record;
    record.attempts = parse_attempt_log(TRY(read_file(path("attempts.jsonl"), log_max)));
    const RunOutput output = TRY(run_or_fail(
        {writer_program, "--read-back", path("writer.json"), "--fault", to_string(fault)}, within(read_back_limit)));
    record.losses = lab::parse_read_back(TRY(parse_json(output.out).within("what the writer read back")));
    return record;
}

}  // namespace kedge::bench
