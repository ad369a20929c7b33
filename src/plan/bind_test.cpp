#include "plan/bind.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "estate/estate_for_tests.h"
#include "estate/parse.h"
#include "plan/catalogue_for_tests.h"
#include "plan/parse.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;
using Inputs = std::map<std::string, std::string>;
using Lines = std::vector<std::string>;

const Estate& estate() {
    static const Estate read = *parse_estate("e.yaml", estate_for_tests);
    return read;
}

const std::string bind_head = "plan: p\nsummary: s\nowner: o\nreview-by: 2027-01-01\n";
const std::string two_regions = "inputs: {from: {type: region}, to: {type: region}}\n";

// The mistakes of parsing or, if there are none, of binding.
Lines bound_lines(const std::string& body, const Inputs& inputs = {{"from", "east"}, {"to", "west"}}) {
    const auto plan = parse_plan("p.yaml", bind_head + body);
    if (!plan) return plan.mistakes().lines();
    const auto bound = bind_plan(*plan, inputs, estate(), catalogue_for_tests());
    return bound ? Lines{} : bound.mistakes().lines();
}

const std::string safe_steps =
    "steps:\n"
    "  - {id: fence, do: postgres.fence, on: \"db@${from}\"}\n"
    "  - {id: promote, do: postgres.promote, on: \"db@${to}\", needs: [fence]}\n"
    "  - {id: canary, do: postgres.canary, on: \"db@${to}\", needs: [promote]}\n"
    "leaves: {fence: later, redundancy: later}\n";

TEST(Bind, FillsInEverything) {
    const auto plan = parse_plan("p.yaml", bind_head + two_regions + safe_steps +
                                               "gate: {confirm: \"${to}\", approvals: 1, roles: [approver]}\n"
                                               "always: [{do: channel.announce, on: chat, with: {title: \"to ${to}\", "
                                               "tags: [a, \"${from}\"], loud: true}}]\n");
    ASSERT_TRUE(plan);
    const auto bound = bind_plan(*plan, {{"from", "east"}, {"to", "west"}}, estate(), catalogue_for_tests());
    ASSERT_TRUE(bound) << bound.mistakes().lines().front();
    EXPECT_EQ(bound->targets, Lines{"db"}) << "a channel is told, not held";
    EXPECT_EQ(bound->gate->confirm, "west");
    EXPECT_EQ(bound->step("promote")->region, "west");
    EXPECT_EQ(bound->step("promote")->deadline, 60s);
    EXPECT_EQ(dump(bound->step("always-1")->with), R"({"title":"to west","tags":["a","east"],"loud":true})");
    EXPECT_TRUE(bound->step("always-1")->always);
    EXPECT_EQ(bound->plan_digest.size(), 64u);
    EXPECT_NE(bound->inputs_digest,
              bind_plan(*plan, {{"from", "west"}, {"to", "east"}}, estate(), catalogue_for_tests())->inputs_digest);
}

TEST(Bind, NamesEveryMistakeOfInputsAndEstate) {
    const std::string body = two_regions + safe_steps;
    EXPECT_EQ(bound_lines(body, {{"from", "east"}}), Lines{"p.yaml: input `to` is missing; --input to=..."});
    EXPECT_EQ(bound_lines(body, {{"from", "esat"}, {"to", "west"}, {"too", "x"}}),
              (Lines{"p.yaml: there is no input `too`; did you mean `to`?",
                     "p.yaml: input `from`: there is no region `esat`; did you mean `east`?"}));
    EXPECT_EQ(bound_lines("steps: [{id: a, check: postgres.fenced, on: bd@east}]"),
              (Lines{"p.yaml: there is no input `from`", "p.yaml: there is no input `to`"}));
    EXPECT_EQ(bound_lines("steps: [{id: a, check: postgres.fenced, on: bd@east}]", {}),
              Lines{"p.yaml:5:45: the estate has no target `bd`; did you mean `db`?"});
    EXPECT_EQ(bound_lines("steps: [{id: a, check: postgres.fenced, on: app@east}]", {}),
              Lines{"p.yaml:5:45: `postgres.fenced` acts on a target of kind database, and `app` is of kind "
                    "application"});
    EXPECT_EQ(bound_lines("steps: [{id: a, check: postgres.fenced, on: db@north}]", {}),
              Lines{"p.yaml:5:45: `db` has no site in `north`; known: east, west"});
    EXPECT_EQ(bound_lines("steps: [{id: a, check: application.probe, on: app@east, with: {probe: logn}}]", {}),
              Lines{"p.yaml:5:71: `app` declares no probe `logn`; did you mean `login`?"});
    EXPECT_EQ(bound_lines("steps: [{id: a, check: application.probe, on: app@east, with: {probe: login}}]", {}),
              Lines{});
    EXPECT_EQ(bound_lines(
                  "gate: {approvals: 2, roles: [approver]}\nsteps: [{id: a, check: postgres.fenced, on: db@east}]", {}),
              Lines{"p.yaml:5:1: 2 must approve (approver), but the estate has 1 such with a login; give more people "
                    "of the estate that role and a login"});
}

