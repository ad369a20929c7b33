// Non-blocking sockets behind blocking calls: every system call that would wait returns at once, and
// wait_ready does the waiting, with the deadline and the stop in one poll.
#include "os/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "os/resolve.h"

namespace kedge {
namespace {

Error failed(Fault fault, std::string_view name, std::string_view what, int code) {
    return Error{fault, fmt::format("{}: {}: {}", name, what, std::strerror(code))};
}

bool would_wait(int code) {
    return code == EAGAIN || code == EWOULDBLOCK || code == EINTR;
}

Result<Descriptor> open_socket(int family) {
    Descriptor socket{::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (!socket.is_open()) return Error{Fault::unavailable, fmt::format("socket: {}", std::strerror(errno))};
    if (family != AF_UNIX) {
        const int on = 1;  // requests and answers are small and somebody waits for each
        setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    return socket;
}

Result<void> finish_connecting(int fd, const Address& address, const std::string& name, const Until& until) {
    if (connect(fd, address.get(), address.size) == 0) return {};
    // A unix socket with a full backlog answers EAGAIN and has no "in progress": the caller tries again.
    if (errno != EINPROGRESS) return failed(Fault::unavailable, name, "connect", errno);
    TRY(wait_ready(fd, POLLOUT, until).within(name + ": connect"));
    int code = 0;
    socklen_t size = sizeof code;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size);
    if (code != 0) return failed(Fault::unavailable, name, "connect", code);
    return {};
}

Result<Stream> connect_to(const Address& address, const std::string& name, const std::string& source,
                          const Until& until) {
    Descriptor socket = TRY(open_socket(address.get()->sa_family));
    if (!source.empty()) {
        const auto from = parse_address(source, 0);
        if (!from) return Error{Fault::invalid_input, fmt::format("source address '{}' is no address", source)};
        const int on = 1;  // the port is chosen at connect, so that many connections can share one address
        setsockopt(socket.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        if (bind(socket.get(), from->get(), from->size) != 0)
            return failed(Fault::unavailable, name, "bind to source " + source, errno);
    }
    TRY(finish_connecting(socket.get(), address, name, until));
    return Stream{std::move(socket), name};
}

Result<Address> unix_address(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path)
        return Error{Fault::invalid_input,
                     fmt::format("socket path '{}' must have 1 to {} bytes", path, sizeof address.sun_path - 1)};
    std::memcpy(address.sun_path, path.data(), path.size());
    Address result;
    std::memcpy(&result.storage, &address, sizeof address);
    result.size = sizeof address;
    return result;
}

}  // namespace

Result<Endpoint> parse_endpoint(std::string_view text) {
    const auto wrong = [&] { return Error{Fault::invalid_input, fmt::format("'{}' is not HOST:PORT", text)}; };
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return wrong();
    std::string_view host = text.substr(0, colon);
    const std::string_view digits = text.substr(colon + 1);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']')
        host = host.substr(1, host.size() - 2);
    else if (host.find(':') != std::string_view::npos)
        return wrong();
    std::uint16_t port = 0;
    const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (host.empty() || fault != std::errc{} || end != digits.data() + digits.size() || port == 0) return wrong();
    return Endpoint{std::string(host), port};
}

std::string to_string(const Endpoint& endpoint) {
    const bool is_v6 = endpoint.host.find(':') != std::string::npos;
    return is_v6 ? fmt::format("[{}]:{}", endpoint.host, endpoint.port)
                 : fmt::format("{}:{}", endpoint.host, endpoint.port);
}

bool names_a_refusal(const Error& error) {
    for (const int code : {ECONNREFUSED, ECONNRESET, EPIPE, ENOENT})
        if (error.message.ends_with(std::strerror(code))) return true;
    return error.message.ends_with("closed by the peer") || error.message.ends_with("closed without an answer");
}

Stream::Stream(Descriptor socket, std::string name) : socket_(std::move(socket)), name_(std::move(name)) {
    fcntl(socket_.get(), F_SETFL, fcntl(socket_.get(), F_GETFL) | O_NONBLOCK);
}

Result<Stream> Stream::connect(const Endpoint& to, const Until& until, const std::string& source) {
    const std::string name = to_string(to);
    const auto addresses = TRY(resolve(to.host, to.port, until));
    std::optional<Error> last;
    for (const Address& address : addresses) {
        auto stream = connect_to(address, name, source, until);
        if (stream || stream.error().fault == Fault::invalid_input) return stream;
        last = std::move(stream).error();
    }
    check(last.has_value(), "a resolved name has at least one address");
    return std::move(*last);
}

Result<Stream> Stream::connect_unix(const std::string& path, const Until& until) {
    return connect_to(TRY(unix_address(path)), path, {}, until);
}

Result<Stream> Stream::to_child(std::string name, Descriptor& theirs) {
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
        return failed(Fault::unavailable, name, "socketpair", errno);
    theirs = Descriptor(ends[1]);
    return Stream(Descriptor(ends[0]), std::move(name));
}

Result<std::size_t> Stream::read_some(std::span<char> into, const Until& until) {
    if (into.empty()) return std::size_t{0};
    if (taken_ < buffer_.size()) {
        const std::size_t size = std::min(into.size(), buffer_.size() - taken_);
        std::memcpy(into.data(), buffer_.data() + taken_, size);
        taken_ += size;
        return size;
    }
    return receive(into, until);
}

Result<std::size_t> Stream::receive(std::span<char> into, const Until& until) {
    for (;;) {
        const ssize_t size = recv(socket_.get(), into.data(), into.size(), 0);
        if (size >= 0) return static_cast<std::size_t>(size);
        if (!would_wait(errno)) return failed(Fault::unavailable, name_, "read", errno);
        TRY(wait_ready(socket_.get(), POLLIN, until).within(name_ + ": read"));
    }
}

Result<bool> Stream::fill(const Until& until) {
    std::array<char, 16 * 1024> chunk;
    const std::size_t size = TRY(receive(chunk, until));
    buffer_.erase(0, taken_);
    taken_ = 0;
    buffer_.append(chunk.data(), size);
    return size > 0;
}

Result<std::string> Stream::read_line(const Until& until, std::size_t bytes_max) {
    std::size_t searched = 0;
    for (;;) {
        const auto end = buffer_.find('\n', taken_ + searched);
        if (end != std::string::npos) {
            std::string line = buffer_.substr(taken_, end - taken_);
            taken_ = end + 1;
            if (!line.empty() && line.back() == '\r') line.pop_back();
            return line;
        }
        searched = buffer_.size() - taken_;
        if (searched > bytes_max)
            return Error{Fault::corrupt, fmt::format("{}: a line longer than {} bytes", name_, bytes_max)};
        if (!TRY(fill(until))) return Error{Fault::unavailable, name_ + ": closed by the peer"};
    }
}

Result<std::string> Stream::read_exactly(std::size_t size, const Until& until) {
    while (buffer_.size() - taken_ < size)
        if (!TRY(fill(until))) return Error{Fault::unavailable, name_ + ": closed by the peer"};
    std::string bytes = buffer_.substr(taken_, size);
    taken_ += size;
    return bytes;
}

Result<std::string> Stream::read_to_end(const Until& until, std::size_t bytes_max) {
    while (TRY(fill(until)))
        if (buffer_.size() > bytes_max)
            return Error{Fault::corrupt, fmt::format("{}: an answer longer than {} bytes", name_, bytes_max)};
    std::string bytes = buffer_.substr(taken_);
    taken_ = buffer_.size();
    return bytes;
}

Result<void> Stream::write_all(std::string_view bytes, const Until& until) {
    while (!bytes.empty()) {
        const ssize_t size = send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (size >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(size));
            continue;
        }
        if (!would_wait(errno)) return failed(Fault::unavailable, name_, "write", errno);
        TRY(wait_ready(socket_.get(), POLLOUT, until).within(name_ + ": write"));
    }
    return {};
}

