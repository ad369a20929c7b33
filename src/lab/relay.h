// The network between the lab's sites: every address at which a server is announced leads through here.
//
// One process, one thread. Delay, jitter, loss, silence and cuts are set at run time through a socket of its own
// (see RelayClient); a fault holds for old and new connections alike.
#pragma once

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "lab/line_service.h"
#include "lab/relay_connection.h"

namespace kedge::lab {

// A listener and where it leads.
struct Route {
    std::string name;  // the component behind it
    Endpoint listen;
    Endpoint target;
    Site site = Site::outside;            // the target's
    std::optional<std::string> source{};  // every caller counts as this address; else its own address tells
};

// The routes of the whole lab.
std::vector<Route> lab_routes();

class Relay {
public:
    static constexpr std::size_t connections_max = 4096;

    // Listens on every route and at the control socket. conflict, naming the address, if one is taken.
    static Result<std::unique_ptr<Relay>> open(std::vector<Route> routes, const std::string& control_path);

    // Works until `stop` is requested.
    void run(const std::stop_token& stop = {}) { loop_.run(stop); }

    // Where route `index` listens: of use when its port was 0.
    const Endpoint& endpoint(std::size_t index) const { return entries_[index].listener.endpoint(); }

private:
    struct Entry {
        Route route;
        Listener listener;
        std::uint64_t accepted = 0;
    };
    explicit Relay(EventLoop loop) : loop_(std::move(loop)) {}
    void accept_one(Entry& entry);
    Result<Json> handle(const Json& request);
    Json describe() const;

    EventLoop loop_;
    Paths paths_;
    std::minstd_rand chance_{20261123};  // the same run of chance each time
    std::vector<Entry> entries_;
    std::map<std::uint64_t, std::unique_ptr<RelayConnection>> connections_;
    std::uint64_t next_id_ = 1;
    std::unique_ptr<LineService> control_;
};

}  // namespace kedge::lab
