// RDB files as real servers write them, and as other versions' servers do by their documented layout.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "os/files.h"
#include "targets/redis/scratch_redis.h"
#include "verify/redis/rdb.h"
#include "verify/redis/rdb_samples_for_tests.h"

namespace kedge::verify {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

Moment now() {
    return SystemClock{}.now();
}

Examination examined(std::string_view bytes, Moment at = now(), std::size_t threads = 2) {
    const MemorySource source{as_bytes(bytes)};
    SourceStream stream(source);
    Effort effort;
    effort.threads = threads;
    return examine_rdb(stream, {.now = at}, effort).value();
}

std::vector<std::string> codes(const Examination& examination) {
    std::vector<std::string> codes;
    for (const Finding& finding : examination.findings.kept()) codes.push_back(finding.code);
    return codes;
}

// Everything that a version 7.0 server writes in a layout of its own, small and big.
void fill(const ScratchRedis& redis) {
    const auto ask = [&](const RedisCommand& command) {
        const std::string answer = redis.ask("one", command);
        ASSERT_EQ(answer.find("(error)"), std::string::npos) << answer;
    };
    const std::string words(3000, 'w');
    ask({"SET", "plain", "hello"});
    ask({"SET", "number", "-12"});
    ask({"SET", "big number", "1234567890"});
    ask({"SET", "packed", words + "tail"});
    ask({"SET", "empty", ""});
    ask({"SET", "soon", "x", "PX", "3600000"});
    ask({"SET", std::string(300, 'k'), std::string(5000, 'v')});
    for (int i = 0; i < 600; ++i) {
        const std::string n = std::to_string(i);
        ask({"RPUSH", "long list", "item " + n, i % 100 == 0 ? std::string(10000, 'q') : n});
        ask({"SADD", "set of numbers", std::to_string(i * 1000)});
        ask({"SADD", "set of words", "word" + n});
        ask({"HSET", "big hash", "field" + n, words.substr(0, 100)});
        ask({"ZADD", "big zset", n + ".25", "member" + n});
        ask({"XADD", "stream", "*", "field", n, "other", words.substr(0, 50)});
    }
    ask({"ZADD", "infinite", "inf", "a", "-inf", "b"});
    ask({"HSET", "small hash", "a", "1", "b", "200", "c", "-30000", "d", "70000", "e", "10000000000", "f",
         words.substr(0, 60)});
    ask({"ZADD", "small zset", "1", "a", "2", "b"});
    ask({"SADD", "small set", "1", "2", "3"});
    ask({"SADD", "wide set", "1", "5000000000"});
    ask({"RPUSH", "small list", "a", "b"});
    ask({"XGROUP", "CREATE", "stream", "readers", "0"});
    ask({"XREADGROUP", "GROUP", "readers", "ada", "COUNT", "10", "STREAMS", "stream", ">"});
    ask({"XDEL", "stream", "0-1"});
    ask({"XGROUP", "CREATE", "empty stream", "g", "$", "MKSTREAM"});
    ask({"FUNCTION", "LOAD", "#!lua name=counters\nredis.register_function('one', function() return 1 end)"});
}

// A server that holds all that, and the file that it saves.
class RealRdb : public testing::Test {
protected:
    static void SetUpTestSuite() {
        redis = new ScratchRedis({.regions = {"one"}, .node_settings = {"appendonly no"}});
        fill(*redis);
        RedisClient client(redis->endpoint("one"));
        // Each connection begins in database 0: the second database takes one command more on the same connection.
        const auto answers = client.ask({{"SELECT", "3"}, {"SET", "elsewhere", "1"}}, Asking::reads, within(5s));
        ASSERT_TRUE(answers.has_value());
        file = new std::string(saved());
    }
    static void TearDownTestSuite() {
        delete redis;
        delete file;
    }
    static std::string saved() {
        EXPECT_EQ(redis->ask("one", {"SAVE"}), "OK");
        std::string directory = redis->ask("one", {"CONFIG", "GET", "dir"});
        return read_file(directory.substr(4) + "/dump.rdb").value();
    }

