// The corruption bench of base backups and of the archived log: those of a real PostgreSQL that was written to
// meanwhile, beside pg_verifybackup and pg_waldump.
//
//     physical_corruption base|wal [SEED [SCALE]]        SCALE: a part of the full amounts, 0.1 for a tenth
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/check.h"
#include "corruption.h"
#include "os/clock.h"
#include "os/files.h"
#include "targets/postgres/scratch_cluster.h"

namespace kedge::verify {
namespace {

namespace fs = std::filesystem;

std::string tool(const std::string& program) {
    return std::string(scratch_bin_directory) + "/" + program;
}

class Server {
public:
    Server() {
        server_ = ScratchServer::initialize(directory_, "server");
        directory_.run({"mkdir", archive()});
        server_->configure("archive_mode = on");
        server_->configure(fmt::format("archive_command = 'cp %p {}/%f'", archive()));
        server_->start();
        server_->sql("CREATE TABLE t (id bigint PRIMARY KEY, says text, at timestamptz DEFAULT now())");
        server_->sql("CREATE INDEX ON t (says)");
        for (int i = 0; i < 12; ++i) change();
    }

    std::string archive() const { return directory_.path() + "/archive"; }
    // Rows that are added, changed and removed; the segment of the log that they end in, archived.
    std::string change() const {
        server_->sql(
            "INSERT INTO t SELECT g, md5(g::text) FROM (SELECT coalesce(max(id), 0) AS m FROM t) x, "
            "generate_series(x.m + 1, x.m + 900) g");
        server_->sql("UPDATE t SET says = md5(says) WHERE id % 7 = 0 AND id > (SELECT max(id) - 2000 FROM t)");
        server_->sql("DELETE FROM t WHERE id < (SELECT max(id) - 9000 FROM t)");
        std::string last = server_->sql("SELECT pg_walfile_name(pg_switch_wal())");
        check(server_->await(fmt::format("SELECT last_archived_wal >= '{}' FROM pg_stat_archiver", last), "t"),
              "the log is archived");
        return last;
    }
    BackupFiles base_backup() const {
        const std::string path = directory_.path() + "/base";
        directory_.run(
            {tool("pg_basebackup"), "-D", path, "-d", server_->conninfo(), "-c", "fast", "--no-sync", "-X", "stream"});
        BackupFiles files = files_below(path);
        directory_.run({"rm", "-r", "--", path});
        return files;
    }
    // The newest segments.
    BackupFiles log() const {
        constexpr std::size_t count = 8;
        BackupFiles files = files_below(archive());
        std::erase_if(files, [](const BackupFile& file) { return file.name.size() != 24; });
        check(files.size() > count, "enough of the log is archived");
        files.erase(files.begin(), files.end() - count);
        return files;
    }
    const std::string& place() const { return directory_.path(); }

private:
    ScratchDirectory directory_;
    std::unique_ptr<ScratchServer> server_;
};

// All segments of the directory, from the first to the last.
Answer waldump(const std::string& path) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(path)) names.push_back(entry.path().filename());
    std::ranges::sort(names);
    return program_checker("", {tool("pg_waldump"), "-q", "-p", path, names.front()}).check(names.back());
}

std::uint64_t run_base(std::uint64_t seed, double scale) {
    const Server server;
    const Subject subject{"pg_basebackup, plain, CRC-32C manifest",
                          server.base_backup(),
                          [&] {
                              server.change();
                              return server.base_backup();
                          },
                          {kedge_checker(), kedge_checker_with_manifest(),
                           program_checker("pg_verifybackup", {tool("pg_verifybackup"), "-q"})}};
    std::uint64_t behind = corrupt(subject, part_of(scale), seed, server.place());
    // Without a manifest, as file system copies are: only what the formats themselves protect is found.
    Subject bare = subject;
    bare.name = "the same without its manifest";
    const auto without = [](BackupFiles files) {
        std::erase_if(files, [](const BackupFile& file) { return file.name == "backup_manifest"; });
        return files;
    };
    bare.files = without(subject.files);
    bare.another = [&] { return without(subject.another()); };
    bare.checkers = {kedge_checker(), kedge_checker_with_manifest()};
    return behind + corrupt(bare, part_of(scale), seed, server.place());
}

std::uint64_t run_wal(std::uint64_t seed, double scale) {
    const Server server;
    const Subject subject{
        "archived log, 8 segments of 1 MiB",
        server.log(),
        [&] {
            server.change();
            return server.log();
        },
        {kedge_checker(), kedge_checker_with_manifest(), Checker{"pg_waldump -q, first to last", waldump}}};
    return corrupt(subject, part_of(scale), seed, server.place());
}

}  // namespace
}  // namespace kedge::verify

int main(int argc, char** argv) {
    const std::string what = argc > 1 ? argv[1] : "";
    const std::uint64_t seed = argc > 2 ? std::stoull(argv[2]) : 1;
    const double scale = argc > 3 ? std::stod(argv[3]) : 1;
    if (what != "base" && what != "wal") {
        fmt::print(stderr, "usage: physical_corruption base|wal [SEED [SCALE]]\n");
        return 3;
    }
    return (what == "base" ? kedge::verify::run_base(seed, scale) : kedge::verify::run_wal(seed, scale)) == 0 ? 0 : 15;
}
