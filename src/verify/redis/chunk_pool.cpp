#include "verify/redis/chunk_pool.h"

#include "verify/redis/crc64.h"

namespace kedge::verify {

ChunkPool::~ChunkPool() {
    for (std::jthread& other : others_) other.request_stop();
    waiting_changed_.notify_all();
}

std::unique_ptr<Chunk> ChunkPool::take(std::size_t capacity) {
    if (capacity > Chunk::usual_bytes) return std::make_unique<Chunk>(capacity);
    std::unique_lock lock(mutex_);
    while (idle_.empty()) {
        if (made_ < (others_max_ + 1) * free_for_each) {
            ++made_;
            return std::make_unique<Chunk>(Chunk::usual_bytes);
        }
        if (!work_one(lock, own_)) idle_changed_.wait(lock, [&] { return !idle_.empty() || !waiting_.empty(); });
    }
    std::unique_ptr<Chunk> chunk = std::move(idle_.back());
    idle_.pop_back();
    return chunk;
}

void ChunkPool::hand_over(std::unique_ptr<Chunk> chunk) {
    chunk->number = numbered_++;
    const bool is_small_file = others_.empty() && chunk->end < Chunk::usual_bytes / 2;
    const bool is_idle = !chunk->covered && chunk->blobs.empty();
    if (others_max_ == 0 || is_small_file || is_idle || chunk->capacity() > Chunk::usual_bytes) {
        ChunkOutcome outcome = own_.work(*chunk);
        const std::lock_guard lock(mutex_);
        keep(chunk->number, std::move(outcome));
        if (chunk->capacity() == Chunk::usual_bytes) idle_.push_back(std::move(chunk));
        return;
    }
    while (others_.size() < others_max_) others_.emplace_back([this](const std::stop_token& stop) { serve(stop); });
    {
        const std::lock_guard lock(mutex_);
        waiting_.push_back(std::move(chunk));
    }
    waiting_changed_.notify_one();
}

void ChunkPool::finish() {
    std::unique_lock lock(mutex_);
    while (work_one(lock, own_)) continue;
    idle_changed_.wait(lock, [&] { return under_way_ == 0; });
}

void ChunkPool::serve(const std::stop_token& stop) {
    ChunkWorker worker;
    std::unique_lock lock(mutex_);
    while (waiting_changed_.wait(lock, stop, [&] { return !waiting_.empty(); })) {
        if (stop.stop_requested()) return;
        work_one(lock, worker);
    }
}

bool ChunkPool::work_one(std::unique_lock<std::mutex>& lock, ChunkWorker& worker) {
    if (waiting_.empty()) return false;
    std::unique_ptr<Chunk> chunk = std::move(waiting_.front());
    waiting_.pop_front();
    ++under_way_;
    lock.unlock();
    ChunkOutcome outcome = worker.work(*chunk);
    lock.lock();
    --under_way_;
    keep(chunk->number, std::move(outcome));
    idle_.push_back(std::move(chunk));
    idle_changed_.notify_all();
    return true;
}

void ChunkPool::keep(std::uint64_t number, ChunkOutcome outcome) {
    early_.emplace(number, std::move(outcome));
    for (auto first = early_.begin(); first != early_.end() && first->first == next_; first = early_.begin()) {
        crc_ = crc64_joined(crc_, first->second.crc, first->second.bytes);
        findings_.merge(first->second.findings);
        early_.erase(first);
        ++next_;
    }
}

}  // namespace kedge::verify
