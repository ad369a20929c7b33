#include <fmt/format.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <bit>

#include "base/check.h"
#include "verify/unpack/decoder.h"

namespace kedge::verify {
namespace {

// The byte after the magic describes the frame (RFC 8878, 3.1.1.1.1): bit 2 says that a checksum of the content
// follows.
constexpr unsigned content_checksum = 1u << 2;

class ZstdDecoder final : public Decoder {
public:
    explicit ZstdDecoder(const Limits& limits) : context_(ZSTD_createDCtx()) {
        check(context_ != nullptr, "there is memory for a zstd decoder");
        const int window_log_max = static_cast<int>(std::bit_width(limits.window_bytes_max)) - 1;
        check(ZSTD_isError(ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, window_log_max)) == 0,
              "the limit of a zstd window lies between 1 KiB and 1 GiB");
    }
    ~ZstdDecoder() override { ZSTD_freeDCtx(context_); }
    ZstdDecoder(const ZstdDecoder&) = delete;
    ZstdDecoder& operator=(const ZstdDecoder&) = delete;

    bool begins(Bytes front) const override { return packing_of(front) == Packing::zstd || is_skippable(front); }

    void begin(Bytes front) override {
        ZSTD_DCtx_reset(context_, ZSTD_reset_session_only);
        const unsigned descriptor = front.size() > 4 ? std::to_integer<unsigned>(front[4]) : 0;
        has_checksum_ = is_skippable(front) || (descriptor & content_checksum) != 0;
    }

    Progress decode(Bytes in, std::span<std::byte> out) override {
        ZSTD_inBuffer input{in.data(), in.size(), 0};
        ZSTD_outBuffer output{out.data(), out.size(), 0};
        const std::size_t answer = ZSTD_decompressStream(context_, &output, &input);
        Progress progress{.used = input.pos, .given = output.pos};
        if (ZSTD_isError(answer) == 0) {
            progress.ended = answer == 0;
            return progress;
        }
        progress = {};  // after an error the positions mean nothing
        switch (ZSTD_getErrorCode(answer)) {
            case ZSTD_error_checksum_wrong:
                progress.flaw = Flaw::Kind::checksum;
                progress.says = "the checksum does not fit what the zstd stream decodes to";
                break;
            case ZSTD_error_frameParameter_windowTooLarge:
                progress.flaw = Flaw::Kind::limit;
                progress.says = "the zstd stream needs a larger window than is allowed";
                break;
            default:
                progress.flaw = Flaw::Kind::damaged;
                progress.says = fmt::format("the zstd stream is damaged: {}", ZSTD_getErrorName(answer));
        }
        return progress;
    }

    bool has_checksum() const override { return has_checksum_; }

private:
    // As with lz4: a frame of somebody else's bytes, without content (RFC 8878, 3.1.2).
    static bool is_skippable(Bytes front) {
        return front.size() >= 4 && (front[0] & std::byte{0xf0}) == std::byte{0x50} && front[1] == std::byte{0x2a} &&
               front[2] == std::byte{0x4d} && front[3] == std::byte{0x18};
    }

    ZSTD_DCtx* context_;
    bool has_checksum_ = false;
};

}  // namespace

std::unique_ptr<Decoder> zstd_decoder(const Limits& limits) {
    return std::make_unique<ZstdDecoder>(limits);
}

}  // namespace kedge::verify
