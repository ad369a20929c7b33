// The stores of the application's tests: real ones, of the test's own.
#pragma once

#include <memory>

#include "base/check.h"
#include "init.h"
#include "os/clock.h"
#include "scratch_redis.h"

namespace kedge::lab {

// A region with the primary, one with the standby, and Redis with a Sentinel.
struct Stores {
    Stores() {
        primary->configure("wal_retrieve_retry_interval = 100ms");
        primary->start();
        check(initialise_database(primary->conninfo(), "probe password", SystemClock{}.now() + std::chrono::seconds{30})
                  .has_value(),
              "the lab's tables can be loaded");
        standby = ScratchServer::standby_of(*primary, "west");
        standby->start();
        check(standby->await("SELECT count(*) FROM users WHERE id = 'usr_dr_probe'", "1"), "the standby follows");
    }

    ScratchDirectory directory;
    std::unique_ptr<ScratchServer> primary = ScratchServer::initialize(directory, "east"), standby;
    std::unique_ptr<ScratchRedis> redis = ScratchRedis::start(directory);
    std::unique_ptr<ScratchRedis> sentinel = ScratchRedis::start_sentinel(directory, redis->endpoint(), "group");
};

// For all tests but those that break them.
inline Stores& shared_stores() {
    static Stores stores;
    return stores;
}

}  // namespace kedge::lab
