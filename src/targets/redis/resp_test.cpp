#include "targets/redis/resp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <random>
#include <thread>

#include "targets/redis/redis_node.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

// A stream that gives `bytes`, which must fit into a socket's buffer, and ends.
Stream stream_of(const std::string& bytes) {
    std::array<int, 2> pair{};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()), 0);
    Stream writer{Descriptor{pair[0]}, "writer"};
    EXPECT_TRUE(writer.write_all(bytes, within(5s)));
    return Stream{Descriptor{pair[1]}, "peer"};
}

Result<Reply> parsed(const std::string& bytes, const RespLimits& limits = {}) {
    Stream stream = stream_of(bytes);
    return read_reply(stream, within(5s), limits);
}
void expect_corrupt(const std::string& bytes, const std::string& words, const RespLimits& limits = {}) {
    const auto reply = parsed(bytes, limits);
    ASSERT_FALSE(reply) << bytes.substr(0, 40);
    EXPECT_EQ(reply.error().fault, Fault::corrupt) << bytes.substr(0, 40) << ": " << reply.error().message;
    EXPECT_THAT(reply.error().message, HasSubstr(words));
}

TEST(Resp, ReadsEveryKindOfReply) {
    EXPECT_EQ(parsed("+OK\r\n")->as_text(), "OK");
    EXPECT_EQ(parsed(":-7\r\n")->as_integer(), -7);
    EXPECT_EQ(parsed("$5\r\nab\r\nc\r\n")->text, "ab\r\nc");
    EXPECT_EQ(parsed("$0\r\n\r\n")->as_text(), "");
    EXPECT_EQ(parsed("$-1\r\n")->kind, Reply::Kind::null);
    EXPECT_EQ(parsed("*-1\r\n")->kind, Reply::Kind::null);
    EXPECT_EQ(parsed("$2\r\n12\r\n")->as_integer(), 12);
    const auto list = parsed("*3\r\n$1\r\na\r\n*1\r\n:1\r\n-ERR no\r\n");
    ASSERT_EQ(list->items.size(), 3u);
    EXPECT_EQ(list->items[1].items[0].integer, 1);
    EXPECT_EQ(list->items[2].error_code(), "ERR");
    EXPECT_EQ(parsed("-NOGOODSLAVE No suitable replica\r\n")->error_code(), "NOGOODSLAVE");
}

TEST(Resp, RefusesWhatIsNotResp) {
    for (const char* const bytes : {"HTTP/1.1 400 Bad Request\r\n", "\r\n", "$5x\r\n", "$\r\n", ":\r\n", ":1 2\r\n",
                                    "*1.5\r\n", "$-2\r\n", "*-7\r\n", "$99999999999999999999\r\n"})
        expect_corrupt(bytes, "peer");
    expect_corrupt("$3\r\nabcdef\r\n", "another length");
}

