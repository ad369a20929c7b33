// A packed stream. Its first byte chooses the format and how much is read at a time.
#include <vector>

#include "base/check.h"
#include "fuzz.h"
#include "verify/unpack/unpack.h"

using namespace kedge;
using namespace kedge::verify;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto packing = static_cast<Packing>(data[0] % 5);
    const MemorySource source(fuzz_bytes(data + 1, size - 1));
    SourceStream stream(source);
    const auto unpacker = unpack(packing, stream, fuzz_limits(), (data[0] & 0x80) != 0 ? Members::one : Members::any);
    std::vector<std::byte> piece(1 + std::size_t{data[0]} * 400);
    for (;;) {
        const std::size_t count = unpacker->read(piece).value();
        if (count < piece.size()) break;
    }
    check(unpacker->bytes_in() <= size - 1, "no more is used than there is");
    check(!(unpacker->flaw() && unpacker->checksummed()), "what is flawed is not proved");
    check(unpacker->read(piece).value() == 0, "the end stays the end");
    return 0;
}
