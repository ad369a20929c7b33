// Reads what pg_basebackup of PostgreSQL 15 made of a real server, sound and with every kind of damage.
#include "verify/base_backup/base_backup.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>

#include "os/process.h"
#include "targets/postgres/scratch_cluster.h"
#include "verify/base_backup/page_checksum.h"
#include "verify/base_backup/recovery_base.h"
#include "verify/little_endian.h"

namespace kedge::verify {
namespace {

namespace fs = std::filesystem;
using Files = std::map<std::string, std::string>;

std::string read_file(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

void read_below(const fs::path& directory, const std::string& prefix, Files& files) {
    for (const auto& entry : fs::directory_iterator(directory)) {
        const std::string name = prefix + entry.path().filename().string();
        if (entry.is_directory()) read_below(entry.path(), name + "/", files);
        if (entry.is_regular_file()) files[name] = read_file(entry.path());
    }
}

std::vector<Member> members_of(const Files& files) {
    std::vector<Member> members;
    for (const auto& [name, text] : files) members.push_back(memory_member(name, as_bytes(text)));
    return members;
}

BaseBackup examine(const Files& files) {
    Effort effort;
    effort.threads = 2;
    static const Limits limits;
    const std::vector<Member> members = members_of(files);
    return examine_base_backup(members, limits, effort);
}

std::string said(const BaseBackup& backup) {
    std::string text;
    for (const Finding& finding : backup.examination.findings.kept())
        text += fmt::format("{} {} at {}: {} {}\n", to_string(finding.weight), finding.code, finding.where,
                            finding.says, finding.offset.value_or(0));
    return text;
}

bool sound(const BaseBackup& backup) {
    const Findings& findings = backup.examination.findings;
    return !findings.any(Weight::damage) && !findings.any(Weight::doubt);
}

// A server with a tablespace, under load while backups are taken.
class World {
public:
    World() : server_(ScratchServer::initialize(directory_, "server")) {
        server_->start();
        const std::string tablespace = directory_.path() + "/space";
        directory_.run({"install", "-d", "-m", "700", tablespace});
        server_->sql(fmt::format("CREATE TABLESPACE space LOCATION '{}'", tablespace));
        server_->sql("CREATE TABLE far (id int, what text) TABLESPACE space");
        server_->sql("CREATE TABLE near (id int PRIMARY KEY, what text)");
        server_->sql("INSERT INTO near SELECT g, repeat('n', 200) FROM generate_series(1, 4000) g");
        server_->sql("INSERT INTO far SELECT g, repeat('f', 500) FROM generate_series(1, 500) g");
        server_->sql("VACUUM near");
        table_ = server_->sql("SELECT pg_relation_filepath('near')");
    }

    // What pg_basebackup writes with these arguments; made once.
    const Files& backup(const Arguments& arguments) const {
        const std::string key = fmt::format("{}", fmt::join(arguments, " "));
        if (const auto made = made_.find(key); made != made_.end()) return made->second;
        const std::string path = fmt::format("{}/backup{}", directory_.path(), made_.size());
        Arguments command{std::string(scratch_bin_directory) + "/pg_basebackup",
                          "-D",
                          path,
                          "-d",
                          server_->conninfo(),
                          "-c",
                          "fast",
                          "--no-sync",
                          "-l",
                          "of the test"};
        command.insert(command.end(), arguments.begin(), arguments.end());
        if (std::ranges::find(arguments, "-Ft") == arguments.end())
            command.push_back(fmt::format("--tablespace-mapping={0}/space={1}-space", directory_.path(), path));
        directory_.run(command);
        Files files;
        read_below(path, "", files);
        return made_[key] = std::move(files);
    }
    const Files& plain() const { return backup({"-Fp", "--manifest-checksums=SHA256"}); }
    const std::string& table() const { return table_; }
    ScratchServer& server() const { return *server_; }

private:
    ScratchDirectory directory_;
    std::unique_ptr<ScratchServer> server_;
    std::string table_;
    mutable std::map<std::string, Files> made_;
};

const World& world() {
    static const World made;
    return made;
}

TEST(BaseBackup, OfEveryFormIsSound) {
    const std::vector<Arguments> forms{{"-Fp", "--manifest-checksums=SHA256"},
                                       {"-Fp", "--manifest-checksums=NONE"},
                                       {"-Fp", "--manifest-checksums=CRC32C"},
                                       {"-Fp", "--manifest-checksums=SHA224"},
                                       {"-Fp", "--manifest-checksums=SHA384"},
                                       {"-Fp", "--manifest-checksums=SHA512", "--manifest-force-encode"},
                                       {"-Fp", "--no-manifest"},
                                       {"-Fp", "-X", "none"},
                                       {"-Ft"},
                                       {"-Ft", "-X", "fetch", "--compress=client-gzip:1"},
                                       {"-Ft", "--compress=client-lz4"},
                                       {"-Ft", "--compress=server-zstd:1"}};
    for (const Arguments& form : forms) {
        const BaseBackup backup = examine(world().backup(form));
        const std::string name = fmt::format("{}", fmt::join(form, " "));
        EXPECT_TRUE(sound(backup)) << name << "\n" << said(backup);
        ASSERT_TRUE(backup.control && backup.label) << name;
        EXPECT_EQ(backup.control->major, 15);
        EXPECT_EQ(backup.label->label, "of the test");
        EXPECT_GT(backup.examination.facts["pages"].get<int>(), 1000) << name;
        EXPECT_EQ(backup.is_tar, form.front() == "-Ft");
        const bool without = name.ends_with("NONE") || name.ends_with("no-manifest");
        EXPECT_EQ(backup.examination.rung(), without ? Rung::decoded : Rung::checksummed) << name;
        EXPECT_EQ(std::to_string(backup.control->system_identifier),
                  world().server().sql("SELECT system_identifier FROM pg_control_system()"));
        EXPECT_EQ(backup.examination.facts.contains("tablespaces"), backup.is_tar) << name;
        if (name.ends_with("-X none")) continue;
        EXPECT_TRUE(backup.consistent_at) << name;
        EXPECT_FALSE(backup.wal.segments.empty()) << name;
    }
}

struct Damage {
    std::string code;
    std::function<void(Files&)> act;
};

void flip(Files& files, const std::string& name, std::size_t at, char with = 0x20) {
    std::string& text = files.at(name);
    text.at(at) = static_cast<char>(text.at(at) ^ with);
}

std::string segment_of(const Files& files) {
    const auto found = std::ranges::find_if(
        files, [](const auto& file) { return file.first.starts_with("pg_wal/0") && file.second.size() == 1u << 20; });
    check(found != files.end(), "the backup brings log along");
    return found->first;
}

// What a server wrote, with the checksum put right: nobody but the log can tell.
void rechecksum(std::string& text, std::uint32_t block) {
    auto* page = reinterpret_cast<std::byte*>(text.data()) + std::size_t{block} * page_bytes;
    const std::uint16_t sum = page_checksum(page_sum(page), block);
    text[block * page_bytes + 8] = static_cast<char>(sum & 0xFF);
    text[block * page_bytes + 9] = static_cast<char>(sum >> 8);
}

TEST(BaseBackup, SaysWhatIsDamaged) {
    const std::string table = world().table();
    const std::vector<Damage> damages{
        {"file-checksum", [](Files& files) { flip(files, "postgresql.conf", 10); }},
        {"file-checksum", [&](Files& files) { flip(files, table, 50'000); }},
        {"page-checksum", [&](Files& files) { flip(files, table, 50'000); }},
        {"page-checksum", [&](Files& files) { flip(files, table, 8192 + 8); }},
        {"file-size", [&](Files& files) { files.at(table).resize(files.at(table).size() - 8192); }},
        {"relation-size", [&](Files& files) { files.at(table).resize(files.at(table).size() - 100); }},
        {"file-missing", [&](Files& files) { files.erase(table); }},
        {"file-extra", [&](Files& files) { files["base/1/99999"] = ""; }},
        {"page-from-the-future",
         [&](Files& files) {
             files.at(table)[3] = 0x7F;
             rechecksum(files.at(table), 0);
         }},
        {"page-header",
         [&](Files& files) {
             files.at(table)[11] = 0x40;
             rechecksum(files.at(table), 0);
         }},
        {"page-not-new", [&](Files& files) { files.at(table).replace(14, 2, 2, '\0'); }},
        {"control-damaged", [](Files& files) { flip(files, "global/pg_control", 40); }},
        {"control-damaged", [](Files& files) { flip(files, "global/pg_control", 8000); }},
        {"control-damaged", [](Files& files) { files.at("global/pg_control").resize(100); }},
        {"control-missing", [](Files& files) { files.erase("global/pg_control"); }},
        {"label-missing", [](Files& files) { files.erase("backup_label"); }},
        {"label-damaged", [](Files& files) { files.at("backup_label") = "LABEL: x\n"; }},
        {"label-start",
         [](Files& files) {
             std::string& text = files.at("backup_label");
             text.replace(text.find(": 0/") + 4, 1, "F");
         }},
        {"filenode-map", [](Files& files) { flip(files, "global/pg_filenode.map", 20); }},
        {"version-file", [](Files& files) { files.at("PG_VERSION") = "14\n"; }},
        {"manifest-checksum",
         [](Files& files) {
             std::string& text = files.at("backup_manifest");
             text[text.find("Last-Modified\": \"20") + 19] = '0';
         }},
        {"manifest-damaged", [](Files& files) { files.at("backup_manifest").resize(500); }},
        {"backup-unfinished",
         [](Files& files) {
             files["backup_manifest.tmp"] = files.at("backup_manifest");
             files.erase("backup_manifest");
         }},
        {"relation-segment", [&](Files& files) { files[table + ".2"] = std::string(8192, '\0'); }},
        {"wal-range",
         [](Files& files) {
             files.erase(segment_of(files));
             files["pg_wal/00000001000000000000FFF0"] = "";
         }},
        {"wal-record-crc", [](Files& files) { flip(files, segment_of(files), 100); }},
    };
    for (const Damage& damage : damages) {
        Files files = world().plain();
        damage.act(files);
        const BaseBackup backup = examine(files);
        EXPECT_GT(backup.examination.findings.count(damage.code), 0u) << damage.code << "\n" << said(backup);
        EXPECT_FALSE(sound(backup)) << damage.code;
    }
}

TEST(BaseBackup, FindsWithoutAManifestWhatPagesSay) {
    Files files = world().backup({"-Fp", "--no-manifest"});
    flip(files, world().table(), 70'000);
    const BaseBackup backup = examine(files);
    EXPECT_EQ(backup.examination.findings.count("page-checksum"), 1u) << said(backup);
    EXPECT_EQ(backup.examination.findings.kept().front().offset, 65536u);
    EXPECT_FALSE(backup.examination.unproved.empty());
}

// A page that is torn as an online backup may copy it: its second half is of another time. The log of the backup holds
// an image of it if the server changed it after the backup began.
TEST(BaseBackup, LetsTheLogDecideAboutAPageThatIsNewerThanItsStart) {
    Files files = world().plain();
    const BaseBackup before = examine(files);
    std::string& text = files.at(world().table());
    const auto lsn = before.label->start.value + 8;
    const auto high = static_cast<std::uint32_t>(lsn >> 32), low = static_cast<std::uint32_t>(lsn);
    std::memcpy(text.data() + 8192, &high, 4);
    std::memcpy(text.data() + 8196, &low, 4);
    const BaseBackup without = examine(files);
    ASSERT_EQ(without.examination.findings.count("page-checksum"), 1u) << said(without);
    EXPECT_THAT(said(without), testing::HasSubstr("the log of the backup does not restore it"));
    std::erase_if(files, [](const auto& file) { return file.first.starts_with("pg_wal/"); });
    const BaseBackup undecided = examine(files);
    EXPECT_THAT(said(undecided), testing::HasSubstr("which only the log of the backup could tell"));
}

// What it unpacks to; a packed stream has bits that mean nothing, and nobody can find those changed.
std::string unpacked(const std::string& text) {
    static const Limits limits;
    const auto stream = MemberStream::open(memory_member("packed", as_bytes(text)), limits).value();
    std::string all(text.size() * 200 + 4096, '\0');
    all.resize(stream->read(std::as_writable_bytes(std::span(all))).value());
    return all + (stream->flaw() ? "flawed" : "");
}

TEST(BaseBackup, InTarsIsDamagedByAnyByte) {
    for (const Arguments& form : {Arguments{"-Ft"}, Arguments{"-Ft", "-X", "fetch", "--compress=client-gzip:1"},
                                  Arguments{"-Ft", "--compress=server-zstd:1"}}) {
        Files files = world().backup(form);
        std::mt19937_64 random(5);
        for (auto& [name, text] : files)
            for (int i = 0; i < 3; ++i) {
                const std::string whole = text;
                const std::size_t at = random() % text.size();
                text[at] = static_cast<char>(text[at] ^ 4);
                const BaseBackup backup = examine(files);
                EXPECT_TRUE(!sound(backup) || unpacked(text) == unpacked(whole))
                    << fmt::format("{} {} {}", fmt::join(form, " "), name, at);
                text = whole;
            }
        for (auto& [name, text] : files) {
            const std::string whole = text;
            text.resize(text.size() / 2);
            EXPECT_FALSE(sound(examine(files))) << name;
            text = whole;
        }
    }
}

TEST(BaseBackup, SaysWhatATarLacks) {
    Files files = world().backup({"-Ft"});
    const auto space = std::ranges::find_if(files, [](const auto& file) { return std::isdigit(file.first[0]) != 0; });
    ASSERT_NE(space, files.end());
    files.erase(space);
    EXPECT_GT(examine(files).examination.findings.count("tablespace-missing"), 0u);
}

TEST(BaseBackup, IsSketchedWithoutReadingItWhole) {
    static const Limits limits;
    for (const Arguments& form : {Arguments{"-Fp", "--manifest-checksums=SHA256"}, Arguments{"-Ft"}}) {
        const Files& files = world().backup(form);
        const std::vector<Member> members = members_of(files);
        const SketchedBackup sketch = sketch_base_backup("b", members, limits);
        const BaseBackup whole = examine(files);
        EXPECT_EQ(sketch.base.unusable, "");
        EXPECT_EQ(sketch.base.start, whole.label->start);
        EXPECT_EQ(sketch.base.consistent_at, whole.consistent_at);
        EXPECT_GE(sketch.wal.size(), 1u);
    }
    const std::vector<Member> none;
    EXPECT_NE(sketch_base_backup("b", none, limits).base.unusable, "");
}

}  // namespace
}  // namespace kedge::verify
