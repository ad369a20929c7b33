#include "verify/redis/lzf.h"

#include <algorithm>
#include <cstring>

namespace kedge::verify {
namespace {

constexpr std::string_view cut = "the packed string ends inside a stretch";
constexpr std::string_view before_start = "a reference of the packed string reaches before its start";
constexpr std::string_view too_long = "the packed string unpacks to more than its stated length";
constexpr std::string_view too_short = "the packed string unpacks to less than its stated length";

// Copies in steps of `step` bytes; up to step - 1 bytes too many are written.
template <std::size_t step>
void copy_in_steps(std::byte* to, const std::byte* from, std::size_t count) {
    for (std::size_t done = 0; done < count; done += step) std::memcpy(to + done, from + done, step);
}

// `room` is what may be written behind `to`, at least `count`.
void copy_reference(std::byte* to, std::size_t distance, std::size_t count, std::size_t room) {
    const std::byte* from = to - distance;
    if (distance >= 16 && room >= count + 16) return copy_in_steps<16>(to, from, count);
    if (distance >= 8 && room >= count + 8) return copy_in_steps<8>(to, from, count);
    if (distance == 1) {
        std::memset(to, std::to_integer<int>(*from), count);
        return;
    }
    for (std::size_t i = 0; i < count; ++i) to[i] = from[i];
}

}  // namespace

std::optional<std::string_view> unpack_lzf(Bytes packed, std::span<std::byte> out) {
    const std::byte* in = packed.data();
    const std::byte* const in_end = in + packed.size();
    std::byte* to = out.data();
    std::byte* const out_end = to + out.size();
    while (in < in_end) {
        const unsigned control = std::to_integer<unsigned>(*in++);
        if (control < 32) {
            const std::size_t count = control + 1;
            if (static_cast<std::size_t>(in_end - in) < count) return cut;
            if (static_cast<std::size_t>(out_end - to) < count) return too_long;
            if (in_end - in >= 32 && out_end - to >= 32)
                copy_in_steps<16>(to, in, count);
            else
                std::memcpy(to, in, count);
            in += count;
            to += count;
            continue;
        }
        std::size_t count = (control >> 5) + 2;
        if (in_end - in < (count == 9 ? 2 : 1)) return cut;
        if (count == 9) count += std::to_integer<std::size_t>(*in++);
        const std::size_t distance = ((control & 31) << 8) + std::to_integer<std::size_t>(*in++) + 1;
        if (static_cast<std::size_t>(to - out.data()) < distance) return before_start;
        const std::size_t room = static_cast<std::size_t>(out_end - to);
        if (room < count) return too_long;
        copy_reference(to, distance, count, room);
        to += count;
    }
    if (to != out_end) return too_short;
    return std::nullopt;
}

void LzfWalk::refer(unsigned distance_low) {
    if (unpacked_ < (distance_high_ << 8) + distance_low + 1) wrong_ = before_start;
    unpacked_ += length_;
    if (unpacked_ > wanted_ && !wrong_) wrong_ = too_long;
    expects_ = Expects::control;
}

bool LzfWalk::take(Bytes piece) {
    const std::byte* in = piece.data();
    const std::byte* const end = in + piece.size();
    while (in < end && !wrong_) {
        if (literals_ > 0) {
            const std::uint64_t count = std::min<std::uint64_t>(literals_, static_cast<std::uint64_t>(end - in));
            literals_ -= count;
            in += count;
            continue;
        }
        const unsigned byte = std::to_integer<unsigned>(*in++);
        switch (expects_) {
            case Expects::control:
                if (byte < 32) {
                    literals_ = byte + 1;
                    unpacked_ += byte + 1;
                    if (unpacked_ > wanted_) wrong_ = too_long;
                } else {
                    length_ = (byte >> 5) + 2;
                    distance_high_ = byte & 31;
                    expects_ = length_ == 9 ? Expects::length : Expects::distance;
                }
                break;
            case Expects::length:
                length_ += byte;
                expects_ = Expects::distance;
                break;
            case Expects::distance: refer(byte); break;
        }
    }
    return !wrong_;
}

std::optional<std::string_view> LzfWalk::end() const {
    if (wrong_) return wrong_;
    if (literals_ > 0 || expects_ != Expects::control) return cut;
    if (unpacked_ != wanted_) return too_short;
    return std::nullopt;
}

}  // namespace kedge::verify
