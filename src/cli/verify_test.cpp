#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/cli_world.h"
#include "cli/progress.h"
#include "verify/files/nobody_for_tests.h"
#include "verify/redis/rdb_writer_for_tests.h"

namespace kedge {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;
using verify::RdbWriter;

RdbWriter snapshot() {
    return RdbWriter("REDIS0010")
        .field("redis-ver", "7.0.15")
        .field("ctime", "1700000000")
        .database(0)
        .key(0, "k", RdbWriter::text("v"))
        .key(1, "li\x1b[2Jst", RdbWriter::length(1) + RdbWriter::text("x"));
}

TEST(VerifyCommand, SaysOfASoundBackupWhatItHoldsAndWhatProvesIt) {
    const CliWorld world;
    const Outcome outcome = world.run("verify " + world.write("dump.rdb", snapshot().whole()));
    EXPECT_EQ(outcome.code, 0);
    EXPECT_EQ(outcome.errors, "");
    EXPECT_THAT(outcome.out, HasSubstr("Redis RDB, version 10"));
    EXPECT_THAT(outcome.out, HasSubstr("2023-11-14 22:13:20Z"));
    EXPECT_THAT(outcome.out, HasSubstr("✔ checksummed: the checksum over all"));
    EXPECT_THAT(outcome.out, HasSubstr("✔ sound, checksummed"));
    EXPECT_THAT(outcome.out, HasSubstr("db 0: string 1, list 1"));
    EXPECT_THAT(outcome.out, Not(HasSubstr("\x1b")));
}

TEST(VerifyCommand, ExitsByItsVerdict) {
    const CliWorld world;
    const std::string good = world.write("good", snapshot().whole());
    std::string bytes = snapshot().whole();
    bytes[bytes.size() - 1] = static_cast<char>(bytes[bytes.size() - 1] ^ 1);
    const std::string bad = world.write("bad", bytes);
    const std::string text = world.write("text", "nothing that Kedge knows");
    EXPECT_EQ(world.run("verify " + bad).code, 15);
    EXPECT_THAT(world.run("verify " + bad).out, HasSubstr("✖ damaged: 1 finding; it cannot be trusted"));
    EXPECT_EQ(world.run("verify " + text).code, 16);
    EXPECT_THAT(world.run("verify " + text).out, HasSubstr("? not judged: 1 doubt"));
    EXPECT_EQ(world.run("verify " + world.directory + "/nothing").code, 4);
    EXPECT_EQ(world.run("verify " + good + " " + text + " " + bad).code, 15);
    EXPECT_EQ(world.run("verify " + good + " " + text + " " + world.directory + "/nothing").code, 4);
    EXPECT_EQ(world.run("verify").code, 2);
}

TEST(VerifyCommand, WithoutChecksumSaysWhatIsNotProved) {
    const CliWorld world;
    const Outcome outcome = world.run("verify " + world.write("a", snapshot().without_checksum()));
    EXPECT_EQ(outcome.code, 0);
    EXPECT_THAT(outcome.out, HasSubstr("not proved  that no byte changed"));
    EXPECT_THAT(outcome.out, HasSubstr("✔ sound, decoded"));
}

TEST(VerifyCommand, SaysItToProgramsToo) {
    const CliWorld world;
    const Outcome outcome = world.run("verify --json " + world.write("dump.rdb", snapshot().whole()));
    const Json document = outcome.json();
    EXPECT_EQ(document.at("kind"), "Verification");
    const Json& item = document.at("items").at(0);
    EXPECT_EQ(item.at("verdict"), "sound");
    EXPECT_EQ(item.at("rung"), "checksummed");
    EXPECT_EQ(item.at("taken"), "2023-11-14T22:13:20.000Z");
    EXPECT_EQ(item.at("contents").at(0).at("rows"), 2);
    EXPECT_EQ(item.at("facts").at("format"), "rdb");
    EXPECT_EQ(item.at("findings").size(), 0u);
    EXPECT_EQ(item.at("finding_counts").at("damage"), 0);
}

TEST(VerifyCommand, ExaminesEveryBackupOfAFolder) {
    const CliWorld world;
    world.write("backups/1.rdb", snapshot().whole());
    world.write("backups/2.rdb", snapshot().whole());
    world.write("backups/README", "hello");
    const Outcome outcome = world.run("verify " + world.directory + "/backups");
    EXPECT_EQ(outcome.code, 0);
    EXPECT_THAT(outcome.out, HasSubstr("backups/1.rdb"));
    EXPECT_THAT(outcome.out, HasSubstr("backups/2.rdb"));
    EXPECT_THAT(outcome.errors, HasSubstr("backups/README"));
}

// A sound snapshot, a damaged one, one that may not be read.
struct MixedFolder : CliWorld {
    MixedFolder() {
        write("w/a", snapshot().whole());
        write("w/b", snapshot().whole().substr(0, 30));
        fs::permissions(write("w/c", snapshot().whole()), fs::perms::none);
        fs::permissions(directory, fs::perms(0755));
    }
    Outcome verify(const std::string& words) const {
        const verify::AsNobody nobody;
        return run("verify " + words);
    }
    const std::string folder = directory + "/w";
};

TEST(VerifyCommand, ShowsWhatOfAFolderCannotBeReadBesideAllElse) {
    const MixedFolder world;
    const Outcome all = world.verify(world.folder);
    EXPECT_EQ(all.code, 15) << "damage says more";
    EXPECT_THAT(all.out, HasSubstr("✔ sound, checksummed"));
    EXPECT_THAT(all.out, HasSubstr("✖ damaged"));
    EXPECT_THAT(all.out, HasSubstr(world.folder + "/c\n"));
    EXPECT_THAT(all.out, HasSubstr("unknown: it could not be read"));
    EXPECT_THAT(all.out, HasSubstr("? file-unreadable: Permission denied"));
    fs::remove(world.folder + "/b");
    EXPECT_EQ(world.verify(world.folder).code, 5);
    const Json items = world.verify("--json " + world.folder).json().at("items");
    ASSERT_EQ(items.size(), 2u);
    EXPECT_EQ(items[0].at("verdict"), "sound");
    EXPECT_EQ(items[1].at("path"), world.folder + "/c");
    EXPECT_EQ(items[1].at("verdict"), "undecided");
    EXPECT_EQ(items[1].at("findings").at(0).at("code"), "file-unreadable");
}

TEST(VerifyCommand, TellsProgramsOfEveryPathThatWasNamed) {
    const MixedFolder world;
    const Outcome outcome = world.verify("--json " + world.folder + "/a " + world.folder + "/c " + world.folder + "/d");
    EXPECT_EQ(outcome.code, 5);
    const Json items = outcome.json().at("items");
    ASSERT_EQ(items.size(), 3u);
    EXPECT_EQ(items[2].at("findings").at(0).at("says"), "No such file or directory");
    EXPECT_EQ(outcome.json().at("warnings").size(), 2u);
}

TEST(VerifyCommand, ShowsWhatWasReadOfABackupThatCannotBeRestored) {
    const CliWorld world;
    const std::string no_place = world.write("file", "in the place of a directory");
    const std::string path = world.write("dump.rdb", snapshot().whole());
    const Outcome outcome = world.run("verify " + path + " --restore --restore-in " + no_place);
    EXPECT_THAT(outcome.out, HasSubstr("✔ checksummed"));
    EXPECT_THAT(outcome.out, HasSubstr("? restore-impossible: " + no_place));
    EXPECT_THAT(outcome.out, HasSubstr("? not judged: 1 doubt"));
    EXPECT_EQ(outcome.code, 7);
}

TEST(VerifyCommand, RefusesWhatIsSaidOfARestoreThatIsNotAskedFor) {
    const CliWorld world;
    const std::string path = world.write("good", snapshot().whole());
    for (const std::string option : {"--wal", "--restore-in"}) {
        const Outcome outcome = world.run("verify " + path + " " + option + " /tmp");
        EXPECT_EQ(outcome.code, 2);
        EXPECT_EQ(outcome.out, "");
        EXPECT_THAT(outcome.errors, HasSubstr(option + " says nothing without --restore"));
    }
}

TEST(VerifyCommand, SaysHowAStreamIsRead) {
    const CliWorld world;
    const Outcome outcome = world.run("verify /dev/null");
    EXPECT_EQ(outcome.code, 7);
    EXPECT_THAT(outcome.errors, HasSubstr("`kedge verify - < /dev/null`"));
    const std::string help = world.run("verify --help").out;
    EXPECT_THAT(help, HasSubstr("kedge verify PATH... [options]"));
    EXPECT_THAT(help, HasSubstr("\n    7  "));
    EXPECT_THAT(world.run("verify").errors, HasSubstr("PATH is missing"));
}

TEST(VerifyCommand, FitsATerminalOfAnyWidth) {
    CliWorld world;
    world.terminal = true;
    const std::string path = world.write("d", snapshot().without_checksum());
    for (const std::size_t columns : std::initializer_list<std::size_t>{60, 80, 120}) {
        world.window.columns = columns;
        std::istringstream lines(world.run("--color never verify " + path).out);
        for (std::string line; std::getline(lines, line);)
            if (line.find(path) == std::string::npos && line.find("sound") == std::string::npos) {
                EXPECT_LE(display_width(line), columns) << line;
            }
    }
}

TEST(VerifyCommand, EndsWith130WhenItIsInterrupted) {
    CliWorld world;
    world.interrupted = [] { return true; };
    const Outcome outcome = world.run("verify " + world.write("dump.rdb", snapshot().whole()));
    EXPECT_EQ(outcome.code, 130);
    EXPECT_EQ(outcome.out, "");
}

TEST(ProgressLine, HasBarRateAndEstimate) {
    const Surface surface{.interactive = true, .charset = Charset::utf8, .columns = 80};
    const ProgressState state{"/b/main.dump", 500'000'000, 2'000'000'000, std::chrono::seconds(1)};
    EXPECT_EQ(progress_line(state, surface), "/b/main.dump  █████░░░░░░░░░░░░░░░  25 %  500 MB/s  3 s left");
}

TEST(ProgressLine, OfAStreamHasNoEnd) {
    const Surface surface{.interactive = true, .charset = Charset::ascii, .columns = 80};
    EXPECT_EQ(progress_line({"-", 500'000'000, 0, std::chrono::seconds(2)}, surface), "-  500 MB  250 MB/s");
}

TEST(ProgressLine, NeverBreaksTheLine) {
    for (std::size_t columns = 1; columns < 100; ++columns) {
        const Surface surface{.interactive = true, .charset = Charset::utf8, .columns = columns};
        const ProgressState state{std::string(200, 'x'), 1, 1'000'000'000, std::chrono::seconds(1)};
        EXPECT_LT(display_width(progress_line(state, surface)), columns + 1);
    }
}

}  // namespace
}  // namespace kedge
