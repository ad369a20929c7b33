// Backups of a real server, taken as policies ask for them, and what lies there afterwards.
#include "backup/create.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "backup/scratch_estate.h"
#include "backup/servers.h"
#include "verify/files/examine.h"

namespace kedge::backup {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> backups_in(const std::string& directory) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory)) names.push_back(entry.path().filename());
    std::ranges::sort(names);
    return names;
}

verify::Examination examined(const std::string& path) {
    verify::Effort effort{.threads = 2};
    return verify::examine_path(path, {.now = SystemClock{}.now()}, effort).value().backups.at(0).examination;
}

void flip(const std::string& path, std::uintmax_t at) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    const int byte = file.get();
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(byte ^ 1));
}

TEST(CreateBackup, ADumpIsOfTheDatabaseThatTheTargetNames) {
    World world;
    world.server->sql("CREATE DATABASE shop");
    world.text.replace(world.text.find("database: postgres"), 18, "database: shop");
    world.estate = *parse_estate("estate.yaml", world.text);
    EXPECT_EQ(examined(world.create("nightly").path).facts["database"], "shop")
        << "wherever the connection would lead without it";
    const auto server = find_postgres(*world.estate.target("db"), {}, {}).value();
    EXPECT_EQ(ask_postgres(server, "SELECT current_database()", std::chrono::seconds(30), {}).value(), "shop");
}

TEST(CreateBackup, DumpLiesThereWholeWithGlobalsAndAManifest) {
    const World world;
    fs::create_directories(world.store + "/dumps/.kedge-new-left.dir/deep");
    std::ofstream(world.store + "/dumps/.kedge-new-left.dump") << "half";
    const CreatedBackup made = world.create("nightly");
    EXPECT_THAT(made.from, HasSubstr("the primary in east"));
    EXPECT_THAT(backups_in(world.store + "/dumps"),
                ElementsAre(made.name, made.name + ".globals.sql", made.name + ".kedge-manifest",
                            made.name + ".kedge-manifest.sha256"));
    EXPECT_THAT(read_file(made.path + ".globals.sql").value(), HasSubstr("CREATE ROLE postgres"));

    const Shelf shelf = look_at_shelf(world.estate, world.policy("nightly"), SystemClock{}.now()).value();
    ASSERT_EQ(shelf.backups.size(), 1u);
    EXPECT_EQ(shelf.newest()->name, made.name);
    EXPECT_TRUE(shelf.newest()->has_manifest);
    EXPECT_LT(SystemClock{}.now() - *shelf.newest()->taken, std::chrono::minutes(10)) << "by what it says of itself";

    const verify::Examination sound = examined(made.path);
    EXPECT_THAT(sound.findings.kept(), IsEmpty());
    EXPECT_EQ(sound.facts["digest"], made.digest);
    // Any byte: here one of the table of contents, which nothing in the format protects.
    const std::uintmax_t bytes = fs::file_size(made.path);
    for (const std::uintmax_t at : {std::uintmax_t{60}, bytes / 3, bytes - 1}) {
        flip(made.path, at);
        EXPECT_TRUE(examined(made.path).findings.any(verify::Weight::damage)) << at;
        flip(made.path, at);
    }
    EXPECT_THAT(examined(made.path).findings.kept(), IsEmpty());
}

TEST(CreateBackup, DirectoriesAndBaseBackupsHaveEveryFileInTheManifest) {
    World world;
    world.set_estate("layout: directory");
    const CreatedBackup directory = world.create("nightly");
    EXPECT_TRUE(fs::is_directory(directory.path));
    const CreatedBackup base = world.create("images");
    EXPECT_TRUE(examined(base.path).findings.kept().empty());
    EXPECT_EQ(examined(base.path).facts["digest"], base.digest);
    std::ofstream(base.path + "/base/1/new") << "x";
    EXPECT_TRUE(examined(base.path).findings.any(verify::Weight::damage));
    EXPECT_EQ(world.try_create("wal").error().fault, Fault::refused) << "the server archives the log itself";
}

TEST(CreateBackup, LeavesNothingWhenItFails) {
    const World world;
    std::stop_source stop;
    const auto stopped =
        create_backup(world.estate, world.policy("nightly"),
                      {.now = SystemClock{}.now(), .stop = stop.get_token(), .on_step = [&](const std::string& step) {
                           if (step == "reading it back") stop.request_stop();
                       }});
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().fault, Fault::unavailable) << stopped.error().message;
    EXPECT_THAT(backups_in(world.store + "/dumps"), IsEmpty());
    world.server->stop();
    const auto made = world.try_create("nightly");
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().fault, Fault::unavailable);
    EXPECT_THAT(made.error().message, HasSubstr("no copy of it answers"));
    EXPECT_THAT(backups_in(world.store + "/dumps"), IsEmpty());
}

TEST(CreateBackup, NeverMakesTheStoreItself) {
    World world;
    const std::string volume = world.store + "/not-mounted";
    world.text.replace(world.text.find("path: " + world.store) + 6, world.store.size(), volume);
    world.estate = *parse_estate("estate.yaml", world.text);
    for (const char* policy : {"nightly", "away"}) {
        const auto made = world.try_create(policy);
        ASSERT_FALSE(made) << policy;
        EXPECT_EQ(made.error().fault, Fault::not_found);
        EXPECT_THAT(made.error().message, HasSubstr(volume + ", the directory of the store vault, is not there"));
        EXPECT_THAT(made.error().hint, HasSubstr("mkdir -p " + volume));
        EXPECT_FALSE(exists(volume));
    }
    fs::create_directory(volume);
    EXPECT_TRUE(world.try_create("nightly")) << "what lies below it is made";
    EXPECT_EQ(world.try_create("away")->size(), 1u);
}

TEST(CreateBackup, CopiesWhatIsNotCopiedYet) {
    const World world;
    const CreatedBackup made = world.create("nightly");
    ASSERT_EQ(world.try_create("away")->size(), 1u);
    EXPECT_THAT(*world.try_create("away"), IsEmpty());
    EXPECT_EQ(examined(world.store + "/copies/" + made.name).facts["digest"], made.digest);

    const Judgement same = world.judged("away").value();
    EXPECT_EQ(same.holds(), Truth::yes) << same.answer("copied")->says;
    flip(world.store + "/copies/" + made.name, 100);
    const Judgement differs = world.judged("away").value();
    EXPECT_EQ(differs.answer("copied")->holds, Truth::no);
    EXPECT_THAT(differs.answer("copied")->says, HasSubstr("not the same by content"));
}

}  // namespace
}  // namespace kedge::backup
