#include "limiter.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "os/clock.h"

namespace kedge::lab {
namespace {

constexpr std::size_t buckets_max = 10'000;

}  // namespace

Allowance Limiter::ask(const std::string& what, const std::string& client, int limit) {
    const std::int64_t second =
        std::chrono::floor<std::chrono::seconds>(SystemClock{}.now().time_since_epoch()).count();
    const std::int64_t minute = second / 60;
    const std::string bucket = what + ":" + client;
    const std::string key = fmt::format("rate:{}:{}", bucket, minute);
    const auto replies = cache_.run({{"INCR", key}, {"EXPIRE", key, "120"}});
    const std::int64_t count = replies ? (*replies)[0].integer : count_alone(bucket, minute);
    return {.is_allowed = count <= limit,
            .limit = limit,
            .remaining = static_cast<int>(std::max<std::int64_t>(limit - count, 0)),
            .retry_after_seconds = static_cast<int>(60 - second % 60),
            .is_counted_alone = !replies};
}

std::int64_t Limiter::count_alone(const std::string& bucket, std::int64_t minute) {
    const std::lock_guard lock{mutex_};
    if (minute != minute_) counts_.clear();
    minute_ = minute;
    if (counts_.size() >= buckets_max && !counts_.contains(bucket)) return 1;  // rather generous than out of memory
    return ++counts_[bucket];
}

}  // namespace kedge::lab
