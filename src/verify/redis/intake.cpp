#include "verify/redis/intake.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace kedge::verify {

bool Intake::refill(std::size_t count) {
    check(count <= piece_bytes_max, "no reader asks for more in one piece than is brought together");
    if (ended_) return false;
    if (effort_.stop) {
        error_ = Error{Fault::unavailable, "stopped"};
        ended_ = true;
        return false;
    }
    const std::size_t kept = left();
    turn_over(count <= Chunk::usual_bytes / 2 ? Chunk::usual_bytes : count + Chunk::usual_bytes);
    const std::size_t wanted = chunk_->capacity() - kept;
    const Result<std::size_t> got = stream_.read(chunk_->memory().subspan(kept));
    if (!got) {
        error_ = got.error();
        ended_ = true;
        return false;
    }
    remember_tail(Bytes(end_, *got));
    end_ += *got;
    ended_ = *got < wanted;
    return left() >= count;
}

void Intake::turn_over(std::size_t capacity) {
    const std::size_t kept = left();
    const std::uint64_t offset_now = offset();
    std::unique_ptr<Chunk> next = pool_.take(capacity);
    if (kept > 0) std::memcpy(next->data(), at_, kept);
    chunk_->end = static_cast<std::size_t>(at_ - chunk_->data());
    chunk_->covered = covered_;
    pool_.hand_over(std::move(chunk_));
    chunk_ = std::move(next);
    chunk_->begin = 0;
    chunk_->blobs.clear();
    chunk_offset_ = offset_now;
    at_ = chunk_->data();
    end_ = at_ + kept;
}

bool Intake::skip(std::uint64_t count) {
    while (count > left()) {
        count -= left();
        at_ = end_;
        if (!refill(1)) return false;
    }
    at_ += count;
    return true;
}

void Intake::remember_tail(Bytes fresh) {
    fresh = fresh.last(std::min(fresh.size(), tail_bytes));
    if (fresh.empty()) return;
    std::memmove(tail_.data(), tail_.data() + fresh.size(), tail_bytes - fresh.size());
    std::memcpy(tail_.data() + tail_bytes - fresh.size(), fresh.data(), fresh.size());
    tail_count_ = std::min(tail_count_ + fresh.size(), tail_bytes);
}

void Intake::take(Blob blob) {
    if (chunk_->blobs.size() == Chunk::blobs_max) turn_over(std::max(Chunk::usual_bytes, left()));
    blob.begin = static_cast<std::uint32_t>(at_ - chunk_->data());
    blob.offset = offset();
    chunk_->blobs.push_back(blob);
    at_ += blob.bytes;
}

std::uint64_t Intake::crc() {
    turn_over(std::max(Chunk::usual_bytes, left()));
    pool_.finish();
    return pool_.crc();
}

void Intake::uncover() {
    turn_over(std::max(Chunk::usual_bytes, left()));
    covered_ = false;
}

}  // namespace kedge::verify
