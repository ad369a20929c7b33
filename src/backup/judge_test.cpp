// What backups of a real server are worth, each question with the world that makes it yes and the one that makes it no.
#include "backup/judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "backup/production.h"
#include "backup/scratch_estate.h"

namespace kedge::backup {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::string told(const Judgement& judgement) {
    std::string text;
    for (const Answer& answer : judgement.answers)
        text += fmt::format("{} {}: {}\n", answer.question, to_string(answer.holds), answer.says);
    return text;
}

Truth answered(const Judgement& judgement, const std::string& question) {
    const Answer* answer = judgement.answer(question);
    EXPECT_NE(answer, nullptr) << question;
    return answer != nullptr ? answer->holds : Truth::unknown;
}

TEST(JudgeDump, IsProvedByARestoreAndComparedBothWays) {
    const World world;
    const CreatedBackup made = world.create("nightly");
    const Judgement sound = world.judged("nightly", {}, {.key = "r-1/proved"}).value();
    EXPECT_EQ(sound.name, made.name);
    EXPECT_EQ(sound.digest, made.digest);
    EXPECT_EQ(sound.rung, "restored") << told(sound);
    EXPECT_EQ(answered(sound, "fresh"), Truth::yes);
    EXPECT_EQ(answered(sound, "intact"), Truth::yes);
    EXPECT_EQ(answered(sound, "tables"), Truth::yes);
    EXPECT_EQ(sound.answer("tables")->evidence["rows"]["public.orders"], 1000);
    EXPECT_EQ(sound.answer("proved")->evidence["key"], "r-1/proved");
    // No standby: nothing is counted on the primary, its statistics answer or nobody does.
    EXPECT_THAT(sound.answer("production")->says, HasSubstr("the primary in east"));
    EXPECT_FALSE(fs::exists(world.directory.path() + "-place"));
}

TEST(JudgeDump, IsNotReadAgainUntilItChanges) {
    const World world;
    world.create("nightly");
    Verdicts known;
    known.add(world.judged("nightly").value());
    std::string steps;
    const JudgeOptions watched{.on_step = [&](const std::string& step) { steps += step + "\n"; }};
    const Judgement again = world.judged("nightly", known, watched).value();
    EXPECT_THAT(steps, testing::Not(HasSubstr("reading")));
    EXPECT_EQ(again.read_at, known.judgements[0].read_at);
    EXPECT_EQ(again.holds(), known.judgements[0].holds()) << told(again);

    JudgeOptions asked = watched;
    asked.again = true;
    EXPECT_TRUE(world.judged("nightly", known, asked));
    EXPECT_THAT(steps, HasSubstr("reading"));
    steps.clear();
    fs::resize_file(world.store + "/dumps/" + again.name, 500);
    const Judgement cut = world.judged("nightly", known, watched).value();
    EXPECT_THAT(steps, HasSubstr("reading"));
    EXPECT_EQ(answered(cut, "intact"), Truth::no);
    EXPECT_EQ(answered(cut, "proved"), Truth::no);
}

TEST(JudgeDump, TableThatHeldRowsBeforeAndHoldsNoneNowIsANo) {
    World world;
    world.set_estate("prove: decoded");
    world.server->sql("INSERT INTO notes VALUES (1), (2)");
    world.server->sql("CREATE TABLE gone AS SELECT 1 AS one");
    world.create("nightly");
    Verdicts known;
    known.add(world.judged("nightly").value());
    EXPECT_EQ(answered(known.judgements[0], "filled"), Truth::yes) << "there is none before it";
    const CreatedBackup same = world.create("nightly", std::chrono::seconds(2));
    fs::remove(world.store + "/dumps/" + known.judgements[0].name);
    known.add(world.judged("nightly", known).value());
    ASSERT_EQ(known.judgements[0].name, same.name);
    EXPECT_EQ(answered(known.judgements[0], "filled"), Truth::yes) << told(known.judgements[0]);

    world.server->sql("DELETE FROM notes");
    world.server->sql("DROP TABLE gone");
    world.create("nightly", std::chrono::seconds(4));
    fs::remove(same.path);
    const Judgement emptied = world.judged("nightly", known).value();
    EXPECT_EQ(answered(emptied, "filled"), Truth::no);
    EXPECT_THAT(emptied.answer("filled")->says, HasSubstr("public.notes is empty, it had 2 rows in " + same.name));
    EXPECT_THAT(emptied.answer("filled")->says, HasSubstr("public.gone is not in it, it had 1 row;"));
    known.add(emptied);
    EXPECT_EQ(answered(world.judged("nightly", known, {.again = true}).value(), "filled"), Truth::no)
        << "it is not compared with itself";
}

TEST(JudgeDump, LacksATableOrIsNotThere) {
    World world;
    const Result<Judgement> nowhere = world.judged("nightly");
    ASSERT_FALSE(nowhere);
    EXPECT_EQ(nowhere.error().fault, Fault::not_found);
    fs::create_directories(world.store + "/dumps");
    const Judgement none = world.judged("nightly").value();
    EXPECT_EQ(answered(none, "fresh"), Truth::no);

    world.set_estate(
        "prove: decoded\n    tables: {public.orders: {rows-at-least: 5000}, public.gone: {}, public.notes: {}}");
    world.create("nightly");
    const Judgement lacking = world.judged("nightly").value();
    EXPECT_EQ(answered(lacking, "tables"), Truth::no);
    EXPECT_THAT(lacking.answer("tables")->says, HasSubstr("public.orders has 1,000 rows, at least 5000"));
    EXPECT_THAT(lacking.answer("tables")->says, HasSubstr("public.gone is not in it"));
    EXPECT_THAT(lacking.answer("tables")->says, HasSubstr("public.notes has 0 rows"));
    world.server->stop();
    const std::map<std::string, ProductionRows> silent =
        count_in_production(*world.estate.target("db"), {"public.orders"}, {});
    EXPECT_FALSE(silent.at("public.orders").rows) << "unreachable is unknown";
}

TEST(Production, IsComparedBothWays) {
    const auto compare = [](std::uint64_t backup, std::optional<std::uint64_t> production) {
        return compare_with_production(backup, {.rows = production, .how = "counted"}, 0.05);
    };
    EXPECT_TRUE(compare(96, 100).within);
    EXPECT_FALSE(compare(94, 100).within);
    EXPECT_FALSE(compare(106, 100).within) << "more than production: something was deleted there";
    EXPECT_FALSE(compare(1, 0).within) << "an empty production is no division by zero";
    EXPECT_TRUE(compare(0, 0).within);
    EXPECT_FALSE(compare(5, std::nullopt).difference);
}

TEST(Production, IsCountedOnAStandby) {
    World world;
    const auto standby = ScratchServer::standby_of(*world.server, "standby");
    standby->start();
    ASSERT_TRUE(standby->await("SELECT count(*) FROM orders", "1000"));
    const Target target{.name = "db",
                        .settings = Settings{Json{{"bin-directory", scratch_bin_directory}}},
                        .sites = {{"east", Settings{Json{{"connection", world.server->conninfo()}}}},
                                  {"west", Settings{Json{{"connection", standby->conninfo()}}}}}};
    const auto rows = count_in_production(target, {"public.orders", "public.none"}, {});
    EXPECT_EQ(rows.at("public.orders").rows, 1000u);
    EXPECT_FALSE(rows.at("public.orders").is_estimate);
    EXPECT_THAT(rows.at("public.orders").how, HasSubstr("the standby in west"));
    EXPECT_FALSE(rows.at("public.none").rows);
}

TEST(JudgeLog, GoesOnFromTheNewestBaseBackup) {
    const World world;
    EXPECT_EQ(answered(world.judged("wal").value(), "continuous"), Truth::unknown) << "without a base backup";
    world.create("images");
    for (int i = 0; i < 3; ++i) {
        world.server->sql(fmt::format("INSERT INTO notes VALUES ({})", i));
        world.archive();
    }
    const Judgement whole = world.judged("wal").value();
    EXPECT_EQ(whole.holds(), Truth::yes) << told(whole);

    const Judgement image = world.judged("images", {}, {.recovery = true, .chance = 11}).value();
    EXPECT_EQ(image.rung, "restored") << told(image);
    EXPECT_EQ(answered(image, "recovered"), Truth::yes) << told(image);

    const Shelf shelf = look_at_shelf(world.estate, world.policy("wal"), SystemClock{}.now()).value();
    std::vector<std::string> segments;
    for (const auto& entry : fs::directory_iterator(world.store + "/wal"))
        if (entry.path().filename().string().size() == 24) segments.push_back(entry.path());
    std::ranges::sort(segments);
    EXPECT_EQ(shelf.log.segments, segments.size());
    EXPECT_EQ(shelf.log.missing, 0u);
    fs::remove(segments[segments.size() - 2]);
    EXPECT_EQ(answered(world.judged("wal").value(), "continuous"), Truth::no);
    EXPECT_EQ(look_at_shelf(world.estate, world.policy("wal"), SystemClock{}.now())->log.missing, 1u);
}

}  // namespace
}  // namespace kedge::backup