    static ScratchRedis* redis;
    static std::string* file;
};
ScratchRedis* RealRdb::redis = nullptr;
std::string* RealRdb::file = nullptr;

TEST_F(RealRdb, IsProvedByItsChecksum) {
    const Examination rdb = examined(*file);
    EXPECT_THAT(codes(rdb), testing::IsEmpty());
    EXPECT_EQ(rdb.rung(), Rung::checksummed);
    EXPECT_EQ(rdb.kind, "Redis RDB, version 10");
    EXPECT_EQ(get_string(rdb.facts, "checksum"), "valid");
    EXPECT_EQ(get_string(rdb.facts, "redis_version"), "7.0.15");
    ASSERT_TRUE(rdb.taken);
    EXPECT_LT(now() - *rdb.taken, 10min);
    EXPECT_TRUE(rdb.unproved.empty());
}

TEST_F(RealRdb, HoldsAsManyKeysAsTheServer) {
    const Examination rdb = examined(*file);
    ASSERT_EQ(rdb.contents.size(), 3u);
    EXPECT_EQ(std::to_string(*rdb.contents[0].rows), redis->ask("one", {"DBSIZE"}));
    EXPECT_EQ(rdb.contents[1].name, "3");
    EXPECT_EQ(rdb.contents[1].rows, 1u);
    EXPECT_EQ(rdb.contents[2].name, "counters");
    const Json types = get(rdb.facts, "databases").at(0).at("types");
    EXPECT_EQ(dump(types), R"({"string":7,"list":2,"set":4,"zset":3,"hash":2,"stream":2})");
}

TEST_F(RealRdb, NamesTheBiggestKeys) {
    const Json biggest = get(examined(*file).facts, "biggest_keys");
    ASSERT_EQ(biggest.size(), 10u);
    EXPECT_EQ(biggest.at(0).at("key"), "long list");
    EXPECT_GT(biggest.at(0).at("bytes").get<int>(), 60000);
    EXPECT_EQ(biggest.at(0).at("type"), "list");
}

TEST_F(RealRdb, KnowsWhatHasExpired) {
    EXPECT_EQ(get_integer(examined(*file).facts.at("databases").at(0), "expired"), 0);
    EXPECT_EQ(get_integer(examined(*file, now() + 2h).facts.at("databases").at(0), "expired"), 1);
    EXPECT_EQ(get_integer(examined(*file).facts.at("databases").at(0), "expiring"), 1);
}

TEST_F(RealRdb, WithAnyByteChangedIsDamaged) {
    for (std::size_t at = 0; at < file->size(); at += 1 + file->size() / 1500) {
        std::string bad = *file;
        bad[at] = static_cast<char>(bad[at] ^ (1 << at % 8));
        ASSERT_TRUE(examined(bad).findings.any(Weight::damage) || examined(bad).kind.empty()) << at;
    }
}

TEST_F(RealRdb, CutAnywhereIsTruncated) {
    for (std::size_t size = rdb_magic_bytes; size < file->size(); size += 1 + file->size() / 500) {
        const Examination rdb = examined(file->substr(0, size));
        const std::vector<std::string> found = codes(rdb);
        ASSERT_FALSE(found.empty()) << size;
        // One in 256 happens to have the end mark's byte where a whole file has it.
        ASSERT_THAT(found.back(), testing::AnyOf("truncated", "overlong")) << size;
        if (static_cast<unsigned char>((*file)[size - 9]) != 0xff) {
            ASSERT_EQ(found.back(), "truncated") << size;
        }
    }
}

TEST_F(RealRdb, SavedWithoutChecksumIsOnlyDecoded) {
    std::string bare = *file;
    std::fill(bare.end() - 8, bare.end(), '\0');
    const Examination rdb = examined(bare);
    EXPECT_THAT(codes(rdb), testing::IsEmpty());
    EXPECT_EQ(rdb.rung(), Rung::decoded);
    EXPECT_EQ(get_string(rdb.facts, "checksum"), "unverified");
    ASSERT_EQ(rdb.unproved.size(), 1u);
    EXPECT_THAT(rdb.unproved.front(), HasSubstr("without a checksum"));
}

TEST_F(RealRdb, WithSomethingBehindItsEndIsDamaged) {
    const Examination rdb = examined(*file + "junk");
    EXPECT_EQ(codes(rdb), std::vector<std::string>{"trailing"});
    EXPECT_EQ(rdb.findings.kept().front().offset, file->size());
}

TEST_F(RealRdb, IsTheSameWithOneThreadAndWithMany) {
    const Examination one = examined(*file, now(), 1), many = examined(*file, now(), 4);
    EXPECT_EQ(dump(one.facts), dump(many.facts));
}

TEST_F(RealRdb, IsSaidToBeIncompleteWhereItsReaderMustStop) {
    const MemorySource source{as_bytes(*file)};
    SourceStream stream(source);
    Effort effort;
    effort.stop = true;
    const auto rdb = examine_rdb(stream, {.now = now()}, effort);
    ASSERT_FALSE(rdb);
    EXPECT_EQ(rdb.error().fault, Fault::unavailable);
}

// --- Other versions, assembled from the documented layout: no server wrote these.

using W = RdbWriter;

TEST(AssembledRdb, OfEveryVersionIsDecoded) {
    const std::uint64_t keys[] = {13, 14, 16, 17, 21, 23, 27};
    for (unsigned version = 6; version <= 12; ++version) {
        const Examination rdb = examined(everything_of(version).whole());
        const std::vector<std::string> expected =
            version >= 7 ? std::vector<std::string>{"size-hint"} : std::vector<std::string>{};
        EXPECT_EQ(codes(rdb), expected) << version << " "
                                        << (rdb.findings.kept().empty() ? "" : rdb.findings.kept().back().says);
        EXPECT_EQ(rdb.rung(), Rung::checksummed) << version;
        EXPECT_EQ(rdb.contents.at(0).rows, keys[version - 6]) << version;
        EXPECT_EQ(rdb.contents.at(1).rows, 1u);
    }
}

TEST(AssembledRdb, NamesModulesThatItWentPast) {
    const Examination rdb = examined(everything_of(9).whole());
    EXPECT_EQ(get(rdb.facts, "modules").size(), 2u);
    ASSERT_EQ(rdb.unproved.size(), 1u);
    EXPECT_THAT(rdb.unproved.front(), HasSubstr("2 modules"));
}

TEST(AssembledRdb, OfEveryVersionCutAnywhereIsNotWhole) {
    for (unsigned version = 6; version <= 12; ++version) {
        const std::string whole = everything_of(version).whole();
        for (std::size_t size = 0; size < whole.size(); ++size)
            ASSERT_TRUE(examined(whole.substr(0, size)).findings.any(Weight::damage)) << version << " " << size;
    }
}

TEST(AssembledRdb, WithAnyBitChangedIsFoundOut) {
    const std::string whole = everything_of(12).whole();
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
        std::string bad = whole;
        bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
        ASSERT_TRUE(examined(bad, now(), 1).findings.any(Weight::damage)) << bit;
    }
}

