// How fast dumps are examined, whole process, warm cache, beside pg_restore and the ceilings of the machine.
//
//     dump_bench KEDGE DIRECTORY [MEGABYTES [ROUNDS]]
//
// KEDGE is the program; DIRECTORY keeps the dumps between runs; MEGABYTES of COPY text are made
// once (3000: a custom dump of more than 1 GB).
#include <fmt/format.h>
#include <isa-l/igzip_lib.h>

#include <filesystem>
#include <fstream>
#include <numeric>
#include <thread>

#include "company.h"
#include "file_source.h"
#include "os/clock.h"
#include "timing.h"
#include "verify/dump/blocks.h"
#include "verify/dump/dump.h"

namespace kedge::verify {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

void make_dumps(const std::string& directory, std::uint64_t bytes) {
    if (fs::exists(directory + "/made")) return;
    fs::remove_all(directory);
    fs::create_directories(directory);
    fmt::print("making {} MB of data and its dumps in {}; this takes some minutes, once\n", bytes / 1'000'000,
               directory);
    std::fflush(stdout);
    const ScratchDirectory scratch;
    const auto server = ScratchServer::initialize(scratch, "company");
    for (const char* line :
         {"wal_level = minimal", "max_wal_senders = 0", "max_wal_size = '8GB'", "shared_buffers = '256MB'"})
        server->configure(line);
    server->start();
    make_company(scratch, *server, bytes);
    const auto dump = [&](Arguments arguments) {
        arguments.insert(arguments.begin(), {tool("pg_dump"), "-d", server->conninfo()});
        const auto made = run_or_fail(arguments, within(30min));
        check(made.has_value(), made ? "" : made.error().message);
    };
    std::jthread plain([&] { dump({"-Fc", "-Z0", "-f", directory + "/custom-none"}); });
    dump({"-Fc", "-f", directory + "/custom-gzip"});
    plain.join();
    dump({"-Fd", "-j2", "-f", directory + "/directory-gzip"});
    std::ofstream(directory + "/made").flush();
}

// The zlib streams of a custom archive, without their framing.
std::vector<std::vector<std::byte>> streams_of(const std::string& path) {
    const FileSource source(path);
    SourceStream stream(source);
    Effort effort;
    ArchiveReader reader(stream, effort, 0, source.size());
    const auto header = read_header(reader);
    check(header.has_value(), "the benchmark's dump has a head");
    Catalogue catalogue(*header, Limits{}, path);
    Findings findings;
    check(catalogue.read(reader, findings).has_value(), "the benchmark's dump has a table of contents");
    std::vector<std::vector<std::byte>> streams;
    while (!reader.at_end().value()) {
        check(read_block_head(reader).has_value(), "a block begins");
        ChunkStream chunks(reader);
        std::vector<std::byte> bytes(source.size());
        bytes.resize(chunks.read(bytes).value());
        bytes.shrink_to_fit();
        streams.push_back(std::move(bytes));
    }
    std::ranges::sort(streams, std::ranges::greater{}, &std::vector<std::byte>::size);
    return streams;
}

// Inflates from memory into a buffer that stays in the cache: what the machine can do with these streams at best.
void inflate(const std::vector<std::byte>& stream) {
    const auto state = std::make_unique<inflate_state>();
    std::vector<std::uint8_t> out(256u << 10);
    isal_inflate_init(state.get());
    state->crc_flag = ISAL_ZLIB;
    state->next_in = reinterpret_cast<std::uint8_t*>(const_cast<std::byte*>(stream.data()));
    state->avail_in = static_cast<std::uint32_t>(stream.size());
    while (state->block_state != ISAL_BLOCK_FINISH) {
        state->next_out = out.data();
        state->avail_out = static_cast<std::uint32_t>(out.size());
        check(isal_inflate(state.get()) == ISAL_DECOMP_OK, "the benchmark's streams are sound");
    }
}

void read_all(const std::string& path) {
    const FileSource source(path);
    std::vector<std::byte> piece(1u << 20);
    for (std::uint64_t at = 0; at < source.size(); at += piece.size())
        check(source.read(at, piece).has_value(), "the benchmark's dump can be read");
}

std::uint64_t bytes_of(const std::string& path) {
    if (!fs::is_directory(path)) return fs::file_size(path);
    std::uint64_t bytes = 0;
    for (const auto& entry : fs::directory_iterator(path)) bytes += entry.file_size();
    return bytes;
}

void compare(const std::string& kedge, const std::string& directory, int rounds) {
    const std::size_t threads = std::max(1u, std::thread::hardware_concurrency());
    for (const char* const name : {"custom-gzip", "custom-none", "directory-gzip"}) {
        const std::string path = directory + "/" + name;
        std::vector<Contender> contenders{
            program("pg_restore -f /dev/null", {tool("pg_restore"), "-f", "/dev/null", path}),
            program("kedge verify", {kedge, "verify", path}),
            program("kedge verify --threads 1", {kedge, "verify", path, "--threads", "1"})};
        std::vector<std::vector<std::byte>> streams;
        if (path.ends_with("/custom-gzip")) {
            streams = streams_of(path);
            for (const std::size_t on : {threads, std::size_t{1}})
                contenders.push_back(work(fmt::format("ceiling: ISA-L from memory, {} threads", on), [&streams, on] {
                    in_parallel(streams.size(), on, [&](std::size_t i) { inflate(streams[i]); });
                }));
        }
        if (fs::is_regular_file(path))
            contenders.push_back(work("ceiling: plain read, one thread", [&path] { read_all(path); }));
        print_table(name, bytes_of(path), time_in_turns(contenders, rounds));
    }
}

}  // namespace
}  // namespace kedge::verify

int main(int argc, char** argv) {
    if (argc < 3) {
        fmt::print(stderr, "usage: dump_bench KEDGE DIRECTORY [MEGABYTES [ROUNDS]]\n");
        return 3;
    }
    const std::uint64_t megabytes = argc > 3 ? std::stoull(argv[3]) : 3000;
    const std::string kedge = std::filesystem::absolute(argv[1]), directory = std::filesystem::absolute(argv[2]);
    kedge::verify::make_dumps(directory, megabytes * 1'000'000);
    kedge::verify::compare(kedge, directory, argc > 4 ? std::stoi(argv[4]) : 5);
}
