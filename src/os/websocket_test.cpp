// The client against a peer that writes its frames byte by byte. The lab application's tests run it
// against a server of another make.
#include "os/websocket.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <functional>
#include <thread>

namespace kedge {
namespace {

using namespace std::chrono_literals;

std::string accept_key(const std::string& key) {
    const std::string text = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char digest[20];
    unsigned size = 0;
    EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha1(), nullptr);
    unsigned char encoded[29];
    EVP_EncodeBlock(encoded, digest, 20);
    return reinterpret_cast<const char*>(encoded);
}

// Shakes hands with one client, then does what `talk` says.
class FramePeer {
public:
    explicit FramePeer(const std::function<void(Stream&)>& talk)
        : listener_(Listener::listen({"127.0.0.1", 0}).value()), thread_([this, talk] {
              auto stream = listener_.accept(within(5s));
              if (!stream) return;
              std::string key;
              for (auto line = stream->read_line(within(5s)); line && !line->empty();
                   line = stream->read_line(within(5s)))
                  if (line->starts_with("Sec-WebSocket-Key: ")) key = line->substr(19);
              (void)stream->write_all(
                  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Accept: " +
                      accept_key(key) + "\r\n\r\n",
                  within(5s));
              talk(*stream);
          }) {}
    std::string url() const { return "ws://" + to_string(listener_.endpoint()) + "/ws"; }

private:
    Listener listener_;
    std::jthread thread_;
};

// One masked frame of a client, short form.
struct ClientFrame {
    int opcode;
    std::string payload;
};
ClientFrame read_client_frame(Stream& stream) {
    const std::string head = stream.read_exactly(2, within(5s)).value();
    EXPECT_NE(head[1] & 0x80, 0) << "a client masks";
    const std::string mask = stream.read_exactly(4, within(5s)).value();
    std::string payload = stream.read_exactly(static_cast<std::size_t>(head[1] & 0x7f), within(5s)).value();
    for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(payload[i] ^ mask[i % 4]);
    return {head[0] & 0x0f, payload};
}

std::string frame(unsigned first, const std::string& payload) {
    return std::string(1, static_cast<char>(first)) + static_cast<char>(payload.size()) + payload;
}

TEST(WebSocket, ExchangesMessages) {
    FramePeer peer{[](Stream& stream) {
        const auto message = read_client_frame(stream);
        (void)stream.write_all(frame(0x81, "echo " + message.payload), within(5s));
    }};
    auto socket = WebSocket::open(peer.url(), within(5s)).value();
    ASSERT_TRUE(socket.send("hello", within(5s)));
    EXPECT_EQ(socket.read_message(within(5s)).value(), "echo hello");
}

TEST(WebSocket, AnswersPingsAndJoinsFragments) {
    ClientFrame answer{};
    {
        FramePeer peer{[&](Stream& stream) {
            (void)stream.write_all(frame(0x01, "one ") + frame(0x89, "are you there") + frame(0x80, "message"),
                                   within(5s));
            answer = read_client_frame(stream);
        }};
        auto socket = WebSocket::open(peer.url(), within(5s)).value();
        EXPECT_EQ(socket.read_message(within(5s)).value(), "one message");
        EXPECT_FALSE(socket.read_message(within(5s)));
    }  // the peer's thread is over
    EXPECT_EQ(answer.opcode, 10);
    EXPECT_EQ(answer.payload, "are you there");
}

TEST(WebSocket, APingWaitsForItsPongAndKeepsMessages) {
    FramePeer peer{[](Stream& stream) {
        const auto ping = read_client_frame(stream);
        (void)stream.write_all(frame(0x81, "first") + frame(0x8a, ping.payload), within(5s));
        (void)stream.read_to_end(within(5s));
    }};
    auto socket = WebSocket::open(peer.url(), within(5s)).value();
    EXPECT_TRUE(socket.ping(within(5s)));
    EXPECT_EQ(socket.read_message(within(5s)).value(), "first");
}

TEST(WebSocket, SilenceEndsAReadAndTheConnectionGoesOn) {
    FramePeer peer{[](Stream& stream) {
        read_client_frame(stream);
        (void)stream.write_all(frame(0x81, "late"), within(5s));
    }};
    auto socket = WebSocket::open(peer.url(), within(5s)).value();
    EXPECT_EQ(socket.read_message(within(30ms)).error().fault, Fault::unavailable);
    ASSERT_TRUE(socket.send("now", within(5s)));
    EXPECT_EQ(socket.read_message(within(5s)).value(), "late");
}

TEST(WebSocket, SaysThatTheServerClosed) {
    FramePeer peer{[](Stream& stream) { (void)stream.write_all(frame(0x88, "\x03\xe9"), within(5s)); }};
    auto socket = WebSocket::open(peer.url(), within(5s)).value();
    const auto message = socket.read_message(within(5s));
    ASSERT_FALSE(message);
    EXPECT_NE(message.error().message.find("closed"), std::string::npos);
}

TEST(WebSocket, RefusesForbiddenFrames) {
    const std::string too_long = std::string("\x81\x7f", 2) + std::string("\0\0\0\x01\0\0\0\0", 8);
    for (const std::string& bytes : {frame(0xc1, "extension"), std::string("\x81\x84mask"), too_long,
                                     frame(0x80, "continues nothing"), frame(0x83, "unknown")}) {
        FramePeer peer{[&](Stream& stream) { (void)stream.write_all(bytes, within(5s)); }};
        auto socket = WebSocket::open(peer.url(), within(5s)).value();
        EXPECT_EQ(socket.read_message(within(5s)).error().fault, Fault::corrupt);
    }
}

TEST(WebSocket, AServerThatDoesNotSpeakItIsRefused) {
    auto listener = Listener::listen({"127.0.0.1", 0}).value();
    std::jthread server{[&] {
        auto stream = listener.accept(within(5s)).value();
        while (!stream.read_line(within(5s)).value_or("").empty()) {
        }
        (void)stream.write_all("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", within(5s));
    }};
    const auto socket = WebSocket::open("ws://" + to_string(listener.endpoint()), within(5s));
    ASSERT_FALSE(socket);
    EXPECT_EQ(socket.error().fault, Fault::refused);
    EXPECT_NE(socket.error().message.find("404"), std::string::npos);
}

}  // namespace
}  // namespace kedge
