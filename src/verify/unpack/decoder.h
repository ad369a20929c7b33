// What the formats have in common with each other: one compressed stream after another, fed piece by piece.
#pragma once

#include <memory>
#include <string>

#include "verify/unpack/unpack.h"

namespace kedge::verify {

// Decodes one stream at a time. Keeps nothing of the spans that it is given.
class Decoder {
public:
    // What one call achieved. Without use of input or output it needs more input, or there is no way on.
    struct Progress {
        std::size_t used = 0;     // of the input
        std::size_t given = 0;    // of the output
        bool ended = false;       // the stream is complete and its checksums fit
        std::size_t surplus = 0;  // of what was used in all, when it ended: bytes behind the end, at most `surplus_max`
        std::optional<Flaw::Kind> flaw{};
        std::string says{};  // of the flaw
    };

    static constexpr std::size_t surplus_max = 8;

    virtual ~Decoder() = default;
    // Whether a further stream may begin so. `front` has 4 bytes, fewer only at the end of the input.
    virtual bool begins(Bytes front) const = 0;
    // Makes ready for a stream that begins with `front` (up to 16 bytes), which is handed to `decode` again.
    virtual void begin(Bytes front) = 0;
    virtual Progress decode(Bytes in, std::span<std::byte> out) = 0;
    // Whether the stream that was begun last carries a checksum over all that it decodes to.
    virtual bool has_checksum() const = 0;
};

std::unique_ptr<Decoder> deflate_decoder(Packing packing);  // gzip or zlib
std::unique_ptr<Decoder> lz4_decoder();
std::unique_ptr<Decoder> zstd_decoder(const Limits& limits);

}  // namespace kedge::verify
