// Drills in which both sides live on: a partition between the regions, which users do not notice, and a region from
// which no byte comes any more. The test asks both databases all the time whether they take writes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "base/json.h"
#include "lab_world.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

struct Drilled {
    RunOutput output;
    Json report;
    std::vector<std::string> second_writers;
    std::size_t looks = 0, east = 0, west = 0;
};

Drilled drill(const LabWorld& world, const Arguments& options) {
    Arguments words = {"drill", "start", "regional-failover", "--json"};
    words.insert(words.end(), options.begin(), options.end());
    WriterWatch writers;
    Drilled drilled{.output = world.kedge(words, 280s), .report = {}, .second_writers = {}};
    writers.finish();
    const Result<Json> document = parse_json(drilled.output.out);
    if (document) drilled.report = get(*document, "item");
    drilled.second_writers = writers.second_writers();
    drilled.looks = writers.looks();
    drilled.east = writers.as_writer(east_region);
    drilled.west = writers.as_writer(west_region);
    return drilled;
}

// Both were seen as the writer, so the watch could have seen them both at once.
void expect_one_writer(const Drilled& drilled) {
    EXPECT_THAT(drilled.second_writers, IsEmpty());
    EXPECT_GT(drilled.looks, 200u);
    EXPECT_GT(drilled.east, 50u);
    EXPECT_GT(drilled.west, 50u);
}

// Every acknowledged write is there afterwards, or is younger than what was announced as at risk.
void expect_no_unannounced_loss(const Json& report) {
    ASSERT_FALSE(get(report, "stores").empty()) << dump(report);
    for (const Json& store : get(report, "stores")) {
        const std::string name = get_string(store, "name").value_or("?");
        EXPECT_GT(get_integer(store, "acknowledged").value_or(0), 100) << name;
        const std::optional<std::int64_t> rows = get_integer(store, "lost");
        ASSERT_TRUE(rows) << name << " was not read back";
        if (*rows == 0) continue;
        const std::optional<double> lost = get_number(store, "rpo_seconds"),
                                    announced = get_number(store, "announced_seconds");
        ASSERT_TRUE(lost && announced) << dump(store);
        EXPECT_LE(*lost, *announced) << name << ", announced by " << get_string(store, "announced_by").value_or("?");
    }
}

// What only the old primary held was kept before it was rewound, and can be had beside production.
void expect_stranded_rows_come_back(const LabWorld& world) {
    const RunOutput erased =
        world.kedge({"erasure", "add", "somebody", "--reason", "asked for it", "--source", "a letter"});
    ASSERT_TRUE(erased.exit.ok()) << erased.err;
    const RunOutput listed = world.kedge({"recover", "stranded", "--json"});
    const Result<Json> document = parse_json(listed.out);
    ASSERT_TRUE(document) << listed.err;
    ASSERT_EQ(get(*document, "items").size(), 1u) << listed.out;
    const Json& tail = get(*document, "items").front();
    EXPECT_GT(get_integer(tail, "transactions").value_or(0), 0);
    const RunOutput made =
        world.kedge({"recover", "stranded", get_string(tail, "run").value_or("?"), "--name", "left", "--json"}, 200s);
    const Result<Json> recovery = parse_json(made.out);
    ASSERT_TRUE(recovery) << made.err;
    EXPECT_EQ(get_string(get(get(*recovery, "item"), "proof"), "proved"), "yes") << made.out;
    const RunOutput compared = world.kedge({"recover", "compare", "left", "--json"}, 100s);
    const Result<Json> differences = parse_json(compared.out);
    ASSERT_TRUE(differences) << compared.err;
    std::int64_t only_there = 0;
    for (const Json& table : get(get(*differences, "item"), "tables"))
        only_there += get_integer(get(table, "only_recovered"), "rows").value_or(0);
    EXPECT_GT(only_there, 0) << compared.out;
    EXPECT_TRUE(world.kedge({"recover", "discard", "left", "--confirm", "left"}).exit.ok());
}

void expect_recovered(const Drilled& drilled) {
    EXPECT_TRUE(drilled.output.exit.code == 0 || drilled.output.exit.code == 16)
        << drilled.output.exit.code << "\n"
        << drilled.output.err << dump_pretty(get(drilled.report, "issues"));
    EXPECT_EQ(get_bool(drilled.report, "finished"), true) << dump_pretty(get(drilled.report, "issues"));
}

TEST(Drill, OfAPartitionLeavesOneWriterAndLosesOnlyWhatWasAnnounced) {
    const LabWorld world;
    ASSERT_TRUE(world.is_up()) << world.trouble();
    const Drilled drilled = drill(world, {"--fault", "partition"});
    expect_recovered(drilled);
    expect_one_writer(drilled);
    expect_no_unannounced_loss(drilled.report);
    EXPECT_THAT(dump(get(drilled.report, "timeline")), HasSubstr("stands still")) << "users do not notice it";
    EXPECT_EQ(world.role("postgres-us-east-1"), "primary");
    EXPECT_EQ(world.role("postgres-us-west-2"), "standby");
    expect_stranded_rows_come_back(world);
}

TEST(Drill, OfASilentRegionLeavesOneWriterAndLosesOnlyWhatWasAnnounced) {
    const LabWorld world;
    ASSERT_TRUE(world.is_up()) << world.trouble();
    const Drilled drilled = drill(world, {"--fault", "region-silent", "--no-failback"});
    expect_recovered(drilled);
    expect_one_writer(drilled);
    expect_no_unannounced_loss(drilled.report);
    EXPECT_EQ(world.role("postgres-us-west-2"), "primary");
    EXPECT_EQ(world.role("postgres-us-east-1"), "unknown") << "fenced, and the fence stays";
}

TEST(Drill, OfAFaultThatNobodyKnowsBreaksNothing) {
    const LabWorld world;
    ASSERT_TRUE(world.is_up()) << world.trouble();
    const RunOutput output = world.kedge({"drill", "start", "regional-failover", "--fault", "partiton"});
    EXPECT_EQ(output.exit.code, 3) << output.err;
    EXPECT_THAT(output.err, HasSubstr("partition"));
    EXPECT_THAT(world.tell_lab({"status"}).out, Not(HasSubstr("partition")));
}

}  // namespace
}  // namespace kedge::lab
