// Figures as Prometheus reads them: by a reader of our own, and by promtool where it is installed.
#include "response/exposition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <limits>
#include <mutex>
#include <sstream>

#include "os/files.h"
#include "os/http_stub.h"
#include "os/process.h"
#include "response/run_figures.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

// Sample to value, in the order of the text; empty if a line is none that the format knows or a name has its type
// twice or after its samples.
std::map<std::string, double> read_exposition(const std::string& text) {
    std::map<std::string, double> samples;
    std::string typed;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("# HELP ")) continue;
        if (line.starts_with("# TYPE ")) {
            const std::string name = line.substr(7, line.find(' ', 7) - 7);
            for (const auto& [sample, value] : samples)
                if (sample.substr(0, sample.find('{')) == name) return {};
            typed = name;
            continue;
        }
        const std::size_t blank = line.rfind(' ');
        if (line.substr(0, line.find_first_of("{ ")) != typed || blank == std::string::npos) return {};
        if (!samples.emplace(line.substr(0, blank), std::stod(line.substr(blank + 1))).second) return {};
    }
    return text.ends_with('\n') ? samples : std::map<std::string, double>{};
}

std::vector<Gauge> awkward() {
    return {{"kedge_a_seconds", "Of one \\ kind\nand another.", {{"plan", "x\"y\\z\n"}, {"step", ""}}, 1795442412.5},
            {"kedge_held_bytes", "Another.", {}, 0},
            {"kedge_a_seconds", "Of one \\ kind\nand another.", {{"plan", "b"}, {"step", "c"}}, 1e18},
            {"kedge_c_ratio", "Odd values.", {{"plan", "nan"}}, std::numeric_limits<double>::quiet_NaN()},
            {"kedge_c_ratio", "Odd values.", {{"plan", "inf"}}, -std::numeric_limits<double>::infinity()}};
}

ScheduleLook well() {
    const Moment began = parse_moment("2026-11-25T06:03:00Z").value();
    const ScheduledRun run{.id = "r-1", .started = began, .ended = began + 90s, .succeeded = true, .says = ""};
    return {.standing = DueState::done,
            .last_due = began,
            .next_due = began + 24h,
            .newest = run,
            .success = run,
            .says = ""};
}

TEST(Exposition, KeepsTheSamplesOfANameTogether) {
    const auto samples = read_exposition(exposition(awkward()));
    ASSERT_EQ(samples.size(), 5u) << exposition(awkward());
    EXPECT_EQ(samples.at(R"(kedge_a_seconds{plan="x\"y\\z\n",step=""})"), 1795442412.5);
    EXPECT_EQ(samples.at(R"(kedge_a_seconds{plan="b",step="c"})"), 1e18);
    EXPECT_EQ(samples.at("kedge_held_bytes"), 0);
}

TEST(Exposition, IsTakenByPromtool) {
    if (!find_program("promtool")) GTEST_SKIP() << "there is no promtool here";
    for (const std::string& text :
         {exposition(awkward()), exposition(run_figures("daily-verification", well(), nullptr)),
          exposition(run_figures("weekly-verification", well(), nullptr))}) {
        const auto checked = run({"promtool", "check", "metrics"}, within(60s), {.input = text});
        ASSERT_TRUE(checked) << checked.error().message;
        // 3 are remarks on style: the runbook's own name `_age_hours` is no base unit.
        EXPECT_TRUE(checked->exit.ok() || checked->exit.code == 3) << checked->err << text;
        EXPECT_THAT(checked->err, testing::Not(HasSubstr("error while linting")));
        std::istringstream remarks(checked->err);
        for (std::string remark; std::getline(remarks, remark);)
            EXPECT_TRUE(remark.empty() || remark.starts_with("backup_verification_age_hours")) << remark;
    }
}

