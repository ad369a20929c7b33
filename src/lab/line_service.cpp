#include "lab/line_service.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace kedge::lab {
namespace {

constexpr std::size_t askers_max = 256;

std::optional<Fault> parse_fault(std::string_view name) {
    for (const Fault fault : {Fault::invalid_input, Fault::not_found, Fault::conflict, Fault::refused,
                              Fault::not_allowed, Fault::unavailable, Fault::outcome_unknown, Fault::corrupt})
        if (to_string(fault) == name) return fault;
    return std::nullopt;
}

}  // namespace

Json to_json(const Error& error) {
    return {{"ok", false}, {"fault", to_string(error.fault)}, {"message", error.message}, {"hint", error.hint}};
}

Result<Json> answer_of(const Json& answer) {
    const std::optional<bool> ok = get_bool(answer, "ok");
    if (ok == true) return answer;
    const auto fault = parse_fault(get_string(answer, "fault").value_or(""));
    if (ok != false || !fault) return Error{Fault::corrupt, "an answer without \"ok\" or a known fault"};
    return Error{*fault, get_string(answer, "message").value_or(""), get_string(answer, "hint").value_or("")};
}

Result<std::unique_ptr<LineService>> LineService::open(EventLoop& loop, const std::string& path, OnRequest on_request) {
    Listener listener = TRY(Listener::listen_unix(path));
    std::unique_ptr<LineService> service(new LineService(loop, std::move(listener), std::move(on_request)));
    loop.watch(service->listener_.fd(), EPOLLIN, [raw = service.get()](std::uint32_t) { raw->accept_one(); });
    return service;
}

LineService::~LineService() {
    *alive_ = false;
    for (const auto& [id, asker] : askers_) loop_.forget(asker.socket.get());
    loop_.forget(listener_.fd());
}

void LineService::accept_one() {
    Descriptor socket(accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket.is_open() || askers_.size() >= askers_max) return;
    const std::uint64_t id = next_id_++;
    loop_.watch(socket.get(), EPOLLIN, [this, id](std::uint32_t events) { serve(id, events); });
    askers_[id].socket = std::move(socket);
}

void LineService::serve(std::uint64_t id, std::uint32_t events) {
    const auto found = askers_.find(id);
    if (found == askers_.end()) return;
    if ((events & EPOLLOUT) != 0) {
        flush(id, found->second);
        return;
    }
    if ((events & EPOLLIN) == 0) {  // nobody is there to read an answer
        drop(id);
        return;
    }
    if (!read_requests(id, found->second)) drop(id);
}

// False when the connection is of no more use.
bool LineService::read_requests(std::uint64_t id, Asker& asker) {
    std::array<char, 16384> buffer;
    const ssize_t got = recv(asker.socket.get(), buffer.data(), buffer.size(), 0);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) {
        asker.ended = true;
        loop_.change(asker.socket.get(), asker.unsent.empty() ? 0U : std::uint32_t{EPOLLOUT});
        return asker.waiting_for > 0 || !asker.unsent.empty();
    }
    asker.read.append(buffer.data(), static_cast<std::size_t>(got));
    for (std::size_t end; (end = asker.read.find('\n')) != std::string::npos;) {
        const std::string line = asker.read.substr(0, end);
        asker.read.erase(0, end + 1);
        ++asker.waiting_for;
        ask(id, line);
        if (!askers_.contains(id)) return true;
    }
    return asker.read.size() <= request_bytes_max;
}

void LineService::ask(std::uint64_t id, std::string_view line) {
    const Result<Json> request = parse_json(line);
    if (!request) {
        answer(id, request.error());
        return;
    }
    on_request_(*request, [this, id, alive = alive_](const Result<Json>& given) {
        if (*alive) answer(id, given);
    });
}

void LineService::answer(std::uint64_t id, const Result<Json>& answer) {
    const auto found = askers_.find(id);
    if (found == askers_.end()) return;
    Json line = answer ? *answer : to_json(answer.error());
    if (answer) line["ok"] = true;
    --found->second.waiting_for;
    found->second.unsent += dump(line) + "\n";
    flush(id, found->second);
}

void LineService::flush(std::uint64_t id, Asker& asker) {
    while (!asker.unsent.empty()) {
        const ssize_t sent = send(asker.socket.get(), asker.unsent.data(), asker.unsent.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && errno == EAGAIN) {
            loop_.change(asker.socket.get(), EPOLLOUT);
            return;
        }
        if (sent < 0) {
            drop(id);
            return;
        }
        asker.unsent.erase(0, static_cast<std::size_t>(sent));
    }
    if (asker.ended && asker.waiting_for == 0)
        drop(id);
    else
        loop_.change(asker.socket.get(), asker.ended ? 0U : std::uint32_t{EPOLLIN});
}

void LineService::drop(std::uint64_t id) {
    const auto found = askers_.find(id);
    if (found == askers_.end()) return;
    loop_.forget(found->second.socket.get());
    askers_.erase(found);
}

Result<Json> ask(const std::string& path, const Json& request, const Until& until) {
    Stream stream = TRY(Stream::connect_unix(path, until));
    TRY(stream.write_all(dump(request) + "\n", until));
    const Result<std::string> line = stream.read_line(until, request_bytes_max);
    if (!line) return Error{Fault::outcome_unknown, line.error().message};
    return answer_of(TRY(parse_json(*line).within(path)));
}

}  // namespace kedge::lab
