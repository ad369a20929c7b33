// How many rows COPY's binary format holds (COPY in the manual, "Binary Format"), counted while they pass.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace kedge::recover {

class BinaryRows {
public:
    // Pieces of one stream, which end anywhere. corrupt for what is not that format, and for anything behind its end.
    Result<void> pass(std::string_view piece);

    std::uint64_t count() const { return count_; }
    // Its end was there.
    bool is_whole() const { return next_ == Next::nothing; }

private:
    enum class Next { header, row, field, nothing };
    Result<void> take(std::string_view bytes);
    std::size_t wanted() const;

    Next next_ = Next::header;
    char kept_[19];  // what there is of the header, a row's or a field's first bytes
    std::size_t kept_bytes_ = 0;
    std::uint64_t skip_ = 0;    // bytes that say nothing
    std::uint32_t fields_ = 0;  // of the row that are to come
    std::uint64_t count_ = 0;
};

}  // namespace kedge::recover
