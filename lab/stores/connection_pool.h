// Connections to one server, kept open by threads of its own.
//
// A statement never opens a connection: that takes several round trips, and one that began with little time left would
// give up in the middle, and its successors after it, for ever. It waits for one that is open instead. Next is whoever
// must be done first of those that have as much time left as the last statement took; where nobody has, whoever has
// most. Anybody else's time would be up all the same, and the connection lost with it.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "targets/postgres/connection.h"

namespace kedge::lab {

// Any thread may call.
class ConnectionPool {
public:
    // Holds nothing until it is told to. Opening one may take `connect_limit`.
    ConnectionPool(std::string conninfo, std::size_t size, Span connect_limit);
    ~ConnectionPool();  // nobody may wait any more

    // Opens what is missing, and goes on doing so.
    void keep_open();
    // Closes what is idle, opens nothing, and turns away those that wait and those that come.
    void close();

    // Nothing if none came free before the deadline, or the pool is closed.
    std::unique_ptr<Connection> take(Moment deadline);
    // How long the statement took that it answered.
    void give_back(std::unique_ptr<Connection> connection, Span took);
    // What was taken is lost, after so long without an answer.
    void give_up(Span waited);

    std::size_t waiting() const;

private:
    struct Waiter {
        std::unique_ptr<Connection> got;
        bool turned_away = false;
        std::condition_variable called;
    };
    void open(const std::stop_token& stop);
    void hand_out();              // with mutex_ held
    std::size_t missing() const;  // with mutex_ held

    const std::string conninfo_;
    const std::size_t size_;
    const Span connect_limit_;
    mutable std::mutex mutex_;  // guards all below
    std::condition_variable_any changed_;
    bool is_open_ = false;
    std::vector<std::unique_ptr<Connection>> idle_;
    std::size_t taken_ = 0, opening_ = 0;
    std::multimap<Moment, Waiter*> waiting_;  // by deadline
    Span took_{};                             // the last statement; at least, if it had no answer
    std::vector<std::jthread> openers_;
};

}  // namespace kedge::lab
