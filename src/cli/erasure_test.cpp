// The commands of the erasure ledger, and a platform that answers what a test wants.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "cli/cli_world.h"
#include "cli/exit_code.h"
#include "os/files.h"
#include "os/socket.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

struct ErasureWorld : CliWorld {
    ErasureWorld() {
        path = directory + "/ledger.jsonl";
        environment["KEDGE_ERASURE_LEDGER"] = path;
        write("token", "s3cret\n");
    }
    std::string path;
};

// Answers one request with `status` and `body`, and remembers what it was asked.
class Platform {
public:
    Platform(int status, std::string body)
        : listener_(Listener::listen({"127.0.0.1", 0}).value()), thread_([this, status, body = std::move(body)] {
              auto stream = listener_.accept(within(30s));
              if (!stream) return;
              for (auto line = stream->read_line(within(30s)); line && !line->empty();
                   line = stream->read_line(within(30s)))
                  asked_ += *line + "\n";
              (void)stream->write_all(
                  fmt::format("HTTP/1.1 {} X\r\nContent-Length: {}\r\n\r\n{}", status, body.size(), body), within(30s));
          }) {}
    std::string url() const { return "http://" + to_string(listener_.endpoint()) + "/exclusions"; }
    std::string finish() {
        thread_.join();
        return asked_;
    }

private:
    Listener listener_;
    std::string asked_;
    std::jthread thread_;
};

TEST(Erasure, IsNotedOnceAndListed) {
    const ErasureWorld world;
    const Outcome added = world.run({"erasure", "add", "usr_1", "usr_2", "--reason", "asked", "--source", "PRIV-204"});
    EXPECT_EQ(added.code, 0) << added.errors;
    EXPECT_THAT(added.out, HasSubstr("a new ledger was begun at " + world.path));
    EXPECT_THAT(added.out, HasSubstr("2 added; 2 are erased, 0 are kept by a hold"));
    const Outcome twice = world.run({"erasure", "add", "usr_4", "usr_4"});
    EXPECT_EQ(twice.code, 7);
    EXPECT_THAT(twice.errors, HasSubstr("usr_4 was given twice"));
    const Outcome again = world.run({"erasure", "add", "usr_3", "usr_2"});
    EXPECT_EQ(again.code, 7);
    EXPECT_THAT(again.errors, HasSubstr("usr_2 is in the ledger already"));
    const Outcome listed = world.run("erasure list");
    EXPECT_THAT(listed.out, HasSubstr("PRIV-204"));
    EXPECT_THAT(listed.out, Not(HasSubstr("usr_3"))) << "nothing of what was refused";
    EXPECT_EQ(world.run("erasure add").code, 2);
    EXPECT_EQ(world.run({"erasure", "hold", "usr_1", "--reason", "case 4"}).code, 0);
    const Json json = world.run({"erasure", "verify", "--json"}).json();
    EXPECT_EQ(get_integer(get(json, "item"), "erased"), 1);
    EXPECT_EQ(get_integer(get(json, "item"), "held"), 1);
    EXPECT_EQ(world.run({"erasure", "release", "usr_1"}).code, 0);
}

TEST(Erasure, WithoutALedgerIsUnknown) {
    ErasureWorld world;
    EXPECT_EQ(world.run("erasure list").code, 4);
    const Outcome missing = world.run("erasure verify");
    EXPECT_EQ(missing.code, 4);
    EXPECT_THAT(missing.errors, HasSubstr("the ledger was not checked"));
    world.environment.erase("KEDGE_ERASURE_LEDGER");
    world.environment.erase("KEDGE_ESTATE");
    const Outcome outcome = world.run("erasure list");
    EXPECT_EQ(outcome.code, 3);
    EXPECT_THAT(outcome.errors, HasSubstr("no erasure ledger is named"));
    EXPECT_THAT(outcome.errors, HasSubstr("--ledger FILE"));
}

