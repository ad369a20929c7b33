#include "verify/bytes.h"

#include <algorithm>
#include <cstring>

namespace kedge::verify {

Result<std::size_t> MemorySource::read(std::uint64_t offset, std::span<std::byte> into) const {
    if (offset >= bytes_.size()) return std::size_t{0};
    const Bytes rest = bytes_.subspan(static_cast<std::size_t>(offset));
    const std::size_t count = std::min(rest.size(), into.size());
    if (count > 0) std::memcpy(into.data(), rest.data(), count);
    return count;
}

Result<std::size_t> SourceStream::read(std::span<std::byte> into) {
    const std::uint64_t left = end_ > next_ ? end_ - next_ : 0;
    if (into.size() > left) into = into.first(static_cast<std::size_t>(left));
    const std::size_t count = TRY(source_.read(next_, into));
    next_ += count;
    return count;
}

}  // namespace kedge::verify
