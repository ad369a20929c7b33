// Decompression of backups: gzip, zlib, lz4 and zstd as streams over streams.
//
// A decoder is strict: a stream has to reach its end, its checksums have to fit, and nothing may stand behind it. What
// is wrong is told apart, because it means different things to an operator: a stream that ends early was cut, one whose
// checksum does not fit was altered, bytes behind the end were added.
//
// Formats: RFC 1950 (zlib), RFC 1952 (gzip), LZ4 frame format 1.6, RFC 8878 (zstd).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "verify/bytes.h"
#include "verify/effort.h"

namespace kedge::verify {

enum class Packing { none, gzip, zlib, lz4, zstd };
std::string_view to_string(Packing packing);

// What bytes that begin so are packed with, by their magic; four bytes suffice. `none` if they show no magic. Never
// `zlib`, which has none.
Packing packing_of(Bytes front);

// How many streams may stand one behind the other: a file may hold several, a block of a dump holds one.
enum class Members { one, any };

// Why a stream ended before its time, or that something stands behind it.
struct Flaw {
    enum class Kind {
        truncated,  // the input ended within the stream, or there was none at all
        damaged,    // the stream breaks the rules of its format
        checksum,   // it decodes, and its checksum does not fit
        trailing,   // it ended well, and bytes that are no further stream follow
        limit,      // it decodes to more than the limits allow, or needs a larger window
    };
    Kind kind{};
    std::string says;          // one clause for people: "the gzip stream ends early"
    std::uint64_t offset = 0;  // in the encoded bytes: about where the decoder stood
};

// One run of a decoder. `read` gives decoded bytes until the stream ends, well or badly: look at `flaw` then. Errors
// are those of the stream below, never the data's. Belongs to one thread. Needs about 0.25 MiB, zstd the window
// besides.
class Unpacker : public ByteStream {
public:
    // Nothing as long as all is well. Final once `read` gave fewer bytes than were asked for.
    const std::optional<Flaw>& flaw() const { return flaw_; }
    std::uint64_t bytes_in() const { return bytes_in_; }    // encoded bytes that were used
    std::uint64_t bytes_out() const { return bytes_out_; }  // decoded bytes that were given
    std::uint64_t members() const { return members_; }      // streams that ended well
    // Whether there was a stream, it ended without a flaw and every byte of it was covered by a checksum that fits.
    bool checksummed() const { return !flaw_ && members_ > 0 && covered_; }

protected:
    std::optional<Flaw> flaw_;
    std::uint64_t bytes_in_ = 0, bytes_out_ = 0, members_ = 0;
    bool covered_ = true;
};

// The decoder for `packing`; `none` gives the bytes as they are. `from` outlives it.
std::unique_ptr<Unpacker> unpack(Packing packing, ByteStream& from, const Limits& limits,
                                 Members members = Members::any);

}  // namespace kedge::verify
