// The client against a peer that sends exactly the bytes a test wants, and against openssl's own server.
#include "os/http.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <thread>

#include "os/websocket.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;

// Serves each connection in turn by `talk`, as often as `connections` says.
class Peer {
public:
    explicit Peer(const std::function<void(Stream&)>& talk, int connections = 1)
        : listener_(Listener::listen({"127.0.0.1", 0}).value()), thread_([this, talk, connections] {
              for (int i = 0; i < connections; ++i) {
                  auto stream = listener_.accept(within(5s));
                  if (!stream) return;
                  talk(*stream);
              }
          }) {}
    std::string url(const std::string& scheme = "http") const {
        return scheme + "://" + to_string(listener_.endpoint());
    }

private:
    Listener listener_;
    std::jthread thread_;
};

// Reads one request and returns its header lines and, by content-length, its body as the last entry.
std::vector<std::string> read_request(Stream& stream) {
    std::vector<std::string> lines;
    std::size_t body = 0;
    for (;;) {
        const auto line = stream.read_line(within(5s));
        if (!line || line->empty()) break;
        if (line->starts_with("Content-Length: ")) body = std::stoul(line->substr(16));
        lines.push_back(*line);
    }
    lines.push_back(stream.read_exactly(body, within(5s)).value_or(""));
    return lines;
}

std::function<void(Stream&)> answering(const std::string& bytes) {
    return [bytes](Stream& stream) {
        read_request(stream);
        (void)stream.write_all(bytes, within(5s));
    };
}

TEST(Url, HasSchemeHostPortAndTarget) {
    const Url url = parse_url("http://127.0.0.1:8080/a/b?c=d").value();
    EXPECT_EQ(url.scheme, "http");
    EXPECT_EQ(url.host, "127.0.0.1");
    EXPECT_EQ(url.port, 8080);
    EXPECT_EQ(url.target, "/a/b?c=d");
    EXPECT_EQ(parse_url("https://api.example").value().port, 443);
    EXPECT_EQ(parse_url("ws://[::1]").value().host, "::1");
    EXPECT_EQ(parse_url("http://h?q").value().target, "/?q");
}

TEST(Url, RefusesWhatCannotBeAsked) {
    for (const auto* text : {"", "api.example", "ftp://h/", "http://", "http://h:0/", "http://h:99999/",
                             "http://user:pw@h/", "http://h/a b", "http://h/\r\nX: y", "http://h/#part"})
        EXPECT_EQ(parse_url(text).error().fault, Fault::invalid_input) << text;
}

TEST(Http, SendsARequestAndReadsTheAnswer) {
    std::vector<std::string> seen;
    Peer peer{[&](Stream& stream) {
        seen = read_request(stream);
        (void)stream.write_all("HTTP/1.1 201 Created\r\nX-Kind: test\r\nContent-Length: 2\r\n\r\nok", within(5s));
    }};
    const HttpRequest request{
        .method = "POST", .target = peer.url() + "/a?b=c", .headers = {{"X-Key", "1"}}, .body = "{}"};
    const auto response = http_request(request, within(5s)).value();
    EXPECT_EQ(response.status, 201);
    EXPECT_EQ(response.body, "ok");
    EXPECT_EQ(response.header("x-kind"), "test");
    EXPECT_EQ(response.header("absent"), std::nullopt);
    EXPECT_EQ(seen.front(), "POST /a?b=c HTTP/1.1");
    EXPECT_EQ(seen.back(), "{}");
}

TEST(Http, TakesARefusalAsAnAnswer) {
    Peer peer{answering("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n")};
    const auto response = http_request({.target = peer.url()}, within(5s)).value();
    EXPECT_EQ(response.status, 503);
    EXPECT_EQ(response.header("Retry-After"), "2");
}

TEST(Http, FollowsNoRedirect) {
    Peer peer{answering("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")};
    EXPECT_EQ(http_request({.target = peer.url()}, within(5s)).value().status, 302);
}

TEST(Http, ReadsABodyThatEndsWithTheConnection) {
    Peer peer{answering("HTTP/1.0 200 OK\r\n\r\nold style")};
    EXPECT_EQ(http_request({.target = peer.url()}, within(5s)).value().body, "old style");
}

