#include "lab_world.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>

#include "base/json.h"
#include "cli/finding.h"
#include "lab/observe.h"
#include "os/clock.h"
#include "os/files.h"
#include "targets/files/file_samples.h"
#include "targets/haproxy/haproxy_traffic.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;

constexpr Span look_period = 10ms;
constexpr Span look_limit = 500ms;

Until soon() {
    return kedge::within(20s);
}

Result<std::unique_ptr<HaproxyTraffic>> entrance() {
    return HaproxyTraffic::create(
        {.name = "api",
         .socket = Lab::named()->layout().haproxy_socket(),
         .backend = "api",
         .servers = {{east_region, {"us-east-1-a", "us-east-1-b"}}, {west_region, {"us-west-2-a", "us-west-2-b"}}}});
}

std::string short_weights(const TrafficLook& look) {
    const int east = look.at(east_region).weight, west = look.at(west_region).weight;
    const int sum = std::max(east + west, 1);
    return fmt::format("{}/{}", 100 * east / sum, 100 * west / sum);
}

}  // namespace

LabWorld::LabWorld() {
    std::string pattern = (std::filesystem::temp_directory_path() / "kedge-whole-XXXXXX").string();
    state_ = mkdtemp(pattern.data());
    const RunOutput up = tell_lab({"up"});
    up_ = up.exit.ok();
    trouble_ = up.out + up.err;
}

LabWorld::~LabWorld() {
    if (up_) tell_lab({"down"});
    std::error_code ignored;
    std::filesystem::remove_all(state_, ignored);
}

Arguments LabWorld::line(const Arguments& words) const {
    Arguments all = {KEDGE_PROGRAM, "--estate", std::string(KEDGE_SOURCE_DIR) + "/plans/aragora/lab.yaml", "--state",
                     state_};
    all.insert(all.end(), words.begin(), words.end());
    return all;
}

RunOutput LabWorld::kedge(const Arguments& words, Span limit) const {
    const Result<RunOutput> output = run(line(words), kedge::within(limit));
    return output ? *output : RunOutput{.exit = {.code = 99}, .out = {}, .err = output.error().message};
}

Result<Child> LabWorld::start_kedge(const Arguments& words) const {
    SpawnOptions options;
    options.output = Redirect::append_to(state_ + "/out");
    options.errors = Redirect::append_to(state_ + "/errors");
    return Child::spawn(line(words), options);
}

RunOutput LabWorld::tell_lab(const Arguments& words) const {
    Arguments arguments = {KEDGE_LAB_PROGRAM};
    arguments.insert(arguments.end(), words.begin(), words.end());
    const Result<RunOutput> output = run(arguments, kedge::within(120s));
    return output ? *output : RunOutput{.exit = {.code = 99}, .out = {}, .err = output.error().message};
}

bool LabWorld::is_observed() const {
    const auto sample = FileSamples(state_ + "/samples").latest("aragora-postgres");
    if (!sample || !*sample || !(*sample)->acknowledged || SystemClock().now() - (*sample)->at > 3s) return false;
    return std::ranges::count_if((*sample)->sites, [](const auto& site) { return site.second.heartbeat.has_value(); }) >
           1;
}

Result<LoadedRun> LabWorld::load(const RunId& id) const {
    const std::unique_ptr<SqliteJournal> journal = TRY(SqliteJournal::open(state_, Access::read));
    return load_run(*journal, id, lab_root());
}

std::vector<RunId> LabWorld::runs() const {
    std::vector<RunId> ids;
    const auto journal = SqliteJournal::open(state_, Access::read);
    if (!journal) return ids;
    const auto records = (*journal)->runs();
    if (records)
        for (const RunRecord& record : *records) ids.push_back(record.id);
    return ids;
}

std::string LabWorld::role(const std::string& component) const {
    return role_of(lab().layout(), *find_place(component), soon());
}

std::string LabWorld::sql(const std::string& component, const std::string& query) const {
    const Result<std::string> answer = ask_postgres(lab().layout(), *find_place(component), "aragora", query, soon());
    return answer ? *answer : "error: " + answer.error().message;
}

