// Append-only files as a real server writes them, and damaged ones.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "os/files.h"
#include "targets/redis/scratch_redis.h"
#include "verify/redis/aof.h"
#include "verify/redis/rdb_writer_for_tests.h"

namespace kedge::verify {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

RdbOptions options() {
    return {.now = SystemClock{}.now()};
}

std::vector<std::string> aof_codes(const Examination& examination) {
    std::vector<std::string> aof_codes;
    for (const Finding& finding : examination.findings.kept()) aof_codes.push_back(finding.code);
    return aof_codes;
}

// The files of a directory, in memory.
struct Files {
    std::map<std::string, std::string> contents;

    Result<Examination> try_examine() const {
        std::vector<Member> members;
        for (const auto& [name, bytes] : contents) members.push_back(memory_member(name, as_bytes(bytes)));
        Effort effort;
        return examine_aof_directory(members, options(), effort);
    }
    Examination examine() const { return try_examine().value(); }
    std::string& ending(std::string_view suffix) {
        for (auto& [name, bytes] : contents)
            if (name.ends_with(suffix)) return bytes;
        check(false, "the directory has such a file");
        return contents.begin()->second;
    }
};

class RealAof : public testing::Test {
protected:
    static void SetUpTestSuite() {
        ScratchRedis redis({.regions = {"one"}, .node_settings = {"aof-timestamp-enabled yes", "appendfsync always"}});
        for (int i = 0; i < 50; ++i) redis.ask("one", {"SET", fmt::format("key{}", i), std::string(100, 'v')});
        redis.ask("one", {"BGREWRITEAOF"});
        const Moment end = SystemClock{}.now() + std::chrono::seconds(20);
        while (redis.ask("one", {"INFO", "persistence"}).find("aof_rewrite_in_progress:0") == std::string::npos ||
               redis.ask("one", {"INFO", "persistence"}).find("aof_rewrite_scheduled:0") == std::string::npos)
            ASSERT_LT(SystemClock{}.now(), end);
        for (int i = 0; i < 30; ++i) redis.ask("one", {"RPUSH", "list", "a\r\n$5\r\nb", std::to_string(i)});
        redis.ask("one", {"EVAL", "redis.call('SET','x','1') redis.call('SET','y','2')", "0"});  // a transaction
        const std::string directory = redis.ask("one", {"CONFIG", "GET", "dir"}).substr(4) + "/appendonlydir";
        real = new Files;
        for (const auto& entry : std::filesystem::directory_iterator(directory))
            real->contents[entry.path().filename()] = read_file(entry.path()).value();
    }
    static void TearDownTestSuite() { delete real; }