TEST(Resp, BoundsWhatAPeerCanMakeItKeep) {
    expect_corrupt("*1000000000\r\n", "a list is too long");
    expect_corrupt("$1000000000\r\n", "a text is too long");
    expect_corrupt("+" + std::string(100'000, 'x') + "\r\n", "longer than");
    std::string deep;
    for (int i = 0; i < 100; ++i) deep += "*1\r\n";
    expect_corrupt(deep + ":1\r\n", "nested too deep");
    expect_corrupt("*2\r\n*1\r\n:1\r\n:2\r\n", "too many items", {.items = 3});
    expect_corrupt("*3\r\n$4\r\naaaa\r\n$4\r\naaaa\r\n$4\r\naaaa\r\n", "too long", {.bytes = 14});
}

TEST(Resp, AnAnswerThatIsCutOffIsUnavailable) {
    for (const char* const bytes : {"", "+OK", "$5\r\nab", "*2\r\n:1\r\n", "$"})
        EXPECT_EQ(parsed(bytes).error().fault, Fault::unavailable) << bytes;
}

TEST(Resp, EndsOnWhateverBytesComeAsAnAnswer) {
    constexpr unsigned seed = 20261123;
    RecordProperty("seed", seed);
    std::mt19937 random(seed);
    const std::string marks = "+-:$*\r\n0123456789 abc";
    for (int i = 0; i < 2000; ++i) {
        std::string bytes;
        for (auto n = random() % 60; n > 0; --n) bytes += marks[random() % marks.size()];
        const auto reply = parsed(bytes);
        if (!reply) {
            EXPECT_NE(reply.error().fault, Fault::outcome_unknown);
        }
    }
}

TEST(Resp, WritesCommandsWithTheirLengths) {
    EXPECT_EQ(to_resp({{"SET", "k", "a b\r\n"}, {"PING"}}),
              "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\na b\r\n\r\n*1\r\n$4\r\nPING\r\n");
}

TEST(Resp, GivesEachErrorItsMeaning) {
    const auto fault_of = [](const std::string& text) {
        return redis_error({.kind = Reply::Kind::error, .text = text}, "here").fault;
    };
    EXPECT_EQ(fault_of("LOADING Redis is loading the dataset in memory"), Fault::unavailable);
    EXPECT_EQ(fault_of("READONLY You can't write against a read only replica."), Fault::refused);
    EXPECT_EQ(fault_of("MISCONF Redis is configured to save RDB snapshots"), Fault::refused);
    EXPECT_EQ(fault_of("NOGOODSLAVE No suitable replica to promote"), Fault::refused);
    EXPECT_EQ(fault_of("INPROG Failover already in progress"), Fault::conflict);
    EXPECT_EQ(fault_of("ERR No such master with that name"), Fault::not_found);
    EXPECT_EQ(fault_of("NOAUTH Authentication required."), Fault::not_allowed);
    EXPECT_EQ(fault_of("ERR unknown command 'X'"), Fault::refused);
    EXPECT_EQ(redis_error({.kind = Reply::Kind::error, .text = "OOM command not allowed"}, "a:1").message,
              "a:1: OOM command not allowed");
}

// A server that answers each connection with the next of `scripts` once something was asked, and then hangs up or,
// for a script that ends in "...", says nothing more until the test ends.
class ScriptedServer {
public:
    explicit ScriptedServer(std::vector<std::string> scripts)
        : listener_(std::move(*Listener::listen({"127.0.0.1", 0}))),
          thread_([this, scripts = std::move(scripts)](const std::stop_token& stop) { serve(scripts, stop); }) {}
    Endpoint endpoint() const { return listener_.endpoint(); }

private:
    void serve(const std::vector<std::string>& scripts, const std::stop_token& stop) {
        std::vector<Stream> silent;
        for (const std::string& script : scripts) {
            auto stream = listener_.accept(within(20s, stop));
            if (!stream) return;
            std::array<char, 4096> asked{};
            if (!stream->read_some(asked, within(20s, stop))) continue;
            const bool stays = script.ends_with("...");
            (void)stream->write_all(stays ? script.substr(0, script.size() - 3) : script, within(5s)).has_value();
            if (stays) silent.push_back(std::move(*stream));
        }
        wait_out(within(20s, stop));
    }
    Listener listener_;
    std::jthread thread_;
};

TEST(RedisClient, KeepsItsConnectionAndAsksAgainWhenItTurnsOutBroken) {
    const ScriptedServer server({"+ONE\r\n", "+TWO\r\n..."});
    RedisClient client(server.endpoint());
    EXPECT_EQ(client.ask({{"PING"}}, Asking::reads, within(2s))->front().text, "ONE");
    EXPECT_EQ(client.ask({{"PING"}}, Asking::reads, within(2s))->front().text, "TWO");
}

TEST(RedisClient, NeverRepeatsWhatChangesSomething) {
    const ScriptedServer server({"", "+OK\r\n..."});
    RedisClient client(server.endpoint());
    const auto lost = client.ask({{"SENTINEL", "FAILOVER", "m"}}, Asking::changes, within(2s));
    EXPECT_EQ(lost.error().fault, Fault::outcome_unknown) << lost.error().message;
}

TEST(RedisClient, NothingWasChangedWhereNobodyListens) {
    const Endpoint nobody = Listener::listen({"127.0.0.1", 0})->endpoint();
    RedisClient client(nobody);
    const auto refused = client.ask({{"REPLICAOF", "a", "1"}}, Asking::changes, within(2s));
    EXPECT_EQ(refused.error().fault, Fault::unavailable);
    EXPECT_EQ(reachable_after(refused.error()), Truth::no);
}

TEST(RedisClient, SilenceEndsAtTheDeadline) {
    const ScriptedServer server({"+ON..."});
    RedisClient client(server.endpoint());
    const Moment start = SystemClock{}.now();
    const auto silent = client.ask({{"PING"}}, Asking::reads, start + 200ms);
    EXPECT_EQ(silent.error().fault, Fault::unavailable);
    EXPECT_EQ(reachable_after(silent.error()), Truth::unknown);
    EXPECT_LT(SystemClock{}.now() - start, 1s);
}

TEST(RedisClient, SaysThatAnotherServerIsNoRedis) {
    const ScriptedServer server({"HTTP/1.1 400 Bad Request\r\n\r\n"});
    const auto answer = RedisClient(server.endpoint()).ask({{"PING"}}, Asking::reads, within(2s));
    EXPECT_EQ(answer.error().fault, Fault::corrupt);
    EXPECT_THAT(answer.error().message, HasSubstr("not what a Redis server answers"));
}

const auto by_address = [](const Endpoint& at) { return to_string(at); };

std::vector<Reply> node_answers(const std::string& role, const std::string& info) {
    return {{.kind = Reply::Kind::array, .items = {{.kind = Reply::Kind::text, .text = role}}},
            {.kind = Reply::Kind::text, .text = info},
            {.kind = Reply::Kind::error, .text = "NOPERM this user has no permissions"}};
}

TEST(RedisNode, OneThatLoadsIsNoMasterYet) {
    const auto look = read_node(node_answers("master", "loading:1\r\nmaster_repl_offset:7\r\n"), "a:1", by_address);
    EXPECT_EQ(look->reachable, Truth::yes);
    EXPECT_EQ(look->master, Truth::unknown);
    EXPECT_FALSE(look->offset);
    EXPECT_THAT(look->says, HasSubstr("loading its data"));
}

TEST(RedisNode, WhatItMayNotAskStaysUnknown) {
    const auto look = read_node(node_answers("master", "role:master\r\n"), "a:1", by_address);
    EXPECT_EQ(look->master, Truth::yes);
    EXPECT_FALSE(look->offset || look->min_replicas_to_write || look->replication_id);
    EXPECT_EQ(look->append_only, Truth::unknown);
    auto refused = node_answers("master", "");
    refused[0] = {.kind = Reply::Kind::error, .text = "NOAUTH Authentication required."};
    EXPECT_EQ(read_node(refused, "a:1", by_address).error().fault, Fault::not_allowed);
}

TEST(RedisNode, AReplicaThatLoadsAFullCopyHasNoOffset) {
    const std::string info =
        "role:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:6379\r\nmaster_link_status:down\r\n"
        "master_sync_in_progress:1\r\nslave_repl_offset:12\r\ndb0:keys=3,expires=0\r\ndb5:keys=4,expires=1\r\n";
    const auto look = read_node(node_answers("slave", info), "a:1", by_address);
    EXPECT_EQ(look->master, Truth::no);
    EXPECT_EQ(look->follows, "10.0.0.1:6379");
    EXPECT_EQ(look->link_up, Truth::no);
    EXPECT_FALSE(look->offset);
    EXPECT_EQ(look->keys, 7);
}

TEST(RedisNode, NamesAnotherManager) {
    EXPECT_EQ(read_node(node_answers("master", "redis_mode:cluster\r\n"), "a:1", by_address)->manager, "redis-cluster");
    EXPECT_EQ(read_node(node_answers("master", "os:Amazon ElastiCache\r\n"), "a:1", by_address)->manager,
              "Amazon ElastiCache");
    EXPECT_EQ(
        read_node(node_answers("master", "master_failover_state:waiting-for-sync\r\n"), "a:1", by_address)->manager,
        "a FAILOVER command that is under way");
}

}  // namespace
}  // namespace kedge
