// What a real pg_dump wrote of a real database is sound, to the row, in every format it can write.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "real_dumps.h"
#include "verify/dump/examine_for_tests.h"

namespace kedge::verify {
namespace {

const RealDatabase& database() {
    static const RealDatabase made;
    return made;
}

// That each table has as many rows as the database, and nothing is wrong.
void expect_sound(const Examination& examination, Rung rung) {
    EXPECT_TRUE(is_sound(examination)) << said(examination);
    EXPECT_EQ(said(examination), "");
    EXPECT_EQ(examination.rung(), rung);
    std::map<std::string, std::uint64_t> rows;
    for (const Content& content : examination.contents)
        if (content.kind == "table") rows[content.name] = content.rows.value_or(UINT64_MAX);
    EXPECT_EQ(rows, database().rows());
    const Content& last = examination.contents.back();
    EXPECT_EQ(last.kind, "large objects");
    EXPECT_EQ(last.rows, RealDatabase::large_objects);
    EXPECT_EQ(examination.facts["database"], "postgres");
    EXPECT_EQ(examination.facts["encoding"], "UTF8");
    EXPECT_THAT(examination.facts["server_version"].get<std::string>(), testing::StartsWith("15."));
    EXPECT_TRUE(examination.taken);
}

TEST(RealCustomDump, IsSoundAtEveryLevelOfCompression) {
    for (const char* level : {"-Z0", "-Z1", "-Z6", "-Z9"}) {
        const std::string archive = database().dump({"-Fc", level});
        const Rung rung = std::string(level) == "-Z0" ? Rung::decoded : Rung::checksummed;
        expect_sound(examine_custom(archive), rung);
        expect_sound(examine_custom(archive, 1), rung);
        expect_sound(examine_custom_stream(archive), rung);
    }
}

TEST(RealCustomDump, IsSoundWithoutPositionsSinceItWentThroughAPipe) {
    const std::string archive = database().dump_through_pipe({"-Fc"});
    expect_sound(examine_custom(archive), Rung::checksummed);
    expect_sound(examine_custom_stream(archive), Rung::checksummed);
}

TEST(RealCustomDump, CountsTheRowsOfInsertStatements) {
    for (const Arguments& arguments :
         {Arguments{"-Fc", "--inserts"}, Arguments{"-Fc", "--column-inserts"}, Arguments{"-Fc", "--rows-per-insert=7"},
          Arguments{"-Fc", "--column-inserts", "--rows-per-insert=1000", "--on-conflict-do-nothing"}})
        expect_sound(examine_custom(database().dump(arguments)), Rung::checksummed);
}

TEST(RealCustomDump, IsSoundWithTheOptionsThatChangeIt) {
    for (const Arguments& arguments :
         {Arguments{"-Fc", "--load-via-partition-root"}, Arguments{"-Fc", "--clean", "--if-exists", "--create"},
          Arguments{"-Fc", "--quote-all-identifiers"}, Arguments{"-Fc", "--no-owner", "--no-privileges"},
          Arguments{"-Fc", "--data-only", "--blobs"}, Arguments{"-Fc", "--disable-triggers", "--no-comments"}})
        expect_sound(examine_custom(database().dump(arguments)), Rung::checksummed);
}

TEST(RealCustomDump, IsReadInEncodingsWhoseCharactersHoldABackslash) {
    for (const char* encoding : {"SJIS", "GB18030", "EUC_JP", "SQL_ASCII"}) {
        const Examination examination =
            examine_custom(database().dump({"-Fc", "-t", "onecolumn", "-t", "parted", "-t", "part1", "-E", encoding}));
        EXPECT_TRUE(is_sound(examination)) << encoding << said(examination);
        EXPECT_EQ(examination.facts["encoding"], encoding);
        EXPECT_EQ(examination.facts["rows"], 106);
    }
}

TEST(RealCustomDump, OfDefinitionsOnlySaysThatItHoldsNoData) {
    const Examination examination = examine_custom(database().dump({"-Fc", "--schema-only"}));
    EXPECT_FALSE(examination.findings.any(Weight::damage)) << said(examination);
    EXPECT_EQ(examination.findings.count("no-data"), 1u);
    EXPECT_TRUE(examination.contents.empty());
    EXPECT_EQ(examination.rung(), Rung::decoded);
}

TEST(RealDirectoryDump, IsSoundPackedOrNotAndWrittenInParallel) {
    expect_sound(examine_directory(database().dump_directory({"-j2"})), Rung::checksummed);
    expect_sound(examine_directory(database().dump_directory({"-Z0"})), Rung::decoded);
}

TEST(RealTarDump, IsSoundFromAFileAndFromAStream) {
    const std::string tar = database().dump({"-Ft"});
    expect_sound(examine_tar(tar), Rung::decoded);
    expect_sound(examine_tar_stream(tar), Rung::decoded);
    EXPECT_TRUE(begins_tar_dump(as_bytes(tar)));
    EXPECT_FALSE(begins_custom_dump(as_bytes(tar)));
}

// Every peer that is there must find no more than we do: a cut, anywhere.
TEST(RealCustomDump, IsFoundCutWhereverItIsCut) {
    for (const std::string& archive : {database().dump({"-Fc"}), database().dump({"-Fc", "-Z0"})}) {
        for (std::size_t size = 0; size < archive.size(); size += 1 + archive.size() / 100) {
            const std::string cut = archive.substr(0, size);
            EXPECT_TRUE(examine_custom(cut).findings.any(Weight::damage)) << size;
            EXPECT_TRUE(examine_custom_stream(cut).findings.any(Weight::damage)) << size;
        }
        EXPECT_FALSE(is_sound(examine_custom(archive.substr(0, archive.size() - 1))));
        EXPECT_FALSE(is_sound(examine_custom(archive + "x")));
        EXPECT_FALSE(is_sound(examine_custom_stream(archive + "x")));
    }
}

// All but the bits that fill up the last byte of a deflate stream, which stand for nothing.
TEST(RealCustomDump, FindsFlippedBitsOfPackedData) {
    const std::string archive = database().dump({"-Fc"});
    std::size_t found = 0, tried = 0;
    for (std::size_t at = archive.size() / 2; at < archive.size(); at += 397, ++tried) {
        std::string flipped = archive;
        flipped[at] = static_cast<char>(flipped[at] ^ (1 << (at % 8)));
        const bool seen = examine_custom(flipped).findings.any(Weight::damage);
        EXPECT_EQ(examine_custom_stream(flipped).findings.any(Weight::damage), seen) << at;
        found += seen ? 1 : 0;
    }
    EXPECT_GT(tried, 100u);
    EXPECT_GE(found * 100, tried * 99);
}

}  // namespace
}  // namespace kedge::verify
