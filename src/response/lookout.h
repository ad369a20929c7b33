// The observer on a thread of its own, one pass a second, and what it has come to: whether there ever was a second
// writer, and whether a standby stands still while its primary goes on.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "response/observer.h"

namespace kedge {

// What passes say about the stream from each primary to its standbys. A primary that does not answer says nothing
// about it.
class Streams {
public:
    // How many passes in a row a standby of it may stand still before the two count as separated.
    static constexpr int patience = 3;

    void take(const Observation& seen);
    // A sentence for people; nothing while every standby follows, or nobody knows.
    std::optional<std::string> separated() const;

private:
    struct Stream {
        std::int64_t acknowledged = 0, replayed = 0;
        int stands_still = 0;
    };
    std::map<std::pair<std::string, std::string>, Stream> streams_;  // by database and the standby's region
};

// Any thread may ask.
class Lookout {
public:
    // `observer` outlives it and belongs to it meanwhile.
    explicit Lookout(Observer& observer);

    std::set<std::string> second_writers() const;
    std::optional<std::string> separated() const;

private:
    void look_out(Observer& observer, const std::stop_token& stop);

    mutable std::mutex mutex_;
    std::condition_variable_any wake_;
    std::set<std::string> second_writers_;  // guarded by mutex_
    Streams streams_;                       // guarded by mutex_
    std::jthread thread_;                   // last: stopped and joined first
};

}  // namespace kedge
