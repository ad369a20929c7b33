#include "targets/prometheus/prometheus_metrics.h"

#include <gtest/gtest.h>

#include "os/clock.h"

namespace kedge {
namespace {

TEST(InstantResult, KeepsLabelsAndLeavesOutWhatIsNoNumber) {
    const auto samples = parse_instant_result(R"({"status":"success","data":{"resultType":"vector","result":[
        {"metric":{"region":"us-west-2"},"value":[1795442412.481,"0.25"]},
        {"metric":{"region":"us-east-1"},"value":[1795442412.481,"NaN"]}]}})");
    ASSERT_TRUE(samples) << samples.error().message;
    ASSERT_EQ(samples->size(), 1u);
    EXPECT_EQ(samples->front().labels.at("region"), "us-west-2");
    EXPECT_DOUBLE_EQ(samples->front().value, 0.25);
}

TEST(InstantResult, TellsWhyAQueryWasRefused) {
    const auto refused =
        parse_instant_result(R"({"status":"error","errorType":"bad_data","error":"unexpected end of input"})");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault, Fault::refused);
    EXPECT_EQ(refused.error().message, "unexpected end of input");
}

TEST(InstantResult, IsCorruptWhenItIsSomethingElse) {
    for (const char* body :
         {R"({"status":"success","data":{"resultType":"matrix","result":[]}})", R"({"status":"success"})",
          R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1]}]}})"})
        EXPECT_EQ(parse_instant_result(body).error().fault, Fault::corrupt) << body;
}

TEST(PrometheusMetrics, SaysWhomItCouldNotReach) {
    const auto metrics = PrometheusMetrics::create("prometheus", "http://127.0.0.1:9");
    ASSERT_TRUE(metrics);
    const auto samples = (*metrics)->query("up", SystemClock().now() + std::chrono::seconds{2});
    ASSERT_FALSE(samples);
    EXPECT_EQ(samples.error().fault, Fault::unavailable);
    EXPECT_NE(samples.error().message.find("metrics prometheus"), std::string::npos);
}

}  // namespace
}  // namespace kedge
