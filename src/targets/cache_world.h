// For tests: what the cache contract (cache_contract.h) needs to know of an implementation beyond cache.h.
//
// The world has two regions, `east` and `west`, with a node each; east is master, west its replica, both are linked
// and hold some keys. Three Sentinels watch them, one a region and one outside; quorum 2.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "targets/cache.h"

namespace kedge {

class CacheWorld {
public:
    virtual ~CacheWorld() = default;
    virtual Cache& cache() = 0;

    virtual Moment now() const = 0;
    // Looks again and again until `condition` holds: true; or `limit` has passed: false. Virtual time passes here.
    virtual bool await(const std::function<bool()>& condition, Span limit) = 0;
    // How long the Sentinels wait before they take a master for down.
    virtual Span down_after() const = 0;

    // A client that writes numbered keys, one after the other, to whichever node is master, until it is stopped.
    // It waits as long as it must for an answer; a refused write is tried again elsewhere.
    struct Written {
        std::int64_t acknowledged = 0;
        std::int64_t missing = 0;  // of these, not on the present master
    };
    virtual void start_writing() = 0;
    virtual std::int64_t acknowledged() const = 0;
    virtual Written stop_writing() = 0;

    // "east", "west", "sentinel-east", "sentinel-west", "sentinel-outside".
    // The name under which a Sentinel's look is listed.
    virtual std::string listed_as(const std::string& sentinel) const = 0;
    virtual void kill(const std::string& name) = 0;    // the process is gone, its address refuses
    virtual void freeze(const std::string& name) = 0;  // silence
    virtual void thaw(const std::string& name) = 0;
    virtual void restart(const std::string& name) = 0;  // after a kill, with the data and settings it had
    // A server of no group, master, that holds so many keys: its address.
    virtual std::string start_beside(std::int64_t keys) = 0;
    // One Sentinel is made to believe that `region` holds the master.
    virtual void mislead(const std::string& sentinel, const std::string& region) = 0;
};

}  // namespace kedge
