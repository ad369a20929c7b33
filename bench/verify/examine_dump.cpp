// Examines one dump, as `kedge verify` does, and prints what it found: the program that the benchmarks time.
//
//     examine_dump FILE|DIRECTORY|- [THREADS]
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <thread>

#include "file_source.h"
#include "verify/dump/dump.h"

namespace kedge::verify {
namespace {

namespace fs = std::filesystem;

class InputStream final : public ByteStream {
public:
    Result<std::size_t> read(std::span<std::byte> into) override {
        return std::fread(into.data(), 1, into.size(), stdin);
    }
};

class OwnedStream final : public ByteStream {
public:
    explicit OwnedStream(const std::string& path) : source_(path), stream_(source_) {}
    Result<std::size_t> read(std::span<std::byte> into) override { return stream_.read(into); }

private:
    FileSource source_;
    SourceStream stream_;
};

Result<Examination> examine(const std::string& path, Effort& effort) {
    if (path == "-") {
        InputStream input;
        return verify_custom_dump(input, path, effort, Limits{});
    }
    if (fs::is_directory(path)) {
        std::vector<Member> members;
        for (const auto& entry : fs::directory_iterator(path))
            members.push_back({entry.path().filename(), entry.file_size(), [at = entry.path().string()] {
                                   return Result<std::unique_ptr<ByteStream>>(std::make_unique<OwnedStream>(at));
                               }});
        std::ranges::sort(members, {}, &Member::path);
        return verify_directory_dump(members, effort, Limits{});
    }
    const FileSource source(path);
    std::array<std::byte, 512> front{};
    const std::size_t count = TRY(source.read(0, front));
    if (begins_tar_dump(Bytes{front}.first(count))) return verify_tar_dump(source, effort, Limits{});
    return verify_custom_dump(source, effort, Limits{});
}

int main_of(const std::string& path, std::size_t threads) {
    Effort effort{.threads = threads};
    const auto examination = examine(path, effort);
    if (!examination) {
        fmt::print("error: {}\n", examination.error().message);
        return 2;
    }
    fmt::print("{}: {} ({} bytes)\n", examination->kind, to_string(examination->rung()), examination->bytes);
    fmt::print("{}\n", dump_pretty(examination->facts));
    for (const Content& content : examination->contents)
        fmt::print("  {} {}: {} rows, {} bytes\n", content.kind, content.name,
                   content.rows ? std::to_string(*content.rows) : "?",
                   content.bytes ? std::to_string(*content.bytes) : "?");
    for (const Proof& proof : examination->proofs) fmt::print("{}: {}\n", to_string(proof.rung), proof.says);
    for (const std::string& unproved : examination->unproved) fmt::print("not proved: {}\n", unproved);
    for (const Finding& finding : examination->findings.kept())
        fmt::print("{} {} ({}{}): {}\n", to_string(finding.weight), finding.code, finding.where,
                   finding.offset ? " at " + std::to_string(*finding.offset) : "", finding.says);
    return examination->findings.any(Weight::damage) ? 15 : examination->findings.any(Weight::doubt) ? 16 : 0;
}

}  // namespace
}  // namespace kedge::verify

int main(int argc, char** argv) {
    const std::size_t threads = argc > 2 ? std::stoul(argv[2]) : std::thread::hardware_concurrency();
    return kedge::verify::main_of(argc > 1 ? argv[1] : "-", threads);
}
