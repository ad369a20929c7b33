#include "recover/binary_rows.h"

#include <algorithm>
#include <cstring>

namespace kedge::recover {
namespace {

constexpr std::string_view signature("PGCOPY\n\xff\r\n\0", 11);
constexpr std::size_t header_bytes = 19;  // the signature, flags, and how much more of a header follows
constexpr std::uint32_t critical_flags = 0xffff0000;

std::uint32_t number(std::string_view bytes) {
    std::uint32_t number = 0;
    for (const char c : bytes) number = number << 8 | static_cast<unsigned char>(c);
    return number;
}

Error broken(const char* why) {
    return {Fault::corrupt, std::string("its binary rows are broken: ") + why};
}

}  // namespace

std::size_t BinaryRows::wanted() const {
    return next_ == Next::header ? header_bytes : next_ == Next::row ? 2 : 4;
}

Result<void> BinaryRows::pass(std::string_view piece) {
    while (!piece.empty()) {
        if (skip_ > 0) {
            const std::size_t now = std::min<std::uint64_t>(skip_, piece.size());
            skip_ -= now;
            piece.remove_prefix(now);
            continue;
        }
        if (next_ == Next::nothing) return broken("more follows their end");
        const std::size_t all = wanted();
        if (kept_bytes_ == 0 && piece.size() >= all) {
            TRY(take(piece.substr(0, all)));
            piece.remove_prefix(all);
            continue;
        }
        const std::size_t now = std::min(all - kept_bytes_, piece.size());
        std::memcpy(kept_ + kept_bytes_, piece.data(), now);
        kept_bytes_ += now;
        piece.remove_prefix(now);
        if (kept_bytes_ < all) continue;
        kept_bytes_ = 0;
        TRY(take(std::string_view(kept_, all)));
    }
    return {};
}

Result<void> BinaryRows::take(std::string_view bytes) {
    constexpr std::uint32_t minus_one = 0xffffffff;
    switch (next_) {
        case Next::header:
            if (!bytes.starts_with(signature)) return broken("they do not begin as such");
            if ((number(bytes.substr(11, 4)) & critical_flags) != 0) return broken("unknown flags");
            skip_ = number(bytes.substr(15, 4));
            next_ = Next::row;
            return {};
        case Next::row:
            fields_ = number(bytes);
            if (fields_ == (minus_one & 0xffff)) {
                next_ = Next::nothing;
                return {};
            }
            ++count_;
            if (fields_ > 0) next_ = Next::field;
            return {};
        case Next::field: {
            const std::uint32_t length = number(bytes);
            if (length != minus_one && length > minus_one / 2) return broken("a field of a negative length");
            if (length != minus_one) skip_ = length;
            if (--fields_ == 0) next_ = Next::row;
            return {};
        }
        case Next::nothing: break;
    }
    return {};
}

}  // namespace kedge::recover