// The finding that a file of one key of this type and value has; its checksum is left out.
std::string finding_of(int type, const std::string& value) {
    const Examination rdb = examined(RdbWriter("REDIS0012").database(0).key(type, "k", value).without_checksum());
    if (rdb.findings.kept().empty()) return "";
    return rdb.findings.kept().front().code + ": " + rdb.findings.kept().front().says;
}

TEST(Damage, IsNamedByWhatIsWrong) {
    EXPECT_EQ(finding_of(0, W::text("v")), "");
    EXPECT_THAT(finding_of(0,
                           "\xc3\x02\x05"
                           "\x05"
                           "a"),
                HasSubstr("packing: a value cannot be unpacked: the packed"));
    EXPECT_THAT(finding_of(0,
                           "\xc3\x01\x7f\xff"
                           "a"),
                HasSubstr("structure: a packed string of 1 bytes is said to unpack"));
    EXPECT_THAT(finding_of(0, "\xc4"), HasSubstr("structure: a string has an unknown encoding"));
    EXPECT_THAT(finding_of(1, "\x82"), HasSubstr("structure: a length has an unknown encoding"));
    EXPECT_THAT(finding_of(1, "\xc0"), HasSubstr("structure: a string's encoding stands where a length"));
    EXPECT_THAT(finding_of(5, W::length(1) + W::text("m") + little_endian(std::uint64_t{0x7ff8000000000001})),
                HasSubstr("structure: the score of a member is not a number"));
    EXPECT_THAT(finding_of(3, W::length(1) + W::text("m") +
                                  "\x03"
                                  "1x5"),
                HasSubstr("structure: the score of a member"));
    EXPECT_THAT(finding_of(16, W::text(listpack_of({"a"}))), HasSubstr("container: a container of pairs has an odd"));
    EXPECT_THAT(finding_of(16, std::string("\xc0\x01", 2)), HasSubstr("structure: a number stands where a container"));
    EXPECT_THAT(finding_of(18, W::length(1) + W::length(3)),
                HasSubstr("structure: a node of a list has an unknown form"));
    EXPECT_THAT(finding_of(6, ""), HasSubstr("structure: a module's value as only candidates"));
    EXPECT_THAT(finding_of(7, W::length(1) + W::length(9)), HasSubstr("structure: a module's value has a part"));
    EXPECT_THAT(finding_of(15, W::length(1) + W::text("short")), HasSubstr("structure: a node of a stream does not"));
    EXPECT_THAT(finding_of(77, ""), HasSubstr("structure: byte 77 stands where a type or an opcode"));
    std::string stranger = stream_of(3);
    stranger.back() = 9;
    EXPECT_THAT(finding_of(21, stranger), HasSubstr("structure: a consumer holds an entry"));
    EXPECT_THAT(finding_of(0, W::length(1000) + "short"), HasSubstr("overlong: a length leads over the end"));
}

