#include <fmt/format.h>
#include <lz4frame.h>

#include <string_view>

#include "base/check.h"
#include "verify/unpack/decoder.h"

namespace kedge::verify {
namespace {

// The byte after the magic says which checksums the frame carries (LZ4 frame format, FLG): bit 4 one for each block,
// bit 2 one over the content. Either covers every byte.
constexpr unsigned blocks_summed = 1u << 4, content_summed = 1u << 2;

class Lz4Decoder final : public Decoder {
public:
    Lz4Decoder() {
        check(LZ4F_isError(LZ4F_createDecompressionContext(&context_, LZ4F_VERSION)) == 0,
              "there is memory for an lz4 decoder");
    }
    ~Lz4Decoder() override { LZ4F_freeDecompressionContext(context_); }
    Lz4Decoder(const Lz4Decoder&) = delete;
    Lz4Decoder& operator=(const Lz4Decoder&) = delete;

    bool begins(Bytes front) const override { return packing_of(front) == Packing::lz4 || is_skippable(front); }

    void begin(Bytes front) override {
        LZ4F_resetDecompressionContext(context_);
        const unsigned flags = front.size() > 4 ? std::to_integer<unsigned>(front[4]) : 0;
        has_checksum_ = is_skippable(front) || (flags & (blocks_summed | content_summed)) != 0;
    }

    Progress decode(Bytes in, std::span<std::byte> out) override {
        std::size_t used = in.size(), given = out.size();
        const std::size_t answer = LZ4F_decompress(context_, out.data(), &given, in.data(), &used, nullptr);
        if (LZ4F_isError(answer) == 0) return {.used = used, .given = given, .ended = answer == 0};
        // The codes themselves are no part of the library's stable interface; their names are.
        const std::string_view name = LZ4F_getErrorName(answer);
        const bool checksum = name == "ERROR_contentChecksum_invalid" || name == "ERROR_blockChecksum_invalid";
        return {.flaw = checksum ? Flaw::Kind::checksum : Flaw::Kind::damaged,
                .says = checksum ? std::string("a checksum does not fit what the lz4 stream decodes to")
                                 : fmt::format("the lz4 stream is damaged: {}", name)};
    }

    bool has_checksum() const override { return has_checksum_; }

private:
    // 0x184D2A50 to 0x184D2A5F, least significant byte first: a frame of somebody else's bytes, without content.
    static bool is_skippable(Bytes front) {
        return front.size() >= 4 && (front[0] & std::byte{0xf0}) == std::byte{0x50} && front[1] == std::byte{0x2a} &&
               front[2] == std::byte{0x4d} && front[3] == std::byte{0x18};
    }

    LZ4F_dctx* context_ = nullptr;
    bool has_checksum_ = false;
};

}  // namespace

std::unique_ptr<Decoder> lz4_decoder() {
    return std::make_unique<Lz4Decoder>();
}

}  // namespace kedge::verify
