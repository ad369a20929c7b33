#include "config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "os/files.h"

namespace kedge::lab {
namespace {

const std::string path = testing::TempDir() + "kedge-lab-app-config.json";

Json complete() {
    return {{"instance", "a"},
            {"region", "east"},
            {"listen", "127.0.0.1:21080"},
            {"databases", {{{"region", "east"}, {"conninfo", "host=127.0.0.1"}}}},
            {"sentinels", {"127.0.0.1:21380"}},
            {"master", "group"},
            {"log", "/tmp/a.log"}};
}

Result<Config> load(const Json& json) {
    check(write_file_atomically(path, dump(json)).has_value(), "the test can write its file");
    return load_config(path);
}

TEST(Config, HasDefaultsForWhatMayBeAbsent) {
    const auto config = load(complete());
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->maintenance, Maintenance::off);
    EXPECT_EQ(config->database.write_limit, std::chrono::seconds{2});
    EXPECT_EQ(config->limits.list, 30);
    EXPECT_EQ(config->cache.sentinels.front().port, 21380);
}

TEST(Config, NamesTheKeyThatIsWrong) {
    const std::map<std::string, Json> wrong{
        {"instance", 5},         {"listen", "nowhere"}, {"databases", Json::array()},      {"sentinels", {"x"}},
        {"maintenance", "some"}, {"write_wait", "2"},   {"service_token_file", "/nowhere"}};
    for (const auto& [key, value] : wrong) {
        Json json = complete();
        json[key] = value;
        const auto config = load(json);
        ASSERT_FALSE(config) << key;
        EXPECT_THAT(config.error().message, testing::HasSubstr(key));
    }
}

TEST(Config, SuggestsTheKeyThatWasMeant) {
    Json json = complete();
    json["instanse"] = "a";
    EXPECT_THAT(load(json).error().hint, testing::HasSubstr("instance"));
}

TEST(Config, AnAbsentFileIsNotFound) {
    EXPECT_EQ(load_config("/nowhere.json").error().fault, Fault::not_found);
}

}  // namespace
}  // namespace kedge::lab
