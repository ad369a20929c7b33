#include "verify/dump/archive_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace kedge::verify {
namespace {

constexpr std::size_t buffer_bytes = 256u << 10;

}  // namespace

ArchiveReader::ArchiveReader(ByteStream& from, Effort& effort, std::uint64_t offset, std::uint64_t size)
    : from_(from),
      effort_(effort),
      size_(size),
      buffer_(std::make_unique_for_overwrite<std::byte[]>(buffer_bytes)),
      buffer_offset_(offset) {}

std::uint64_t ArchiveReader::left() const {
    if (size_ == size_unknown) return drained_ ? end_ - at_ : size_unknown;
    return size_ > offset() ? size_ - offset() : 0;
}

Error ArchiveReader::ends_early() const {
    return Error{Fault::corrupt, fmt::format("it ends at byte {}, where more must follow", offset())};
}

Result<void> ArchiveReader::refill() {
    if (effort_.stop) return Error{Fault::unavailable, "called off"};
    buffer_offset_ += end_;
    at_ = 0;
    end_ = 0;  // also when the read below fails
    end_ = TRY(from_.read({buffer_.get(), buffer_bytes}));
    drained_ = end_ < buffer_bytes;
    return {};
}

Result<Bytes> ArchiveReader::peek(std::size_t most) {
    if (at_ == end_ && !drained_) TRY(refill());
    return Bytes{buffer_.get() + at_, std::min(most, end_ - at_)};
}

Result<bool> ArchiveReader::at_end() {
    return TRY(peek(1)).empty();
}

Result<std::size_t> ArchiveReader::read_some(std::span<std::byte> into) {
    std::size_t filled = 0;
    while (filled < into.size()) {
        const Bytes here = TRY(peek(into.size() - filled));
        if (here.empty()) break;
        std::memcpy(into.data() + filled, here.data(), here.size());
        filled += here.size();
        take(here.size());
    }
    return filled;
}

Result<void> ArchiveReader::read(std::span<std::byte> into) {
    if (TRY(read_some(into)) < into.size()) return ends_early();
    return {};
}

Result<void> ArchiveReader::skip(std::uint64_t bytes) {
    while (bytes > 0) {
        const Bytes here = TRY(peek(static_cast<std::size_t>(std::min<std::uint64_t>(bytes, buffer_bytes))));
        if (here.empty()) return ends_early();
        take(here.size());
        bytes -= here.size();
    }
    return {};
}

Result<std::uint8_t> ArchiveReader::byte() {
    const Bytes here = TRY(peek(1));
    if (here.empty()) return ends_early();
    take(1);
    return std::to_integer<std::uint8_t>(here[0]);
}

Result<std::int64_t> ArchiveReader::integer() {
    const std::uint64_t start = offset();
    // Uncompressed data has an integer for each row: those that lie whole in the buffer are read from there.
    std::array<std::byte, 9> apart{};
    const auto width = static_cast<std::size_t>(1 + integer_bytes_);
    const std::byte* bytes = buffer_.get() + at_;
    if (end_ - at_ >= width) {
        take(width);
    } else {
        TRY(read(std::span(apart).first(width)));
        bytes = apart.data();
    }
    const auto sign = std::to_integer<unsigned>(bytes[0]);
    std::uint64_t magnitude = 0;
    bool too_large = false;
    for (std::size_t i = 0; i + 1 < width; ++i) {
        const auto digit = std::to_integer<std::uint64_t>(bytes[i + 1]);
        if (i < 4)
            magnitude |= digit << (8 * i);
        else
            too_large |= digit != 0;
    }
    const std::uint64_t most = sign == 0 ? 0x7fffffff : 0x80000000;
    if (sign > 1 || (sign == 1 && magnitude == 0) || too_large || magnitude > most)
        return Error{Fault::corrupt, fmt::format("the bytes at {} are no integer", start)};
    const auto value = static_cast<std::int64_t>(magnitude);
    return sign == 0 ? value : -value;
}

Result<ArchiveReader::Text> ArchiveReader::text(std::size_t kept_max) {
    const std::uint64_t start = offset();
    const std::int64_t length = TRY(integer());
    if (length == -1) return Text{};
    if (length < 0 || static_cast<std::uint64_t>(length) > left())
        return Error{Fault::corrupt,
                     fmt::format("the string at {} claims {} bytes, {} are left", start, length, left())};
    Text result{.text = std::string{}, .bytes = static_cast<std::uint64_t>(length)};
    for (std::uint64_t rest = result.bytes; rest > 0;) {
        const Bytes here = TRY(peek(static_cast<std::size_t>(std::min<std::uint64_t>(rest, buffer_bytes))));
        if (here.empty()) return ends_early();
        const auto* text = reinterpret_cast<const char*>(here.data());
        result.has_zero_byte |= std::memchr(text, 0, here.size()) != nullptr;
        const std::size_t room = kept_max - std::min(kept_max, result.text->size());
        result.text->append(text, std::min(room, here.size()));
        take(here.size());
        rest -= here.size();
    }
    return result;
}

Result<ArchiveReader::Offset> ArchiveReader::position() {
    Offset result{.state = TRY(byte()), .position = 0};
    for (int i = 0; i < offset_bytes_; ++i) {
        const std::uint64_t digit = TRY(byte());
        if (i < 8) result.position |= digit << (8 * i);
        if (i >= 8 && digit != 0) return Error{Fault::corrupt, "an offset of more than 64 bits"};
    }
    return result;
}

}  // namespace kedge::verify