TEST(Damage, OfAChecksumSaysWhichWasExpected) {
    std::string bad = RdbWriter("REDIS0009").database(0).key(0, "k", W::text("v")).whole();
    bad.back() = static_cast<char>(bad.back() ^ 1);
    const Examination rdb = examined(bad);
    EXPECT_EQ(codes(rdb), std::vector<std::string>{"checksum"});
    EXPECT_EQ(rdb.rung(), Rung::decoded);
}

TEST(Unknown, IsDoubtWhereTheChecksumFits) {
    const Examination rdb = examined(RdbWriter("REDIS0013").database(0).raw("\xf3").raw("whatever").whole());
    EXPECT_EQ(codes(rdb), std::vector<std::string>{"not-understood"});
    EXPECT_FALSE(rdb.findings.any(Weight::damage));
    EXPECT_EQ(rdb.rung(), Rung::listed);
    EXPECT_THAT(rdb.findings.kept().front().says, HasSubstr("its checksum fits"));
}

TEST(Unknown, HashOfValkeyIsDoubt) {
    const std::string value = W::length(1) + W::text("f") + W::text("v") + little_endian(std::int64_t{-1});
    const Examination rdb = examined(RdbWriter("VALKEY080").database(0).key(22, "h", value).whole());
    EXPECT_EQ(codes(rdb), std::vector<std::string>{"not-understood"});
    EXPECT_EQ(rdb.kind, "Valkey RDB, version 80");
}

TEST(Lengths, ThatLieCostNothing) {
    // Each states something enormous; none may be believed before it is there.
    for (const int type : {0, 1, 2, 4, 5, 10, 14, 15, 16, 18, 21, 24})
        EXPECT_TRUE(
            examined(RdbWriter("REDIS0012").database(0).key(type, "k", W::length(UINT64_MAX)).without_checksum())
                .findings.kept()
                .size() == 1)
            << type;
}

TEST(Values, LongerThanAnyBufferAreReadInPieces) {
    std::string long_text(40u << 20, 'x');
    for (std::size_t at = 0; at < long_text.size(); at += 4096) long_text[at] = static_cast<char>(at >> 12);
    const RdbWriter rdb = RdbWriter("REDIS0011")
                              .database(0)
                              .key(0, "plain", W::text(long_text))
                              .key(0, "packed", W::packed(long_text))
                              .key(20, "set", W::text(listpack_of({"a", "b"})));
    const Examination examination = examined(rdb.whole());
    EXPECT_THAT(codes(examination), testing::IsEmpty());
    EXPECT_EQ(examination.rung(), Rung::checksummed);
    EXPECT_EQ(examination.contents.at(0).rows, 3u);
}

TEST(Values, AContainerTooBigIsDoubt) {
    const RdbWriter rdb = RdbWriter("REDIS0011").database(0).key(20, "set", W::text(std::string(33u << 20, 'x')));
    EXPECT_EQ(codes(examined(rdb.whole())), std::vector<std::string>{"limit"});
}

}  // namespace
}  // namespace kedge::verify
