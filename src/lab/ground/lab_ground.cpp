#include "lab/ground/lab_ground.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <utility>

#include "lab/breaker.h"
#include "lab/configuration.h"
#include "lab/fault.h"
#include "os/files.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;

constexpr Span break_limit = 30s;
constexpr Span heal_limit = 120s;
constexpr Span read_back_limit = 180s;
constexpr Span stop_limit = 10s;
constexpr std::string_view writer_source = "127.0.13.70";
constexpr std::size_t log_bytes_max = 512u << 20;

Result<LabFault> fault_at(const std::string& fault, const std::string& region) {
    std::vector<std::string> words = {fault};
    if (!region.empty()) words.push_back(region);
    // A partition lies between the region and the other one.
    const std::optional<Site> site = parse_site(region);
    if (fault == "partition" && site) words.emplace_back(to_string(other_region(*site)));
    return parse_lab_fault(words);
}

}  // namespace

LabGround::~LabGround() {
    // The follower reads from the writer as long as it lives.
    follower_.request_stop();
    if (follower_.joinable()) follower_.join();
    writer_.reset();
}

// What is written where. The entrance's rows prove the whole way; the stores' own rows prove each store apart.
std::vector<LoadStream> LabGround::streams() const {
    return {{"probe", "api", true},
            {"counter", "aragora-api", false},
            {"postgres", "aragora-postgres", false},
            {"redis", "aragora-redis", false}};
}

Result<void> LabGround::configure() const {
    Json databases = Json::array(), sentinels = Json::array();
    for (const Place& place : places()) {
        if (place.kind == Kind::postgres)
            databases.push_back(
                {{"region", to_string(place.site)},
                 {"conninfo", fmt::format("host={} port={} dbname={} user=aragora", place.via_relay().host,
                                          place.via_relay().port, database_name)}});
        if (place.kind == Kind::sentinel) sentinels.push_back(to_string(place.via_relay()));
    }
    const auto stream = [](std::string_view name, std::string_view kind, std::string_view interval,
                           std::string_view deadline) {
        return Json{{"name", name}, {"kind", kind}, {"interval", interval}, {"deadline", deadline}};
    };
    const Json config = {
        {"log", log()},
        {"entrance", fmt::format("http://{}:{}", entrance_host, entrance_port)},
        {"service_token_file", lab_.layout().service_token()},
        {"source", writer_source},
        {"databases", databases},
        {"sentinels", sentinels},
        {"master", redis_master_name},
        {"streams",
         Json::array({stream("probe", "http", "100ms", "250ms"), stream("counter", "http", "20ms", "2500ms"),
                      stream("postgres", "postgres", "20ms", "300ms"), stream("redis", "redis", "20ms", "300ms")})}};
    TRY(make_directories(directory()));
    TRY(write_file_atomically(configuration(), dump_pretty(config) + "\n"));
    if (lab_.name().login && (::chown(directory().c_str(), lab_.name().login->uid, lab_.name().login->gid) != 0 ||
                              ::chown(configuration().c_str(), lab_.name().login->uid, lab_.name().login->gid) != 0))
        return Error{Fault::unavailable, fmt::format("cannot give {} to {}", directory(), lab_.name().login->name)};
    return {};
}

Result<void> LabGround::start_load() {
    TRY(configure());
    SpawnOptions options;
    options.output = Redirect::pipe();
    options.errors = Redirect::append_to(directory() + "/writer.err");
    options.login = lab_.name().login;
    writer_ = std::make_unique<Child>(TRY(Child::spawn({lab_.layout().writer_program(), configuration()}, options)));
    follower_ = std::jthread([this](const std::stop_token& stop) { follow(stop); });
    return {};
}

// Reads the writer's lines until it ends.
void LabGround::follow(const std::stop_token& stop) {
    std::string unread;
    std::array<char, 16384> bytes{};
    while (wait_ready(writer_->output().get(), POLLIN, Until(SystemClock().now() + 24h, stop))) {
        const ssize_t count = ::read(writer_->output().get(), bytes.data(), bytes.size());
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (count <= 0) break;
        unread.append(bytes.data(), static_cast<std::size_t>(count));
        take_lines(unread);
    }
    const std::lock_guard lock(mutex_);
    ended_ = true;
    there_.notify_all();
}

