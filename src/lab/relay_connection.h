// One connection through the relay: two streams of bytes, each held for as long as its path takes.
//
// The relay cannot keep a caller's connect from returning at once. Instead it opens the far side when the first
// packet would have arrived and holds the first bytes until a handshake over the paths would have been over, so
// that an exchange takes as long as over the real distance.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <random>
#include <string>

#include "lab/event_loop.h"
#include "lab/relay_paths.h"

namespace kedge::lab {

class RelayConnection {
public:
    // Held at most, each way; then the sender is no longer read from. 8 MiB over 32.5 ms is 250 MB/s.
    static constexpr std::size_t held_bytes_max = 8u << 20;

    struct Call {
        Descriptor client;   // accepted
        std::string source;  // the server or address that the caller counts as
        Site from;
        Endpoint target;
        Site to;
    };
    // `on_closed` is called once, from within a callback of the loop: destroy the connection later, not in it.
    RelayConnection(EventLoop& loop, Paths& paths, std::minstd_rand& chance, Call call,
                    std::function<void()> on_closed);
    ~RelayConnection();
    RelayConnection(const RelayConnection&) = delete;
    RelayConnection& operator=(const RelayConnection&) = delete;

    // To be called after every change of the paths.
    void paths_changed();

    std::size_t held_bytes() const { return up_.bytes + down_.bytes; }
    const Call& call() const { return call_; }

private:
    struct Chunk {
        enum class Kind { data, end, reset };
        Kind kind;
        Moment release;
        std::string bytes{};
        std::size_t sent = 0;
    };
    struct Side {
        Descriptor socket;
        bool connected = false;
        bool watched = false;
        bool readable = true;  // more may come from it
    };
    // One direction: from `in` to `out`.
    struct Half {
        Side& in;
        Side& out;
        Site from, to;
        Moment not_before{};  // a handshake over the paths would not be over earlier
        std::deque<Chunk> queue{};
        std::size_t bytes = 0;
        bool blocked = false;  // `out` takes no more at the moment
        bool ended = false;    // its end has been delivered
    };

    Half& half_from(const Side& side) { return &side == &client_ ? up_ : down_; }
    Half& half_to(const Side& side) { return &side == &client_ ? down_ : up_; }
    Passage passage(const Half& half) const;
    Passage both_ways() const;

    void connect_when_possible();
    void finish_connecting();
    void ready(Side& side, std::uint32_t events);
    void read_from(Side& side);
    void lose(Side& side);
    void put(Half& half, Chunk::Kind kind, std::string bytes);
    Span time_on_path(const Half& half);
    void deliver(Half& half);
    bool send_front(Half& half);
    void settle();
    void watch_as_needed(Side& side);
    void reset();
    void close();

    EventLoop& loop_;
    Paths& paths_;
    std::minstd_rand& chance_;
    Call call_;
    std::function<void()> on_closed_;
    Side client_, server_;
    Half up_, down_;
    Moment connect_at_{};
    std::optional<EventLoop::Timer> timer_;
    bool closed_ = false;
};

}  // namespace kedge::lab