TEST(Bind, TypesParameters) {
    const auto step = [](const std::string& with) {
        return "inputs: {n: {type: text, default: x}}\nsteps: [{id: a, check: metrics.no-worse, on: figures, with: " +
               with + "}]";
    };
    EXPECT_EQ(bound_lines(step("{region: east}"), {}), Lines{});
    EXPECT_EQ(bound_lines(step("{}"), {}), Lines{"p.yaml:6:55: step `a` lacks `region`"});
    EXPECT_EQ(bound_lines(step("{region: north}"), {}),
              Lines{"p.yaml:6:70: `region`: there is no region `north`; known: east, west"});
    EXPECT_EQ(bound_lines(step("{region: east, factor: much}"), {}),
              Lines{"p.yaml:6:84: `factor`: expected a number, found `much`"});
    EXPECT_EQ(bound_lines(step("{region: east, factor: \"${n}\"}"), {}),
              Lines{"p.yaml:6:84: `factor`: expected a number, found `x`"});
    EXPECT_EQ(bound_lines(step("{region: east, factor: \"${n}\"}"), {{"n", "2.5"}}), Lines{});
    EXPECT_EQ(bound_lines(step("{region: [east]}"), {}), Lines{"p.yaml:6:70: `region`: expected one region"});
    EXPECT_EQ(bound_lines(step("{region: east, fcator: 2}"), {}),
              Lines{"p.yaml:6:76: `metrics.no-worse` has no parameter `fcator`; did you mean `factor`?"});
}

TEST(Bind, SkipsByRuleAndSaysWhy) {
    const auto plan =
        parse_plan("p.yaml", bind_head +
                                 "inputs: {mode: {type: choice, choices: [planned, forced]}}\n"
                                 "steps: [{id: a, do: postgres.canary, on: db@east, when: {mode: planned}}]");
    ASSERT_TRUE(plan) << plan.mistakes().lines().front();
    const auto bound = bind_plan(*plan, {{"mode", "forced"}}, estate(), catalogue_for_tests());
    ASSERT_TRUE(bound);
    EXPECT_EQ(bound->step("a")->skipped_because, "mode is `forced`, not `planned`");
    EXPECT_TRUE(bound->targets.empty());
}

TEST(Bind, ReadsSpansFromInputs) {
    const std::string body =
        "inputs: {soak: {type: span, default: 5m}, share: {type: integer, default: \"1\"}}\n"
        "steps: [{id: a, check: metrics.no-worse, on: figures, with: {region: east}, steady: \"${soak}\", deadline: "
        "10m}]";
    EXPECT_EQ(bound_lines(body, {}), Lines{});
    EXPECT_EQ(bound_lines(body, {{"soak", "10m"}}),
              Lines{"p.yaml:6:77: step `a` must hold for as long as its deadline, and so never passes; steady 10m, "
                    "deadline 10m"});
    EXPECT_EQ(bound_lines(body, {{"soak", "0s"}}), Lines{"p.yaml:6:85: a span of nothing"});
    EXPECT_EQ(bound_lines(body, {{"soak", "long"}}),
              Lines{"p.yaml: input `soak`: expected a span with its unit, such as 30s or 5m, found `long`"});
}

TEST(Bind, TakesFromTheEstateWhatARunDoesNotGive) {
    std::string text = estate_for_tests;
    text.replace(text.find("estate: small"), 13, "estate: small\ninputs: {soak: 10s, other: x}");
    const Estate here = *parse_estate("e.yaml", text);
    const auto plan = parse_plan("p.yaml", bind_head +
                                               "inputs: {soak: {type: span, default: 5m}}\n"
                                               "steps: [{id: a, check: metrics.no-worse, on: figures, with: {region: "
                                               "east}, steady: \"${soak}\", deadline: 1h}]");
    ASSERT_TRUE(plan);
    EXPECT_EQ(bind_plan(*plan, {}, here, catalogue_for_tests())->step("a")->steady, 10s);
    EXPECT_EQ(bind_plan(*plan, {{"soak", "1m"}}, here, catalogue_for_tests())->step("a")->steady, 1min);
    EXPECT_EQ(bind_plan(*plan, {}, estate(), catalogue_for_tests())->step("a")->steady, 5min);
}