TEST(Exposition, IsWrittenWholeAndForEverybodyToRead) {
    const std::string path = testing::TempDir() + "kedge-" + std::to_string(getpid()) + ".prom";
    ASSERT_TRUE(write_textfile(path, awkward()));
    EXPECT_EQ(read_file(path).value(), exposition(awkward()));
    using std::filesystem::perms;
    EXPECT_NE(std::filesystem::status(path).permissions() & perms::others_read, perms::none);
    ASSERT_TRUE(write_textfile(path, {awkward()[1]}));
    EXPECT_EQ(read_exposition(read_file(path).value()).size(), 1u);
    std::filesystem::remove(path);
    EXPECT_EQ(write_textfile("/tmp/figures.txt", awkward()).error().fault, Fault::invalid_input);
}

// As a Pushgateway: takes the text format in a PUT, refuses time stamps and what it cannot read.
class Gateway {
public:
    explicit Gateway(int failures = 0) : failures_(failures) {}
    std::string url() const { return stub_.url(); }
    std::map<std::string, std::string> groups() const {
        const std::lock_guard lock(mutex_);
        return groups_;
    }

private:
    HttpResponse answer(const HttpRequest& request) {
        const std::lock_guard lock(mutex_);
        if (failures_-- > 0) return {.status = 503};
        if (request.method != "PUT" || !request.target.starts_with("/metrics/job/")) return {.status = 405};
        if (read_exposition(request.body).empty()) return {.status = 400, .body = "text format parsing error"};
        groups_[request.target] = request.body;
        return {.status = 200};
    }

    mutable std::mutex mutex_;
    int failures_;
    std::map<std::string, std::string> groups_;
    HttpStub stub_{[this](const HttpRequest& request) { return answer(request); }};
};

TEST(Pushgateway, IsGivenTheGroupAsAWhole) {
    const Gateway gateway(1);
    const Retries quick{.first_pause = 1ms};
    ASSERT_TRUE(push_to_gateway(gateway.url() + "/", "kedge", {{"plan", "daily"}, {"place", "a/b"}, {"empty", ""}},
                                awkward(), within(30s), quick));
    EXPECT_EQ(gateway.groups().begin()->first, "/metrics/job/kedge/empty@base64/=/place@base64/YS9i/plan/daily");
    EXPECT_EQ(gateway.groups().begin()->second, exposition(awkward()));
}

TEST(Pushgateway, SaysWhyItTookNothing) {
    const Gateway gateway;
    const auto pushed = push_to_gateway(gateway.url(), "kedge", {}, {}, within(30s));
    ASSERT_FALSE(pushed);
    EXPECT_EQ(pushed.error().fault, Fault::refused);
    EXPECT_THAT(pushed.error().message, HasSubstr("answered 400: text format parsing error"));
}

TEST(RunFigures, OfAPlanThatNeverSucceededHaveNoTimeOfSuccess) {
    ScheduleLook look = well();
    look.success.reset();
    look.newest->succeeded = false;
    const auto samples = read_exposition(exposition(run_figures("daily-verification", look, nullptr)));
    EXPECT_EQ(samples.at(R"(kedge_plan_last_run_success{plan="daily-verification"})"), 0);
    EXPECT_EQ(samples.at("backup_verification_success"), 0);
    for (const auto& [name, value] : samples) {
        EXPECT_THAT(name, testing::Not(HasSubstr("last_success")));
        EXPECT_THAT(name, testing::Not(HasSubstr("backup_verification_timestamp")));
    }
}

TEST(RunFigures, HaveTheRunbooksNamesOnlyForItsDailyVerification) {
    const auto daily = read_exposition(exposition(run_figures("daily-verification", well(), nullptr)));
    EXPECT_EQ(daily.at("backup_verification_success"), 1);
    EXPECT_EQ(daily.at("backup_verification_timestamp"),
              daily.at(R"(kedge_plan_last_success_timestamp_seconds{plan="daily-verification"})"));
    EXPECT_EQ(daily.at(R"(kedge_plan_last_run_duration_seconds{plan="daily-verification"})"), 90);
    for (const auto& [name, value] : read_exposition(exposition(run_figures("weekly-verification", well(), nullptr))))
        EXPECT_FALSE(name.starts_with("backup_verification")) << name;
}

}  // namespace
}  // namespace kedge
