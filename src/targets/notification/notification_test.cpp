#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "os/clock.h"
#include "targets/notification/outlet.h"
#include "targets/notification/pagerduty_channel.h"
#include "targets/notification/receivers_for_tests.h"
#include "targets/notification/slack_channel.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

constexpr Retries quick{.tries_max = 3, .first_pause = 1ms, .pause_max = 2ms};

Moment soon() {
    return SystemClock{}.now() + 30s;
}

Notice notice(std::string title = "promotion begins", std::string text = "hands off") {
    return {.key = "r-1/declare",
            .severity = "critical",
            .title = std::move(title),
            .text = std::move(text),
            .at = SystemClock{}.now()};
}

SlackChannel slack_at(const SlackReceiver& receiver) {
    setenv("KEDGE_TEST_WEBHOOK", receiver.webhook().c_str(), 1);
    return SlackChannel({.name = "chat", .webhook = "env:KEDGE_TEST_WEBHOOK", .retries = quick});
}

std::unique_ptr<PagerdutyChannel> pagerduty_at(const PagerdutyReceiver& receiver) {
    setenv("KEDGE_TEST_ROUTING_KEY", PagerdutyReceiver::routing_key, 1);
    return PagerdutyChannel::create({.name = "pager",
                                     .routing_key = "env:KEDGE_TEST_ROUTING_KEY",
                                     .url = receiver.url() + "/",
                                     .retries = quick})
        .value();
}

TEST(Slack, PostsAMessageWithItsFallbackAndItsKey) {
    const SlackReceiver receiver;
    const auto receipt = slack_at(receiver).send(notice(), soon());
    ASSERT_TRUE(receipt) << receipt.error().message;
    EXPECT_EQ(receipt->delivered, Truth::yes);
    EXPECT_EQ(receipt->says, "posted");
    ASSERT_EQ(receiver.messages().size(), 1u);
    EXPECT_EQ(get_string(receiver.messages()[0], "text"), "critical: promotion begins\nhands off");
    EXPECT_THAT(dump(receiver.messages()[0]), HasSubstr("r-1/declare"));
}

