// The writer: its numbers and notes with a sink of the test's own, its read-back with real stores.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "event_log.h"
#include "os/clock.h"
#include "os/files.h"
#include "read_back.h"
#include "scratch_redis.h"
#include "sink.h"
#include "stream_writer.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

// Takes `delay` for each write, refuses every `refuse_every`th number, and remembers all.
class TestSink final : public Sink {
public:
    struct Seen {
        std::mutex mutex;
        std::vector<std::int64_t> numbers;
        int now = 0, most = 0;
    };
    TestSink(Seen& seen, Span delay, std::int64_t refuse_every)
        : seen_(seen), delay_(delay), refuse_every_(refuse_every) {}

    Result<std::string> write(int, const std::string&, std::int64_t sequence, Moment deadline) override {
        {
            const std::lock_guard lock{seen_.mutex};
            seen_.numbers.push_back(sequence);
            seen_.most = std::max(seen_.most, ++seen_.now);
        }
        wait_out(std::min(SystemClock{}.now() + delay_, deadline));
        const std::lock_guard lock{seen_.mutex};
        --seen_.now;
        if (refuse_every_ > 0 && sequence % refuse_every_ == 0) return Error{Fault::unavailable, "refused"};
        return std::string("east");
    }

private:
    Seen& seen_;
    Span delay_;
    std::int64_t refuse_every_;
};

class WriterTest : public testing::Test {
protected:
    ~WriterTest() override { std::remove(path.c_str()); }
    std::vector<Attempt> noted() const { return parse_attempt_log(read_file(path).value()).streams["test"]; }

    const std::string path = testing::TempDir() + "kedge-writer-" + std::to_string(getpid()) + ".jsonl";
};

TEST_F(WriterTest, NotesEveryAttemptOnceWithItsOutcome) {
    EventLog log = EventLog::open(path).value();
    TestSink::Seen seen;
    {
        const StreamWriter writer{
            {"test", StreamKind::http, 2ms, 20ms}, std::make_unique<TestSink>(seen, 1ms, 5), 1, log};
        wait_out(within(150ms));
    }
    const auto attempts = noted();
    ASSERT_GT(attempts.size(), 10U);
    EXPECT_EQ(attempts.size(), seen.numbers.size());
    for (std::size_t i = 0; i < attempts.size(); ++i) {
        EXPECT_EQ(attempts[i].sequence, static_cast<std::int64_t>(i) + 1);
        EXPECT_EQ(attempts[i].acknowledged, attempts[i].sequence % 5 != 0);
        EXPECT_EQ(attempts[i].region, attempts[i].acknowledged ? "east" : "");
        EXPECT_GE(attempts[i].done - attempts[i].sent, 1ms);
    }
}

TEST_F(WriterTest, AStallBoundsWhatIsInFlight) {
    EventLog log = EventLog::open(path).value();
    TestSink::Seen seen;
    const StreamOptions options{"test", StreamKind::http, 2ms, 20ms};
    {
        const StreamWriter writer{options, std::make_unique<TestSink>(seen, 10s, 0), 1, log};
        wait_out(within(100ms));
    }
    EXPECT_LE(seen.most, options.in_flight_max());
    EXPECT_GT(seen.most, 3);
    for (const Attempt& attempt : noted()) EXPECT_LT(attempt.done - attempt.sent, 500ms);
}

TEST_F(WriterTest, ALaterRunUsesNoNumberOfAnEarlierOne) {
    EXPECT_TRUE(next_sequences(path).empty());
    {
        EventLog log = EventLog::open(path).value();
        log.note("test", {.sequence = 41, .acknowledged = true});
    }
    std::ofstream{path, std::ios::app} << R"({"stream":"test","seq":42,"se)";
    EXPECT_GT(next_sequences(path)["test"], 42);
    {
        EventLog log = EventLog::open(path).value();
        log.note("test", {.sequence = 1041, .acknowledged = true});
    }
    const auto log = parse_attempt_log(read_file(path).value());
    EXPECT_EQ(log.unreadable_lines, 1);
    EXPECT_EQ(log.streams.at("test").back().sequence, 1041);
}

Json stream_of(const Json& document, const std::string& name) {
    for (const Json& stream : get(document, "streams"))
        if (get_string(stream, "name") == name) return stream;
    return {};
}

