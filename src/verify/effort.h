// What a verifier may spend, how far it has come, and whether it should stop.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace kedge::verify {

// Shared by the threads of one verification and by whoever shows its progress.
struct Effort {
    std::size_t threads = 1;
    std::atomic<std::uint64_t> bytes_read = 0;  // of the medium, counted where it is opened
    std::atomic<bool> stop = false;             // set by the caller: end soon, with an error
};

// Hostile input must not cost more than this, whatever its fields claim. Every limit that is met is a finding.
struct Limits {
    std::uint64_t output_bytes_max = std::uint64_t{1} << 46;  // decoded from one backup
    std::uint64_t ratio_max = 2000;                           // decoded to encoded bytes, above 64 MiB of output
    std::size_t objects_max = 4'000'000;                      // members, tables, keys that are remembered by name
    std::size_t depth_max = 64;                               // nesting of containers
    std::size_t value_bytes_max = std::size_t{1} << 30;       // of one row, string, record
    std::size_t window_bytes_max = std::size_t{1} << 27;  // that a decoder looks back: what `zstd --long` packs with
};

// Calls `work(i)` for every i below `count` on at most `threads` threads, the caller's being one of them. Returns when
// all have ended. `work` may not throw; the order is that of i, as far as threads are free.
void in_parallel(std::size_t count, std::size_t threads, const std::function<void(std::size_t)>& work);

}  // namespace kedge::verify
