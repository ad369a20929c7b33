// The rows of a real dump come out as they went in, in every format it can have.
#include "verify/dump/table_texts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "real_dumps.h"
#include "verify/dump/files.h"

namespace kedge::verify {
namespace {

const RealDatabase& dumped() {
    static const RealDatabase made;
    return made;
}

std::string text_of(const TableTexts& texts, const TableText& table) {
    const auto stream = texts.open(table).value();
    std::string text;
    std::array<std::byte, 1000> piece{};
    for (;;) {
        const std::size_t count = stream->read(piece).value();
        text.append(reinterpret_cast<const char*>(piece.data()), count);
        if (count < piece.size()) return text;
    }
}

// Each table has its rows and the end marker behind them.
void expect_all_rows(const TableTexts& texts) {
    std::map<std::string, std::uint64_t> rows;
    for (const TableText& table : texts.tables()) {
        const std::string text = text_of(texts, table);
        EXPECT_TRUE(text.ends_with("\\.\n\n\n")) << table.table;
        rows[table.schema + "." + table.table] += static_cast<std::uint64_t>(std::ranges::count(text, '\n')) - 3;
        EXPECT_GT(table.bytes, 0U) << table.table;
    }
    EXPECT_EQ(rows, dumped().rows());
    EXPECT_FALSE(texts.others().empty()) << "large objects and a sequence";
    EXPECT_EQ(texts.encoding(), "UTF8");
}

TEST(TableTexts, OfACustomDumpAreItsRows) {
    for (const char* level : {"-Z0", "-Z6"}) {
        const std::string archive = dumped().dump({"-Fc", level});
        const MemorySource source(as_bytes(archive));
        Effort effort;
        expect_all_rows(TableTexts::of_custom(source, effort).value());
    }
}

TEST(TableTexts, AreFoundInADumpThatWentThroughAPipe) {
    const std::string archive = dumped().dump_through_pipe({"-Fc"});
    const MemorySource source(as_bytes(archive));
    Effort effort;
    expect_all_rows(TableTexts::of_custom(source, effort).value());
}

TEST(TableTexts, OfADirectoryAndATarAreTheSame) {
    Effort effort;
    const std::map<std::string, std::string> files = dumped().dump_directory({"-Fd"});
    std::vector<Member> members;
    for (const auto& [name, bytes] : files) members.push_back(memory_member(name, as_bytes(bytes)));
    expect_all_rows(TableTexts::of_files(members, effort).value());
    const std::string tar = dumped().dump({"-Ft"});
    const MemorySource source(as_bytes(tar));
    expect_all_rows(TableTexts::of_files(tar_members(index_tar(source, 1000).value(), source), effort).value());
}

TEST(TableTexts, SayWhereTheRowsGo) {
    const std::string archive = dumped().dump({"-Fc", "--load-via-partition-root"});
    const MemorySource source(as_bytes(archive));
    Effort effort;
    const TableTexts texts = TableTexts::of_custom(source, effort).value();
    const auto of = [&](const std::string& name) {
        return *std::ranges::find(texts.tables(), name, &TableText::table);
    };
    EXPECT_EQ(of("identity").target, "public.identity (a, b)");
    EXPECT_THAT(of("identity").columns, testing::ElementsAre("a", "b"));
    EXPECT_TRUE(of("identity").is_alone);
    EXPECT_EQ(of("part1").target, "public.parted (k, v)");
    EXPECT_FALSE(of("part1").is_alone) << "both partitions go into one table";
    EXPECT_EQ(of("nocolumns").target, "public.nocolumns ");
    EXPECT_THAT(of("Odd \"Table\" (x, y) FROM stdin;").columns,
                testing::ElementsAre("a,b", "c)", "d FROM stdin;", "new\nline", "x\"y"));
}

TEST(TableTexts, KnowTheKeysThatNeedNoOtherTable) {
    const std::string archive = dumped().dump({"-Fc"});
    const MemorySource source(as_bytes(archive));
    Effort effort;
    const TableTexts texts = TableTexts::of_custom(source, effort).value();
    const auto plain = std::ranges::find(texts.tables(), "plain", &TableText::table);
    EXPECT_EQ(plain->keys.size(), 3U) << "its primary key, and indexes on one column and on two";
}

TEST(TableTexts, RowsAsInsertStatementsAreLeftToOthers) {
    const std::string archive = dumped().dump({"-Fc", "--inserts"});
    const MemorySource source(as_bytes(archive));
    Effort effort;
    const TableTexts texts = TableTexts::of_custom(source, effort).value();
    EXPECT_TRUE(texts.tables().empty());
    EXPECT_TRUE(texts.has_statements());
    EXPECT_GT(texts.others().size(), dumped().rows().size());
}

TEST(TableTexts, AStreamThatBreaksIsNotTakenForItsEnd) {
    std::string archive = dumped().dump({"-Fc"});
    const MemorySource whole(as_bytes(archive));
    Effort effort;
    const TableTexts texts = TableTexts::of_custom(whole, effort).value();
    const auto plain = std::ranges::find(texts.tables(), "plain", &TableText::table);
    archive[plain->block.position + plain->bytes / 2] ^= 1;
    const auto stream = texts.open(*plain).value();
    std::array<std::byte, 4096> piece{};
    Result<std::size_t> got = std::size_t{0};
    do got = stream->read(piece);
    while (got && *got == piece.size());
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().fault, Fault::corrupt);
}

}  // namespace
}  // namespace kedge::verify