TEST(ReadBack, CountsWhatWasAcknowledgedAndIsGone) {
    const ScratchDirectory directory;
    const auto server = ScratchServer::initialize(directory, "east");
    server->start();
    server->sql(
        "CREATE TABLE lab_heartbeat (stream text, seq bigint, at timestamptz DEFAULT now(), PRIMARY KEY (stream, "
        "seq))");
    const auto redis = ScratchRedis::start(directory);
    const auto sentinel = ScratchRedis::start_sentinel(directory, redis->endpoint(), "group");
    const std::string path = testing::TempDir() + "kedge-read-back-" + std::to_string(getpid()) + ".jsonl";
    WriterConfig config{
        .log = path,
        .database = {{{"east", server->conninfo()}}},
        .cache = {{sentinel->endpoint()}, "group"},
        .streams = {{"rows", StreamKind::postgres, 10ms, 500ms}, {"keys", StreamKind::redis, 10ms, 500ms}}};
    {
        EventLog log = EventLog::open(path).value();
        Database database{config.database};
        Cache cache{config.cache};
        ASSERT_TRUE(cache.await_master(SystemClock{}.now() + 5s));
        const StreamWriter rows{config.streams[0], make_postgres_sink(database), 1, log};
        const StreamWriter keys{config.streams[1], make_redis_sink(cache), 1, log};
        wait_out(within(500ms));
    }
    const auto deadline = [] { return SystemClock{}.now() + 10s; };
    const Json whole = read_back(config, std::nullopt, deadline()).value();
    for (const auto* name : {"rows", "keys"}) {
        const Json stream = stream_of(whole, name);
        EXPECT_GT(get_integer(stream, "acknowledged").value_or(0), 20) << dump(stream);
        EXPECT_EQ(get_integer(stream, "missing_rows"), 0) << dump(stream);
        EXPECT_EQ(get_number(stream, "rpo_seconds"), 0.0);
    }

    server->sql("DELETE FROM lab_heartbeat WHERE seq IN (3, 4, 9)");
    auto link = RedisConnection::open(redis->endpoint(), "", within(5s)).value();
    ASSERT_TRUE(link.command({"SREM", redis_key("keys"), "7"}, within(5s)));
    const Moment fault = parse_attempt_log(read_file(path).value()).streams["rows"].back().done + 1s;
    const Json rows = stream_of(read_back(config, fault, deadline()).value(), "rows");
    EXPECT_EQ(get_string(rows, "missing"), "3-4 9");
    EXPECT_EQ(get_integer(rows, "missing_rows"), 3);
    // The oldest is the one that was acknowledged first: on a slow machine an answer may overtake another.
    std::vector<Attempt> gone;
    for (const Attempt& attempt : parse_attempt_log(read_file(path).value()).streams["rows"])
        if (attempt.sequence == 3 || attempt.sequence == 4 || attempt.sequence == 9) gone.push_back(attempt);
    ASSERT_EQ(gone.size(), 3u);
    EXPECT_EQ(get_integer(get(rows, "oldest_missing"), "seq"),
              std::ranges::min_element(gone, {}, &Attempt::done)->sequence);
    EXPECT_GT(get_number(rows, "rpo_seconds").value_or(0), 1.0);
    EXPECT_EQ(get_string(stream_of(read_back(config, fault, deadline()).value(), "keys"), "missing"), "7");

    // A store that cannot be read is unknown, never without loss.
    redis->kill();
    config.streams.erase(config.streams.begin());
    const Json keys = stream_of(read_back(config, fault, SystemClock{}.now() + 1s).value(), "keys");
    EXPECT_TRUE(get(keys, "missing_rows").is_null());
    EXPECT_TRUE(get(keys, "rpo_seconds").is_null());
    EXPECT_NE(get_string(keys, "store"), "read");
    std::remove(path.c_str());
}

TEST(WriterConfig, NamesWhatIsWrong) {
    const std::string path = testing::TempDir() + "kedge-writer-config.json";
    const Json complete{
        {"log", "/tmp/log"},
        {"entrance", "http://127.0.0.1:1"},
        {"databases", {{{"region", "east"}, {"conninfo", "host=127.0.0.1"}}}},
        {"streams", {{{"name", "probe"}, {"kind", "http"}, {"interval", "100ms"}, {"deadline", "250ms"}}}}};
    const auto load = [&](const Json& json) {
        check(write_file_atomically(path, dump(json)).has_value(), "the test can write its file");
        return load_writer_config(path);
    };
    ASSERT_TRUE(load(complete)) << load(complete).error().message;
    EXPECT_EQ(load(complete)->streams.front().in_flight_max(), 4);
    const auto refused = [&](auto change) {
        Json json = complete;
        change(json);
        const auto config = load(json);
        return config ? std::string("accepted") : config.error().message;
    };
    EXPECT_THAT(refused([](Json& json) { json["entrance"] = "nowhere"; }), HasSubstr("entrance"));
    EXPECT_THAT(refused([](Json& json) { json["streams"][0]["kind"] = "pigeon"; }), HasSubstr("pigeon"));
    EXPECT_THAT(refused([](Json& json) { json["streams"][0]["interval"] = "100"; }), HasSubstr("interval"));
    EXPECT_THAT(refused([](Json& json) { json["streams"][0]["interval"] = "1ms"; }), HasSubstr("in flight"));
    EXPECT_THAT(refused([](Json& json) { json["streams"].push_back(Json(json["streams"][0])); }), HasSubstr("twice"));
    EXPECT_THAT(refused([](Json& json) { json["streams"][0]["kind"] = "redis"; }), HasSubstr("sentinels"));
    EXPECT_THAT(refused([](Json& json) { json["extra"] = 1; }), HasSubstr("extra"));
    std::remove(path.c_str());
}

}  // namespace
}  // namespace kedge::lab
