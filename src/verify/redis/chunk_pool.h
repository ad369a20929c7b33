// The hands that work through chunks while the file is read on.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "verify/redis/chunk.h"

namespace kedge::verify {

// Chunks go in in the order of the file; what came out of them is joined in that order, so that two runs say the same.
// With one thread there are no other hands, and whoever hands over does the work. Belongs to one thread.
class ChunkPool {
public:
    explicit ChunkPool(std::size_t threads) : others_max_(threads > 1 ? threads - 1 : 0) {}
    ~ChunkPool();
    ChunkPool(const ChunkPool&) = delete;
    ChunkPool& operator=(const ChunkPool&) = delete;

    // A chunk to fill, of at least `capacity` bytes. When all are under way, lends a hand until one is free: so there
    // are never more than a few, and never more than one of unusual size.
    std::unique_ptr<Chunk> take(std::size_t capacity);
    // Gives one to be worked through. Those of unusual size are worked through at once.
    void hand_over(std::unique_ptr<Chunk> chunk);
    // Waits for all that were handed over.
    void finish();

    // Of all chunks so far that were finished.
    std::uint64_t crc() const { return crc_; }
    const Findings& findings() const { return findings_; }

private:
    static constexpr std::size_t free_for_each = 6;

    void serve(const std::stop_token& stop);
    // Takes the oldest waiting chunk and works through it; false if none waits. `lock` is held before and after.
    bool work_one(std::unique_lock<std::mutex>& lock, ChunkWorker& worker);
    void keep(std::uint64_t number, ChunkOutcome outcome);

    const std::size_t others_max_;
    ChunkWorker own_;
    std::uint64_t numbered_ = 0;

    std::mutex mutex_;
    std::condition_variable_any waiting_changed_;
    std::condition_variable idle_changed_;
    // Guarded by the mutex while there are other hands:
    std::deque<std::unique_ptr<Chunk>> waiting_;
    std::vector<std::unique_ptr<Chunk>> idle_;
    std::size_t made_ = 0, under_way_ = 0;
    std::map<std::uint64_t, ChunkOutcome> early_;  // of chunks behind one that is not finished
    std::uint64_t next_ = 0, crc_ = 0;
    Findings findings_;

    std::vector<std::jthread> others_;  // last: they end before what they use
};

}  // namespace kedge::verify
