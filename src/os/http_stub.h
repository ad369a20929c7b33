// An HTTP server for tests: answers every request by a function, on a free port of 127.0.0.1.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <thread>

#include "os/http.h"
#include "os/socket.h"

namespace kedge {

// What a test's server got: `target` with its query, `headers` as sent.
using StubAnswer = std::function<HttpResponse(const HttpRequest&)>;

class HttpStub {
public:
    // Starts at once. `answer` is called from several threads.
    explicit HttpStub(StubAnswer answer);
    // Ends every connection.
    ~HttpStub();

    Endpoint endpoint() const { return listener_.endpoint(); }
    std::string url() const { return "http://" + to_string(endpoint()); }
    // From now on requests are read and never answered.
    void fall_silent() { is_silent_ = true; }

private:
    void serve(Stream stream, const std::stop_token& stop);

    StubAnswer answer_;
    std::atomic<bool> is_silent_{false};
    Listener listener_;
    std::list<std::jthread> connections_;  // the accepting thread's own until that has ended
    std::jthread accepting_;
};

}  // namespace kedge
