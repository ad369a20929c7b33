#include "plan/render.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plan/catalogue_for_tests.h"
#include "plan/parse.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

const std::string text = R"(plan: move
summary: Move the database to ${to}.
answers: [L1]
owner: Platform
review-by: 2026-10-01
links: [{title: Runbook, to: docs/runbook.md}]
inputs:
  from: {type: region, says: the old region}
  to: {type: region, says: the new region}
gate: {confirm: "${to}", approvals: 1, roles: [approver], says: "Everything goes to ${to}."}
steps:
  - {id: fence, title: "${from} cannot write", do: postgres.fence, on: "db@${from}", if-blocked: ask}
  - {id: promote, do: postgres.promote, on: "db@${to}", needs: [fence]}
  - {id: judge, check: metrics.no-worse, on: figures, with: {region: "${to}"}, needs: [promote], steady: 5m, deadline: 10m}
always:
  - {do: channel.announce, on: chat, with: {title: done}}
leaves: {fence: somebody rejoins it, redundancy: the same}
)";

TEST(Render, IsTheRunbookThatItReplaces) {
    const auto plan = parse_plan("p.yaml", text);
    ASSERT_TRUE(plan) << plan.mistakes().lines().front();
    const Runbook runbook =
        runbook_of(*plan, catalogue_for_tests(),
                   {.inputs = {{"from", "east"}}, .last_took = {{"fence", 412ms}}, .today = "2026-11-23"});
    EXPECT_EQ(as_text(runbook, 80), R"(move
Move the database to <to>.

answers             L1
owner               Platform
review by           2026-10-01  OVERDUE
input from          east: the old region
input to            the new region
asks first          type `<to>`, 1 approval (approver), open for 30m. Everything
                    goes to <to>.
leaves fence        somebody rejoins it
leaves redundancy   the same
see                 Runbook (docs/runbook.md)

1. east cannot write
    step                fence
    does                postgres.fence on db@east: the old primary is kept from
                        writing
    if blocked          two people may take the risk: Nothing proves that the
                        old primary cannot write.
    owes                fence
    undo                postgres.unfence
    deadline            10s
    last took           412 ms
    by hand             $ stop the server where it runs

2. promote
    step                promote
    after               fence
    does                postgres.promote on db@<to>: the standby becomes primary
    point of no return  from here on the run only goes forward
    owes                redundancy
    undo                none
    deadline            1m
    last took           not measured yet
    by hand             $ SELECT pg_promote();   # on db@<to>

3. judge
    step                judge
    after               promote
    checks              metrics.no-worse on figures: errors and latency are no
                        worse
    with                region = <to>; factor = 2
    holds for           5m
    deadline            10m
    last took           not measured yet

At the end, whatever happened:

always-1
    step                always-1
    does                channel.announce on chat: people are told
    with                title = done
    undo                none
    deadline            30s
    last took           not measured yet
)");
}

TEST(Render, SpeaksMarkdownAndJsonToo) {
    const auto plan = parse_plan("p.yaml", text);
    ASSERT_TRUE(plan);
    const Runbook runbook = runbook_of(*plan, catalogue_for_tests(), {.today = "2026-09-30"});
    const std::string markdown = as_markdown(runbook);
    EXPECT_THAT(markdown, HasSubstr("# move\n\nMove the database to \\<to>.\n"));
    EXPECT_THAT(markdown, HasSubstr("- **review by:** 2026-10-01\n")) << "not overdue the day before";
    EXPECT_THAT(markdown, HasSubstr("### 1. \\<from> cannot write\n\n- **step:** fence\n"));
    EXPECT_THAT(markdown, HasSubstr("By hand:\n\n```\nstop the server where it runs\n```\n"));
    EXPECT_EQ(as_json(runbook)["steps"].size(), 3u);
}

TEST(Render, ShowsAnActionThatTheCatalogueLacks) {
    const auto plan = parse_plan("p.yaml",
                                 "plan: p\nsummary: s\nowner: o\nreview-by: 2027-01-01\n"
                                 "steps: [{id: a, do: later.fly, on: x}, {id: b, person: Look., deadline: 5m}]");
    ASSERT_TRUE(plan);
    const std::string out = as_text(runbook_of(*plan, catalogue_for_tests(), {}));
    EXPECT_THAT(out, HasSubstr("does                later.fly on x\n"));
    EXPECT_THAT(out, HasSubstr("a person            Look.\n"));
}

}  // namespace
}  // namespace kedge
