#include "os/socket.h"

#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <thread>

#include "os/process.h"
#include "os/resolve.h"
#include "os/scratch_port.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;

// A listener on a free port and one connection through it.
struct Pair {
    Listener listener;
    Stream client;
    Stream server;
};

Pair make_pair() {
    auto listener = Listener::listen({"127.0.0.1", 0}).value();
    auto client = Stream::connect(listener.endpoint(), within(2s)).value();
    auto server = listener.accept(within(2s)).value();
    return {std::move(listener), std::move(client), std::move(server)};
}

Span took(const auto& work) {
    const Moment start = SystemClock{}.now();
    work();
    return SystemClock{}.now() - start;
}

TEST(ScratchPort, IsNobodyElsesWhileThisProcessLives) {
    const std::uint16_t first = take_scratch_port(23000), second = take_scratch_port(23000);
    EXPECT_NE(first, second);
    EXPECT_TRUE(Listener::listen({"127.0.0.1", first}));
    std::ifstream names("/proc/net/unix");
    const std::string held(std::istreambuf_iterator<char>(names), {});
    for (const std::uint16_t port : {first, second})
        EXPECT_NE(held.find("@kedge-scratch-port-" + std::to_string(port) + "\n"), std::string::npos);
}

TEST(Endpoint, IsAHostAndAPort) {
    EXPECT_EQ(parse_endpoint("127.0.0.1:80").value(), (Endpoint{"127.0.0.1", 80}));
    EXPECT_EQ(parse_endpoint("[::1]:80").value(), (Endpoint{"::1", 80}));
    EXPECT_EQ(to_string(Endpoint{"::1", 80}), "[::1]:80");
    for (const auto* text : {"", "host", "host:", ":80", "host:0", "host:70000", "host:8x", "::1:80"})
        EXPECT_EQ(parse_endpoint(text).error().fault, Fault::invalid_input) << text;
}

TEST(Stream, CarriesLinesAndBytesBothWays) {
    auto [listener, client, server] = make_pair();
    ASSERT_TRUE(client.write_all("first\r\nsecond\nrest", within(1s)));
    EXPECT_EQ(server.read_line(within(1s)).value(), "first");
    EXPECT_EQ(server.read_line(within(1s)).value(), "second");
    EXPECT_EQ(server.read_exactly(2, within(1s)).value(), "re");
    ASSERT_TRUE(server.write_all("bye", within(1s)));
    server.end_writing();
    EXPECT_EQ(client.read_to_end(within(1s)).value(), "bye");
}

TEST(Stream, TalksToAChildThroughItsStandardDescriptors) {
    Descriptor theirs;
    Stream ours = Stream::to_child("cat", theirs).value();
    const Child cat =
        Child::spawn({"cat"}, {.input = Redirect::of(theirs.get()), .output = Redirect::of(theirs.get())}).value();
    theirs.close();
    ASSERT_TRUE(ours.write_all("there and\nback", within(30s)));
    EXPECT_EQ(ours.read_line(within(30s)).value(), "there and");
    ours.end_writing();
    EXPECT_EQ(ours.read_to_end(within(30s)).value(), "back") << "the end of ours is the end of its input";
}

TEST(Stream, ReadSomeHandsOutWhatALineLeft) {
    auto [listener, client, server] = make_pair();
    ASSERT_TRUE(client.write_all("line\ntail", within(1s)));
    ASSERT_TRUE(server.read_line(within(1s)));
    std::array<char, 16> bytes{};
    EXPECT_EQ(server.read_some(bytes, within(1s)).value(), 4U);
    EXPECT_EQ(std::string(bytes.data(), 4), "tail");
}

TEST(Stream, ReadEndsAtItsDeadlineWhenThePeerIsSilent) {
    auto [listener, client, server] = make_pair();
    Result<std::string> line{std::string{}};
    const Span span = took([&] { line = client.read_line(within(50ms)); });
    EXPECT_EQ(line.error().fault, Fault::unavailable);
    EXPECT_GE(span, 50ms);
    EXPECT_LT(span, 500ms);
    EXPECT_FALSE(names_a_refusal(line.error()));
}