    static Files* real;
};
Files* RealAof::real = nullptr;

TEST_F(RealAof, IsReadToTheEndOfEachFile) {
    const Examination aof = real->examine();
    EXPECT_THAT(aof_codes(aof), IsEmpty());
    EXPECT_EQ(aof.kind, "Redis append-only directory");
    EXPECT_EQ(aof.rung(), Rung::decoded);
    ASSERT_TRUE(aof.taken);
    EXPECT_LT(SystemClock{}.now() - *aof.taken, std::chrono::minutes(10));
    EXPECT_THAT(aof.proofs.back().says, HasSubstr("50 keys in the snapshot"));
    const Json& files = get(aof.facts, "files");
    ASSERT_EQ(files.size(), 2u);
    EXPECT_EQ(files.at(0).at("snapshot"), true);
    // SELECT, 30 of RPUSH, MULTI, two of SET, EXEC
    EXPECT_GE(files.at(1).at("commands").get<int>(), 35);
}

TEST_F(RealAof, CutInsideItsLastCommandIsDoubt) {
    Files copy = *real;
    const std::string whole = copy.ending(".incr.aof");
    for (std::size_t cut = 1; cut < 14; ++cut) {
        Files files = *real;
        files.ending(".incr.aof") = whole.substr(0, whole.size() - cut);
        EXPECT_THAT(aof_codes(files.examine()), ElementsAre("truncated-tail")) << cut;
        EXPECT_FALSE(files.examine().findings.any(Weight::damage));
    }
}

TEST_F(RealAof, CutInsideATransactionIsDoubt) {
    Files files = *real;
    std::string& commands = files.ending(".incr.aof");
    commands.resize(commands.rfind("*1\r\n$4\r\nEXEC"));
    EXPECT_THAT(aof_codes(files.examine()), ElementsAre("open-transaction"));
}

TEST_F(RealAof, WithADamagedLengthIsDamaged) {
    Files files = *real;
    std::string& commands = files.ending(".incr.aof");
    const std::size_t at = commands.find("$5\r\nRPUSH");
    commands[at + 1] = '4';
    const Examination aof = files.examine();
    EXPECT_THAT(aof_codes(aof), ElementsAre("structure"));
    EXPECT_TRUE(aof.findings.any(Weight::damage));
    EXPECT_THAT(aof.findings.kept().front().where, HasSubstr(".incr.aof"));
    EXPECT_EQ(aof.rung(), Rung::listed);
}

TEST_F(RealAof, WithZerosBehindItIsDamaged) {
    Files files = *real;
    files.ending(".incr.aof") += std::string(4096, '\0');
    EXPECT_THAT(aof_codes(files.examine()), ElementsAre("structure"));
}

TEST_F(RealAof, WithADamagedSnapshotIsDamaged) {
    Files files = *real;
    std::string& base = files.ending(".base.rdb");
    base[base.size() / 2] = static_cast<char>(base[base.size() / 2] ^ 4);
    EXPECT_TRUE(files.examine().findings.any(Weight::damage));
    EXPECT_THAT(files.examine().findings.kept().front().where, HasSubstr(".base.rdb"));
}

TEST_F(RealAof, WithoutOneOfItsFilesIsDamaged) {
    Files files = *real;
    std::erase_if(files.contents, [](const auto& file) { return file.first.ends_with(".base.rdb"); });
    EXPECT_THAT(aof_codes(files.examine()), ElementsAre("missing"));
}

TEST_F(RealAof, SaysWhatTheManifestDoesNotName) {
    Files files = *real;
    files.contents["appendonly.aof.99.incr.aof"] = "";
    EXPECT_THAT(aof_codes(files.examine()), ElementsAre("extra"));
    EXPECT_FALSE(files.examine().findings.any(Weight::damage));
}

TEST_F(RealAof, CutInsideAnEarlierFileIsDamaged) {
    Files files = *real;
    std::string& commands = files.ending(".incr.aof");
    files.contents["next"] = commands;
    files.ending(".manifest") += "file next seq 99 type i\n";
    commands.pop_back();
    const Examination aof = files.examine();
    EXPECT_THAT(aof_codes(aof), ElementsAre("truncated"));
    EXPECT_TRUE(aof.findings.any(Weight::damage));
}

TEST(AofFile, OfEarlierVersionsHasASnapshotInFront) {
    const std::string commands = "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nset\r\n$1\r\na\r\n$1\r\n1\r\n";
    const std::string snapshot =
        RdbWriter("REDIS0009").field("aof-preamble", "1").database(0).key(0, "k", RdbWriter::text("v")).whole();
    const auto examined = [](const std::string& bytes) {
        const MemorySource source{as_bytes(bytes)};
        SourceStream stream(source);
        Effort effort;
        return examine_rdb(stream, options(), effort).value();
    };
    const Examination aof = examined(snapshot + commands);
    EXPECT_THAT(aof_codes(aof), IsEmpty());
    EXPECT_EQ(aof.kind, "Redis append-only file with a snapshot in front");
    EXPECT_EQ(aof.rung(), Rung::decoded);
    EXPECT_EQ(get_integer(aof.facts, "commands"), 2);
    EXPECT_THAT(aof_codes(examined(snapshot + commands.substr(0, commands.size() - 1))), ElementsAre("truncated-tail"));
    EXPECT_THAT(aof_codes(examined(snapshot + commands + "x")), ElementsAre("structure"));
}

TEST(AofFile, IsToldFromOtherTexts) {
    EXPECT_TRUE(looks_like_aof(as_bytes("*2\r\n$6\r\nSELECT")));
    EXPECT_TRUE(looks_like_aof(as_bytes("#TS:1700000000\r\n*2")));
    EXPECT_FALSE(looks_like_aof(as_bytes("*2\r\n6")));
    EXPECT_FALSE(looks_like_aof(as_bytes("**bold**")));
    EXPECT_FALSE(looks_like_aof(as_bytes("")));
}

TEST(AofManifest, IsReadAsServersWriteIt) {
    const auto files = read_aof_manifest(
        "# comment\nfile a.1.base.rdb seq 1 type b\nfile \"b \\x31.aof\" seq 2 type h\n"
        "file c.aof seq 3 type i note later\n");
    ASSERT_TRUE(files.has_value()) << files.error().message;
    ASSERT_EQ(files->size(), 3u);
    EXPECT_EQ(files->at(1).name, "b 1.aof");
    EXPECT_EQ(files->at(2).number, 3u);
    EXPECT_TRUE(looks_like_aof_manifest(as_bytes("# x\nfile a seq 1 type b\n")));
}

TEST(AofManifest, SaysWhichLineIsWrong) {
    const auto fault = [](std::string_view text) {
        const auto files = read_aof_manifest(text);
        return files ? "" : files.error().message;
    };
    EXPECT_EQ(fault("file a seq 1 type b"), "line 1 of the manifest has no end: the manifest is cut");
    EXPECT_EQ(fault("file a seq 1 type b\nfile b seq 2 type b\n"), "line 2 of the manifest names a second base");
    EXPECT_EQ(fault("file a seq 2 type i\nfile b seq 2 type i\n"),
              "line 2 of the manifest names an increment out of order");
    for (const std::string line : {"file a seq 0 type i", "file a seq 1 type x", "file ../a seq 1 type b",
                                   "file a seq 1", "file \"a seq 1 type b", "file a type", ""})
        EXPECT_EQ(fault(line + "\n"), "line 1 of the manifest names no file, number and type") << line;
    EXPECT_EQ(fault("# only\n"), "the manifest names no file");
    EXPECT_EQ(fault(""), "the manifest names no file");
}

}  // namespace
}  // namespace kedge::verify