TEST(Bind, NamesTargetsThatAreNotArmed) {
    const auto plan = parse_plan("p.yaml", bind_head + "steps: [{id: a, do: redis.fail-over, on: cache@west}]");
    const auto bound = bind_plan(*plan, {}, estate(), catalogue_for_tests());
    ASSERT_TRUE(bound);
    EXPECT_EQ(unarmed_targets(*bound, estate()), Lines{"cache"});
}

TEST(Lint, RefusesAPromotionThatNothingFences) {
    EXPECT_EQ(bound_lines(two_regions + safe_steps), Lines{});
    const std::string why =
        ": step `promote` may make a second primary: nothing before it shows that `db` cannot write elsewhere";
    const std::string hint =
        "; let it need `postgres.fence`, `postgres.fenced` or `postgres.shut-down` of the other site";
    const auto promote = [&](const std::string& first) {
        return two_regions + "steps:\n  - {" + first + "}\n" +
               "  - {id: promote, do: postgres.promote, on: \"db@${to}\", needs: [first]}\nleaves: {redundancy: "
               "later}\n";
    };
    EXPECT_EQ(bound_lines(promote("id: first, check: postgres.fenced, on: \"db@${from}\"")), Lines{});
    // The same site, and a look that proves nothing about the other.
    EXPECT_EQ(bound_lines(promote("id: first, check: postgres.fenced, on: \"db@${to}\"")),
              Lines{"p.yaml:8:19" + why + hint});
    EXPECT_EQ(bound_lines(promote("id: first, check: postgres.ready, on: \"db@${from}\"")),
              Lines{"p.yaml:8:19" + why + hint});
    // A fence whose failure would not stop the run.
    EXPECT_EQ(bound_lines(promote("id: first, check: postgres.fenced, on: \"db@${from}\", if-failed: go-on")),
              Lines{"p.yaml:8:19" + why + hint});
    // A fence that one mode skips.
    EXPECT_EQ(
        bound_lines(
            "inputs: {from: {type: region}, to: {type: region}, mode: {type: choice, choices: [a, b]}}\n"
            "steps:\n  - {id: fence, check: postgres.fenced, on: \"db@${from}\", when: {mode: a}}\n"
            "  - {id: promote, do: postgres.promote, on: \"db@${to}\", needs: [fence]}\nleaves: {redundancy: x}\n",
            {{"from", "east"}, {"to", "west"}, {"mode", "a"}}),
        Lines{"p.yaml:8:19" + why + " (with mode=b)" + hint});
}

TEST(Lint, RefusesObligationsThatNobodyPays) {
    const auto hold = [](const std::string& rest) {
        return "steps:\n  - {id: hold, do: application.hold-writes, on: app@east}\n" + rest;
    };
    const Lines unpaid{
        "p.yaml:6:16: step `hold` owes `writes held` for `app@east` and no later step pays it; add the "
        "step that pays it, or say under `leaves` who does"};
    EXPECT_EQ(bound_lines(hold(""), {}), unpaid);
    EXPECT_EQ(bound_lines(hold("  - {id: end, do: application.release-writes, on: app@east, needs: [hold]}\n"), {}),
              Lines{});
    // Elsewhere, or not after it.
    EXPECT_EQ(bound_lines(hold("  - {id: end, do: application.release-writes, on: app@west, needs: [hold]}\n"), {}),
              unpaid);
    EXPECT_EQ(bound_lines(hold("  - {id: end, do: application.release-writes, on: app@east}\n"), {}), unpaid);
    EXPECT_EQ(bound_lines(hold("always: [{do: application.release-writes, on: app@east}]\n"), {}), Lines{});
    EXPECT_EQ(bound_lines(hold("leaves: {writes held: a person lifts it}\n"), {}), Lines{});
    EXPECT_EQ(bound_lines("steps: [{id: a, check: postgres.fenced, on: db@east}]\nleaves: {fence: x}\n", {}),
              Lines{"p.yaml:6:10: no step owes `fence`; leave it out"});
}