TEST(Http, ReadsAChunkedBody) {
    Peer peer{answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")};
    EXPECT_EQ(http_request({.target = peer.url()}, within(5s)).value().body, "abc");
}

TEST(Http, ARefusedConnectionIsUnavailableForEveryMethod) {
    Endpoint nobody;
    { nobody = Listener::listen({"127.0.0.1", 0}).value().endpoint(); }
    for (const auto* method : {"GET", "POST"}) {
        const HttpRequest request{.method = method, .target = "http://" + to_string(nobody)};
        EXPECT_EQ(http_request(request, within(1s)).error().fault, Fault::unavailable) << method;
    }
}

TEST(Http, SilenceAfterAPostIsAnUnknownOutcome) {
    const auto silent = [](Stream& stream) {
        read_request(stream);
        (void)stream.read_to_end(within(5s));
    };
    Peer peer{silent, 3};
    const auto ask = [&](HttpRequest request) {
        request.target = peer.url();
        return http_request(request, within(50ms)).error().fault;
    };
    EXPECT_EQ(ask({.method = "GET"}), Fault::unavailable);
    EXPECT_EQ(ask({.method = "POST"}), Fault::outcome_unknown);
    EXPECT_EQ(ask({.method = "POST", .idempotent = true}), Fault::unavailable);
}

TEST(Http, ABodyCutShortIsNoAnswer) {
    Peer peer{answering("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), 2};
    EXPECT_EQ(http_request({.target = peer.url()}, within(5s)).error().fault, Fault::unavailable);
    EXPECT_EQ(http_request({.method = "POST", .target = peer.url()}, within(5s)).error().fault, Fault::outcome_unknown);
}

TEST(Http, GarbageAndFloodsAreCorrupt) {
    for (const std::string& bytes :
         {std::string("SSH-2.0-OpenSSH\r\n\r\n"), "HTTP/1.1 200 OK\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + std::string(100, 'x')}) {
        Peer peer{answering(bytes)};
        EXPECT_EQ(http_request({.target = peer.url()}, within(5s)).error().fault, Fault::corrupt)
            << bytes.substr(0, 40);
    }
}

TEST(Http, RefusesHeadersThatWouldSmuggle) {
    Peer peer{answering(""), 0};
    for (const auto& [name, value] : HttpHeaders{{"X", "a\r\nY: b"}, {"X Y", "a"}, {"", "a"}, {"X:", "a"}}) {
        const auto response = http_request({.target = peer.url(), .headers = {{name, value}}}, within(1s));
        EXPECT_EQ(response.error().fault, Fault::invalid_input) << name;
    }
    EXPECT_EQ(http_request({.method = "FETCH", .target = peer.url()}, within(1s)).error().fault, Fault::invalid_input);
}

TEST(HttpConnection, IsKeptAndOpenedAgainWhenTheServerClosedIt) {
    const auto twice = [](Stream& stream) {
        for (int i = 0; i < 2; ++i) {
            read_request(stream);
            (void)stream.write_all("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + std::to_string(i), within(5s));
        }
    };
    Peer peer{twice, 2};
    auto connection = HttpConnection::to(peer.url()).value();
    std::string bodies;
    for (int i = 0; i < 4; ++i) {
        const auto response = connection.request({.target = "/"}, within(5s));
        ASSERT_TRUE(response) << response.error().message;
        bodies += response->body;
    }
    EXPECT_EQ(bodies, "0101");
}

// The server takes the second request and drops the connection: nobody knows what became of it.
TEST(HttpConnection, RepeatsOnlyWhatMayBeRepeatedWhenAKeptConnectionIsLost) {
    const auto once = [](Stream& stream) {
        read_request(stream);
        (void)stream.write_all("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1", within(5s));
        read_request(stream);
    };
    Peer peer{once, 3};
    auto connection = HttpConnection::to(peer.url()).value();
    ASSERT_TRUE(connection.request({.target = "/"}, within(30s)));
    const auto repeated = connection.request({.target = "/"}, within(30s));
    ASSERT_TRUE(repeated) << repeated.error().message;
    EXPECT_EQ(connection.request({.method = "POST", .target = "/"}, within(30s)).error().fault, Fault::outcome_unknown);
    EXPECT_TRUE(connection.request({.target = "/"}, within(30s)));
}

// The answer to the request that was given up comes later, on the connection that was kept.
TEST(HttpConnection, DoesNotTakeALateAnswerForThatToTheNextRequest) {
    std::optional<Listener> listener{Listener::listen({"127.0.0.1", 0}).value()};
    auto connection = HttpConnection::to("http://" + to_string(listener->endpoint())).value();
    std::optional<Stream> stream;
    const auto serve = [&](const char* body) {
        if (!stream) stream = listener->accept(within(30s)).value();
        read_request(*stream);
        (void)stream->write_all(std::string("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n") + body, within(30s));
    };
    {
        const std::jthread server{[&] { serve("1"); }};
        ASSERT_EQ(connection.request({.target = "/1"}, within(30s))->body, "1");
    }
    const Endpoint at = listener->endpoint();
    listener.reset();  // so that the repetition finds nobody
    EXPECT_FALSE(connection.request({.target = "/2"}, within(100ms)));
    EXPECT_FALSE(connection.is_open());
    serve("2");  // late
    listener = Listener::listen(at).value();
    stream.reset();
    const std::jthread server{[&] { serve("3"); }};
    const auto response = connection.request({.target = "/3"}, within(30s));
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->body, "3");
}

// A self-signed certificate for 127.0.0.1 and openssl's test server on it.
class TlsPeer {
public:
    explicit TlsPeer(const std::string& name) {
        directory_ = testing::TempDir() + "kedge-tls-" + std::to_string(getpid());
        std::filesystem::create_directory(directory_);
        run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-keyout", key(), "-out", certificate(), "-days", "2", "-subj", "/CN=test", "-addext",
             "subjectAltName=" + name});
        { port_ = Listener::listen({"127.0.0.1", 0}).value().endpoint().port; }
        server_ = start({"openssl", "s_server", "-accept", std::to_string(port_), "-cert", certificate(), "-key", key(),
                         "-www", "-quiet"});
        const Until limit = within(5s);
        while (!Stream::connect({"127.0.0.1", port_}, limit) && wait_out(within(20ms)) &&
               SystemClock{}.now() < limit.deadline) {
        }
    }
    ~TlsPeer() {
        kill(server_, SIGKILL);
        waitpid(server_, nullptr, 0);
        std::filesystem::remove_all(directory_);
    }
    std::string url() const { return "https://127.0.0.1:" + std::to_string(port_) + "/"; }
    std::string certificate() const { return directory_ + "/cert.pem"; }

private:
    std::string key() const { return directory_ + "/key.pem"; }
    static pid_t start(std::vector<std::string> words) {
        std::vector<char*> argv;
        for (auto& word : words) argv.push_back(word.data());
        argv.push_back(nullptr);
        posix_spawn_file_actions_t quiet;
        posix_spawn_file_actions_init(&quiet);
        posix_spawn_file_actions_addopen(&quiet, 0, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
        posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", O_WRONLY, 0);
        pid_t child = 0;
        EXPECT_EQ(posix_spawnp(&child, argv[0], &quiet, nullptr, argv.data(), environ), 0);
        posix_spawn_file_actions_destroy(&quiet);
        return child;
    }
    static void run(std::vector<std::string> words) {
        int status = 0;
        waitpid(start(std::move(words)), &status, 0);
        ASSERT_EQ(status, 0);
    }

    std::string directory_;
    std::uint16_t port_ = 0;
    pid_t server_ = 0;
};

TEST(Https, VerifiesTheCertificateAndTheName) {
    const TlsPeer peer{"IP:127.0.0.1"};
    const auto trusted = http_request({.target = peer.url()}, within(5s), {.ca_file = peer.certificate()});
    ASSERT_TRUE(trusted) << trusted.error().message;
    EXPECT_EQ(trusted->status, 200);
    EXPECT_EQ(http_request({.target = peer.url()}, within(5s)).error().fault, Fault::refused);
    EXPECT_EQ(http_request({.target = peer.url()}, within(5s), {.ca_file = "/nowhere.pem"}).error().fault,
              Fault::not_found);
}

TEST(Https, RefusesACertificateForAnotherName) {
    const TlsPeer peer{"DNS:other.example"};
    const auto response = http_request({.target = peer.url()}, within(5s), {.ca_file = peer.certificate()});
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().fault, Fault::refused);
    EXPECT_NE(response.error().message.find("certificate"), std::string::npos);
}

TEST(Https, EndsAtItsDeadlineWhenThePeerDoesNotShakeHands) {
    Peer peer{[](Stream& stream) { (void)stream.read_to_end(within(5s)); }};
    EXPECT_EQ(http_request({.target = peer.url("https")}, within(50ms)).error().fault, Fault::unavailable);
}

}  // namespace
}  // namespace kedge
