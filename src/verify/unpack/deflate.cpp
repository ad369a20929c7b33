// gzip and zlib by ISA-L, which inflates what zlib packed nearly three times as fast as zlib does, and checks CRC-32
// with length (gzip) and Adler-32 (zlib).
#include <fmt/format.h>
#include <isa-l/igzip_lib.h>

#include <algorithm>
#include <limits>

#include "verify/unpack/decoder.h"

namespace kedge::verify {
namespace {

class DeflateDecoder final : public Decoder {
public:
    explicit DeflateDecoder(Packing packing) : packing_(packing) {}

    bool begins(Bytes front) const override { return packing_of(front) == packing_; }

    void begin(Bytes) override {
        isal_inflate_init(&state_);
        state_.crc_flag = packing_ == Packing::gzip ? ISAL_GZIP : ISAL_ZLIB;
    }

    Progress decode(Bytes in, std::span<std::byte> out) override {
        constexpr std::size_t most = std::numeric_limits<std::uint32_t>::max() / 2;
        in = in.first(std::min(in.size(), most));
        out = out.first(std::min(out.size(), most));
        // The library only reads its input; its interface predates const.
        state_.next_in = const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(in.data()));
        state_.avail_in = static_cast<std::uint32_t>(in.size());
        state_.next_out = reinterpret_cast<std::uint8_t*>(out.data());
        state_.avail_out = static_cast<std::uint32_t>(out.size());
        const int answer = isal_inflate(&state_);
        // Where it finds damage in the last bytes, 2.30 counts one byte more than it was given; it reads none more.
        const std::size_t left = state_.avail_in <= in.size() ? state_.avail_in : 0;
        Progress progress{.used = in.size() - left, .given = out.size() - state_.avail_out};
        if (answer == ISAL_INCORRECT_CHECKSUM && state_.block_state == ISAL_BLOCK_FINISH) {
            progress.flaw = Flaw::Kind::checksum;
            progress.says =
                fmt::format("the {} does not fit what the {} stream decodes to",
                            packing_ == Packing::gzip ? "CRC-32 or length" : "Adler-32", to_string(packing_));
        } else if (answer != ISAL_DECOMP_OK && answer != ISAL_END_INPUT && answer != ISAL_OUT_OVERFLOW) {
            progress.flaw = Flaw::Kind::damaged;
            progress.says = fmt::format("the {} stream is damaged: {}", to_string(packing_), meaning(answer));
        } else {
            progress.ended = state_.block_state == ISAL_BLOCK_FINISH;
            // The library reads eight bytes at a time and keeps those behind the end of a stream.
            if (progress.ended) progress.surplus = static_cast<std::size_t>(state_.read_in_length) / 8;
        }
        return progress;
    }

    bool has_checksum() const override { return true; }

private:
    static std::string_view meaning(int answer) {
        switch (answer) {
            case ISAL_INVALID_BLOCK: return "a block that cannot be";
            case ISAL_INVALID_SYMBOL: return "a code that stands for nothing";
            case ISAL_INVALID_LOOKBACK: return "a reference to before its beginning";
            case ISAL_INVALID_WRAPPER: return "its header is no such header";
            case ISAL_UNSUPPORTED_METHOD: return "its header names an unknown method";
            case ISAL_INCORRECT_CHECKSUM: return "the checksum of its header does not fit";
            case ISAL_NEED_DICT: return "it asks for a dictionary";
            default: return "it breaks the format";
        }
    }

    const Packing packing_;
    inflate_state state_;
};

}  // namespace

std::unique_ptr<Decoder> deflate_decoder(Packing packing) {
    return std::make_unique<DeflateDecoder>(packing);
}

}  // namespace kedge::verify
