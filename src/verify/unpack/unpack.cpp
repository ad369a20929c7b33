#include "verify/unpack/unpack.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"
#include "verify/unpack/decoder.h"

namespace kedge::verify {
namespace {

// Large enough that the decoders' costs for each call vanish, small enough to stay in the cache of one core.
constexpr std::size_t input_bytes = 128u << 10;
// What `Decoder::begin` is shown: the longest header that one of them looks into.
constexpr std::size_t front_bytes = 16;
// Below this much output a high ratio harms nobody; a page of zeros packs very well.
constexpr std::uint64_t ratio_matters_from = 64u << 20;

class PlainStream final : public Unpacker {
public:
    PlainStream(ByteStream& from, const Limits& limits) : from_(from), limits_(limits) { covered_ = false; }

    Result<std::size_t> read(std::span<std::byte> into) override {
        const std::size_t count = TRY(from_.read(into));
        bytes_in_ = bytes_out_ += count;
        if (bytes_out_ > limits_.output_bytes_max && !flaw_)
            flaw_ = Flaw{Flaw::Kind::limit, fmt::format("more than {} bytes", limits_.output_bytes_max), bytes_in_};
        return flaw_ ? 0 : count;
    }

private:
    ByteStream& from_;
    const Limits limits_;
};

class PackedStream final : public Unpacker {
public:
    PackedStream(Packing packing, std::unique_ptr<Decoder> decoder, ByteStream& from, const Limits& limits,
                 Members members)
        : packing_(packing),
          decoder_(std::move(decoder)),
          from_(from),
          limits_(limits),
          allowed_(members),
          input_(std::make_unique_for_overwrite<std::byte[]>(input_bytes)) {}

    Result<std::size_t> read(std::span<std::byte> into) override {
        std::size_t filled = 0;
        while (filled < into.size() && !over_) {
            if (within_)
                filled += TRY(go_on(into.subspan(filled)));
            else
                TRY(begin_member());
        }
        return filled;
    }

private:
    Bytes input() const { return Bytes{input_.get() + at_, end_ - at_}; }

    // Reads more behind what is there, which is less than the buffer. What a decoder may give back stays.
    Result<void> refill() {
        const std::size_t kept = std::min(at_, Decoder::surplus_max);
        std::memmove(input_.get(), input_.get() + at_ - kept, end_ - at_ + kept);
        end_ = end_ - at_ + kept;
        at_ = kept;
        const std::size_t wanted = input_bytes - end_;
        const std::size_t got = TRY(from_.read({input_.get() + end_, wanted}));
        end_ += got;
        drained_ = got < wanted;
        return {};
    }

    void end_with(Flaw::Kind kind, std::string says) {
        flaw_ = Flaw{kind, std::move(says), bytes_in_};
        over_ = true;
    }

    Result<void> begin_member() {
        if (end_ - at_ < front_bytes && !drained_) TRY(refill());
        const Bytes front = input().first(std::min(input().size(), front_bytes));
        if (members_ > 0) {
            if (front.empty()) {
                over_ = true;
                return {};
            }
            if (allowed_ == Members::one || !decoder_->begins(front)) {
                end_with(Flaw::Kind::trailing,
                         fmt::format("bytes stand behind the end of the {} stream", to_string(packing_)));
                return {};
            }
        } else if (front.empty()) {
            end_with(Flaw::Kind::truncated,
                     fmt::format("there is nothing where a {} stream should be", to_string(packing_)));
            return {};
        }
        decoder_->begin(front);
        within_ = true;
        return {};
    }

    Result<std::size_t> go_on(std::span<std::byte> out) {
        if (at_ == end_ && !drained_) TRY(refill());
        const Decoder::Progress progress = decoder_->decode(input(), out);
        check(progress.used <= end_ - at_ && progress.given <= out.size(), "a decoder stays within its spans");
        at_ += progress.used;
        bytes_in_ += progress.used;
        bytes_out_ += progress.given;
        if (progress.flaw) {
            end_with(*progress.flaw, progress.says);
        } else if (progress.ended) {
            check(progress.surplus <= at_, "what a decoder gives back is still in the buffer");
            at_ -= progress.surplus;
            bytes_in_ -= progress.surplus;
            within_ = false;
            ++members_;
            covered_ = covered_ && decoder_->has_checksum();
        } else if (progress.used == 0 && progress.given == 0) {
            if (at_ == end_ && drained_)
                end_with(Flaw::Kind::truncated, fmt::format("the {} stream ends early", to_string(packing_)));
            else if (at_ != end_)
                end_with(Flaw::Kind::damaged, fmt::format("the {} stream leads nowhere", to_string(packing_)));
        }
        if (!flaw_) keep_limits();
        return progress.given;
    }

    void keep_limits() {
        if (bytes_out_ > limits_.output_bytes_max)
            end_with(Flaw::Kind::limit, fmt::format("it decodes to more than {} bytes", limits_.output_bytes_max));
        else if (bytes_out_ > ratio_matters_from && bytes_out_ / limits_.ratio_max > bytes_in_)
            end_with(Flaw::Kind::limit, fmt::format("it decodes to more than {} times its size", limits_.ratio_max));
    }

    const Packing packing_;
    const std::unique_ptr<Decoder> decoder_;
    ByteStream& from_;
    const Limits limits_;
    const Members allowed_;
    const std::unique_ptr<std::byte[]> input_;
    std::size_t at_ = 0, end_ = 0;  // what is left of the input
    bool drained_ = false;          // `from_` has no more
    bool within_ = false;           // a stream was begun and has not ended
    bool over_ = false;
};

bool starts_with(Bytes front, std::initializer_list<unsigned> magic) {
    return front.size() >= magic.size() &&
           std::equal(magic.begin(), magic.end(), front.begin(),
                      [](unsigned expected, std::byte byte) { return std::byte(expected) == byte; });
}

}  // namespace

std::string_view to_string(Packing packing) {
    switch (packing) {
        case Packing::none: return "none";
        case Packing::gzip: return "gzip";
        case Packing::zlib: return "zlib";
        case Packing::lz4: return "lz4";
        case Packing::zstd: return "zstd";
    }
    return "none";
}

Packing packing_of(Bytes front) {
    if (starts_with(front, {0x1f, 0x8b, 0x08})) return Packing::gzip;
    if (starts_with(front, {0x04, 0x22, 0x4d, 0x18})) return Packing::lz4;
    if (starts_with(front, {0x28, 0xb5, 0x2f, 0xfd})) return Packing::zstd;
    return Packing::none;
}

std::unique_ptr<Unpacker> unpack(Packing packing, ByteStream& from, const Limits& limits, Members members) {
    switch (packing) {
        case Packing::none: return std::make_unique<PlainStream>(from, limits);
        case Packing::gzip:
        case Packing::zlib:
            return std::make_unique<PackedStream>(packing, deflate_decoder(packing), from, limits, members);
        case Packing::lz4: return std::make_unique<PackedStream>(packing, lz4_decoder(), from, limits, members);
        case Packing::zstd: return std::make_unique<PackedStream>(packing, zstd_decoder(limits), from, limits, members);
    }
    return std::make_unique<PlainStream>(from, limits);
}

}  // namespace kedge::verify
