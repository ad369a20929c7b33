// Where numbered rows go: through the public entrance, to PostgreSQL, or to Redis.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "config.h"

namespace kedge::lab {

class Sink {
public:
    virtual ~Sink() = default;
    // Writes one row and returns the region that acknowledged it, as far as it is known. An error says why
    // it was not acknowledged: it may be stored nevertheless. `worker` numbers the caller from 0: each has
    // connections of its own and calls from one thread.
    virtual Result<std::string> write(int worker, const std::string& stream, std::int64_t sequence,
                                      Moment deadline) = 0;
};

std::unique_ptr<Sink> make_http_sink(const WriterConfig& config, int workers);
// Both borrow what they write to, which must outlive them.
std::unique_ptr<Sink> make_postgres_sink(Database& database);
std::unique_ptr<Sink> make_redis_sink(Cache& cache);

// The Redis set that holds the numbers of a stream.
std::string redis_key(const std::string& stream);

}  // namespace kedge::lab
