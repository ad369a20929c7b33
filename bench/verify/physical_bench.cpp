// How fast base backups and archived log are verified, whole process, warm cache, beside pg_verifybackup, pg_waldump
// and the ceilings of the machine.
//
//     physical_bench KEDGE DIRECTORY [MEGABYTES [ROUNDS]]
//
// KEDGE is the program; DIRECTORY keeps what is read between runs; MEGABYTES of rows are loaded once, which makes about
// as much of a base backup and of log (1100: more than 1 GB of each), in segments of 16 MiB.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include "company.h"
#include "file_source.h"
#include "os/clock.h"
#include "timing.h"
#include "verify/base_backup/digest.h"
#include "verify/base_backup/page_checksum.h"
#include "verify/effort.h"

namespace kedge::verify {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

void make_backups(const std::string& directory, std::uint64_t bytes) {
    if (fs::exists(directory + "/made")) return;
    fs::remove_all(directory);
    fmt::print("making {} MB of data, its log and its base backups in {}; this takes a minute or two, once\n",
               bytes / 1'000'000, directory);
    std::fflush(stdout);
    const ScratchDirectory scratch;
    const auto server = ScratchServer::initialize(scratch, "company");
    scratch.run({tool("pg_resetwal"), "--wal-segsize=16", "-D", server->data_directory()});
    const std::string log = scratch.path() + "/wal";
    scratch.run({"mkdir", log});
    server->configure("min_wal_size = '80MB'");
    server->configure("max_wal_size = '8GB'");
    server->configure("shared_buffers = '256MB'");
    server->configure("archive_mode = on");
    server->configure(fmt::format("archive_command = 'cp %p {}/%f'", log));
    server->start();
    make_company(scratch, *server, bytes);
    server->sql("CREATE INDEX ON audit_logs (actor)");
    server->sql("CREATE INDEX ON knowledge_nodes (title)");
    const std::string last = server->sql("SELECT pg_walfile_name(pg_switch_wal())");
    while (server->sql(fmt::format("SELECT last_archived_wal >= '{}' FROM pg_stat_archiver", last)) != "t")
        wait_out(within(100ms));
    for (const std::string algorithm : {"SHA256", "CRC32C"})
        scratch.run({tool("pg_basebackup"), "-D", scratch.path() + "/" + algorithm, "-d", server->conninfo(), "-c",
                     "fast", "--no-sync", "-X", "stream", "--manifest-checksums=" + algorithm});
    server->stop();
    fs::create_directories(directory);
    for (const std::string name : {"SHA256", "CRC32C", "wal"}) {
        const auto copied =
            run_or_fail({"cp", "-R", "--", scratch.path() + "/" + name, directory + "/" + name}, within(10min));
        check(copied.has_value(), copied ? "" : copied.error().message);
    }
    std::ofstream(directory + "/made").flush();
}

std::vector<std::string> files_of(const std::string& path) {
    std::vector<std::pair<std::uint64_t, std::string>> sized;
    for (const auto& entry : fs::recursive_directory_iterator(path))
        if (entry.is_regular_file()) sized.emplace_back(entry.file_size(), entry.path());
    std::ranges::sort(sized, std::greater{});
    std::vector<std::string> files;
    for (const auto& [bytes, file] : sized) files.push_back(file);
    return files;
}

std::uint64_t bytes_of(const std::vector<std::string>& files) {
    std::uint64_t bytes = 0;
    for (const std::string& file : files) bytes += fs::file_size(file);
    return bytes;
}

// What has to be done with every byte at least, and nothing else.
struct Toil {
    ManifestChecksum digest = ManifestChecksum::none;
    bool pages = false;
};

void toil_through(const std::string& file, const Toil& toil) {
    const FileSource source(file);
    std::vector<std::byte> piece(std::size_t{256} << 10);
    Digest digest;
    digest.begin(toil.digest);
    std::uint32_t sums = 0;
    for (std::uint64_t at = 0; at < source.size(); at += piece.size()) {
        const std::size_t count = source.read(at, piece).value();
        digest.update(Bytes(piece).first(count));
        if (toil.pages)
            for (std::size_t page = 0; page + 2 * page_bytes <= count; page += 2 * page_bytes) {
                const TwoSums two = page_sums(piece.data() + page);
                sums ^= two.first ^ two.second;
            }
    }
    // Used, so that no compiler leaves the work out.
    check(digest.finish().size() <= 32 && sums != 1, "a ceiling is measured by work that is done");
}

Contender ceiling(const std::string& says, const std::vector<std::string>& files, std::size_t threads,
                  const Toil& toil) {
    return work(fmt::format("ceiling: {}, {} threads", says, threads), [&files, threads, toil] {
        in_parallel(files.size(), threads, [&](std::size_t i) { toil_through(files[i], toil); });
    });
}

void compare_base(const std::string& kedge, const std::string& path, ManifestChecksum digest, int rounds) {
    const std::size_t threads = std::max(1u, std::thread::hardware_concurrency());
    const std::vector<std::string> files = files_of(path);
    const std::string name = fs::path(path).filename();
    print_table("base backup, manifest of " + name, bytes_of(files),
                time_in_turns({program("pg_verifybackup -n", {tool("pg_verifybackup"), "-n", "-q", path}),
                               program("kedge verify", {kedge, "verify", path}),
                               program("kedge verify --threads 1", {kedge, "verify", path, "--threads", "1"}),
                               ceiling("read, " + name + " and page checksums", files, threads, {digest, true}),
                               ceiling("read and " + name, files, threads, {digest, false}),
                               ceiling("plain read", files, threads, {})},
                              rounds));
}

void compare_log(const std::string& kedge, const std::string& path, int rounds) {
    const std::size_t threads = std::max(1u, std::thread::hardware_concurrency());
    const std::vector<std::string> files = files_of(path);
    std::vector<std::string> names;
    for (const std::string& file : files)
        if (const std::string name = fs::path(file).filename(); name.size() == 24) names.push_back(name);
    std::ranges::sort(names);
    const Arguments range{"-p", path, names.front(), names.back()};
    const auto waldump = [&](Arguments arguments) {
        arguments.insert(arguments.begin(), tool("pg_waldump"));
        arguments.insert(arguments.end(), range.begin(), range.end());
        return arguments;
    };
    // The listing is written to a file of no length: reading it through a pipe would be measured, too.
    const auto listing = [arguments = waldump({})] {
        const auto output = run_or_fail(arguments, within(10min), {.output_file = "/dev/null"});
        check(output.has_value(), output ? "" : output.error().message);
        return output->took;
    };
    print_table("archived log", bytes_of(files),
                time_in_turns({program("pg_waldump -q", waldump({"-q"})), Contender{"pg_waldump, listing", listing},
                               program("kedge verify", {kedge, "verify", path}),
                               program("kedge verify --threads 1", {kedge, "verify", path, "--threads", "1"}),
                               ceiling("read and CRC32C", files, threads, {ManifestChecksum::crc32c, false}),
                               ceiling("plain read", files, threads, {})},
                              rounds));
}

}  // namespace
}  // namespace kedge::verify

int main(int argc, char** argv) {
    if (argc < 3) {
        fmt::print(stderr, "usage: physical_bench KEDGE DIRECTORY [MEGABYTES [ROUNDS]]\n");
        return 3;
    }
    namespace verify = kedge::verify;
    const std::string kedge = std::filesystem::absolute(argv[1]), directory = std::filesystem::absolute(argv[2]);
    const int rounds = argc > 4 ? std::stoi(argv[4]) : 5;
    verify::make_backups(directory, (argc > 3 ? std::stoull(argv[3]) : 1100) * 1'000'000);
    verify::compare_base(kedge, directory + "/SHA256", verify::ManifestChecksum::sha256, rounds);
    verify::compare_base(kedge, directory + "/CRC32C", verify::ManifestChecksum::crc32c, rounds);
    verify::compare_log(kedge, directory + "/wal", rounds);
}
