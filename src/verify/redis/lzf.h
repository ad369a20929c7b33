// LZF, by which Redis packs strings: runs of literals, and references of 3 to 264 bytes to at most 8192 bytes back.
//
//     000lllll               l + 1 literal bytes follow
//     LLLooooo oooooooo      (L is 1 to 6) L + 2 bytes from o + 1 bytes back
//     111ooooo LLLLLLLL oooooooo           L + 9 bytes from there
//
// The stretches may overlap: a reference may reach into what it is just writing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "verify/bytes.h"

namespace kedge::verify {

// What is wrong with a packed string; nothing if it unpacks to exactly `out.size()` bytes, which it has then done.
// Never reads outside `packed` or writes outside `out`.
std::optional<std::string_view> unpack_lzf(Bytes packed, std::span<std::byte> out);

// Goes over a packed string, piece by piece, and finds whatever unpacking would find, without unpacking it.
class LzfWalk {
public:
    explicit LzfWalk(std::uint64_t unpacked_bytes) : wanted_(unpacked_bytes) {}

    // False once something is wrong.
    bool take(Bytes piece);
    // After the last piece: what is wrong, or nothing.
    std::optional<std::string_view> end() const;

private:
    enum class Expects { control, length, distance };

    void refer(unsigned distance_low);

    const std::uint64_t wanted_;
    std::uint64_t unpacked_ = 0;
    std::uint64_t literals_ = 0;  // still to come
    unsigned length_ = 0, distance_high_ = 0;
    Expects expects_ = Expects::control;
    std::optional<std::string_view> wrong_;
};

// No packed string unpacks to more than this: three bytes make 264.
constexpr bool lzf_can_hold(std::uint64_t packed_bytes, std::uint64_t unpacked_bytes) {
    return unpacked_bytes / 88 <= packed_bytes && unpacked_bytes > 0 && packed_bytes > 0;
}

}  // namespace kedge::verify