TEST(Stream, ReadEndsWhenItIsCalledOff) {
    auto [listener, client, server] = make_pair();
    std::stop_source stop;
    std::jthread caller{[&stop] {
        wait_out(within(20ms));
        stop.request_stop();
    }};
    Result<std::string> line{std::string{}};
    const Span span = took([&] { line = client.read_line(within(10s, stop.get_token())); });
    EXPECT_EQ(line.error().fault, Fault::unavailable);
    EXPECT_NE(line.error().message.find("called off"), std::string::npos);
    EXPECT_LT(span, 2s);
}

TEST(Stream, WriteEndsAtItsDeadlineWhenThePeerDoesNotRead) {
    auto [listener, client, server] = make_pair();
    const std::string much(64 * 1024 * 1024, 'x');
    EXPECT_EQ(client.write_all(much, within(50ms)).error().fault, Fault::unavailable);
}

TEST(Stream, RefusesALineThatIsTooLong) {
    auto [listener, client, server] = make_pair();
    ASSERT_TRUE(client.write_all(std::string(5000, 'x'), within(1s)));
    EXPECT_EQ(server.read_line(within(1s), 1000).error().fault, Fault::corrupt);
}

TEST(Stream, SaysThatThePeerClosedInsideALine) {
    auto [listener, client, server] = make_pair();
    ASSERT_TRUE(client.write_all("half", within(1s)));
    client.end_writing();
    EXPECT_EQ(server.read_line(within(1s)).error().fault, Fault::unavailable);
}

TEST(Stream, KnowsWhetherAnIdleConnectionIsSpent) {
    auto [listener, client, server] = make_pair();
    EXPECT_FALSE(client.is_spent());
    { const Stream gone = std::move(server); }
    ASSERT_TRUE(wait_ready(client.fd(), POLLIN, within(1s)));
    EXPECT_TRUE(client.is_spent());
}

TEST(Stream, ConnectNamesThePeerThatRefuses) {
    Endpoint nobody;
    { nobody = Listener::listen({"127.0.0.1", 0}).value().endpoint(); }
    const auto stream = Stream::connect(nobody, within(1s));
    ASSERT_FALSE(stream);
    EXPECT_EQ(stream.error().fault, Fault::unavailable);
    EXPECT_NE(stream.error().message.find(to_string(nobody)), std::string::npos);
    EXPECT_TRUE(names_a_refusal(stream.error()));
}

TEST(Stream, ComesFromTheGivenSourceAddress) {
    auto listener = Listener::listen({"127.0.0.1", 0}).value();
    const auto client = Stream::connect(listener.endpoint(), within(1s), "127.0.77.5").value();
    Endpoint from;
    ASSERT_TRUE(listener.accept(within(1s), &from));
    EXPECT_EQ(from.host, "127.0.77.5");
    EXPECT_EQ(Stream::connect(listener.endpoint(), within(1s), "nowhere").error().fault, Fault::invalid_input);
}

TEST(Stream, SpeaksThroughAUnixSocketOfItsOwnerOnly) {
    const std::string path = testing::TempDir() + "kedge-socket-test.sock";
    auto listener = Listener::listen_unix(path).value();
    auto client = Stream::connect_unix(path, within(1s)).value();
    auto server = listener.accept(within(1s)).value();
    ASSERT_TRUE(client.write_all("hello\n", within(1s)));
    EXPECT_EQ(server.read_line(within(1s)).value(), "hello");
    unlink(path.c_str());
    EXPECT_EQ(Stream::connect_unix(path, within(1s)).error().fault, Fault::unavailable);
    EXPECT_EQ(Stream::connect_unix(std::string(108, 'x'), within(1s)).error().fault, Fault::invalid_input);
}

TEST(Listener, SaysThatAnAddressIsTaken) {
    const auto first = Listener::listen({"127.0.0.1", 0}).value();
    EXPECT_EQ(Listener::listen(first.endpoint()).error().fault, Fault::conflict);
}

TEST(Resolve, KnowsLocalhost) {
    const auto addresses = resolve("localhost", 80, within(5s));
    ASSERT_TRUE(addresses);
    EXPECT_EQ(to_endpoint(addresses->front()).port, 80);
}

TEST(Resolve, EndsAtItsDeadline) {
    const Span span = took([] { EXPECT_FALSE(resolve("no-such-host.invalid", 80, within(1ms))); });
    EXPECT_LT(span, 1s);
}

}  // namespace
}  // namespace kedge
