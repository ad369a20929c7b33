#include "targets/postgres/wal_listing.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace kedge {
namespace {

const RelationFile orders{1663, 5, 16384}, invoices{1663, 5, 16389};

// A line as pg_waldump 15 prints it.
std::string line(const char* manager, int transaction, std::uint64_t position, std::string_view description) {
    return fmt::format("rmgr: {:11} len (rec/tot):     61/    61, tx: {:>10}, lsn: 0/{:08X}, prev 0/008771F8, desc: {}",
                       manager, transaction, position, description);
}

std::string heap(int transaction, std::uint64_t position, std::string_view what, const RelationFile& relation) {
    return line("Heap", transaction, position,
                fmt::format("{} off 1 flags 0x00, blkref #0: rel {}/{}/{} blk 0", what, relation.tablespace,
                            relation.database, relation.number));
}

WalTally tally(std::uint64_t from, const std::vector<std::string>& lines) {
    WalTally counted{Lsn{from}};
    for (const std::string& text : lines) {
        const auto record = parse_wal_record(text);
        EXPECT_TRUE(record.has_value()) << text;
        if (record) counted.add(*record);
    }
    return counted;
}

constexpr const char* commit = "COMMIT 2026-11-23 08:43:14.081452 UTC";

TEST(WalRecord, IsReadFromALine) {
    const std::string text =
        "rmgr: Heap        len (rec/tot):     54/  5238, tx:        736, lsn: 0/00877FF0, prev 0/00877FA8, desc: "
        "INSERT+INIT off 1 flags 0x01, blkref #0: rel 1663/5/1259 blk 1 FPW";
    const auto record = parse_wal_record(text);
    ASSERT_TRUE(record.has_value());
    EXPECT_EQ(record->manager, "Heap");
    EXPECT_EQ(record->operation, "INSERT+INIT");
    EXPECT_EQ(record->transaction, 736u);
    EXPECT_EQ(record->bytes, 5238u);
    EXPECT_EQ(record->position, Lsn{0x877FF0});
    EXPECT_EQ(record->rows, 1);
    EXPECT_EQ(record->relation, (RelationFile{1663, 5, 1259}));
}

TEST(WalRecord, IsNotReadFromSomethingElse) {
    for (const char* text : {"", "pg_waldump: error: error in WAL record at 0/87FC68", "first record is after 0/1",
                             "rmgr: Heap        len (rec/tot):     54/    54, tx:", "rmgr: "})
        EXPECT_FALSE(parse_wal_record(text).has_value()) << text;
}

TEST(WalRecord, CountsTheRowsOfEachKindOfChange) {
    const auto rows = [](const char* manager, const char* what) {
        return parse_wal_record(line(manager, 7, 0x100, fmt::format("{}, blkref #0: rel 1663/5/1 blk 0", what)))->rows;
    };
    EXPECT_EQ(rows("Heap", "HOT_UPDATE off 1 xmax 728 flags 0x20 ; new off 3 xmax 0"), 1);
    EXPECT_EQ(rows("Heap", "UPDATE+INIT off 1 xmax 728"), 1);
    EXPECT_EQ(rows("Heap", "DELETE off 2 flags 0x00 KEYS_UPDATED "), 1);
    EXPECT_EQ(rows("Heap2", "MULTI_INSERT+INIT 185 tuples flags 0x02"), 185);
    EXPECT_EQ(rows("Heap2", "MULTI_INSERT ntuples: 3, flags: 0x02, offsets: [1, 2, 3]"), 3) << "as from version 16 on";
    EXPECT_EQ(rows("Heap", "LOCK off 1: xid 7: flags 0x00 LOCK_ONLY EXCL_LOCK"), 0);
    EXPECT_EQ(rows("Heap", "INPLACE off 1"), 0);
    EXPECT_EQ(rows("Heap2", "PRUNE latestRemovedXid 7 nredirected 0 ndead 1"), 0);
    EXPECT_EQ(rows("Btree", "INSERT_LEAF off 1"), 0);
}

TEST(WalTally, CountsWhatWasCommitted) {
    const WalTally counted = tally(
        0x100, {heap(7, 0x100, "INSERT", orders), heap(8, 0x140, "INSERT", invoices), heap(7, 0x180, "DELETE", orders),
                line("Transaction", 7, 0x1C0, commit),
                line("Transaction", 8, 0x200, "ABORT 2026-11-23 08:43:14.29 UTC"), heap(9, 0x240, "INSERT", orders)});
    EXPECT_EQ(counted.transactions(), 1);
    EXPECT_EQ(counted.changes(), (std::map<RelationFile, std::int64_t>{{orders, 2}}));
    ASSERT_TRUE(counted.last().has_value());
    EXPECT_EQ(counted.last()->position, Lsn{0x240});
}

TEST(WalTally, LeavesOutWhatWasCommittedBeforeTheFork) {
    const WalTally counted = tally(0x200, {heap(7, 0x100, "INSERT", orders), line("Transaction", 7, 0x140, commit)});
    EXPECT_EQ(counted.transactions(), 0);
    EXPECT_TRUE(counted.changes().empty());
    EXPECT_FALSE(counted.last().has_value());
}

TEST(WalTally, CountsAllOfATransactionThatWasOpenAtTheFork) {
    const WalTally counted = tally(0x200, {heap(7, 0x100, "INSERT", orders), heap(7, 0x240, "INSERT", orders),
                                           line("Transaction", 7, 0x280, commit)});
    EXPECT_EQ(counted.transactions(), 1);
    EXPECT_EQ(counted.changes().at(orders), 2);
}

TEST(WalTally, CountsSubtransactionsWithTheirParent) {
    const WalTally counted = tally(
        0x100, {heap(7, 0x100, "INSERT", orders), heap(8, 0x140, "INSERT", orders), heap(9, 0x180, "INSERT", invoices),
                line("Transaction", 9, 0x1C0, "ABORT 2026-11-23 08:43 UTC"),
                line("Transaction", 7, 0x200, std::string(commit) + "; subxacts: 8 10; inval msgs: catcache 80")});
    EXPECT_EQ(counted.transactions(), 1);
    EXPECT_EQ(counted.changes(), (std::map<RelationFile, std::int64_t>{{orders, 2}}));
}

TEST(WalTally, CountsAPreparedTransactionWhenItIsCommitted) {
    const WalTally counted =
        tally(0x100, {heap(735, 0x100, "INSERT", orders),
                      line("Transaction", 735, 0x140, "PREPARE gid p: 2026-11-23 08:43:14.297090 UTC"),
                      line("Transaction", 0, 0x180, "COMMIT_PREPARED 735: 2026-11-23 08:43:14.297275 UTC")});
    EXPECT_EQ(counted.transactions(), 1);
    EXPECT_EQ(counted.changes().at(orders), 1);
}

TEST(WalTally, NotesFilesThatCameIntoBeingBeyondTheFork) {
    const WalTally counted = tally(
        0x200, {line("Storage", 7, 0x100, "CREATE base/5/16384"), line("Storage", 7, 0x240, "CREATE base/5/16389")});
    EXPECT_EQ(counted.created(), std::set<RelationFile>{invoices});
}

// Positions as pg_waldump showed them: the first stays on its page, the second crosses into the next one.
TEST(EndOfRecord, IsWhereTheNextOneBegins) {
    EXPECT_EQ(end_of_record(Lsn{0x877680}, 61, 1 << 20), Lsn{0x8776C0});
    EXPECT_EQ(end_of_record(Lsn{0x87FC68}, 2063, 1 << 20), Lsn{0x880490});
}

TEST(EndOfRecord, LeavesRoomForTheLongHeaderOfANewFile) {
    EXPECT_EQ(end_of_record(Lsn{0x8FFFF8}, 24, 1 << 20), Lsn{0x900000 + 40 + 16});
    EXPECT_EQ(end_of_record(Lsn{0x8FFFE8}, 24, 1 << 20), Lsn{0x900000});
}

}  // namespace
}  // namespace kedge
