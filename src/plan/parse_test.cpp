#include "plan/parse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <sstream>

#include "document/schema.h"
#include "document/tables.h"

namespace kedge {
namespace {

using Lines = std::vector<std::string>;

const std::string head = "plan: p\nsummary: s\nowner: o\nreview-by: 2027-01-01\n";

Lines lines_of(const std::string& body) {
    const auto plan = parse_plan("p.yaml", head + body);
    return plan ? Lines{} : plan.mistakes().lines();
}

TEST(ParsePlan, ReadsEveryField) {
    const auto plan = parse_plan("p.yaml", R"(plan: p
summary: s
answers: [L1, L3]
owner: o
review-by: 2027-01-01
links: [{title: t, to: x.md}]
drill: regional failover
inputs: {mode: {type: choice, choices: [a, b], default: a, says: which}, soak: {type: span}}
gate: {confirm: GO, approvals: 2, roles: [x], expires: 1h, says: "mode ${mode}"}
steps:
  - id: one
    title: first
    check: db.look
    on: db@east
    with: {n: 5, list: [a, b]}
    when: {mode: a}
    deadline: 10m
    steady: ${soak}
    if-blocked: ask
    gate: {approvals: 1}
  - {id: two, do: db.act, on: db, needs: [one], attempts: 1, undo-on-failure: [one]}
  - {id: three, person: look at it, deadline: 1h}
always:
  - {do: db.act, on: db}
leaves: {fence: x}
)");
    ASSERT_TRUE(plan) << plan.mistakes().lines().front();
    EXPECT_EQ(plan->answers, (Lines{"L1", "L3"}));
    EXPECT_EQ(plan->gate->approvals, 2);
    EXPECT_EQ(plan->gate->expires, std::chrono::hours{1});
    const Step& one = plan->steps[0];
    EXPECT_EQ(one.kind, StepKind::check);
    EXPECT_EQ(dump(one.with), R"({"n":"5","list":["a","b"]})") << "typed when it is bound";
    EXPECT_EQ(one.steady, "${soak}");
    EXPECT_EQ(one.if_blocked, IfBlocked::ask);
    EXPECT_EQ(one.gate->approvals, 1);
    EXPECT_EQ(one.line, 11);
    EXPECT_EQ(plan->steps[1].undo_on_failure, Lines{"one"});
    EXPECT_EQ(plan->steps[2].asks, "look at it");
    EXPECT_EQ(plan->always[0].id, "always-1");
    EXPECT_EQ(plan->leaves[0].obligation, "fence");
    EXPECT_EQ(plan->input("mode")->fallback, "a");
    EXPECT_EQ(plan->digest.size(), 64u);
}

TEST(ParsePlan, NamesEveryMistake) {
    const auto steps = [](const std::string& list) { return "steps: [" + list + "]"; };
    const std::string ok = "{id: a, check: x, on: t}";
    const std::vector<std::pair<std::string, Lines>> cases{
        {"",
         {"p.yaml:1:1: the plan lacks `steps`; what is done; steps without an order between them run side by side"}},
        {"step: []",
         {"p.yaml:1:1: the plan lacks `steps`; what is done; steps without an order between them run side by side",
          "p.yaml:5:1: the plan has no field `step`; did you mean `steps`?"}},
        {steps(""), {"p.yaml:5:8: at least 1 must be listed"}},
        {steps("{check: x, on: t}"), {"p.yaml:5:9: a step lacks `id`; how others refer to it"}},
        {steps("{id: a, on: t}"),
         {"p.yaml:5:9: step `a` has none of `check`, `do` and `person`; it needs exactly one"}},
        {steps("{id: a, check: x, do: y, on: t}"),
         {"p.yaml:5:9: step `a` has more than one of `check`, `do` and `person`; it needs exactly one"}},
        {steps("{id: a, check: x}"), {"p.yaml:5:9: step `a` lacks `on`; `on: target@region`"}},
        {steps("{id: a, person: x, on: t}"),
         {"p.yaml:5:9: step `a` has no deadline; say by when a person must have done it",
          "p.yaml:5:28: step `a` is a person's and acts on no target; say it in `person`"}},
        {steps("{id: a, person: x, deadline: 1h, with: {n: 1}}"),
         {"p.yaml:5:42: step `a` is a person's and takes no parameters; say it in `person`"}},
        {steps("{id: a, person: x, deadline: 1h, if-blocked: ask}"), {"p.yaml:5:42: step `a` is a person's already"}},
        {steps("{id: a, do: x, on: t, steady: 5s}"), {"p.yaml:5:31: step `a` is no check and cannot be steady"}},
        {steps("{id: a, check: x, on: t, deadline: 5}"),
         {"p.yaml:5:44: expected a span with its unit, such as 30s or 5m, or the `${name}` of one, found `5`"}},
        {steps("{id: a, check: x, on: t, deadline: \"${x}\"}"), {"p.yaml:5:44: `${x}` is no input"}},
        {steps("{id: a, check: x, on: t, deadline: \"${x}5m\"}"),
         {"p.yaml:5:44: expected a span with its unit, such as 30s or 5m, or the `${name}` of one, found the text "
          "`${x}5m`"}},
        {steps("{id: a, check: x, on: t, if-blocked: stpo}"),
         {"p.yaml:5:46: expected one of stop, ask, found `stpo`; did you mean `stop`?"}},
        {steps("{id: a, check: x, on: t, attempts: 0}"),
         {"p.yaml:5:44: expected a whole number from 1 to 20, found `0`"}},
        {steps(ok + ", " + ok), {"p.yaml:5:40: `a` is the id of another step too"}},
        {steps("{id: a, check: x, on: t, needs: [b]}, {id: bc, check: x, on: t}"),
         {"p.yaml:5:42: there is no step `b`; did you mean `a`?"}},
        {"gate: {approvals: 1}\n" + steps("{id: start, check: x, on: t}"),
         {"p.yaml:6:14: `start` is the id of the plan's gate; choose another id"}},
        {steps("{id: a, check: x, on: t, if-failed: ignore, undo-on-failure: [a]}"),
         {"p.yaml:5:53: step `a` lets the others go on when it fails; leave out one of the two"}},
        {steps("{id: a, check: x, on: t, undo-on-failure: [other]}"),
         {"p.yaml:5:52: there is no step `other`; known: a"}},
        {steps("{id: a, check: x, on: t, needs: [a]}"), {"p.yaml:5:34: step `a` waits for itself: a -> a"}},
        {steps("{id: a, check: x, on: t, needs: [b]}, {id: b, check: x, on: t, needs: [c]}, {id: c, check: x, on: t, "
               "needs: [b]}"),
         {"p.yaml:5:72: step `b` waits for itself: b -> c -> b"}},
        {steps("{id: a, check: x, on: t, needs: [last]}") + "\nalways: [{id: last, do: x, on: t}]",
         {"p.yaml:5:42: step `a` needs `last`, which is done last of all"}},
        {steps("{id: a, check: x, on: \"t@${too}\"}") + "\ninputs: {to: {type: region}}",
         {"p.yaml:5:31: `${too}` is no input; did you mean `to`?"}},
        {steps("{id: a, check: x, on: t, with: {deep: {er: [\"${x}\"]}}}"), {"p.yaml:5:53: `${x}` is no input"}},
        {steps("{id: a, check: x, on: t, with: {deep: \"${x\"}}"), {"p.yaml:5:47: `${x}` is no input"}},
        {steps("{id: a, check: x, on: t, when: {mode: b}}"), {"p.yaml:5:41: there is no input `mode`"}},
        {"inputs: {mode: {type: choice, choices: [planned, forced]}}\n" +
             steps("{id: a, check: x, on: t, when: {mode: plannd}}"),
         {"p.yaml:6:47: input `mode` is never `plannd`; did you mean `planned`?"}},
        {"inputs: {on: {type: flag}}\n" + steps("{id: a, check: x, on: t, when: {on: yes}}"),
         {"p.yaml:6:45: input `on` is never `yes`; known: true, false"}},
        {"inputs: {mode: {type: choice}}\n" + steps(ok),
         {"p.yaml:5:10: input `mode` has nothing to choose from; `type: choice` and `choices` go together"}},
        {"inputs: {mode: {type: text, choices: [a, b]}}\n" + steps(ok),
         {"p.yaml:5:10: input `mode` is no choice; `type: choice` and `choices` go together"}},
        {"inputs: {mode: {type: choice, choices: [abc, xyz], default: abd}}\n" + steps(ok),
         {"p.yaml:5:61: `abd` cannot be chosen; did you mean `abc`?"}},
        {"inputs: {n: {type: strng}}\n" + steps(ok),
         {"p.yaml:5:20: expected one of region, target, text, integer, number, span, flag, choice, found `strng`"}},
        {"inputs: {n: {type: text}}\n" + steps("{id: a, check: x, on: t, deadline: \"${n}\"}"),
         {"p.yaml:6:44: input `n` is no span; give it `type: span`"}},
        {"gate: {says: hm}\n" + steps(ok),
         {"p.yaml:5:1: a gate that asks nobody; give it `confirm`, `approvals` or both"}},
        {"gate: {approvals: 9}\n" + steps(ok), {"p.yaml:5:19: expected a whole number from 0 to 5, found `9`"}},
        {"answers: [L7]\n" + steps(ok),
         {"p.yaml:5:11: expected one of L1, L2, L3, L4, L5, L6, found `L7`; did you mean `L1`?"}},
        {"plan: q\n" + steps(ok), {"p.yaml:5:1: `plan` stands here twice, first in line 1; keep one of the two"}},
    };
    for (const auto& [text, lines] : cases) EXPECT_EQ(lines_of(text), lines) << text;
}

// The shipped files, as they lie in the source tree.
std::string read_source(const std::string& path) {
    std::ifstream file{KEDGE_SOURCE_DIR "/" + path};
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

const Lines shipped{"database-failover", "post-failover-verification", "redis-failover",
                    "regional-failback", "regional-failover",          "traffic-shift"};

TEST(ParsePlan, ReadsTheShippedPlans) {
    for (const std::string& name : shipped) {
        const auto plan = parse_plan(name, read_source("plans/aragora/" + name + ".yaml"));
        ASSERT_TRUE(plan) << plan.mistakes().lines().front();
        EXPECT_EQ(plan->name, name);
    }
}

TEST(ParsePlan, SurvivesRandomDamageToTheShippedPlans) {
    std::mt19937 random{7};
    const std::string alphabet = "{}[]:,-?&*!|>%@`'\"#\n\t ab0~<$";
    for (const std::string& name : shipped) {
        const std::string good = read_source("plans/aragora/" + name + ".yaml");
        for (int round = 0; round < 60; ++round) {
            std::string text = good;
            for (auto i = random() % 8 + 1; i > 0; --i) {
                const std::size_t at = random() % text.size(), other = random() % text.size();
                switch (random() % 4) {
                    case 0: text[at] = alphabet[random() % alphabet.size()]; break;
                    case 1: text.insert(at, 1, alphabet[random() % alphabet.size()]); break;
                    case 2: text.erase(at, random() % 40 + 1); break;
                    default: text.insert(at, text.substr(other, random() % 60)); break;
                }
            }
            const auto plan = parse_plan("p.yaml", text);
            if (!plan) {
                ASSERT_FALSE(plan.mistakes().lines().empty());
            }
        }
    }
}

// With UPDATE_FORMATS=1 in the environment they are written anew.
void expect_same_as_file(const std::string& path, const std::string& generated) {
    if (std::getenv("UPDATE_FORMATS") != nullptr) std::ofstream{KEDGE_SOURCE_DIR "/" + path} << generated;
    EXPECT_EQ(read_source(path), generated) << "run this test with UPDATE_FORMATS=1 to write " << path << " anew";
}

TEST(PlanFormat, IsDocumentedAsItIsRead) {
    const auto document = with_tables(read_source("docs/formats/plan.md"), field_tables(plan_shape()));
    ASSERT_TRUE(document) << document.error().message;
    expect_same_as_file("docs/formats/plan.md", *document);
    expect_same_as_file("docs/formats/plan.schema.json", dump_pretty(json_schema(plan_shape(), "Kedge plan")) + "\n");
}

}  // namespace
}  // namespace kedge
