#include "os/http_retry.h"

#include <gtest/gtest.h>

#include <mutex>

#include "os/http_stub.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;

// Answers with each of `answers` in turn, then with the last one for ever.
class Answers {
public:
    template <class... Rest>
    explicit Answers(HttpResponse first, Rest... rest) : answers_{std::move(first), std::move(rest)...} {}

    std::string url() const { return stub_.url(); }
    int asked() const {
        const std::lock_guard lock(mutex_);
        return asked_;
    }

private:
    HttpResponse next() {
        const std::lock_guard lock(mutex_);
        return answers_[std::min(static_cast<std::size_t>(asked_++), answers_.size() - 1)];
    }

    mutable std::mutex mutex_;
    std::vector<HttpResponse> answers_;
    int asked_ = 0;
    HttpStub stub_{[this](const HttpRequest&) { return next(); }};
};

constexpr Retries quick{.tries_max = 4, .first_pause = 1ms, .pause_max = 2ms};

HttpRequest post(const std::string& url) {
    return {.method = "POST", .target = url + "/", .body = "{}"};
}

TEST(HttpRetry, RepeatsWhatTheServerCouldNotDoJustNow) {
    for (const int status : {408, 429, 500, 503}) {
        const Answers server({.status = status}, HttpResponse{.status = status},
                             HttpResponse{.status = 200, .body = "ok"});
        const auto answer = http_request_until_answered(post(server.url()), within(30s), quick);
        ASSERT_TRUE(answer) << answer.error().message;
        EXPECT_EQ(answer->response.body, "ok");
        EXPECT_EQ(answer->tries, 3);
    }
}

TEST(HttpRetry, NeverRepeatsARefusal) {
    for (const int status : {301, 400, 403, 404, 410}) {
        const Answers server({.status = status}, HttpResponse{.status = 200});
        const auto answer = http_request_until_answered(post(server.url()), within(30s), quick);
        ASSERT_TRUE(answer) << answer.error().message;
        EXPECT_EQ(answer->response.status, status);
        EXPECT_EQ(server.asked(), 1);
    }
}

TEST(HttpRetry, GivesUpAfterItsTries) {
    const Answers server({.status = 503});
    const auto answer = http_request_until_answered(post(server.url()), within(30s), quick);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().fault, Fault::unavailable);
    EXPECT_EQ(answer.error().message, "answered 503 (given up, tries: 4)");
    EXPECT_EQ(server.asked(), 4);
}

TEST(HttpRetry, WaitsAsLongAsItIsAskedTo) {
    const Answers server({.status = 429, .headers = {{"Retry-After", "1"}}}, HttpResponse{.status = 200});
    const Moment began = SystemClock{}.now();
    ASSERT_TRUE(http_request_until_answered(post(server.url()), within(60s), quick));
    EXPECT_GE(SystemClock{}.now() - began, 1s);
}

TEST(HttpRetry, SaysSoAtOnceWhenItIsAskedToWaitLongerThanIsLeft) {
    const Answers server({.status = 429, .headers = {{"Retry-After", "3600"}}});
    const auto answer = http_request_until_answered(post(server.url()), within(60s), quick);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().message, "answered 429 (it asks to wait 1h00m, longer than is left, tries: 1)");
    EXPECT_EQ(server.asked(), 1);
}

TEST(HttpRetry, TakesARetryAfterThatIsNoNumberForNone) {
    const HttpHeaders date{{"Retry-After", "Wed, 25 Nov 2026 21:00:00 GMT"}};
    const Answers server({.status = 503, .headers = date}, HttpResponse{.status = 200});
    ASSERT_TRUE(http_request_until_answered(post(server.url()), within(30s), quick));
}

TEST(HttpRetry, TriesAServerThatIsNotThereAgain) {
    std::string url;
    {
        const Answers gone({.status = 200});
        url = gone.url();
    }
    const auto answer = http_request_until_answered(post(url), within(30s), quick);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().fault, Fault::unavailable);
    EXPECT_NE(answer.error().message.find("tries: 4"), std::string::npos) << answer.error().message;
}

TEST(HttpRetry, EndsWhenItIsCalledOff) {
    std::stop_source stop;
    stop.request_stop();
    const Answers server({.status = 503});
    const auto answer = http_request_until_answered(post(server.url()), within(60s, stop.get_token()), quick);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().fault, Fault::unavailable);
}

}  // namespace
}  // namespace kedge
