#include "lab/relay.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "os/resolve.h"

namespace kedge::lab {

std::vector<Route> lab_routes() {
    std::vector<Route> routes;
    for (const Place& place : places())
        if (!place.announced.empty())
            routes.push_back({.name = std::string(place.name),
                              .listen = place.via_relay(),
                              .target = place.direct(),
                              .site = place.site});
    for (const FixedSource& fixed : fixed_sources) {
        const Place& target = *find_place(fixed.target);
        routes.push_back({.name = std::string(target.name),
                          .listen = {std::string(fixed.announced), target.port},
                          .target = target.direct(),
                          .site = target.site,
                          .source = std::string(find_place(fixed.source)->host)});
    }
    return routes;
}

Result<std::unique_ptr<Relay>> Relay::open(std::vector<Route> routes, const std::string& control_path) {
    std::unique_ptr<Relay> relay(new Relay(TRY(EventLoop::open())));
    Relay* const raw = relay.get();
    for (Route& route : routes) {
        Listener listener = TRY(Listener::listen(route.listen).within("relay"));
        relay->entries_.push_back({std::move(route), std::move(listener), 0});
    }
    for (Entry& entry : relay->entries_)  // none is added after this, so their addresses hold
        relay->loop_.watch(entry.listener.fd(), EPOLLIN, [raw, &entry](std::uint32_t) { raw->accept_one(entry); });
    relay->control_ =
        TRY(LineService::open(relay->loop_, control_path, [raw](const Json& request, const LineService::Reply& reply) {
            reply(raw->handle(request));
        }));
    return relay;
}

void Relay::accept_one(Entry& entry) {
    Address peer;
    peer.size = sizeof peer.storage;
    Descriptor client(accept4(entry.listener.fd(), peer.get(), &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!client.is_open() || connections_.size() >= connections_max) return;
    ++entry.accepted;
    const std::string source = entry.route.source.value_or(to_endpoint(peer).host);
    const std::uint64_t id = next_id_++;
    // The connection is in the middle of a call of its own when it closes.
    const auto on_closed = [this, id] { loop_.schedule(loop_.now(), [this, id] { connections_.erase(id); }); };
    connections_[id] = std::make_unique<RelayConnection>(loop_, paths_, chance_,
                                                         RelayConnection::Call{.client = std::move(client),
                                                                               .source = source,
                                                                               .from = site_of(source),
                                                                               .target = entry.route.target,
                                                                               .to = entry.route.site},
                                                         on_closed);
}

Result<Json> Relay::handle(const Json& request) {
    const Json& changes = get(request, "change");
    if (changes.is_null()) return describe();
    if (!changes.is_array()) return Error{Fault::invalid_input, "relay: 'change' is not a list"};
    // All of them or none, and for every connection at the same instant.
    Paths changed = paths_;
    for (const Json& change : changes) TRY(changed.apply(change));
    paths_ = std::move(changed);
    for (const auto& [id, connection] : connections_) connection->paths_changed();
    return describe();
}

Json Relay::describe() const {
    Json answer = paths_.describe();
    Json routes = Json::array();
    for (const Entry& entry : entries_) {
        std::size_t open = 0, held = 0;
        for (const auto& [id, connection] : connections_)
            if (connection->call().target == entry.route.target && !entry.route.source) {
                ++open;
                held += connection->held_bytes();
            }
        Json route = {{"component", entry.route.name},
                      {"listen", kedge::to_string(entry.listener.endpoint())},
                      {"target", kedge::to_string(entry.route.target)},
                      {"accepted", entry.accepted}};
        if (!entry.route.source) {
            route["connections"] = open;
            route["held_bytes"] = held;
        }
        routes.push_back(std::move(route));
    }
    answer["routes"] = std::move(routes);
    return answer;
}

}  // namespace kedge::lab
