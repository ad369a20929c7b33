// The index of the Knowledge Mound, built anew in the real lab: what it held is really lost first, the table answers
// searches meanwhile, the controller and the job itself are killed on their way, and in the end every row is found.
//
// The tests share one lab; each begins with a whole index that serves.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>

#include "kill_runs.h"
#include "lab/observe.h"
#include "lab_world.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/http.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;

constexpr const char* east = "postgres-us-east-1";
constexpr std::int64_t nodes = 5000;
constexpr Span run_limit = 200s;

class IndexRebuild : public testing::Test {
protected:
    static void SetUpTestSuite() { world_ = std::make_unique<LabWorld>(); }
    static void TearDownTestSuite() { world_.reset(); }
    void SetUp() override {
        ASSERT_TRUE(world_->is_up()) << world_->trouble();
        ASSERT_EQ(look_text(), "serving 5000");
        ASSERT_EQ(search("found in matter 77").by, "index");
    }

    static std::string directory() { return world_->lab().layout().knowledge(); }
    // What the platform's own program answers.
    static Json ask_index(const Arguments& verb) {
        Arguments words{world_->lab().layout().application_program(), "--index", directory(),
                        "host=127.0.11.110 port=21432 user=postgres dbname=aragora"};
        words.insert(words.end(), verb.begin(), verb.end());
        const auto answer = run_or_fail(words, kedge::within(30s));
        EXPECT_TRUE(answer) << answer.error().message;
        return answer ? parse_json(answer->out).value_or(Json()) : Json();
    }
    static std::string look_text() {
        const Json look = ask_index({"look"});
        return fmt::format("{} {}", get_string(look, "mode").value_or("?"), get_integer(look, "entries").value_or(-1));
    }
    // "" while there is none, else "running 1300".
    static std::string job_text(const RunId& run) {
        const Json look = ask_index({"look"});
        const Json& job = get(look, "job");
        if (get_string(job, "name") != run + "/rebuild") return "";
        return fmt::format("{} {}", get_string(job, "state").value_or("?"), get_integer(job, "done").value_or(-1));
    }
    static std::int64_t job_done() {
        const Json look = ask_index({"look"});
        return get_integer(get(look, "job"), "done").value_or(0);
    }

    struct Found {
        std::string by;  // which answered, or why none did
        std::size_t count = 0;
    };
    // As users search.
    static Found search(std::string words) {
        std::ranges::replace(words, ' ', '+');
        const auto answer =
            http_request({.target = "http://127.0.13.60:21000/api/knowledge?q=" + words}, kedge::within(5s));
        if (!answer) return {answer.error().message};
        const Json body = parse_json(answer->body).value_or(Json());
        return {get_string(body, "answered_by").value_or(answer->body),
                static_cast<std::size_t>(get_integer(body, "count").value_or(0))};
    }

    // A tenth of what was indexed is lost, kn_1002 among it.
    static void damage() {
        std::vector<std::string> segments;
        for (const auto& entry : std::filesystem::directory_iterator(directory() + "/serving"))
            if (entry.path().filename().string().starts_with("segment-")) segments.push_back(entry.path());
        std::ranges::sort(segments);
        for (std::size_t i = 0; i < segments.size() / 10; ++i) std::filesystem::remove(segments[i]);
        ASSERT_EQ(look_text(), "serving 4500");
    }
    // The pid of whoever holds the lock stands in it.
    static void kill_job() { ASSERT_EQ(kill(std::stoi(read_file(directory() + "/lock").value()), SIGKILL), 0); }
    static Arguments rebuild(std::vector<std::string> inputs = {}) {
        Arguments words{"run", "start", "knowledge-index-rebuild", "-i", "region=us-east-1"};
        for (const std::string& input : inputs) {
            words.emplace_back("-i");
            words.push_back(input);
        }
        for (const char* word : {"--confirm", "aragora-knowledge", "--play-people"}) words.emplace_back(word);
        return words;
    }
    static Child begin_and_await_middle() {
        Child controller = world_->start_kedge(rebuild()).value();
        const std::size_t before = world_->runs().size();
        EXPECT_TRUE(wait_until("the run to be there", [&] { return world_->runs().size() > before; }));
        EXPECT_TRUE(wait_until("the job to be in its middle", [&] {
            return job_text(world_->runs().back()).starts_with("running") && job_done() >= 500;
        }));
        return controller;
    }
    static bool wait_until(const std::string& what, const std::function<bool()>& condition, Span patience = 60s) {
        return wait_for(what, kedge::within(patience), [&]() -> Result<bool> { return condition(); }).has_value();
    }
    static std::string step_says(const std::string& step) {
        const Result<LoadedRun> run = world_->load(world_->runs().back());
        return run ? run->state.record(*run->state.find(step)).says : run.error().message;
    }
    static void expect_whole() {
        EXPECT_EQ(look_text(), "serving 5000");
        const Json all = ask_index({"sample", "10000"});
        EXPECT_EQ(get_integer(all, "asked"), nodes);
        EXPECT_EQ(get_integer(all, "found"), nodes) << "every row is found";
        EXPECT_EQ(get_integer(all, "looked_up"), nodes);
        EXPECT_EQ(get_integer(all, "stale"), 0);
        EXPECT_EQ(search("found in matter 1002").by, "index");
        EXPECT_EQ(search("found in matter 1002").count, 1u);
        const Result<LoadedRun> run = world_->load(world_->runs().back());
        ASSERT_TRUE(run);
        EXPECT_EQ(run->state.result(), RunResult::succeeded) << run->state.phase_says();
        EXPECT_TRUE(run->state.obligations().empty());
        EXPECT_TRUE(world_->kedge({"journal", "verify"}).exit.ok());
    }