TEST(Erasure, AnEstateThatCannotBeReadIsNotPassedOver) {
    ErasureWorld world;
    world.environment.erase("KEDGE_ERASURE_LEDGER");
    const Outcome missing = world.run("erasure list");
    EXPECT_EQ(missing.code, 4);
    EXPECT_THAT(missing.errors, HasSubstr("plans/estate.yaml"));
    world.write("plans/estate.yaml", "estate: [broken");
    for (const char* line : {"erasure verify", "erasure list", "erasure add usr_1"}) {
        const Outcome broken = world.run(line);
        EXPECT_EQ(broken.code, 3);
        EXPECT_THAT(broken.errors, HasSubstr("plans/estate.yaml"));
        EXPECT_THAT(broken.errors, Not(HasSubstr("no erasure ledger is named")));
        EXPECT_THAT(broken.errors, Not(HasSubstr("not whole")));
    }
}

TEST(Erasure, ALedgerIsBegunOnlyByWhatItTakesAndWhereItsDirectoryIs) {
    ErasureWorld world;
    for (const char* line : {"erasure release usr_1", "erasure acknowledge 1", "erasure add usr_1 usr_1"}) {
        const Outcome refused = world.run(line);
        EXPECT_EQ(refused.code, 7) << line;
        EXPECT_THAT(refused.errors, HasSubstr("there is no ledger yet"));
        EXPECT_FALSE(exists(world.path)) << "an empty one would erase nobody";
    }
    const Json begun = world.run("erasure add usr_1 --json").json();
    EXPECT_EQ(get(get(begun, "item"), "begun"), true);
    EXPECT_EQ(get_string(get(begun, "item"), "path"), world.path);
    EXPECT_EQ(get(get(world.run("erasure add usr_2 --json").json(), "item"), "begun"), false);
    EXPECT_THAT(world.run("erasure add usr_3").out, Not(HasSubstr("begun")));

    world.environment["KEDGE_ERASURE_LEDGER"] = world.directory + "/nodir/ledger.jsonl";
    const Outcome gone = world.run("erasure add usr_9 --reason a");
    EXPECT_EQ(gone.code, 4);
    EXPECT_THAT(gone.errors, HasSubstr("the directory " + world.directory + "/nodir is not there"));
    EXPECT_FALSE(exists(world.directory + "/nodir"));
}

TEST(Erasure, VerifySaysWhatWasChecked) {
    const ErasureWorld world;
    world.write("ledger.jsonl", "");
    EXPECT_EQ(world.run("erasure verify").out, world.path +
                                                   " is whole, 0 entries were checked; 0 are erased, 0 are kept by a "
                                                   "hold; there is no last digest yet\n");
    ASSERT_EQ(world.run("erasure add usr_1").code, 0);
    EXPECT_THAT(world.run("erasure verify").out,
                HasSubstr(" is whole, 1 entry was checked; 1 is erased, 0 are kept by a hold; the last digest is "));
}

TEST(Erasure, HelpNamesTheExitCodes) {
    const ErasureWorld world;
    for (const char* command : {"add", "hold", "release", "pull", "acknowledge", "list", "verify"}) {
        const std::string help = world.run({"erasure", command, "--help"}).out;
        for (const ExitCode code : {ExitCode::not_found, ExitCode::not_allowed})
            EXPECT_THAT(help, HasSubstr(fmt::format("{}  {}", static_cast<int>(code), meaning(code)))) << command;
    }
}

TEST(Erasure, ShowsALedgerThatWasChangedOrCutOff) {
    const ErasureWorld world;
    ASSERT_EQ(world.run({"erasure", "add", "usr_1"}).code, 0);
    const std::string one = read_file(world.path).value();
    ASSERT_EQ(world.run({"erasure", "add", "usr_2"}).code, 0);
    const std::string two = read_file(world.path).value();
    const std::string head =
        get_string(get(world.run({"erasure", "verify", "--json"}).json(), "item"), "head").value_or("");
    ASSERT_EQ(head.size(), 64u);
    EXPECT_EQ(world.run({"erasure", "verify", "--head", head}).code, 0);

    ASSERT_TRUE(write_file_atomically(world.path, one));
    EXPECT_EQ(world.run("erasure verify").code, 0) << "by itself it does not show";
    const Outcome cut = world.run({"erasure", "verify", "--head", head});
    EXPECT_EQ(cut.code, 15);
    EXPECT_THAT(cut.errors, HasSubstr("cut off"));

    std::string changed = two;
    changed.replace(changed.find("usr_1"), 5, "usr_9");
    ASSERT_TRUE(write_file_atomically(world.path, changed));
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"erasure", "verify"}, {"erasure", "list"}, {"erasure", "add", "usr_7"}}) {
        const Outcome outcome = world.run(words);
        EXPECT_EQ(outcome.code, 15) << outcome.out;
        EXPECT_THAT(outcome.errors, HasSubstr("line 1"));
    }
    EXPECT_EQ(read_file(world.path).value(), changed);
}

