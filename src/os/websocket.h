// A WebSocket client (RFC 6455): enough to prove that a server speaks it and to exchange messages.
//
// The framing is ours and not Beast's: there a read that ran out of time spoils the stream, and a ping
// cannot be awaited without a message behind it.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "os/http.h"

namespace kedge {

// For one thread at a time. Messages are bounded by http_body_bytes_max; a call that ran out of time may
// be repeated. Corrupt for frames that the RFC forbids.
class WebSocket {
public:
    // `url` is ws://... or wss://... . refused (with the status) if the server answers the handshake with
    // anything but an agreement; unavailable if it does not answer.
    static Result<WebSocket> open(std::string_view url, const Until& until, const HttpOptions& options = {},
                                  const HttpHeaders& headers = {});

    // The next text or binary message; the server's pings are answered on the way. Unavailable when the
    // server closes (with its code) or the deadline passes.
    Result<std::string> read_message(const Until& until);
    Result<void> send(std::string_view text, const Until& until);
    // Sends a ping, waits for its pong and returns the time between. Messages that come meanwhile are
    // kept for read_message.
    Result<Span> ping(const Until& until);
    // Says goodbye and waits for the server's.
    Result<void> close(const Until& until);

private:
    enum class Opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };
    struct Frame {
        bool is_last = false;
        Opcode opcode = Opcode::text;
        std::string payload;
    };

    WebSocket(Transport transport, std::string name, std::string rest)
        : transport_(std::move(transport)), name_(std::move(name)), buffer_(std::move(rest)) {}
    Error corrupt(std::string_view why) const;
    Result<void> need(std::size_t size, const Until& until);
    Result<Frame> read_frame(const Until& until);
    Result<void> write_frame(Opcode opcode, std::string_view payload, const Until& until);
    // Takes one frame from the wire: a message lands in `messages_`, control frames are served.
    Result<Opcode> advance(const Until& until);

    Transport transport_;
    std::string name_;
    std::string buffer_;   // read, not yet a whole frame
    std::string partial_;  // the message whose last frame has not come
    bool is_inside_message_ = false;
    std::deque<std::string> messages_;
    std::string last_pong_;
    std::uint64_t pings_ = 0;
};

}  // namespace kedge