Result<void> LabWorld::move_schema(const std::string& version) const {
    TRY(run_or_fail({lab().layout().application_program(), "--schema",
                     "host=127.0.11.110 port=21432 user=postgres dbname=aragora", "to", version},
                    kedge::within(std::chrono::seconds(30))));
    return {};
}

int LabWorld::timeline(const std::string& component) const {
    const std::string answer = sql(component,
                                   "select case when pg_is_in_recovery() then (select received_tli::text from "
                                   "pg_stat_wal_receiver) else ('x' || left(pg_walfile_name(pg_current_wal_lsn()), "
                                   "8))::bit(32)::int::text end");
    int timeline = 0;
    std::from_chars(answer.data(), answer.data() + answer.size(), timeline);
    return timeline;
}

std::string LabWorld::weights() const {
    const auto traffic = entrance();
    const auto look = (*traffic)->look(soon().deadline);
    return look ? short_weights(*look) : "error: " + look.error().message;
}

std::size_t LabWorld::announced(const std::string& channel, const std::string& key) const {
    const Result<std::string> text = read_file(fmt::format("{}/{}.jsonl", lab().layout().root, channel));
    std::size_t count = 0;
    for (std::size_t at = text ? text->find('"' + key + '"') : std::string::npos; at != std::string::npos;
         at = text->find('"' + key + '"', at + 1))
        ++count;
    return count;
}

WriterWatch::WriterWatch() {
    for (const char* region : {east_region, west_region}) {
        const Endpoint at = find_place(std::string("postgres-") + region)->direct();
        servers_.push_back({.region = region,
                            .access = {.conninfo = fmt::format("host={} port={} user=postgres dbname=aragora "
                                                               "connect_timeout=2 application_name=kedge-test-watch",
                                                               at.host, at.port)},
                            .connection = nullptr});
    }
    thread_ = std::jthread([this](const std::stop_token& stop) { watch(stop); });
}

void WriterWatch::finish() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
}

std::size_t WriterWatch::as_writer(const std::string& region) const {
    for (const Server& server : servers_)
        if (server.region == region) return server.writable;
    return 0;
}

Truth WriterWatch::look(Server& server) const {
    const Moment deadline = SystemClock().now() + look_limit;
    if (!server.connection || server.connection->is_spent())
        server.connection = Connection::open(server.access, deadline).connection;
    if (!server.connection) return Truth::unknown;
    const Exchange answer = server.connection->exchange(
        {{{"select not pg_is_in_recovery() and not current_setting('transaction_read_only')::bool", {}}}}, deadline);
    if (answer.lost || answer.answers.empty() || !answer.answers.front().committed) {
        server.connection.reset();
        return Truth::unknown;
    }
    return answer.answers.front().rows.at(0).at(0).at(0) == "t" ? Truth::yes : Truth::no;
}

// One server after the other, so that of three answers in a row the middle one lies between the others.
void WriterWatch::watch(const std::stop_token& stop) {
    std::string last_writer, before_last;
    while (!stop.stop_requested()) {
        for (Server& server : servers_) {
            const Truth writable = look(server);
            ++looks_;
            if (writable == Truth::no && last_writer == server.region) last_writer.clear();
            if (writable != Truth::yes) continue;
            ++server.writable;
            if (before_last == server.region && last_writer != server.region && !last_writer.empty())
                second_writers_.push_back(fmt::format("{} while {} was writable, {}", last_writer, server.region,
                                                      to_string(SystemClock().now())));
            before_last = last_writer;
            last_writer = server.region;
        }
        wait_out(kedge::within(look_period, stop));
    }
}

WeightWatch::WeightWatch()
    : thread_([this](const std::stop_token& stop) {
          const auto traffic = entrance();
          while (!stop.stop_requested()) {
              const auto look = (*traffic)->look(SystemClock().now() + look_limit);
              if (look)
                  if (std::string now = short_weights(*look); seen_.empty() || seen_.back() != now)
                      seen_.push_back(std::move(now));
              wait_out(kedge::within(look_period, stop));
          }
      }) {}

void WeightWatch::finish() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
}

}  // namespace kedge::lab
