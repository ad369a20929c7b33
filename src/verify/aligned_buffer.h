// Memory to read files into, at the beginning of a memory page.
//
// Where it begins matters: the kernel copies out of its page cache, and a buffer that begins a few bytes into a page,
// as those of the general allocator do, made each copy more than twice as slow.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <span>

namespace kedge::verify {

class AlignedBuffer {
public:
    // Zero bytes. `bytes` is at least one.
    explicit AlignedBuffer(std::size_t bytes)
        : memory_(new (std::align_val_t(alignment)) std::byte[bytes]{}), bytes_(bytes) {}

    std::span<std::byte> all() { return {memory_.get(), bytes_}; }

private:
    static constexpr std::size_t alignment = 4096;
    struct Free {
        void operator()(std::byte* memory) const { ::operator delete[](memory, std::align_val_t(alignment)); }
    };

    std::unique_ptr<std::byte[], Free> memory_;
    std::size_t bytes_;
};

}  // namespace kedge::verify
