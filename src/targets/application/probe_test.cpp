#include "targets/application/probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>

#include "os/clock.h"
#include "os/files.h"
#include "os/http_stub.h"
#include "targets/placeholders.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

ProbeLook run(const std::string& declared, const std::string& base, Span limit = 5s) {
    const auto probe = parse_probe("test", parse_json(declared).value());
    if (!probe) return {Truth::unknown, probe.error().message, {}};
    return run_probe(*probe, base, "key-1", SystemClock{}.now() + limit);
}

HttpResponse json(const std::string& body, int status = 200) {
    return {.status = status, .body = body};
}

TEST(Probe, CarriesWhatItCapturedIntoTheNextRequest) {
    std::mutex mutex;
    std::vector<HttpRequest> seen;
    HttpStub stub{[&](const HttpRequest& request) {
        const std::lock_guard lock{mutex};
        seen.push_back(request);
        if (request.target == "/login") return json(R"({"tokens":{"access_token":"s3cret-token"}})");
        if (request.method == "POST") return json(R"({"success":true,"debate_id":"deb_7"})");
        return json(R"({"id":"deb_7"})");
    }};
    const std::string password = testing::TempDir() + "kedge-probe-password";
    ASSERT_TRUE(write_file_atomically(password, "pass\"word\n"));
    const ProbeLook look = run(R"({
        "says": "a debate is created", "secrets": {"password": "file:)" +
                                   password + R"("},
        "exchanges": [
          {"request": "POST /login", "body": {"password": "${secret:password}"}, "capture": {"token": "/tokens/access_token"}},
          {"request": "POST /debates", "headers": {"Authorization": "Bearer ${token}"},
           "body": {"question": "Why ${unique}?", "rounds": 1},
           "expect": {"status": 200, "json": {"/success": "true", "/debate_id": "present"}},
           "capture": {"debate": "/debate_id"}},
          {"request": "GET /debates/${debate}", "expect": {"json": {"/id": "${debate}"}}}]})",
                               stub.url());
    EXPECT_EQ(look.holds, Truth::yes) << look.says;
    ASSERT_EQ(seen.size(), 3U);
    EXPECT_EQ(get_string(parse_json(seen[0].body).value(), "password"), "pass\"word");
    EXPECT_EQ(get_string(parse_json(seen[1].body).value(), "question"), "Why key-1?");
    EXPECT_EQ(seen[2].target, "/debates/deb_7");
    EXPECT_THAT(look.says, HasSubstr("deb_7"));
    EXPECT_EQ(get_string(look.evidence, "debate"), "deb_7");
    EXPECT_THAT(look.says + dump(look.evidence), Not(HasSubstr("s3cret")));
    EXPECT_THAT(look.says + dump(look.evidence), Not(HasSubstr("pass")));
}

TEST(Probe, SaysWhichAnswerWasWrong) {
    HttpStub stub{[](const HttpRequest&) { return json(R"({"status":"degraded"})", 503); }};
    const auto says = [&](const std::string& expect) {
        const ProbeLook look =
            run(R"({"exchanges": [{"request": "GET /api/health", "expect": )" + expect + "}]}", stub.url());
        EXPECT_EQ(look.holds, Truth::no) << expect;
        return look.says;
    };
    EXPECT_THAT(says(R"({"status": 200})"), HasSubstr("answered 503 instead of 200"));
    EXPECT_THAT(says(R"({"json": {"/status": "healthy"}})"), HasSubstr("/status is not healthy"));
    EXPECT_THAT(says(R"({"json": {"/checks": "present"}})"), HasSubstr("/checks"));
    EXPECT_THAT(says(R"({"headers": {"Retry-After": "present"}})"), HasSubstr("Retry-After"));
    EXPECT_EQ(
        run(R"({"exchanges": [{"request": "GET /", "expect": {"json": {"/status": "one of healthy, degraded"}}}]})",
            stub.url())
            .holds,
        Truth::yes);
}

TEST(Probe, AHtmlPageIsNotTheAnswer) {
    HttpStub stub{[](const HttpRequest&) { return json("<html>Log in</html>"); }};
    const ProbeLook look =
        run(R"({"exchanges": [{"request": "GET /", "expect": {"status": 200, "json": {"/status": "healthy"}}}]})",
            stub.url());
    EXPECT_EQ(look.holds, Truth::no);
    EXPECT_THAT(look.says, HasSubstr("not JSON"));
}

