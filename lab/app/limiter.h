// How often a client may ask: so many requests in each minute, counted in Redis by all instances together,
// or by this instance alone while Redis is away.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "cache.h"

namespace kedge::lab {

struct Allowance {
    bool is_allowed = true;
    int limit = 0;
    int remaining = 0;
    int retry_after_seconds = 0;    // until the minute ends
    bool is_counted_alone = false;  // Redis was away
};

// Any thread may call.
class Limiter {
public:
    explicit Limiter(Cache& cache) : cache_(cache) {}
    // Counts one request of `client` against `limit` requests a minute for `what`.
    Allowance ask(const std::string& what, const std::string& client, int limit);

private:
    std::int64_t count_alone(const std::string& bucket, std::int64_t minute);

    Cache& cache_;
    std::mutex mutex_;
    std::int64_t minute_ = 0;                     // that `counts_` are of; guarded by mutex_
    std::map<std::string, std::int64_t> counts_;  // guarded by mutex_
};

}  // namespace kedge::lab
