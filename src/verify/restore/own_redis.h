// A redis-server of our own: in a directory of its own, reached by a socket there, saving nothing by itself.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "os/process.h"
#include "verify/examination.h"

namespace kedge::verify {

enum class Lifetime { ours, its_own };  // its own: it outlives this process

// What INFO answers, by field.
using RedisFields = std::map<std::string, std::string>;
std::optional<std::uint64_t> number(const RedisFields& fields, const std::string& name);

class OwnRedis {
public:
    // Without a port, with `settings` ("--appendonly", "no") on top. Started, not yet loaded.
    static Result<OwnRedis> start(const std::string& directory, const std::vector<std::string>& settings,
                                  Lifetime lifetime = Lifetime::ours);

    // Returns when it has loaded everything. corrupt with its last words if it gave up.
    Result<void> await_loaded(const std::stop_token& stop);
    Result<RedisFields> info(const std::string& section, const std::stop_token& stop) const;
    // What it calls itself: "redis-server 7.0.15".
    Result<std::string> name(const std::stop_token& stop) const;
    // It goes on from now on, whatever becomes of this object.
    void leave_running() { child_.release(); }

private:
    OwnRedis(std::string directory, Child child) : directory_(std::move(directory)), child_(std::move(child)) {}
    std::string last_words() const;

    std::string directory_;
    Child child_;
};

// One command to the server in `directory`, on a connection of its own: a text, or an integer written out. refused with
// an error that it answers; unavailable if none runs there.
Result<std::string> ask_own_redis(const std::string& directory, const std::vector<std::string>& command, Span limit,
                                  const std::stop_token& stop);
// Ends the server in `directory` without saving. None there is success.
Result<void> stop_own_redis(const std::string& directory, const std::stop_token& stop);
// The file in which a password lies if the server in `directory` asks for one: of the user `kedge`.
std::string own_redis_token(const std::string& directory);

// Keys that a snapshot holds but for empty collections, which a server leaves out.
std::uint64_t keys_in(const Examination& snapshot);
// What a server says that it loaded of a snapshot, and left out as expired. Nothing before Redis 7.0.
struct LoadedKeys {
    std::uint64_t loaded = 0, expired = 0;
};
std::optional<LoadedKeys> loaded_keys(const RedisFields& persistence);

}  // namespace kedge::verify
