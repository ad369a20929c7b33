// A Redis snapshot, read by one thread and by several.
#include "base/check.h"
#include "fuzz.h"
#include "verify/redis/rdb.h"

using namespace kedge;
using namespace kedge::verify;

namespace {

Examination examined(Bytes bytes, std::size_t threads) {
    const MemorySource source(bytes);
    SourceStream stream(source);
    Effort effort;
    effort.threads = threads;
    return examine_rdb(stream, {.now = Moment{std::chrono::hours{490'000}}}, effort).value();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Bytes bytes = fuzz_bytes(data, size);
    const Examination alone = examined(bytes, 1);
    check(alone.bytes <= size, "no more is read than there is");
    const bool is_flawed = alone.findings.any(Weight::damage) || alone.findings.any(Weight::doubt);
    check(!looks_like_rdb(bytes) || is_flawed || alone.rung() >= Rung::decoded, "what is not proved has a finding");
    if (size % 8 != 0) return 0;  // a thread more costs ten times as much
    const Examination together = examined(bytes, 2);
    check(alone.rung() == together.rung(), "it is proved as far, however many read it");
    check(alone.findings.count(Weight::damage) == together.findings.count(Weight::damage), "and so is its damage");
    return 0;
}
