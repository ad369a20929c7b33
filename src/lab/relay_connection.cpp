#include "lab/relay_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "os/resolve.h"

namespace kedge::lab {
namespace {

// Linux sends a lost segment again after 200 ms at the earliest (TCP_RTO_MIN), and later over a long way.
constexpr Span retransmission_min = std::chrono::milliseconds{200};
// No reader is served longer than this at a stretch while others wait.
constexpr int reads_at_a_stretch_max = 16;

void close_with_reset(Descriptor& socket) {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    if (socket.is_open()) setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    socket.close();
}

void send_without_delay(const Descriptor& socket) {
    const int on = 1;
    setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

bool would_wait(int code) {
    return code == EAGAIN || code == EWOULDBLOCK || code == EINTR;
}

}  // namespace

RelayConnection::RelayConnection(EventLoop& loop, Paths& paths, std::minstd_rand& chance, Call call,
                                 std::function<void()> on_closed)
    : loop_(loop),
      paths_(paths),
      chance_(chance),
      call_(std::move(call)),
      on_closed_(std::move(on_closed)),
      up_{.in = client_, .out = server_, .from = call_.from, .to = call_.to},
      down_{.in = server_, .out = client_, .from = call_.to, .to = call_.from} {
    client_.socket = std::move(call_.client);
    client_.connected = true;
    send_without_delay(client_.socket);
    const Moment now = loop_.now();
    const Span there = time_on_path(up_), back = time_on_path(down_);
    connect_at_ = now + there;
    up_.not_before = now + there + back + there;
    down_.not_before = now + 2 * (there + back);
    if (both_ways() == Passage::cut)
        reset();
    else
        settle();
}

RelayConnection::~RelayConnection() {
    on_closed_ = nullptr;
    close();
}

Passage RelayConnection::passage(const Half& half) const {
    return paths_.passage(half.from, half.to, call_.source, call_.target.host);
}

Passage RelayConnection::both_ways() const {
    return paths_.both_ways(call_.from, call_.to, call_.source, call_.target.host);
}

void RelayConnection::paths_changed() {
    if (closed_) return;
    if (both_ways() == Passage::cut)
        reset();
    else
        settle();
}

// The first packet has arrived on the far side: open the connection there.
void RelayConnection::connect_when_possible() {
    if (server_.socket.is_open() || both_ways() != Passage::open || loop_.now() < connect_at_) return;
    const std::optional<Address> address = parse_address(call_.target.host, call_.target.port);
    check(address.has_value(), "the relay's targets are addresses");
    server_.socket = Descriptor(socket(address->get()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!server_.socket.is_open()) return reset();
    send_without_delay(server_.socket);
    if (connect(server_.socket.get(), address->get(), address->size) != 0 && errno != EINPROGRESS) {
        down_.not_before = {};
        return lose(server_);
    }
    watch_as_needed(server_);
}

void RelayConnection::finish_connecting() {
    int code = 0;
    socklen_t size = sizeof code;
    getsockopt(server_.socket.get(), SOL_SOCKET, SO_ERROR, &code, &size);
    if (code == 0) {
        server_.connected = true;
        return;
    }
    // The refusal goes back over the path.
    down_.not_before = {};
    lose(server_);
}

void RelayConnection::ready(Side& side, std::uint32_t events) {
    if (closed_) return;
    if (!side.connected) {
        finish_connecting();
    } else {
        if ((events & EPOLLOUT) != 0) half_to(side).blocked = false;
        if ((events & EPOLLIN) != 0)
            read_from(side);
        else if ((events & (EPOLLERR | EPOLLHUP)) != 0)
            lose(side);
    }
    if (!closed_) settle();
}

void RelayConnection::read_from(Side& side) {
    static thread_local std::array<char, 128 * 1024> buffer;
    Half& half = half_from(side);
    for (int i = 0; i < reads_at_a_stretch_max && half.bytes < held_bytes_max; ++i) {
        const ssize_t got = recv(side.socket.get(), buffer.data(), buffer.size(), 0);
        if (got < 0 && would_wait(errno)) return;
        if (got < 0) return lose(side);
        if (got == 0) {
            side.readable = false;
            put(half, Chunk::Kind::end, {});
            // Over a real silent path the far side would never have heard of this caller.
            if (&side == &client_ && !server_.connected && both_ways() == Passage::silent) reset();
            return;
        }
        put(half, Chunk::Kind::data, std::string(buffer.data(), static_cast<std::size_t>(got)));
        if (static_cast<std::size_t>(got) < buffer.size()) return;
    }
}

// The connection to `side` is broken: the other side hears of it over the path.
void RelayConnection::lose(Side& side) {
    if (side.watched) loop_.forget(side.socket.get());
    side.watched = false;
    Half& dead = half_to(side);
    // Whoever has ended both ways has left in order; nobody needs to be told.
    const bool in_order = !side.readable && dead.ended;
    side.readable = false;
    dead.queue.clear();
    dead.bytes = 0;
    dead.ended = true;
    if (!in_order) put(half_from(side), Chunk::Kind::reset, {});
}

Span RelayConnection::time_on_path(const Half& half) {
    const Path& path = paths_.between(half.from, half.to);
    Span time = path.delay;
    const auto draw = [&] { return std::uniform_real_distribution<double>(0, 1)(chance_); };
    if (path.jitter > Span::zero())
        time += Span{static_cast<std::int64_t>(draw() * static_cast<double>(path.jitter.count()))};
    if (path.loss > 0 && draw() < path.loss)
        time += retransmission_min + path.delay + paths_.between(half.to, half.from).delay;
    return time;
}

void RelayConnection::put(Half& half, Chunk::Kind kind, std::string bytes) {
    Moment release = std::max(loop_.now() + time_on_path(half), half.not_before);
    if (!half.queue.empty()) release = std::max(release, half.queue.back().release);  // a stream keeps its order
    half.bytes += bytes.size();
    half.queue.push_back({.kind = kind, .release = release, .bytes = std::move(bytes)});
}

// Sends what is due. True if the front chunk is done with.
bool RelayConnection::send_front(Half& half) {
    Chunk& chunk = half.queue.front();
    const ssize_t sent =
        send(half.out.socket.get(), chunk.bytes.data() + chunk.sent, chunk.bytes.size() - chunk.sent, MSG_NOSIGNAL);
    if (sent < 0 && would_wait(errno)) {
        half.blocked = true;
        return false;
    }
    if (sent < 0) {
        lose(half.out);
        return false;
    }
    chunk.sent += static_cast<std::size_t>(sent);
    half.bytes -= static_cast<std::size_t>(sent);
    paths_.between(half.from, half.to).bytes += static_cast<std::uint64_t>(sent);
    return chunk.sent == chunk.bytes.size();
}

void RelayConnection::deliver(Half& half) {
    const Moment now = loop_.now();
    while (!closed_ && !half.queue.empty() && !half.blocked && half.queue.front().release <= now &&
           passage(half) == Passage::open) {
        const Chunk::Kind kind = half.queue.front().kind;
        if (kind == Chunk::Kind::reset) return reset();
        if (!half.out.connected) return;
        if (kind == Chunk::Kind::data && !send_front(half)) {
            if (half.blocked || half.queue.empty()) return;
            continue;
        }
        if (kind == Chunk::Kind::end) {
            shutdown(half.out.socket.get(), SHUT_WR);
            half.ended = true;
        }
        half.queue.pop_front();
    }
}

// Brings everything to where it should be at this moment; every callback ends here.
void RelayConnection::settle() {
    connect_when_possible();
    if (!closed_) deliver(up_);
    if (!closed_) deliver(down_);
    if (closed_) return;
    if (up_.ended && down_.ended && up_.queue.empty() && down_.queue.empty()) return close();
    watch_as_needed(client_);
    watch_as_needed(server_);
    std::optional<Moment> next;
    const auto sooner = [&](Moment moment) { next = next ? std::min(*next, moment) : moment; };
    const Moment now = loop_.now();
    if (!server_.socket.is_open() && connect_at_ > now) sooner(connect_at_);
    for (const Half* half : {&up_, &down_})
        if (!half->queue.empty() && !half->blocked && passage(*half) == Passage::open)
            if (half->queue.front().release > now || half->out.connected) sooner(half->queue.front().release);
    if (timer_ && next && timer_->first == *next) return;
    if (timer_) loop_.cancel(*timer_);
    timer_.reset();
    if (next)
        timer_ = loop_.schedule(*next, [this] {
            timer_.reset();
            settle();
        });
}

void RelayConnection::watch_as_needed(Side& side) {
    if (!side.socket.is_open()) return;
    std::uint32_t events = 0;
    if (!side.connected || half_to(side).blocked) events |= EPOLLOUT;
    if (side.connected && side.readable && half_from(side).bytes < held_bytes_max) events |= EPOLLIN;
    const bool done = !side.readable && half_to(side).ended;
    if (done) {
        if (side.watched) loop_.forget(side.socket.get());
        side.watched = false;
        return;
    }
    if (side.watched) return loop_.change(side.socket.get(), events);
    loop_.watch(side.socket.get(), events, [this, &side](std::uint32_t told) { ready(side, told); });
    side.watched = true;
}

void RelayConnection::reset() {
    for (Side* side : {&client_, &server_}) {
        if (side->watched) loop_.forget(side->socket.get());
        side->watched = false;
        close_with_reset(side->socket);
    }
    close();
}

void RelayConnection::close() {
    if (closed_) return;
    closed_ = true;
    if (timer_) loop_.cancel(*timer_);
    timer_.reset();
    for (Side* side : {&client_, &server_}) {
        if (side->watched) loop_.forget(side->socket.get());
        side->watched = false;
        side->socket.close();
    }
    if (on_closed_) on_closed_();
}

}  // namespace kedge::lab
