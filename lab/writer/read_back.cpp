#include "read_back.h"

#include <charconv>

#include "event_log.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/wait.h"
#include "response/heartbeats.h"
#include "sink.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t numbers_max = 20'000'000;

using Numbers = std::vector<std::int64_t>;

std::int64_t to_number(const std::string& text) {
    std::int64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

// Through `write`, which asks the primary only: a standby may show less than there is.
Result<Numbers> stored_in_postgres(Database& database, const std::string& stream, Moment deadline) {
    const Rows rows =
        TRY(database.write({{"SELECT min(seq), max(seq) FROM (SELECT seq, seq - row_number() OVER (ORDER BY seq) AS run"
                             " FROM lab_heartbeat WHERE stream = $1) AS numbered GROUP BY run ORDER BY 1",
                             {stream}}},
                           deadline));
    Numbers numbers;
    for (const Row& row : rows) {
        const std::int64_t first = to_number(row[0].value_or("")), last = to_number(row[1].value_or(""));
        if (last - first > numbers_max) return Error{Fault::corrupt, "more numbers than can have been written"};
        for (std::int64_t number = first; number <= last; ++number) numbers.push_back(number);
    }
    return numbers;
}

Result<Numbers> stored_in_redis(Cache& cache, const std::string& stream, Moment deadline) {
    Numbers numbers;
    std::string cursor = "0";
    do {
        const auto replies = TRY(cache.run({{"SSCAN", redis_key(stream), cursor, "COUNT", "5000"}}, deadline));
        if (replies[0].items.size() != 2) return Error{Fault::corrupt, "SSCAN did not answer as documented"};
        cursor = replies[0].items[0].text;
        for (const Reply& item : replies[0].items[1].items) numbers.push_back(to_number(item.text));
    } while (cursor != "0" && SystemClock{}.now() < deadline);
    if (cursor != "0") return Error{Fault::unavailable, "Redis was not read to the end before the deadline"};
    return numbers;
}

std::int64_t microseconds(Moment moment) {
    return moment.time_since_epoch().count();
}

Json or_null(const auto& optional, const auto& of) {
    return optional ? Json(of(*optional)) : Json();
}

Json outage_json(const Outage& outage) {
    return {{"first_failed_us", microseconds(outage.first_failed)},
            {"over_us", or_null(outage.over, microseconds)},
            {"seconds", or_null(outage.span(), seconds)},
            {"failed", outage.failed}};
}

void add_loss(Json& json, const std::optional<Loss>& loss) {
    json["missing_rows"] = or_null(loss, [](const Loss& known) { return known.rows; });
    if (!loss) {
        json["rpo_seconds"] = Json();
        return;
    }
    json["missing"] = readable(loss->missing);
    json["missing_ranges"] = Json::array();
    for (const SequenceRange& range : loss->missing) json["missing_ranges"].push_back({range.first, range.last});
    json["oldest_missing"] = or_null(loss->oldest_missing, [](const Attempt& oldest) {
        return Json{{"seq", oldest.sequence}, {"acknowledged_us", microseconds(oldest.done)}};
    });
    json["acknowledged_after_fault"] = loss->acknowledged_after_fault;
    json["stored_unacknowledged"] = loss->stored_unacknowledged;
    json["rpo_seconds"] = or_null(loss->rpo, seconds);
}

Json stream_json(const StreamOptions& stream, const std::vector<Attempt>& attempts, const Result<Numbers>& stored,
                 std::optional<Moment> fault) {
    const Moment from = fault ? *fault : attempts.empty() ? Moment{} : attempts.front().sent;
    std::int64_t acknowledged = 0;
    for (const Attempt& attempt : attempts) acknowledged += attempt.acknowledged ? 1 : 0;
    Json json{{"name", stream.name},
              {"kind", to_string(stream.kind)},
              {"attempts", attempts.size()},
              {"acknowledged", acknowledged},
              {"failed", static_cast<std::int64_t>(attempts.size()) - acknowledged},
              {"store", stored ? "read" : stored.error().message}};
    add_loss(json, count_loss(attempts, stored ? std::optional<Numbers>(*stored) : std::nullopt, fault));
    json["outages"] = Json::array();
    for (const Outage& outage : outages(attempts, from)) json["outages"].push_back(outage_json(outage));
    json["largest_gap"] = or_null(largest_gap(attempts, from), [](const Gap& gap) {
        return Json{
            {"from_us", microseconds(gap.from)}, {"to_us", microseconds(gap.to)}, {"seconds", seconds(gap.span())}};
    });
    return json;
}

// Clients that take their time: a read-back has no hurry, and its answers may be long.
DatabaseOptions patient(DatabaseOptions options) {
    options.write_limit = 60s;
    options.attempt_limit = 20s;
    options.connect_limit = 2s;
    return options;
}

}  // namespace

Result<Json> read_back(const WriterConfig& config, std::optional<Moment> fault, Moment deadline) {
    const std::string text = TRY(read_file(config.log, log_bytes_max));
    const AttemptLog log = parse_attempt_log(text);
    Database database{patient(config.database)};
    Cache cache{config.cache};
    Json streams = Json::array();
    for (const StreamOptions& stream : config.streams) {
        const auto found = log.streams.find(stream.name);
        const std::vector<Attempt> attempts = found == log.streams.end() ? std::vector<Attempt>{} : found->second;
        const bool is_redis = stream.kind == StreamKind::redis;
        if (is_redis) cache.await_master(deadline);
        const auto stored = is_redis ? stored_in_redis(cache, stream.name, deadline)
                                     : stored_in_postgres(database, stream.name, deadline);
        streams.push_back(stream_json(stream, attempts, stored, fault));
    }
    return Json{
        {"fault_us", or_null(fault, microseconds)}, {"unreadable_lines", log.unreadable_lines}, {"streams", streams}};
}

}  // namespace kedge::lab
