#include "os/websocket.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>

#include "base/base64.h"

namespace kedge {
namespace {

constexpr std::string_view handshake_suffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455, 1.3
constexpr std::size_t control_bytes_max = 125;                                         // RFC 6455, 5.5

std::string random_bytes(std::size_t size) {
    std::string bytes(size, '\0');
    check(RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(size)) == 1,
          "random bytes can be had");
    return bytes;
}

std::string sha1(const std::string& bytes) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned size = 0;
    check(EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha1(), nullptr) == 1,
          "SHA-1 can be computed");
    return {reinterpret_cast<const char*>(digest.data()), size};
}

std::uint64_t big_endian(std::string_view bytes) {
    std::uint64_t value = 0;
    for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
    return value;
}

void append_big_endian(std::string& to, std::uint64_t value, int bytes) {
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) to.push_back(static_cast<char>(value >> shift & 0xff));
}

}  // namespace

Error WebSocket::corrupt(std::string_view why) const {
    return Error{Fault::corrupt, fmt::format("{}: {}", name_, why)};
}

Result<WebSocket> WebSocket::open(std::string_view text, const Until& until, const HttpOptions& options,
                                  const HttpHeaders& headers) {
    Url url = TRY(parse_url(text));
    const std::string name = to_string(url);
    if (url.scheme != "ws" && url.scheme != "wss")
        return Error{Fault::invalid_input, fmt::format("'{}' is not ws or wss", text)};
    url.scheme = url.scheme == "ws" ? "http" : "https";

    const std::string key = base64(random_bytes(16));
    HttpRequest request{.method = "GET", .target = to_string(url), .headers = headers};
    request.headers.insert(request.headers.end(), {{"Connection", "Upgrade"},
                                                   {"Upgrade", "websocket"},
                                                   {"Sec-WebSocket-Version", "13"},
                                                   {"Sec-WebSocket-Key", key}});
    Upgraded upgraded = TRY(http_upgrade(request, until, options).within("WebSocket handshake"));
    const std::string expected = base64(sha1(key + std::string(handshake_suffix)));
    if (upgraded.response.header("Sec-WebSocket-Accept") != expected)
        return Error{Fault::refused, name + ": the server's handshake does not answer ours"};
    return WebSocket{std::move(upgraded.transport), name, std::move(upgraded.rest)};
}

Result<void> WebSocket::need(std::size_t size, const Until& until) {
    while (buffer_.size() < size) {
        std::array<char, 4096> chunk;
        const std::size_t count = TRY(transport_.read_some(chunk, until));
        if (count == 0) return Error{Fault::unavailable, name_ + ": closed by the server without a goodbye"};
        buffer_.append(chunk.data(), count);
    }
    return {};
}

// RFC 6455, 5.2. Nothing leaves the buffer before the whole frame is there.
Result<WebSocket::Frame> WebSocket::read_frame(const Until& until) {
    TRY(need(2, until));
    const auto first = static_cast<unsigned char>(buffer_[0]);
    const auto second = static_cast<unsigned char>(buffer_[1]);
    if ((first & 0x70) != 0) return corrupt("a frame uses an extension that nobody agreed on");
    if ((second & 0x80) != 0) return corrupt("a server's frame is masked");
    std::uint64_t size = second & 0x7f;
    std::size_t header = 2;
    if (size >= 126) {
        const std::size_t digits = size == 126 ? 2 : 8;
        TRY(need(header + digits, until));
        size = big_endian(std::string_view(buffer_).substr(header, digits));
        header += digits;
    }
    Frame frame{.is_last = (first & 0x80) != 0, .opcode = static_cast<Opcode>(first & 0x0f), .payload = {}};
    const bool is_control = (first & 0x08) != 0;
    if (is_control && (size > control_bytes_max || !frame.is_last)) return corrupt("a control frame is too long");
    if (size > http_body_bytes_max || partial_.size() + size > http_body_bytes_max)
        return corrupt(fmt::format("a message is longer than {} bytes", http_body_bytes_max));
    TRY(need(header + size, until));
    frame.payload = buffer_.substr(header, size);
    buffer_.erase(0, header + size);
    return frame;
}

Result<void> WebSocket::write_frame(Opcode opcode, std::string_view payload, const Until& until) {
    const std::string mask = random_bytes(4);
    std::string frame(1, static_cast<char>(0x80 | static_cast<unsigned>(opcode)));
    if (payload.size() < 126) {
        frame.push_back(static_cast<char>(0x80 | payload.size()));
    } else {
        const bool is_short = payload.size() <= 0xffff;
        frame.push_back(static_cast<char>(is_short ? 0x80 | 126 : 0x80 | 127));
        append_big_endian(frame, payload.size(), is_short ? 2 : 8);
    }
    frame += mask;
    for (std::size_t i = 0; i < payload.size(); ++i) frame.push_back(static_cast<char>(payload[i] ^ mask[i % 4]));
    return transport_.write_all(frame, until).within(name_);
}

Result<WebSocket::Opcode> WebSocket::advance(const Until& until) {
    Frame frame = TRY(read_frame(until));
    switch (frame.opcode) {
        case Opcode::text:
        case Opcode::binary:
        case Opcode::continuation:
            if ((frame.opcode == Opcode::continuation) != is_inside_message_)
                return corrupt("a message's frames are out of order");
            partial_ += frame.payload;
            is_inside_message_ = !frame.is_last;
            if (frame.is_last) messages_.push_back(std::exchange(partial_, {}));
            return frame.opcode;
        case Opcode::ping: TRY(write_frame(Opcode::pong, frame.payload, until)); return frame.opcode;
        case Opcode::pong: last_pong_ = std::move(frame.payload); return frame.opcode;
        case Opcode::close: return frame.opcode;
    }
    return corrupt("a frame of a kind that the protocol does not know");
}

Result<std::string> WebSocket::read_message(const Until& until) {
    while (messages_.empty())
        if (TRY(advance(until)) == Opcode::close) return Error{Fault::unavailable, name_ + ": closed by the server"};
    std::string message = std::move(messages_.front());
    messages_.pop_front();
    return message;
}

Result<void> WebSocket::send(std::string_view text, const Until& until) {
    return write_frame(Opcode::text, text, until);
}

Result<Span> WebSocket::ping(const Until& until) {
    const std::string token = fmt::format("kedge-{}", ++pings_);
    const Moment start = SystemClock{}.now();
    TRY(write_frame(Opcode::ping, token, until));
    while (last_pong_ != token)
        if (TRY(advance(until)) == Opcode::close) return Error{Fault::unavailable, name_ + ": closed by the server"};
    return SystemClock{}.now() - start;
}

Result<void> WebSocket::close(const Until& until) {
    std::string normal;
    append_big_endian(normal, 1000, 2);  // RFC 6455, 7.4.1
    TRY(write_frame(Opcode::close, normal, until));
    while (TRY(advance(until)) != Opcode::close) {
    }
    return {};
}

}  // namespace kedge