TEST(ErasurePull, TakesOverWhatThePlatformSays) {
    const ErasureWorld world;
    Platform platform(200, R"({"exclusions":[{"user_id":"usr_1","reason":"asked"},{"user_id":"usr_2"}],"count":2})");
    const Outcome pulled =
        world.run({"erasure", "pull", "--url", platform.url(), "--token", "file:" + world.directory + "/token"});
    EXPECT_EQ(pulled.code, 0) << pulled.errors;
    const std::string asked = platform.finish();
    EXPECT_THAT(asked, HasSubstr("GET /exclusions?limit=500 HTTP/1.1"));
    EXPECT_THAT(asked, HasSubstr("Authorization: Bearer s3cret"));
    EXPECT_THAT(world.run("erasure list").out, HasSubstr("usr_2"));
    EXPECT_THAT(pulled.out + pulled.errors + read_file(world.path).value(), Not(HasSubstr("s3cret")));
}

TEST(ErasurePull, ChangesNothingAfterAnythingElse) {
    const ErasureWorld world;
    ASSERT_EQ(world.run({"erasure", "add", "usr_1"}).code, 0);
    const std::string before = read_file(world.path).value();
    struct Bad {
        int status;
        const char* body;
        std::vector<std::string> more;
        int code;
    };
    for (const Bad& bad :
         {Bad{401, "{}", {}, 7}, Bad{500, "{}", {}, 7}, Bad{200, "{}", {}, 15},
          Bad{200, R"({"exclusions":[{"user_id":"a"},{"user_id":"b"}],"count":2})", {"--limit", "2"}, 7}}) {
        Platform platform(bad.status, bad.body);
        std::vector<std::string> words = {"erasure", "pull", "--url", platform.url()};
        words.insert(words.end(), bad.more.begin(), bad.more.end());
        const Outcome outcome = world.run(words);
        EXPECT_EQ(outcome.code, bad.code) << bad.status << bad.body << outcome.errors;
        EXPECT_EQ(read_file(world.path).value(), before);
    }
    std::string gone;
    { gone = "http://" + to_string(Listener::listen({"127.0.0.1", 0}).value().endpoint()) + "/"; }
    EXPECT_EQ(world.run({"erasure", "pull", "--url", gone}).code, 14);
    EXPECT_EQ(world.run({"erasure", "pull", "--url", gone, "--limit", "501"}).code, 2);
    EXPECT_EQ(world.run({"erasure", "pull", "--url", gone, "--token", "env:NOPE"}).code, 4);
    const Outcome nobody = world.run("erasure pull");
    EXPECT_EQ(nobody.code, 2);
    EXPECT_THAT(nobody.errors, HasSubstr("--url is missing"));
    EXPECT_EQ(read_file(world.path).value(), before);
}

TEST(ErasurePull, OfAListThatForgotSomebodyIsRefusedUntilSomebodyLooked) {
    const ErasureWorld world;
    ASSERT_EQ(world.run({"erasure", "add", "usr_1", "--source", "http://127.0.0.1:1/"}).code, 0);
    Platform platform(200, R"({"exclusions":[],"count":0})");
    ASSERT_EQ(world.run({"erasure", "add", "usr_2", "--source", platform.url()}).code, 0);
    const Outcome pulled = world.run({"erasure", "pull", "--url", platform.url()});
    EXPECT_EQ(pulled.code, 7) << pulled.out;
    EXPECT_THAT(pulled.errors, HasSubstr("1 of 1 subjects that it named before"));
    EXPECT_THAT(pulled.errors, HasSubstr("kedge erasure acknowledge 3"));
    EXPECT_EQ(world.run("erasure verify").code, 7);
    EXPECT_EQ(world.run({"erasure", "acknowledge", "1"}).code, 7) << "that is no finding";
    EXPECT_EQ(world.run({"erasure", "acknowledge", "3", "--reason", "it was restarted"}).code, 0);
    EXPECT_EQ(world.run("erasure verify").code, 0);
    EXPECT_THAT(world.run("erasure list").out, HasSubstr("it was restarted"));
}

}  // namespace
}  // namespace kedge
