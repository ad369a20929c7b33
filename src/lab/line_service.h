// Requests and answers as one line of JSON each over a unix socket: how the lab's long-lived processes are
// spoken to. An answer is an object with "ok"; without it, it carries "fault", "message" and "hint" of an error.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/json.h"
#include "lab/event_loop.h"
#include "os/socket.h"

namespace kedge::lab {

inline constexpr std::size_t request_bytes_max = 256 * 1024;

Json to_json(const Error& error);
// The answer itself, or the error that it carries. corrupt if it is neither.
Result<Json> answer_of(const Json& answer);

// The serving side. Lives on the loop's thread and must not outlive the loop.
class LineService {
public:
    // Called with the answer, once, now or later; does nothing if the asker has gone.
    using Reply = std::function<void(const Result<Json>& answer)>;
    using OnRequest = std::function<void(const Json& request, Reply reply)>;

    // Listens at `path` (mode 0600, replacing what is there).
    static Result<std::unique_ptr<LineService>> open(EventLoop& loop, const std::string& path, OnRequest on_request);
    ~LineService();

private:
    struct Asker {
        Descriptor socket;
        std::string read, unsent;
        int waiting_for = 0;  // answers not given yet
        bool ended = false;   // it will ask no more
    };
    LineService(EventLoop& loop, Listener listener, OnRequest on_request)
        : loop_(loop), listener_(std::move(listener)), on_request_(std::move(on_request)) {}
    void accept_one();
    void serve(std::uint64_t id, std::uint32_t events);
    bool read_requests(std::uint64_t id, Asker& asker);
    void ask(std::uint64_t id, std::string_view line);
    void answer(std::uint64_t id, const Result<Json>& answer);
    void flush(std::uint64_t id, Asker& asker);
    void drop(std::uint64_t id);

    EventLoop& loop_;
    Listener listener_;
    OnRequest on_request_;
    std::map<std::uint64_t, Asker> askers_;
    std::uint64_t next_id_ = 1;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // replies may come after we have gone
};

// The asking side: one connection for one request. unavailable if nobody listens; outcome_unknown if the request
// went out and no answer came in time; else the error that the answer carries.
Result<Json> ask(const std::string& path, const Json& request, const Until& until);

}  // namespace kedge::lab
