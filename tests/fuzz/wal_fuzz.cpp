// The beginning of a segment of the write-ahead log, under the name of the first one.
#include "base/check.h"
#include "fuzz.h"
#include "verify/wal/wal_archive.h"

using namespace kedge;
using namespace kedge::verify;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Effort effort;
    const std::vector<Member> members{memory_member("000000010000000000000001", fuzz_bytes(data, size))};
    const WalArchive archive = examine_wal(members, fuzz_limits(), effort);
    for (const WalSegment& segment : archive.segments)
        check(segment.scan.bytes <= size, "no more is read than there is");
    return 0;
}