    static std::unique_ptr<LabWorld> world_;
};

std::unique_ptr<LabWorld> IndexRebuild::world_;

TEST_F(IndexRebuild, FindsAgainWhatWasLostAndTheTableAnswersMeanwhile) {
    damage();
    EXPECT_EQ(search("found in matter 1002").count, 0u) << "a search that finds less says nothing of it";

    Child controller = begin_and_await_middle();
    std::size_t by_table = 0;
    ASSERT_TRUE(wait_until("the index to serve again", [&] {
        const Found found = search("found in matter 1002");
        EXPECT_EQ(found.count, 1u) << "it is found all the while; answered by " << found.by;
        by_table += found.by == "table";
        wait_out(kedge::within(300ms));  // a client is allowed five requests a second
        return found.by == "index";
    }));
    EXPECT_GE(by_table, 3u);
    ASSERT_TRUE(controller.wait(kedge::within(60s)));
    EXPECT_TRUE(controller.wait(kedge::within(1s))->ok());
    expect_whole();
    EXPECT_THAT(step_says("rebuild"), HasSubstr("built from 5000 of 5000 rows"));
    EXPECT_THAT(step_says("check"), HasSubstr("5000 entries for 5000 rows; 500 of 500 rows are found"));
}

TEST_F(IndexRebuild, GoesOnAfterTheControllerAndTheJobItselfWereKilled) {
    damage();
    Child controller = begin_and_await_middle();
    const RunId run = world_->runs().back();
    controller.kill_and_reap();
    const std::int64_t done = job_done();
    EXPECT_TRUE(wait_until("the job to go on by itself", [&] { return job_done() > done; }));
    kill_job();
    ASSERT_TRUE(wait_until("the job to be dead", [&] { return job_text(run).starts_with("died"); }));
    const std::int64_t at_death = job_done();
    EXPECT_GT(at_death, done);
    EXPECT_EQ(look_text(), "degraded 4500") << "what is half built does not serve";

    // The next controller finds a dead job and has it go on; killed under that one too, it goes on again.
    Child next = world_->start_kedge({"run", "resume", run, "--play-people"}).value();
    ASSERT_TRUE(wait_until("the job to go on", [&] {
        const std::int64_t now_done = job_done();
        EXPECT_GE(now_done, at_death) << "from where it stopped";
        return job_text(run).starts_with("running") && now_done > at_death;
    }));
    kill_job();
    ASSERT_TRUE(next.wait(kedge::within(run_limit)));
    EXPECT_TRUE(next.wait(kedge::within(1s))->ok());
    expect_whole();
}

TEST_F(IndexRebuild, DoesNotServeWhatLacksRows) {
    Child controller = world_->start_kedge(rebuild({"check-within=5s"})).value();
    const std::size_t before = world_->runs().size();
    ASSERT_TRUE(wait_until("the run to be there", [&] { return world_->runs().size() > before; }));
    const RunId run = world_->runs().back();
    ASSERT_TRUE(wait_until("the job to be in its middle", [&] { return job_text(run) != "" && job_done() >= 500; }));
    // Before where it reads: this job never sees them.
    world_->sql(
        east,
        "INSERT INTO knowledge_nodes (id, tenant_id, node_type, content, content_hash, confidence, tier) SELECT "
        "'aa_' || n, 'ten_1', 'fact', 'written meanwhile ' || n, md5(n::text), 0.5, 'fast' FROM "
        "generate_series(1, 500) AS n");
    ASSERT_TRUE(wait_until("the run to hold", [&] {
        const Result<LoadedRun> loaded = world_->load(run);
        return loaded && loaded->state.phase() == RunPhase::holding;
    }));
    EXPECT_THAT(step_says("check"), HasSubstr("5000 entries for 5500 rows"));
    EXPECT_EQ(look_text(), "degraded 5000");
    EXPECT_EQ(search("written meanwhile 77").by, "table");
    EXPECT_EQ(search("written meanwhile 77").count, 1u);
    const Result<LoadedRun> held = world_->load(run);
    ASSERT_EQ(held->state.obligations().size(), 1u);
    EXPECT_EQ(held->state.obligations().front().says, "aragora-knowledge is in degraded mode");

    world_->sql(east, "DELETE FROM knowledge_nodes WHERE id LIKE 'aa_%'");
    const RunOutput retried =
        world_->kedge({"run", "retry", run, "check", "--reason", "what was missing is gone", "--play", "rahel"});
    EXPECT_TRUE(retried.exit.ok()) << retried.out << retried.err;
    ASSERT_TRUE(controller.wait(kedge::within(run_limit)));
    EXPECT_TRUE(controller.wait(kedge::within(1s))->ok());
    expect_whole();
}

TEST_F(IndexRebuild, EndsTheSameWhereverItsControllerIsKilled) {
    damage();
    const Killed killed = run_with_kills(*world_, rebuild(), {.stride = 3, .kills_max = 14, .limit = run_limit});
    ASSERT_EQ(killed.trouble, "");
    EXPECT_GE(killed.boundaries.size(), 6u);
    expect_whole();
}

}  // namespace
}  // namespace kedge::lab