void Stream::end_writing() {
    shutdown(socket_.get(), SHUT_WR);
}

bool Stream::is_spent() const {
    if (taken_ < buffer_.size()) return true;
    char byte;
    const ssize_t size = recv(socket_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return size >= 0 || !would_wait(errno);
}

Result<Listener> Listener::listen(const Endpoint& at) {
    const std::string name = to_string(at);
    const auto address = parse_address(at.host, at.port);
    if (!address) return Error{Fault::invalid_input, fmt::format("{}: '{}' is no address", name, at.host)};
    Descriptor socket = TRY(open_socket(address->get()->sa_family));
    const int on = 1;
    setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(socket.get(), address->get(), address->size) != 0 || ::listen(socket.get(), 256) != 0) {
        const Fault fault = errno == EADDRINUSE ? Fault::conflict : Fault::unavailable;
        return failed(fault, name, "listen", errno);
    }
    Address bound;
    bound.size = sizeof bound.storage;
    check(getsockname(socket.get(), bound.get(), &bound.size) == 0, "a bound socket has a name");
    return Listener{std::move(socket), to_endpoint(bound)};
}

Result<Listener> Listener::listen_unix(const std::string& path) {
    const Address address = TRY(unix_address(path));
    Descriptor socket = TRY(open_socket(AF_UNIX));
    unlink(path.c_str());
    // Linux takes the mode of a new socket file from the socket's own mode, so that nobody else can
    // connect between bind and a chmod.
    fchmod(socket.get(), S_IRUSR | S_IWUSR);
    if (bind(socket.get(), address.get(), address.size) != 0 || ::listen(socket.get(), 64) != 0)
        return failed(Fault::unavailable, path, "listen", errno);
    return Listener{std::move(socket), Endpoint{path, 0}};
}

Result<Stream> Listener::accept(const Until& until, Endpoint* from) {
    for (;;) {
        Address peer;
        peer.size = sizeof peer.storage;
        Descriptor socket{accept4(socket_.get(), peer.get(), &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC)};
        if (socket.is_open()) {
            const bool is_tcp = peer.get()->sa_family != AF_UNIX;
            if (is_tcp) {
                const int on = 1;
                setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            }
            const Endpoint name = is_tcp ? to_endpoint(peer) : endpoint_;
            if (from != nullptr) *from = name;
            return Stream{std::move(socket), is_tcp ? to_string(name) : name.host};
        }
        // A connection that died in the queue is no reason to stop listening (accept(2)).
        if (errno == ECONNABORTED) continue;
        if (!would_wait(errno)) return failed(Fault::unavailable, to_string(endpoint_), "accept", errno);
        TRY(wait_ready(socket_.get(), POLLIN, until).within(to_string(endpoint_) + ": accept"));
    }
}

}  // namespace kedge
