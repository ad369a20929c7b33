// Searches over knowledge: by the index, and by the table where the index must not or cannot answer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "api.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/process.h"
#include "test_stores.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Words, AreLettersAndDigitsInLowerCaseEachOnce) {
    EXPECT_THAT(words_of("What was found, in matter 12: was FOUND"),
                ElementsAre("12", "found", "in", "matter", "was", "what"));
    EXPECT_THAT(words_of(" -- %_' "), IsEmpty());
    EXPECT_THAT(words_of(""), IsEmpty());
}

class KnowledgeSearch : public testing::Test {
protected:
    KnowledgeSearch() {
        stores_.primary->sql("DELETE FROM knowledge_nodes WHERE id = 'kn_new'");
        check(make_directories(files_.root).has_value(), "a directory can be made");
        check(
            run_or_fail({KEDGE_LAB_APP_PROGRAM, "--index", files_.root, stores_.primary->conninfo(), "build", "first"},
                        within(30s))
                .has_value(),
            "the index can be built");
        config_ = {.instance = "api-1",
                   .region = "east",
                   .database = {{{"east", stores_.primary->conninfo()}}},
                   .cache = {{stores_.sentinel->endpoint()}, "group"},
                   .log = directory_.path() + "/request.log",
                   .knowledge = files_.root};
        start();
    }
    void start() {
        api_.reset();
        log_.emplace(RequestLog::open(config_.log).value());
        api_ = std::make_unique<Api>(config_, *log_);
        for (const Moment end = SystemClock{}.now() + 30s; search("found in matter 7").status != 200;) {
            ASSERT_LT(SystemClock{}.now(), end) << "it has found its stores";
            wait_out(within(10ms));
        }
    }
    ApiResponse search(const std::string& words) const {
        return api_->handle(
            {.method = "GET", .path = "/api/knowledge", .query = {{"q", words}}, .client = "192.0.2.77"});
    }
    // "index kn_7 kn_8": who answered, and the ids.
    std::string found(const std::string& words) const {
        const Json body = parse_json(search(words).body).value();
        std::string text = get_string(body, "answered_by").value_or("?");
        for (const Json& result : get(body, "results")) text += " " + get_string(result, "id").value_or("?");
        EXPECT_EQ(get_bool(body, "degraded"), text.starts_with("table"));
        return text;
    }
    std::string because() const {
        return get_string(parse_json(search("matter").body).value(), "because").value_or("");
    }

    Stores& stores_ = shared_stores();
    ScratchDirectory directory_;
    const IndexFiles files_{directory_.path() + "/knowledge"};
    Config config_;
    std::optional<RequestLog> log_;
    std::unique_ptr<Api> api_;
};

TEST_F(KnowledgeSearch, IsAnsweredByTheIndex) {
    EXPECT_EQ(found("found in matter 77"), "index kn_77");
    EXPECT_EQ(found("MATTER 77"), "index kn_77");
    EXPECT_EQ(found("matter of nobody"), "index");
    EXPECT_EQ(get_integer(parse_json(search("matter").body).value(), "count"), 20) << "no more than these";
    EXPECT_EQ(search(" -- ").status, 400);
}

TEST_F(KnowledgeSearch, ShowsWhatTheTableHoldsNow) {
    stores_.primary->sql("UPDATE knowledge_nodes SET id = 'kn_moved' WHERE id = 'kn_4999'");
    EXPECT_EQ(found("in matter 4999"), "index") << "what the index finds and the table has not is not shown";
    stores_.primary->sql("UPDATE knowledge_nodes SET id = 'kn_4999' WHERE id = 'kn_moved'");
    EXPECT_EQ(found("in matter 4999"), "index kn_4999");
}

TEST_F(KnowledgeSearch, IsAnsweredByTheTableInDegradedMode) {
    ASSERT_TRUE(set_degraded(files_, true));
    EXPECT_EQ(found("found in matter 77"), "table kn_77") << "as the index answers";
    EXPECT_EQ(found("MATTER 77"), "table kn_77");
    EXPECT_EQ(found("atter 77"), "table");
    EXPECT_EQ(because(), "degraded mode is on");
    stores_.primary->sql(
        "INSERT INTO knowledge_nodes (id, tenant_id, node_type, content, content_hash, confidence, tier) VALUES "
        "('kn_new', 'ten_1', 'fact', 'a needle', 'x', 0.5, 'fast')");
    EXPECT_EQ(found("needle"), "table kn_new");
    ASSERT_TRUE(set_degraded(files_, false));
    EXPECT_EQ(found("needle"), "index") << "it was written after the index was built";
    stores_.primary->sql("DELETE FROM knowledge_nodes WHERE id = 'kn_new'");
}

TEST_F(KnowledgeSearch, IsAnsweredByTheTableWhereNoIndexCanBeRead) {
    std::filesystem::rename(files_.serving(), files_.previous());
    EXPECT_THAT(found("needle"), HasSubstr("table"));
    EXPECT_EQ(because(), "there is no index");
    std::filesystem::rename(files_.previous(), files_.serving());
    EXPECT_EQ(found("in matter 77"), "index kn_77") << "it is back";

    ASSERT_TRUE(write_file_atomically(files_.serving() + "/segment-000003.json", "[]"));
    EXPECT_THAT(because(), HasSubstr("segment-000003.json is no segment"));
    ASSERT_TRUE(write_file_atomically(files_.mode(), "perhaps"));
    EXPECT_THAT(because(), HasSubstr("neither degraded nor serving"));
    config_.knowledge.clear();
    start();
    EXPECT_EQ(because(), "this instance has no index");
}

}  // namespace
}  // namespace kedge::lab