TEST(Probe, AsksAgainUntilTheAnswerComes) {
    std::atomic<int> asked = 0;
    HttpStub stub{[&](const HttpRequest&) { return ++asked < 3 ? json("{}", 503) : json("{}"); }};
    const std::string declared = R"({"exchanges": [{"request": "GET /", "until": "5s", "expect": {"status": 200}}]})";
    EXPECT_EQ(run(declared, stub.url()).holds, Truth::yes);
    EXPECT_EQ(asked, 3);
}

TEST(Probe, GivesUpAtTheEndOfItsTime) {
    HttpStub stub{[&](const HttpRequest&) { return json("{}", 503); }};
    const Moment start = SystemClock{}.now();
    EXPECT_EQ(
        run(R"({"exchanges": [{"request": "GET /", "until": "300ms", "expect": {"status": 200}}]})", stub.url()).holds,
        Truth::no);
    EXPECT_LT(SystemClock{}.now() - start, 2s);
}

TEST(Probe, RateLimitingMustShowAmongManyAnswers) {
    std::atomic<int> asked = 0;
    HttpStub stub{[&](const HttpRequest&) {
        if (++asked <= 5) return json("{}");
        HttpResponse refusal = json("{}", 429);
        refusal.headers = {{"Retry-After", "30"}};
        return refusal;
    }};
    const std::string declared =
        R"({"exchanges": [{"request": "GET /", "times": 10, "some": {"status": 429, "headers": {"Retry-After": "present"}}}]})";
    EXPECT_EQ(run(declared, stub.url()).holds, Truth::yes);
    EXPECT_EQ(asked, 6);
    HttpStub generous{[](const HttpRequest&) { return json("{}"); }};
    EXPECT_EQ(run(declared, generous.url()).holds, Truth::no);
}

TEST(Probe, SilenceIsUnknownAndARefusalIsNo) {
    HttpStub stub{[](const HttpRequest&) { return json("{}"); }};
    stub.fall_silent();
    const std::string declared = R"({"exchanges": [{"request": "GET /", "expect": {"status": 200}}]})";
    EXPECT_EQ(run(declared, stub.url(), 100ms).holds, Truth::unknown);
    Endpoint nobody;
    { nobody = Listener::listen({"127.0.0.1", 0}).value().endpoint(); }
    EXPECT_EQ(run(declared, "http://" + to_string(nobody)).holds, Truth::no);
}

TEST(Probe, AWebSocketThatIsRefusedDoesNotHold) {
    HttpStub stub{[](const HttpRequest&) { return json("{}", 404); }};
    EXPECT_EQ(run(R"({"websocket": {"path": "/ws"}})", stub.url()).holds, Truth::no);
}

TEST(Probe, RefusesDeclarationsThatCannotHoldOrAlwaysDo) {
    const auto refusal = [](const std::string& declared) {
        const auto probe = parse_probe("test", parse_json(declared).value());
        return probe ? std::string("accepted") : probe.error().message;
    };
    EXPECT_THAT(refusal("{}"), HasSubstr("asks for nothing"));
    EXPECT_THAT(refusal(R"({"exchanges": [{"request": "GET"}]})"), HasSubstr("METHOD /PATH"));
    EXPECT_THAT(refusal(R"({"exchanges": [{"request": "GET /${debate}"}]})"), HasSubstr("${debate}"));
    EXPECT_THAT(refusal(R"({"exchanges": [{"request": "GET /", "body": {"p": "${secret:x}"}}]})"),
                HasSubstr("${secret:x}"));
    EXPECT_THAT(refusal(R"({"exchanges": [{"request": "GET /", "until": "soon"}]})"), HasSubstr("until"));
}

TEST(Probe, AnAbsentSecretIsUnknownAndNamesTheReferenceOnly) {
    const ProbeLook look =
        run(R"({"secrets": {"p": "env:KEDGE_ABSENT"}, "exchanges": [{"request": "GET /"}]})", "http://127.0.0.1:1");
    EXPECT_EQ(look.holds, Truth::unknown);
    EXPECT_THAT(look.says, HasSubstr("env:KEDGE_ABSENT"));
}

TEST(Placeholders, AreFilledAndTheUnknownStay) {
    EXPECT_EQ(fill("a ${x} b ${y} ${", {{"x", "1"}}), "a 1 b ${y} ${");
    EXPECT_EQ(fill("${x}", {{"x", "${x}"}}), "${x}");
    EXPECT_EQ(names_in("a ${x} b ${y}"), (std::set<std::string>{"x", "y"}));
}

}  // namespace
}  // namespace kedge
