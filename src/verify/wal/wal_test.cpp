// Reads what a real PostgreSQL 15 archived: with what pg_waldump says of it, and with every kind of damage.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include <lz4frame.h>
#include <zlib.h>
#include <zstd.h>

#include <mutex>
#include <random>
#include <set>

#include "os/process.h"
#include "targets/postgres/scratch_cluster.h"
#include "verify/wal/wal_archive.h"

namespace kedge::verify {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Files = std::map<std::string, std::string>;  // by name

std::string read_file(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

Files read_directory(const fs::path& directory) {
    Files files;
    for (const auto& entry : fs::directory_iterator(directory))
        if (entry.is_regular_file()) files[entry.path().filename().string()] = read_file(entry.path());
    return files;
}

WalArchive examine(const Files& files, const WalRequest& request = {}) {
    std::vector<Member> members;
    for (const auto& [name, text] : files) members.push_back(memory_member(name, as_bytes(text)));
    Effort effort;
    effort.threads = 2;
    static const Limits limits;
    return examine_wal(members, limits, effort, request);
}

std::string said(const WalArchive& archive) {
    std::string text;
    for (const Finding& finding : archive.examination.findings.kept())
        text += fmt::format("{} {} at {}: {} {}\n", to_string(finding.weight), finding.code, finding.where,
                            finding.says, finding.offset.value_or(0));
    return text;
}

bool sound(const WalArchive& archive) {
    const Findings& findings = archive.examination.findings;
    return !findings.any(Weight::damage) && !findings.any(Weight::doubt);
}

// An archive with a fork: timeline 1, a standby promoted to timeline 2, records of every size, restore points.
struct World {
    World() {
        auto primary = ScratchServer::initialize(directory, "primary");
        fs::create_directory(archive);
        allow(archive);
        primary->configure("archive_mode = on");
        primary->configure(fmt::format("archive_command = 'test ! -f {0}/%f && cp %p {0}/%f'", archive));
        primary->configure("max_prepared_transactions = 5");
        primary->start();
        primary->sql("CREATE TABLE t (id int, what text)");
        write(*primary, 3);
        auto standby = ScratchServer::standby_of(*primary, "standby");
        standby->start();
        primary->sql("SELECT pg_logical_emit_message(false, 'long', repeat('x', 3000000))");
        primary->sql("SELECT pg_create_restore_point('before the release')");
        directory.run({"psql", "-XqAtd", primary->conninfo(), "-v", "ON_ERROR_STOP=1"},
                      "BEGIN; INSERT INTO t VALUES (1, 'two'); PREPARE TRANSACTION 'p';\n"
                      "COMMIT PREPARED 'p';\n"
                      "BEGIN; INSERT INTO t VALUES (1, 'none'); SAVEPOINT s; DELETE FROM t WHERE id = 1; ROLLBACK;\n");
        write(*primary, 2);
        last_commit_on_primary = commit_now(*primary);
        primary->sql("SELECT pg_switch_wal()");
        primary->sql("INSERT INTO t VALUES (2, 'left behind')");
        const std::string at = primary->sql("SELECT pg_current_wal_lsn()");
        check(standby->await(fmt::format("SELECT pg_last_wal_replay_lsn() >= '{}'", at), "t"), "the standby replays");
        primary->stop();
        system_identifier = standby->sql("SELECT system_identifier FROM pg_control_system()");
        standby->sql("SELECT pg_promote()");
        check(standby->await("SELECT pg_is_in_recovery()", "f"), "the standby is promoted");
        write(*standby, 2);
        last_commit = commit_now(*standby);
        const std::string last = standby->sql("SELECT pg_walfile_name(pg_switch_wal())");
        check(standby->await(fmt::format("SELECT last_archived_wal >= '{}' FROM pg_stat_archiver", last), "t"),
              "the last segment is archived");
        standby->stop();
        files = read_directory(archive);
    }

    static void write(const ScratchServer& server, int rounds) {
        for (int i = 0; i < rounds; ++i) {
            server.sql("INSERT INTO t SELECT g, repeat('y', g % 900) FROM generate_series(1, 1500) g");
            server.sql("CHECKPOINT");
            server.sql("UPDATE t SET id = id + 1 WHERE id % 3 = 0");
        }
    }
    void allow(const std::string& path) const {
        if (directory.login())
            check(chown(path.c_str(), directory.login()->uid, directory.login()->gid) == 0, "root may");
    }
    // Microseconds since 1970 of a transaction that commits now, as the server keeps it.
    static std::int64_t commit_now(const ScratchServer& server) {
        server.sql("INSERT INTO t VALUES (0, 'last')");
        return std::stoll(server.sql("SELECT (extract(epoch FROM now()) * 1000000)::bigint"));
    }

    ScratchDirectory directory;
    std::string archive = directory.path() + "/archive";
    std::string system_identifier;
    std::int64_t last_commit_on_primary = 0, last_commit = 0;
    Files files;
};

const World& world() {
    static const World made;
    return made;
}

TEST(WalArchive, OfARealServerIsSound) {
    const WalArchive archive = examine(world().files);
    EXPECT_TRUE(sound(archive)) << said(archive);
    EXPECT_EQ(archive.examination.rung(), Rung::checksummed);
    EXPECT_EQ(archive.major, 15);
    EXPECT_EQ(std::to_string(archive.system_identifier), world().system_identifier);
    EXPECT_EQ(archive.segment_bytes, 1u << 20);
    EXPECT_EQ(archive.histories.size(), 2u);
    EXPECT_GT(archive.segments.size(), 8u);
}

// What pg_waldump lists of one timeline's own segments, up to where we say that they end.
std::vector<std::string> dumped(Lsn begin, std::uint32_t timeline, Lsn end) {
    const std::string out =
        world().directory.run({std::string(scratch_bin_directory) + "/pg_waldump", "-p", world().archive, "-t",
                               std::to_string(timeline), "-s", kedge::to_string(begin), "-e", kedge::to_string(end)});
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < out.size(); at = out.find('\n', at) + 1)
        lines.push_back(out.substr(at, out.find('\n', at) - at));
    return lines;
}

class Ends final : public RecordObserver {
public:
    void see(const WalRecordView& record) override {
        const auto shape = read_shape(record, 15);
        ASSERT_TRUE(shape);
        if (const auto end = transaction_end(record, *shape)) {
            const std::lock_guard lock(mutex_);
            times.insert({end->at.value, end->time});
        }
    }
    std::map<std::uint64_t, Moment> times;

private:
    std::mutex mutex_;
};

TEST(WalArchive, CountsWhatPgWaldumpLists) {
    Ends ends;
    const WalArchive archive = examine(world().files, {.observer = &ends});
    for (const std::uint32_t timeline : {1u, 2u}) {
        const auto first = std::ranges::find(archive.segments, timeline, &WalSegment::timeline);
        ASSERT_NE(first, archive.segments.end());
        const WalPath path = follow(archive, timeline, Lsn{first->number << 20});
        const std::vector<std::string> lines = dumped(*first->scan.first_record, timeline, path.end);
        std::uint64_t records = 0, found = 0;
        for (const WalSegment& segment : archive.segments)
            if (segment.timeline == timeline) records += segment.scan.records;
        EXPECT_EQ(records, lines.size()) << timeline;
        for (const std::string& line : lines) {
            const auto zone = line.find(" UTC");
            if (line.find("desc: COMMIT") == std::string::npos && line.find("desc: ABORT") == std::string::npos)
                continue;
            ASSERT_NE(zone, std::string::npos) << line;
            ++found;
            std::string written = line.substr(zone - 26, 26) + "Z";
            written[10] = 'T';
            const auto at = line.find("lsn: ") + 5;
            const std::uint64_t lsn = parse_lsn(line.substr(at, line.find(',', at) - at)).value().value;
            ASSERT_TRUE(ends.times.contains(lsn)) << line;
            EXPECT_EQ(ends.times.at(lsn), parse_moment(written).value()) << line;
        }
        EXPECT_GE(found, 5u);
    }
}

TEST(WalArchive, KnowsTheLastCommitAsTheServerDoes) {
    const WalArchive archive = examine(world().files);
    std::map<std::uint32_t, Moment> latest;
    for (const WalSegment& segment : archive.segments)
        if (const auto& end = segment.scan.transactions.latest)
            latest[segment.timeline] = std::max(latest[segment.timeline], end->time);
    // The server was asked for its time right after the commit.
    const auto asked = Moment(std::chrono::microseconds(world().last_commit));
    EXPECT_LE(latest[2], asked);
    EXPECT_GT(latest[2], asked - 2s);
    std::set<std::string> points;
    for (const WalSegment& segment : archive.segments)
        for (const RestorePoint& point : segment.scan.restore_points) points.insert(point.name);
    EXPECT_EQ(points, std::set<std::string>{"before the release"});
}

TEST(WalArchive, IsFollowedAcrossTheFork) {
    const WalArchive archive = examine(world().files);
    const WalPath path = follow(archive, 2, Lsn{archive.segments.front().number << 20});
    EXPECT_FALSE(path.damaged) << path.why_it_ends;
    EXPECT_THAT(path.why_it_ends, testing::HasSubstr("nothing newer"));
    EXPECT_EQ(archive.segments[path.segments.front()].timeline, 1u);
    EXPECT_EQ(archive.segments[path.segments.back()].timeline, 2u);
    const WalPath old = follow(archive, 1, Lsn{archive.segments.front().number << 20});
    EXPECT_FALSE(old.damaged) << old.why_it_ends;
}

// A segment of timeline 1 with neighbours on both sides, and where its content begins and ends.
const std::string& segment_of_first_timeline(std::ptrdiff_t index) {
    return std::next(world().files.begin(), index)->first;
}
const std::string& middle_segment() {
    return segment_of_first_timeline(2);
}
std::string switched_segment() {
    const WalArchive archive = examine(world().files);
    const auto found = std::ranges::find(archive.segments, SegmentEnding::switched,
                                         [](const WalSegment& segment) { return segment.scan.ending; });
    check(found != archive.segments.end(), "a segment of the test ends with a switch");
    return found->path;
}

struct Damage {
    std::string code;
    std::function<void(Files&)> act;
};

Damage flip(std::string code, std::size_t at, unsigned char with = 0x40, std::string name = middle_segment()) {
    return {std::move(code), [at, with, name](Files& files) {
                std::string& text = files.at(name);
                text.at(at) = static_cast<char>(static_cast<unsigned char>(text.at(at)) ^ with);
            }};
}

const SegmentScan& middle_scan() {
    static const WalArchive archive = examine(world().files);
    return std::ranges::find(archive.segments, middle_segment(), &WalSegment::path)->scan;
}

// The first page of the middle segment on which a record goes on.
std::size_t continued_page() {
    const std::string& text = world().files.at(middle_segment());
    for (std::size_t at = 8192; at < text.size(); at += 8192)
        if ((text[at + 2] & WalPageHeader::continues) != 0) return at;
    return 0;
}

TEST(WalArchive, SaysWhatIsDamaged) {
    const std::uint64_t record = middle_scan().first_record->value % (1u << 20);
    const std::uint64_t last = middle_scan().last_record->value % (1u << 20);
    const std::vector<Damage> damages{
        flip("wal-record-crc", record + 4),
        flip("wal-record-crc", record + record_crc_at),
        flip("wal-record-crc", 300'000),
        flip("wal-previous-link", last + 9),
        flip("wal-page-magic", 8192 * 3),
        flip("wal-page-flags", 8192 * 3 + 2, 0x10),
        flip("wal-page-flags", 8192 * 3 + 2, 0x02),
        flip("wal-page-timeline", 8192 * 3 + 4, 0x01),
        flip("wal-page-position", 8192 * 3 + 9),
        flip("wal-continuation", continued_page() + 17),
        flip("wal-page-padding", 8192 * 3 + 20, 0x01),
        flip("wal-system-identifier", 26, 0x01),
        flip("wal-segment-size", 34, 0x30),
        flip("wal-segment-size", 36, 0x01),
        flip("wal-after-switch", (1u << 20) - 1, 0x01, switched_segment()),
        {"wal-segment-length", [](Files& files) { files.at(switched_segment()).resize(1u << 19); }},
        {"wal-segment-length", [](Files& files) { files.at(middle_segment()) += "more"; }},
        {"wal-segment-length", [](Files& files) { files.at(middle_segment()).clear(); }},
        {"wal-ends-early",
         [last](Files& files) {
             std::string& text = files.at(middle_segment());
             text.replace(last, text.size() - last, text.size() - last, '\0');
         }},
        {"wal-gap", [](Files& files) { files.erase(middle_segment()); }},
        {"wal-page-position",
         [](Files& files) { files.at(middle_segment()) = files.at(segment_of_first_timeline(1)); }},
        {"wal-hole", [](Files& files) { files.at(middle_segment()).replace(8192 * 5, 8192, 8192, '\0'); }},
        {"wal-after-end", [](Files& files) { files.at(middle_segment()).replace(8192 * 5, 4096, 4096, '\0'); }},
        {"wal-history", [](Files& files) { files.at("00000002.history") = "no history\n"; }},
        {"wal-history-missing", [](Files& files) { files.erase("00000002.history"); }},
        {"wal-name", [](Files& files) { files["000000010000000000001000"] = files.at(middle_segment()); }},
        {"wal-foreign", [](Files& files) { files["notes.txt"] = "x"; }},
        {"wal-backup-history",
         [](Files& files) { files["000000010000000000000003.00000028.backup"] = "START WAL LOCATION: x\n"; }},
        {"wal-duplicate", [](Files& files) { files[middle_segment() + ".gz"] = files.at(middle_segment()); }},
        {"wal-duplicate-differs",
         [](Files& files) { files[middle_segment() + ".gz"] = files.at(segment_of_first_timeline(1)); }},
        {"wal-version", [](Files& files) { files.at(middle_segment()).at(0) = 0x16; }},
    };
    for (const Damage& damage : damages) {
        Files files = world().files;
        damage.act(files);
        const WalArchive archive = examine(files);
        EXPECT_GT(archive.examination.findings.count(damage.code), 0u) << damage.code << "\n" << said(archive);
    }
}

TEST(WalArchive, EndsAPathAtTheDamage) {
    Files files = world().files;
    flip("", 300'000).act(files);
    const WalArchive archive = examine(files);
    const Lsn begin{archive.segments.front().number << 20};
    const WalPath path = follow(archive, 2, begin);
    EXPECT_TRUE(path.damaged);
    EXPECT_LE(path.end, Lsn{begin.value + (2u << 20) + 300'000});
    EXPECT_GT(path.end, Lsn{begin.value + (2u << 20)});
    EXPECT_THAT(path.why_it_ends, testing::HasSubstr(middle_segment()));
    files.erase(middle_segment());
    const WalPath gap = follow(examine(files), 2, begin);
    EXPECT_TRUE(gap.damaged);
    EXPECT_THAT(gap.why_it_ends, testing::HasSubstr("missing"));
}

TEST(WalArchive, FindsEveryFlippedBitButThoseThatMeanNothing) {
    std::mt19937_64 random(4);
    std::vector<std::string> names;
    for (const auto& [name, text] : world().files)
        if (text.size() == 1u << 20 && !name.ends_with(".partial")) names.push_back(name);
    Files files = world().files;
    for (int i = 0; i < 400; ++i) {
        const std::string& name = names[random() % names.size()];
        const std::size_t at = random() % (1u << 20);
        const auto bit = static_cast<char>(1 << random() % 8);
        // "Full-page images may be removed" is a hint to tools outside; both values are possible on every page.
        if (at % 8192 == 2 && bit == 4) continue;
        files.at(name)[at] = static_cast<char>(files.at(name)[at] ^ bit);
        const WalArchive archive = examine(files);
        EXPECT_FALSE(sound(archive)) << name << " " << at << " " << int{bit};
        files.at(name)[at] = static_cast<char>(files.at(name)[at] ^ bit);
    }
}

std::string gzipped(const std::string& text) {
    std::string packed(compressBound(static_cast<uLong>(text.size())) + 64, '\0');
    z_stream stream{};
    check(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK, "zlib begins");
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    check(deflate(&stream, Z_FINISH) == Z_STREAM_END, "zlib ends");
    packed.resize(stream.total_out);
    deflateEnd(&stream);
    return packed;
}

std::string lz4ed(const std::string& text) {
    std::string packed(LZ4F_compressFrameBound(text.size(), nullptr), '\0');
    packed.resize(LZ4F_compressFrame(packed.data(), packed.size(), text.data(), text.size(), nullptr));
    return packed;
}

std::string zstded(const std::string& text) {
    std::string packed(ZSTD_compressBound(text.size()), '\0');
    packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 3));
    return packed;
}

TEST(WalArchive, IsReadPackedAsItIsRaw) {
    Files files;
    int turn = 0;
    for (const auto& [name, text] : world().files) {
        if (!name.ends_with(".history") && turn % 4 == 1)
            files[name + ".gz"] = gzipped(text);
        else if (turn % 4 == 2)
            files[name + ".lz4"] = lz4ed(text);
        else if (turn % 4 == 3)
            files[name] = zstded(text);  // under a plain name
        else
            files[name] = text;
        ++turn;
    }
    const WalArchive archive = examine(files), raw = examine(world().files);
    EXPECT_TRUE(sound(archive)) << said(archive);
    EXPECT_EQ(archive.examination.facts, raw.examination.facts);
    const auto packed = std::ranges::find_if(files, [](const auto& file) { return file.first.ends_with(".gz"); });
    packed->second.resize(packed->second.size() / 2);
    EXPECT_GT(examine(files).examination.findings.count("wal-unpack"), 0u);
}

TEST(WalArchive, OfOtherOriginIsToldApart) {
    const WalArchive archive = examine(world().files, {.system_identifier = 7});
    EXPECT_GT(archive.examination.findings.count("wal-system-identifier"), 0u);
}

TEST(WalArchive, HoldsWhatItsPartialSegmentMust) {
    Files files = world().files;
    const auto partial = std::ranges::find_if(files, [](const auto& file) { return file.first.ends_with(".partial"); });
    ASSERT_NE(partial, files.end());
    EXPECT_GT(examine(files).examination.findings.count("wal-partial-end"), 0u);
    partial->second[100] = static_cast<char>(partial->second[100] ^ 1);
    EXPECT_GT(examine(files).examination.findings.count("wal-partial"), 0u);
}

TEST(WalArchive, OfNothingProvesNothing) {
    const WalArchive archive = examine({});
    EXPECT_EQ(archive.examination.rung(), Rung::none);
    EXPECT_EQ(examine({{middle_segment(), std::string(1u << 20, '\0')}}).examination.findings.count("wal-no-header"),
              1u);
}

}  // namespace
}  // namespace kedge::verify