void LabGround::take_lines(std::string& unread) {
    const std::size_t end = unread.rfind('\n');
    if (end == std::string::npos) return;
    AttemptLog log = parse_attempt_log(std::string_view(unread).substr(0, end + 1));
    unread.erase(0, end + 1);
    const std::lock_guard lock(mutex_);
    for (auto& [stream, attempts] : log.streams) {
        std::deque<Attempt>& waiting = attempts_[stream];
        waiting.insert(waiting.end(), std::make_move_iterator(attempts.begin()),
                       std::make_move_iterator(attempts.end()));
    }
    there_.notify_all();
}

Result<std::vector<Attempt>> LabGround::next_attempts(const std::string& stream, Span limit) {
    std::unique_lock lock(mutex_);
    std::deque<Attempt>& waiting = attempts_[stream];
    there_.wait_for(lock, limit, [&] { return !waiting.empty() || ended_; });
    if (waiting.empty() && ended_)
        return Error{Fault::unavailable, "the writer has ended before its time", "read " + directory() + "/writer.err"};
    std::vector<Attempt> taken(std::make_move_iterator(waiting.begin()), std::make_move_iterator(waiting.end()));
    waiting.clear();
    return taken;
}

Result<void> LabGround::end_writer() {
    if (!writer_) return {};
    writer_->signal_group(SIGTERM);
    const std::optional<Exit> exit = writer_->wait(within(stop_limit));
    follower_.request_stop();
    follower_.join();
    writer_.reset();
    if (!exit) return Error{Fault::outcome_unknown, "the writer did not end when it was told to: it was killed"};
    return {};
}

Result<LoadRecord> LabGround::stop_load(std::optional<Moment> fault) {
    TRY(end_writer());
    LoadRecord record;
    record.attempts = parse_attempt_log(TRY(read_file(log(), log_bytes_max)));
    Arguments arguments = {lab_.layout().writer_program(), "--read-back", configuration()};
    if (fault) arguments.insert(arguments.end(), {"--fault", to_string(*fault)});
    RunOptions options;
    options.login = lab_.name().login;
    const RunOutput output = TRY(run(arguments, within(read_back_limit), options));
    if (!output.exit.ok())
        return Error{Fault::unavailable,
                     fmt::format("reading back failed, {}: {}", to_string(output.exit), output.err)};
    record.losses = parse_read_back(TRY(parse_json(output.out).within("what the writer read back")));
    return record;
}

std::map<std::string, std::optional<Loss>> parse_read_back(const Json& document) {
    std::map<std::string, std::optional<Loss>> losses;
    for (const Json& stream : get(document, "streams")) {
        std::optional<Loss>& loss = losses[get_string(stream, "name").value_or("")];
        const std::optional<std::int64_t> rows = get_integer(stream, "missing_rows");
        const std::optional<std::int64_t> acknowledged = get_integer(stream, "acknowledged");
        if (!rows || !acknowledged) continue;
        loss = Loss{.acknowledged = *acknowledged, .rows = *rows};
        for (const Json& range : get(stream, "missing_ranges"))
            if (range.is_array() && range.size() == 2 && range[0].is_number_integer() && range[1].is_number_integer())
                loss->missing.push_back({range[0].get<std::int64_t>(), range[1].get<std::int64_t>()});
        loss->acknowledged_after_fault = get_integer(stream, "acknowledged_after_fault").value_or(0);
        loss->stored_unacknowledged = get_integer(stream, "stored_unacknowledged").value_or(0);
        if (const auto rpo = get_number(stream, "rpo_seconds")) loss->rpo = Span{static_cast<std::int64_t>(*rpo * 1e6)};
    }
    return losses;
}

Result<void> LabGround::check_fault(const std::string& fault, const std::string& region) {
    TRY(fault_at(fault, region));
    return {};
}

Result<Moment> LabGround::inject(const std::string& fault, const std::string& region) {
    const LabFault what = TRY(fault_at(fault, region));
    return TRY(Breaker(lab_).inject(what, within(break_limit))).at;
}

Result<void> LabGround::heal(const std::string& fault, const std::string& region) {
    TRY(Breaker(lab_).heal(TRY(fault_at(fault, region)), within(heal_limit)));
    return {};
}

std::vector<std::string> LabGround::limits() const {
    return {
        "Both regions share one machine: its processors, its disk and its clock. Clock skew between sites is not "
        "there.",
        "Traffic moves when HAProxy is told: no DNS propagation, no resolver or client that keeps an old address.",
        "The network between the sites is a relay with a delay: no real loss, reordering or bandwidth of a WAN.",
        "The people are played and decide at once; real ones take minutes.",
        "The data fits into memory: nothing here says how long a large database takes to open or to copy."};
}

}  // namespace kedge::lab
