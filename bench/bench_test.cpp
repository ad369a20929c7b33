// What the tables say of few, odd and missing figures, and what counts for clients.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "failover/clients.h"
#include "os/files.h"
#include "tables/observation.h"
#include "tables/tables.h"

namespace kedge::bench {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

const Moment start = *parse_moment("2026-01-01T00:00:00Z");

// A write every 100 ms for 20 s, answered after 10 ms; those sent in [from, to) fail.
std::vector<Attempt> writes(Span from, Span to) {
    std::vector<Attempt> attempts;
    for (Span at{}; at < 20s; at += 100ms)
        attempts.push_back({.sequence = at / 100ms,
                            .sent = start + at,
                            .done = start + at + 10ms,
                            .acknowledged = at < from || at >= to});
    return attempts;
}

Row find_row(const Observations& seen, const std::string& table, const std::string& what) {
    for (const BenchTable& one : make_tables(seen))
        for (const Row& row : one.rows)
            if (one.name == table && row.what.find(what) != std::string::npos) return row;
    return {};
}

TEST(Observations, AreReadAsTheyWereNoted) {
    const std::string directory = testing::TempDir() + "kedge-bench-" + std::to_string(getpid());
    ASSERT_TRUE(note(directory, "a", {{"s", 1.5}}));
    ASSERT_TRUE(note(directory, "b", {{"s", nullptr}}));
    ASSERT_TRUE(note(directory, "a", {{"s", 2.5}}));
    const auto seen = read_observations(directory);
    ASSERT_TRUE(seen) << seen.error().message;
    EXPECT_EQ(spread_of(seen->at("a"), "s").median, 2.0);
    EXPECT_EQ(spread_of(seen->at("b"), "s").unknown, 1U);
    ASSERT_TRUE(write_file_atomically(directory + "/observations.jsonl", "{\"subject\": 1}\n"));
    EXPECT_FALSE(read_observations(directory)) << "a line without a subject is no observation";
    ASSERT_TRUE(remove_tree(directory));
    EXPECT_TRUE(read_observations(directory)->empty()) << "nothing measured is no error";
}

TEST(Clients, SeeTheGapFromTheLastWriteBeforeTheFault) {
    const Json seen = seen_by_clients(writes(2s, 5s), start + 2s);
    EXPECT_NEAR(*get_number(seen, "gap_s"), 3.1, 0.001);
    EXPECT_NEAR(*get_number(seen, "outage_s"), 3.01, 0.001);
    EXPECT_EQ(get_integer(seen, "failed"), 30);
}

TEST(Clients, AreNotServedWhileItIsNotOver) {
    EXPECT_TRUE(get(seen_by_clients(writes(2s, 15s), start + 2s), "outage_s").is_null());
    EXPECT_EQ(get_number(seen_by_clients(writes(0s, 0s), start + 2s), "outage_s"), 0.0) << "nothing failed";
}

TEST(Clients, LoseWhatWasAcknowledgedInTheirWindow) {
    const std::vector<Attempt> window = sent_between(writes(0s, 0s), start + 5s, start + 10s);
    EXPECT_EQ(lost_of(window, Loss{.missing = {{60, 62}, {150, 160}}}), 3) << "the others belong to another window";
    EXPECT_TRUE(lost_of(window, std::nullopt).is_null()) << "a store that was not read back";
}

TEST(Tables, SayWhatWasNotMeasured) {
    EXPECT_EQ(find_row({}, "killed", "PostgreSQL writes, Kedge").median, "not measured");
    const Row row = find_row({{"kill/patroni-fast", {{{"outage_s", 5.0}}, {{"outage_s", nullptr}}}}}, "killed",
                             "PostgreSQL writes, Patroni at its fastest");
    EXPECT_EQ(row.median, "5.00 s");
    EXPECT_THAT(row.worst, HasSubstr("never, in 1 of 2"));
}

TEST(Tables, CountThePromotionsThatWaited) {
    const Row row = find_row({{"promote/hand", {{{"took_s", 5.1}}, {{"took_s", 0.1}}}}}, "promotion", "by hand");
    EXPECT_THAT(row.what, HasSubstr("1 of 2 took over 1 s"));
}

TEST(Tables, AddUpTheRunbooksSleeps) {
    const Row row = find_row({}, "sleeps", "all of them");
    EXPECT_EQ(row.median, "480 s");
    EXPECT_EQ(row.worst, "590 s");
}

}  // namespace
}  // namespace kedge::bench