// The runbook's own way loses every alert that has a quote or a line end in it.
TEST(Slack, TakesWhateverATextHolds) {
    const SlackReceiver receiver;
    SlackChannel channel = slack_at(receiver);
    std::string long_line(70'000, '&'), many_lines, umlauts;
    for (int i = 0; i < 20'000; ++i) many_lines += "<line> of \"text\" & more\n";
    for (int i = 0; i < 30'000; ++i) umlauts += "\xc3\xa4";
    for (const std::string& text : {std::string("a \"quoted\" & <b>\n\\ line"), long_line, many_lines, umlauts,
                                    std::string("\xff\xfe no UTF-8"), std::string()}) {
        const auto receipt = channel.send(notice(text.empty() ? "x" : text, text), soon());
        ASSERT_TRUE(receipt) << receipt.error().message << text.substr(0, 40);
    }
}

TEST(Slack, ComesThroughWhenSlackIsBusyForAWhile) {
    const SlackReceiver receiver({{.status = 503}, {.status = 429, .headers = {{"Retry-After", "0"}}}});
    const auto receipt = slack_at(receiver).send(notice(), soon());
    ASSERT_TRUE(receipt) << receipt.error().message;
    EXPECT_EQ(receipt->tries, 3);
    EXPECT_EQ(receiver.messages().size(), 1u);
}

TEST(Slack, DoesNotRepeatWhatWasRefused) {
    for (const auto& [status, said] : {std::pair{400, "invalid_payload"},
                                       {403, "action_prohibited"},
                                       {404, "no_service"},
                                       {410, "channel_is_archived"}}) {
        const SlackReceiver receiver({{.status = status, .body = said}});
        const auto receipt = slack_at(receiver).send(notice(), soon());
        ASSERT_FALSE(receipt);
        EXPECT_EQ(receipt.error().fault, Fault::refused);
        EXPECT_EQ(receipt.error().message, fmt::format("channel chat: Slack answered {}: '{}'", status, said));
        EXPECT_EQ(receiver.requests().size(), 1u);
    }
}

TEST(Slack, IsNotDeceivedByAPageThatAnswersInItsPlace) {
    const SlackReceiver receiver({{.status = 200, .body = "<html>please log in</html>"}});
    const auto receipt = slack_at(receiver).send(notice(), soon());
    ASSERT_FALSE(receipt);
    EXPECT_EQ(receipt.error().fault, Fault::corrupt);
}

TEST(Slack, KeepsItsAddressToItself) {
    const std::string path = SlackReceiver::secret_path;
    const SlackReceiver echoes({{.status = 404, .body = "no hook at " + path}});
    EXPECT_THAT(slack_at(echoes).send(notice(), soon()).error().message, Not(HasSubstr("XXXX")));
    const SlackReceiver busy({{.status = 503}, {.status = 503}, {.status = 503}});
    EXPECT_THAT(slack_at(busy).send(notice(), soon()).error().message, Not(HasSubstr("XXXX")));
    std::string gone;
    {
        const SlackReceiver receiver;
        gone = receiver.webhook();
    }
    for (const std::string& webhook : {gone, "http://hooks.example.com" + path, "hooks.example.com" + path,
                                       "ftp://hooks.example.com" + path, gone + " with a blank"}) {
        setenv("KEDGE_TEST_WEBHOOK", webhook.c_str(), 1);
        SlackChannel channel({.name = "chat", .webhook = "env:KEDGE_TEST_WEBHOOK", .retries = quick});
        const auto receipt = channel.send(notice(), soon());
        ASSERT_FALSE(receipt);
        EXPECT_THAT(receipt.error().message, Not(HasSubstr("XXXX")));
        EXPECT_THAT(receipt.error().message, HasSubstr("channel chat: "));
    }
}

TEST(Slack, SaysThatItsSecretIsMissing) {
    SlackChannel channel({.name = "chat", .webhook = "env:KEDGE_TEST_NO_SUCH_WEBHOOK"});
    const auto receipt = channel.send(notice(), soon());
    ASSERT_FALSE(receipt);
    EXPECT_EQ(receipt.error().fault, Fault::not_found);
    EXPECT_EQ(receipt.error().message, "channel chat: secret env:KEDGE_TEST_NO_SUCH_WEBHOOK: not set");
}

TEST(Slack, GivesUpOnOneThatIsSilentWithinItsDeadline) {
    SlackReceiver receiver;
    receiver.fall_silent();
    const auto receipt = slack_at(receiver).send(notice(), SystemClock{}.now() + 300ms);
    ASSERT_FALSE(receipt);
    EXPECT_EQ(receipt.error().fault, Fault::unavailable);
}

TEST(Pagerduty, OpensOneAlarmForOneThingAndClosesIt) {
    const PagerdutyReceiver receiver;
    const auto pager = pagerduty_at(receiver);
    Notice first = notice(), second = notice("still so"), end = notice("it is over");
    first.about = second.about = end.about = "verification/daily";
    second.key = "r-2/tell";
    end.is_over = true;
    const auto receipt = pager->send(first, soon());
    ASSERT_TRUE(receipt) << receipt.error().message;
    EXPECT_EQ(receipt->delivered, Truth::unknown);  // taken is not delivered
    ASSERT_TRUE(pager->send(second, soon()));
    EXPECT_EQ(receiver.open(), (std::map<std::string, int>{{"verification/daily", 2}}));
    ASSERT_TRUE(pager->send(end, soon()));
    EXPECT_TRUE(receiver.open().empty());
}

TEST(Pagerduty, WakesNobodyForWhatIsOnlyTold) {
    const PagerdutyReceiver receiver;
    Notice told = notice();
    told.severity = "info";
    const auto receipt = pagerduty_at(receiver)->send(told, soon());
    ASSERT_TRUE(receipt) << receipt.error().message;
    EXPECT_TRUE(receiver.open().empty());
    EXPECT_EQ(receiver.requests()[0].target, "/v2/change/enqueue");
}

TEST(Pagerduty, KeepsToTheLimitsOfTheApi) {
    const PagerdutyReceiver receiver;
    Notice large = notice(std::string(5000, 'x') + "\xc3\xa4", std::string(2'000'000, 'y'));
    large.key = std::string(400, 'k');
    for (const char* severity : {"critical", "warning", "info", "catastrophic"}) {
        large.severity = severity;
        const auto receipt = pagerduty_at(receiver)->send(large, soon());
        EXPECT_TRUE(receipt) << receipt.error().message;
    }
}

TEST(Pagerduty, RepeatsWhatWasNotTakenUnderTheSameKey) {
    const PagerdutyReceiver receiver({{.status = 429, .headers = {{"Retry-After", "0"}}}, {.status = 500}});
    const auto receipt = pagerduty_at(receiver)->send(notice(), soon());
    ASSERT_TRUE(receipt) << receipt.error().message;
    EXPECT_EQ(receipt->tries, 3);
    for (const HttpRequest& request : receiver.requests())
        EXPECT_EQ(get_string(parse_json(request.body).value(), "dedup_key"), "r-1/declare");
}

TEST(Pagerduty, SaysWhyAnEventWasRefusedAndDoesNotRepeatIt) {
    const std::string echo = fmt::format(R"({{"status":"invalid event","message":"Event object is invalid",)"
                                         R"("errors":["no service has {}"]}})",
                                         PagerdutyReceiver::routing_key);
    const PagerdutyReceiver receiver({{.status = 400, .body = echo}});
    const auto receipt = pagerduty_at(receiver)->send(notice(), soon());
    ASSERT_FALSE(receipt);
    EXPECT_EQ(receipt.error().fault, Fault::refused);
    EXPECT_EQ(receipt.error().message,
              "channel pager: PagerDuty answered 400: Event object is invalid; no service has ***");
    EXPECT_EQ(receiver.requests().size(), 1u);
}

TEST(Pagerduty, FindsAKeyThatCannotBeOneBeforeItAsks) {
    const PagerdutyReceiver receiver;
    const auto pager = pagerduty_at(receiver);
    setenv("KEDGE_TEST_ROUTING_KEY", "too-short", 1);
    const auto receipt = pager->send(notice(), soon());
    ASSERT_FALSE(receipt);
    EXPECT_EQ(receipt.error().fault, Fault::invalid_input);
    EXPECT_THAT(receipt.error().message, Not(HasSubstr("too-short")));
    EXPECT_TRUE(receiver.requests().empty());
}

TEST(Pagerduty, RefusesAUrlThatWouldCarryTheKeyInPlain) {
    const auto pager = PagerdutyChannel::create({.name = "pager", .routing_key = "", .url = "http://example.com"});
    ASSERT_FALSE(pager);
    EXPECT_EQ(pager.error().message, "channel pager: url: http:// would carry a secret in plain");
}

TEST(Shortened, EndsBetweenCharacters) {
    EXPECT_EQ(shortened("abc", 3), "abc");
    EXPECT_EQ(shortened("abcdef", 5), "ab…");
    EXPECT_EQ(shortened("\xc3\xa4\xc3\xa4\xc3\xa4", 5), "\xc3\xa4…");
    EXPECT_EQ(shortened("abcdef", 2), "…");
}

}  // namespace
}  // namespace kedge
