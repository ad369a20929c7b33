// An append-only file; one that looks like a manifest is read as that too.
#include "base/check.h"
#include "fuzz.h"
#include "verify/redis/aof.h"
#include "verify/redis/aof_manifest.h"

using namespace kedge;
using namespace kedge::verify;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Bytes bytes = fuzz_bytes(data, size);
    if (looks_like_aof_manifest(bytes)) {
        const auto files = read_aof_manifest({reinterpret_cast<const char*>(data), size});
        if (files)
            for (const AofFile& file : *files) check(!file.name.empty(), "a file of a manifest has a name");
    }
    const MemorySource source(bytes);
    SourceStream stream(source);
    Effort effort;
    const Examination examination = examine_aof(stream, effort).value();
    check(examination.bytes <= size, "no more is read than there is");
    check(examination.rung() <= Rung::decoded, "an append-only file has no checksum");
    return 0;
}
