// Byte streams over TCP and unix sockets: blocking calls that end at a deadline or when they are called
// off, never later. Everything that speaks a protocol of its own (Redis, HAProxy's runtime socket, the
// lab's supervisor, HTTP) stands on these.
//
// Every failure is Fault::unavailable and says with whom: whether something may have happened at the
// other end is known only to the protocol above.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "os/descriptor.h"
#include "os/wait.h"

namespace kedge {

struct Endpoint {
    std::string host;  // an address or a name
    std::uint16_t port = 0;
    friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

// "127.0.0.1:5432", "db.internal:5432", "[::1]:5432"; invalid_input for anything else.
Result<Endpoint> parse_endpoint(std::string_view text);
std::string to_string(const Endpoint& endpoint);

// Whether `error` says that somebody is there and refused or ended the connection, rather than that nothing came.
bool names_a_refusal(const Error& error);

// One connection with one owner. Not for use by two threads at once, but for one that reads while
// another writes.
class Stream {
public:
    // Connects to the first of the name's addresses that answers; `source` is the local address to come
    // from, or empty. not_found for a name without an address; invalid_input for a source that is none.
    static Result<Stream> connect(const Endpoint& to, const Until& until, const std::string& source = {});
    // invalid_input for a path too long for a socket address (107 bytes).
    static Result<Stream> connect_unix(const std::string& path, const Until& until);
    // Our end of a connected pair; `theirs` receives the other, for a child to have as its standard descriptors. It
    // blocks, as programs expect.
    static Result<Stream> to_child(std::string name, Descriptor& theirs);
    // Takes over a connected socket and makes it non-blocking; `name` is what messages call the peer.
    Stream(Descriptor socket, std::string name);

    // At least one byte into `into`; 0 when the peer has ended the stream.
    Result<std::size_t> read_some(std::span<char> into, const Until& until);
    // The next line without its `\n` or `\r\n`. Unavailable if the stream ends before; corrupt if the
    // line is longer than `bytes_max`.
    Result<std::string> read_line(const Until& until, std::size_t bytes_max = 64 * 1024);
    // Exactly `size` bytes. Unavailable if the stream ends before.
    Result<std::string> read_exactly(std::size_t size, const Until& until);
    // Everything until the peer ends the stream; corrupt if it is more than `bytes_max`.
    Result<std::string> read_to_end(const Until& until, std::size_t bytes_max = 1024 * 1024);
    // Returns when the kernel has taken every byte; after an error some may have gone.
    Result<void> write_all(std::string_view bytes, const Until& until);
    // Tells the peer that no more will come; reading goes on.
    void end_writing();

    // Whether a connection that should be idle is unfit for another request: the peer has closed it or
    // sent what nobody asked for. Does not block.
    bool is_spent() const;
    const std::string& name() const { return name_; }
    int fd() const { return socket_.get(); }

private:
    // Past the buffer, from the kernel.
    Result<std::size_t> receive(std::span<char> into, const Until& until);
    // More bytes into `buffer_`; false when the peer has ended the stream.
    Result<bool> fill(const Until& until);

    Descriptor socket_;
    std::string name_;
    std::string buffer_;  // read from the socket, not yet handed out
    std::size_t taken_ = 0;
};

// A socket that listens.
class Listener {
public:
    // Port 0 takes any free one: see `endpoint`. conflict if the address is taken; the host must be an address.
    static Result<Listener> listen(const Endpoint& at);
    // A unix socket of mode 0600. A file already at `path` is replaced.
    static Result<Listener> listen_unix(const std::string& path);

    // The next connection. `from`, if given, receives the peer's address (TCP only).
    Result<Stream> accept(const Until& until, Endpoint* from = nullptr);
    const Endpoint& endpoint() const { return endpoint_; }
    int fd() const { return socket_.get(); }

private:
    Listener(Descriptor socket, Endpoint endpoint) : socket_(std::move(socket)), endpoint_(std::move(endpoint)) {}
    Descriptor socket_;
    Endpoint endpoint_;
};

}  // namespace kedge