TEST(Lint, RefusesTrafficWithoutAProof) {
    const std::string shift = "do: traffic.shift, on: front, with: {from: east, to: west, share: 100}";
    EXPECT_EQ(bound_lines("steps: [{id: s, " + shift + "}]", {}),
              Lines{"p.yaml:5:17: step `s` sends users where nobody has looked; let it need `application.healthy`, "
                    "`application.probe` or `postgres.canary`"});
    EXPECT_EQ(bound_lines(
                  "steps: [{id: a, check: application.healthy, on: app@west}, {id: s, " + shift + ", needs: [a]}]", {}),
              Lines{});
    const std::string promoted =
        "steps:\n  - {id: fence, check: postgres.fenced, on: db@east}\n"
        "  - {id: promote, do: postgres.promote, on: db@west, needs: [fence]}\n"
        "  - {id: s, " +
        shift + ", needs: [promote]}\nleaves: {redundancy: x}\n";
    EXPECT_EQ(bound_lines(promoted, {}),
              Lines{"p.yaml:8:13: step `s` sends users to a database that nobody has written to since it moved; let it "
                    "need `postgres.canary`"});
}

TEST(Lint, RefusesToOpenWritesOnADatabaseInDoubt) {
    const std::string body =
        "steps:\n  - {id: hold, do: application.hold-writes, on: app@east}\n"
        "  - {id: fence, check: postgres.fenced, on: db@east, needs: [hold]}\n"
        "  - {id: promote, do: postgres.promote, on: db@west, needs: [fence]}\n"
        "  - {id: canary, do: postgres.canary, on: db@west, needs: [promote]}\n"
        "leaves: {redundancy: x}\nalways: [{do: application.release-writes, on: app@east";
    EXPECT_EQ(bound_lines(body + "}]\n", {}),
              Lines{"p.yaml:11:11: step `always-1` opens writes at the end even on a database in doubt; let it need "
                    "`postgres.canary`, or move it into `steps`"});
    EXPECT_EQ(bound_lines(body + ", needs: [canary]}]\n", {}), Lines{});
}

TEST(Lint, ChecksActionsAndTheirParameters) {
    const auto step = [](const std::string& text) { return "steps: [{id: a, " + text + "}]"; };
    const std::vector<std::pair<std::string, Lines>> cases{
        {"check: postgres.redy, on: db@east",
         {"p.yaml:5:17: step `a` names no action: `postgres.redy`; did you mean `postgres.ready`?"}},
        {"check: fly, on: db@east",
         {"p.yaml:5:17: step `a` names no action: `fly`; `kedge plan schema` lists them all"}},
        {"check: postgres.canary, on: db@east",
         {"p.yaml:5:17: step `a` checks with `postgres.canary`, which has an effect; write `do:`"}},
        {"do: postgres.ready, on: db@east",
         {"p.yaml:5:17: step `a` does `postgres.ready`, which only looks; write `check:`"}},
        {"check: postgres.ready, on: db",
         {"p.yaml:5:40: step `a` lacks the region that `postgres.ready` needs; `on: target@region`"}},
        {"check: postgres.one-writer, on: db@east",
         {"p.yaml:5:45: step `a` names a region that `postgres.one-writer` has no use for; `on: target`"}},
        {"check: postgres.fenced, on: db@east, if-blocked: ask",
         {"p.yaml:5:54: step `a` asks people for a risk, but `postgres.fenced` has none to take; leave `if-blocked` "
          "out"}},
        {"do: application.hold-writes, on: app@east, if-failed: go-on",
         {"p.yaml:5:17: step `a` owes `writes held` for `app@east` and no later step pays it; add the step that pays "
          "it, "
          "or say under `leaves` who does",
          "p.yaml:5:60: step `a` owes `writes held`, so others cannot go on when it fails"}},
        {"check: postgres.ready, on: db@east, with: {max-retry: 5}",
         {"p.yaml:5:71: `max-retry`: expected a span with its unit, such as 30s or 5m, found `5`"}},
        {"check: postgres.caught-up, on: db@east, with: {after: b}",
         {"p.yaml:5:71: there is no step `b`; did you mean `a`?"}},
        {"check: postgres.caught-up, on: db@east, with: {after: a}",
         {"p.yaml:5:71: step `a` is not done before `a`; add it to `needs` of `a`"}},
        {"check: postgres.ready, on: db@east, undo-on-failure: [a]",
         {"p.yaml:5:53: step `a` would take `a` back, which cannot be"}},
    };
    for (const auto& [text, lines] : cases) EXPECT_EQ(bound_lines(step(text), {}), lines) << text;
}

}  // namespace
}  // namespace kedge
