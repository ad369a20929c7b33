// Dumps assembled from the documented layout: every archive version and compression, and one damage at a time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "archive_writer.h"
#include "base/check.h"
#include "verify/dump/examine_for_tests.h"

namespace kedge::verify {
namespace {

struct Kind {
    int minor;
    Packing packing;
    bool positions;
};

std::vector<Kind> kinds() {
    std::vector<Kind> all;
    for (const int minor : {12, 13, 14, 15, 16})
        for (const Packing packing : {Packing::none, Packing::gzip, Packing::lz4, Packing::zstd})
            for (const bool positions : {true, false})
                if (minor >= 15 || packing == Packing::none || packing == Packing::gzip)
                    all.push_back({minor, packing, positions});
    return all;
}

WrittenDump sample(const Kind& kind) {
    WrittenDump dump = sample_dump();
    dump.minor = kind.minor;
    dump.packing = kind.packing;
    dump.positions = kind.positions;
    return dump;
}

Rung rung_of(Packing packing) {
    return packing == Packing::gzip ? Rung::checksummed : Rung::decoded;
}

void expect_sample(const Examination& examination, Rung rung) {
    EXPECT_EQ(said(examination), "");
    EXPECT_EQ(examination.rung(), rung);
    ASSERT_EQ(examination.contents.size(), 3u);
    EXPECT_EQ(examination.contents[0].name, "public.people");
    EXPECT_EQ(examination.contents[0].rows, 3000u);
    EXPECT_EQ(examination.contents[1].rows, 0u);
    EXPECT_EQ(examination.contents[2].rows, 2u);
    EXPECT_EQ(examination.contents[2].bytes, 10'003u);
    EXPECT_EQ(kedge::to_string(*examination.taken), "2026-11-24T05:34:12.000Z");
}

TEST(WrittenDump, IsSoundInEveryVersionAndCompression) {
    for (const Kind& kind : kinds()) {
        SCOPED_TRACE(fmt::format("1.{} {} {}", kind.minor, to_string(kind.packing), kind.positions));
        const std::string archive = custom_archive(sample(kind));
        expect_sample(examine_custom(archive), rung_of(kind.packing));
        expect_sample(examine_custom_stream(archive), rung_of(kind.packing));
        expect_sample(examine_directory(directory_dump(sample(kind))), rung_of(kind.packing));
    }
    for (const int minor : {12, 14, 16}) {
        const std::string tar = tar_dump(sample({minor, Packing::none, true}));
        expect_sample(examine_tar(tar), Rung::decoded);
        expect_sample(examine_tar_stream(tar), Rung::decoded);
    }
}

TEST(WrittenDump, IsChecksummedWhereItsFramesCarryOne) {
    for (const Packing packing : {Packing::lz4, Packing::zstd}) {
        WrittenDump dump = sample({16, packing, true});
        EXPECT_THAT(examine_custom(custom_archive(dump)).unproved,
                    testing::Contains(testing::HasSubstr("no checksum")));
        dump.checksum = Checksum::present;
        expect_sample(examine_custom(custom_archive(dump)), Rung::checksummed);
    }
}

TEST(WrittenDump, IsFoundCutWhereverItIsCut) {
    for (const Kind& kind : kinds()) {
        const std::string archive = custom_archive(sample(kind));
        for (std::size_t size = 0; size < archive.size(); size += size < 1500 ? 7 : 499) {
            ASSERT_FALSE(is_sound(examine_custom(archive.substr(0, size)))) << kind.minor << " " << size;
            ASSERT_FALSE(is_sound(examine_custom_stream(archive.substr(0, size)))) << kind.minor << " " << size;
        }
    }
}

TEST(WrittenDump, SaysThatAnArchiveIsNewerThanItKnows) {
    std::string archive = custom_archive(sample_dump());
    archive[6] = 17;
    const Examination examination = examine_custom(archive);
    EXPECT_FALSE(examination.findings.any(Weight::damage));
    EXPECT_EQ(examination.findings.count("toc-unknown"), 1u);
    EXPECT_EQ(examination.rung(), Rung::none);
}

// The offset of the block of that entry, by its head.
std::size_t block_at(const std::string& archive, char type, int id) {
    const std::string head{type, 0, static_cast<char>(id & 0xff), static_cast<char>(id >> 8), 0, 0};
    const std::size_t at = archive.rfind(head);
    check(at != std::string::npos, "the block is there");
    return at;
}

TEST(CustomDamage, OfOneBlockHidesNoOther) {
    const std::string archive = custom_archive(sample_dump());
    std::string damaged = archive;
    damaged[block_at(archive, 1, 200) + 500] ^= 1;
    const Examination examination = examine_custom(damaged);
    EXPECT_TRUE(examination.findings.any(Weight::damage));
    EXPECT_EQ(examination.contents[0].rows, std::nullopt);
    EXPECT_EQ(examination.contents[1].rows, 0u);
    EXPECT_EQ(examination.contents[2].rows, 2u);
    EXPECT_EQ(examination.rung(), Rung::listed);
}

TEST(CustomDamage, OfTheFramingHidesNoOtherWhereThereArePositions) {
    for (const bool positions : {true, false}) {
        WrittenDump dump = sample_dump();
        dump.positions = positions;
        std::string archive = custom_archive(dump);
        // The length of the first chunk of the first block.
        archive[block_at(archive, 1, 200) + 9] = 'x';
        const Examination examination = examine_custom(archive);
        EXPECT_GE(examination.findings.count("block-framing"), 1u) << said(examination);
        EXPECT_EQ(examination.contents[1].rows.has_value(), positions);
        EXPECT_EQ(examination.contents[2].rows.has_value(), positions);
    }
}

TEST(CustomDamage, OfABlocksNumberOrTypeIsFound) {
    const std::string archive = custom_archive(sample_dump());
    const std::size_t at = block_at(archive, 1, 201);
    for (const std::size_t byte : {at, at + 1, at + 2, at + 3}) {
        std::string damaged = archive;
        damaged[byte] ^= 2;
        EXPECT_FALSE(is_sound(examine_custom(damaged))) << byte - at;
        EXPECT_FALSE(is_sound(examine_custom_stream(damaged))) << byte - at;
    }
}

TEST(CustomDamage, BlocksThatChangedPlacesAreFound) {
    WrittenDump dump = sample_dump();
    dump.positions = false;
    dump.tables.resize(2);
    dump.objects.clear();
    const std::string archive = custom_archive(dump);
    const std::size_t first = block_at(archive, 1, 200), second = block_at(archive, 1, 201);
    const std::string swapped =
        archive.substr(0, first) + archive.substr(second) + archive.substr(first, second - first);
    EXPECT_GE(examine_custom(swapped).findings.count("block-order"), 1u);
    EXPECT_FALSE(is_sound(examine_custom_stream(swapped)));
    const std::string without = archive.substr(0, first) + archive.substr(second);
    EXPECT_EQ(examine_custom(without).findings.count("block-missing"), 1u);
    const std::string twice = archive + archive.substr(second);
    EXPECT_EQ(examine_custom(twice).findings.count("block-twice"), 1u);
}

TEST(CustomDamage, ALargeObjectThatIsNotInTheContentsIsFound) {
    for (const int minor : {14, 16}) {
        std::string archive = custom_archive(sample({minor, Packing::gzip, true}));
        // The OID behind the head of the block.
        archive[block_at(archive, 3, 400) + 7] ^= 1;
        const Examination examination = examine_custom(archive);
        EXPECT_EQ(examination.findings.count("objects-missing"), 1u) << said(examination);
        EXPECT_EQ(examination.findings.count("objects-unknown"), 1u);
    }
}

// What pg_restore passes over in silence: each is found here.
TEST(CustomDamage, ThatMakesTheServersToolLoseRowsIsFound) {
    const std::string archive = custom_archive(sample_dump());
    const std::size_t count_at = archive.find("18.6", archive.find("18.6") + 1) + 4;
    ASSERT_EQ(archive[count_at], 0);
    for (const int change : {-1, 1}) {
        std::string damaged = archive;
        damaged[count_at + 1] = static_cast<char>(damaged[count_at + 1] + change);
        EXPECT_FALSE(is_sound(examine_custom(damaged))) << "count of entries " << change;
    }
    // Entry 200, "TABLE DATA": its number, then whether it has data.
    const std::string number{0, static_cast<char>(200), 0, 0, 0, 0, 1, 0, 0, 0};
    std::string flag = archive;
    flag[archive.find(number) + 6] = 0;
    EXPECT_GE(examine_custom(flag).findings.count("toc-data-flag"), 1u);
    std::string name = archive;
    name[archive.find("COPY public.people") + 12] = 'q';
    EXPECT_GE(examine_custom(name).findings.count("toc-copy"), 1u);
    std::string column = archive;
    column[archive.find("COPY public.people (id") + 20] = 'q';
    EXPECT_GE(examine_custom(column).findings.count("toc-copy"), 1u);
}

TEST(CustomHostile, ClaimsOfLengthCostNothing) {
    std::string archive = custom_archive(sample_dump());
    const std::size_t name = archive.find("sample");
    std::string longer = archive;
    longer.replace(name - 4, 4, "\xff\xff\xff\x7f");
    EXPECT_EQ(examine_custom(longer).findings.count("toc-damaged"), 1u);
    EXPECT_EQ(examine_custom_stream(longer).findings.count("toc-damaged"), 1u);
    const std::size_t count_at = archive.find("18.6", archive.find("18.6") + 1) + 4;
    std::string many = archive;
    many.replace(count_at + 1, 4, "\xff\xff\xff\x7f");
    EXPECT_EQ(examine_custom(many).findings.count("toc-damaged"), 1u);
    EXPECT_GE(examine_custom_stream(many).findings.count("toc-damaged"), 1u);
}

TEST(CustomHostile, LimitsAreKeptAndSaidToBe) {
    WrittenDump dump = sample_dump();
    dump.tables[0].text.assign(80 << 20, 'a');
    dump.tables[0].columns = {"id"};
    const Examination bomb = examine_custom(custom_archive(dump), 2, {.ratio_max = 50});
    EXPECT_EQ(bomb.findings.count("data-limit"), 1u) << said(bomb);
    EXPECT_LT(bomb.contents[0].bytes.value_or(0), 70u << 20);
    const MemorySource source(as_bytes(std::string_view{}));
    Effort effort;
    effort.stop = true;
    EXPECT_FALSE(verify_custom_dump(source, effort, Limits{}));
}

TEST(DirectoryDamage, MissingAndForeignFilesAreFound) {
    const auto files = directory_dump(sample_dump());
    for (const auto& [name, bytes] : files) {
        auto without = files;
        without.erase(name);
        const Examination examination = examine_directory(without);
        EXPECT_FALSE(is_sound(examination)) << name;
        EXPECT_GE(examination.findings.count("file-missing") + examination.findings.count("toc-missing"), 1u) << name;
        auto emptied = files;
        emptied[name].clear();
        EXPECT_FALSE(is_sound(examine_directory(emptied))) << name;
        auto cut = files;
        cut[name].pop_back();
        EXPECT_FALSE(is_sound(examine_directory(cut))) << name;
        auto longer = files;
        longer[name] += "junk";
        EXPECT_FALSE(is_sound(examine_directory(longer))) << name;
    }
    auto more = files;
    more["notes.txt"] = "mine";
    const Examination examination = examine_directory(more);
    EXPECT_TRUE(is_sound(examination));
    EXPECT_EQ(examination.findings.count("foreign-file"), 1u);
    more["blob_77.dat.gz"] = pack(Packing::gzip, "x");
    EXPECT_EQ(examine_directory(more).findings.count("objects-unknown"), 1u);
    auto twice = files;
    twice["200.dat"] = "\\.\n\n\n";
    EXPECT_GE(examine_directory(twice).findings.count("file-twice"), 1u);
}

TEST(DirectoryDamage, FilesThatChangedPlacesAreFoundByTheirFields) {
    auto files = directory_dump(sample_dump());
    std::swap(files["200.dat.gz"], files["201.dat.gz"]);
    EXPECT_GE(examine_directory(files).findings.count("row-fields"), 1u);
}

// A name from inside opens nothing, whatever it is: it is looked up among the files that are there.
TEST(DirectoryHostile, NamesFromInsideLeadNowhere) {
    auto files = directory_dump(sample_dump());
    std::string& contents = files["toc.dat"];
    contents.replace(contents.find("200.dat"), 7, "../etc/");
    const Examination examination = examine_directory(files);
    EXPECT_EQ(examination.findings.count("file-name"), 1u) << said(examination);
    EXPECT_EQ(examination.findings.count("file-missing"), 1u);
}

TEST(TarDamage, IsFoundInHeadsPaddingAndEnd) {
    const std::string tar = tar_dump(sample_dump());
    for (std::size_t size = 0; size < tar.size(); size += 256) {
        EXPECT_FALSE(is_sound(examine_tar(tar.substr(0, size)))) << size;
        EXPECT_FALSE(is_sound(examine_tar_stream(tar.substr(0, size)))) << size;
    }
    std::string stray = tar;
    stray[tar.size() - 1] = 'x';
    EXPECT_EQ(examine_tar(stray).findings.count("tar-trailing"), 1u);
    EXPECT_EQ(examine_tar_stream(stray).findings.count("tar-trailing"), 1u);
    std::string head = tar;
    head.at(tar.rfind("200.dat")) = '3';
    EXPECT_FALSE(is_sound(examine_tar(head)));
    EXPECT_FALSE(is_sound(examine_tar_stream(head)));
}

}  // namespace
}  // namespace kedge::verify
