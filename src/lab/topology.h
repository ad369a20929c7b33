// Where everything in the lab is: names, sites and addresses. The lab's estate file names the same ones.
//
// Three sites: two regions and what lies outside both. An address tells its site: 127.0.11.x is us-east-1,
// 127.0.12.x is us-west-2, 127.0.13.x and any other is outside. Within a site a server is reached at its direct
// address; from anywhere else at its announced one, where the relay listens.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "os/socket.h"

namespace kedge::lab {

enum class Site : std::uint8_t { east, west, outside };
inline constexpr std::array sites = {Site::east, Site::west, Site::outside};

// "us-east-1", "us-west-2", "outside"
std::string_view to_string(Site site);
std::optional<Site> parse_site(std::string_view name);
Site site_of(std::string_view address);
constexpr Site other_region(Site region) {
    return region == Site::east ? Site::west : Site::east;
}

enum class Kind : std::uint8_t { relay, postgres, redis, sentinel, application, haproxy, prometheus };

struct Place {
    std::string_view name;
    Kind kind;
    Site site;
    std::string_view host;       // direct
    std::string_view announced;  // where the relay listens for it; empty: it is not reached from elsewhere
    std::uint16_t port = 0;      // of both

    Endpoint direct() const { return {std::string(host), port}; }
    Endpoint via_relay() const { return {std::string(announced), port}; }
};

// Every component, in the order in which they can be started.
std::span<const Place> places();
// Nothing if there is no such component.
const Place* find_place(std::string_view name);

// libpq cannot choose the address that it comes from, so the relay has a listener for each region's server that
// counts every caller as the other region's server: replication and the applications use it.
struct FixedSource {
    std::string_view announced;
    std::string_view target;  // component
    std::string_view source;  // component that callers count as
};
inline constexpr std::array fixed_sources = {
    FixedSource{"127.0.11.210", "postgres-us-east-1", "postgres-us-west-2"},
    FixedSource{"127.0.12.210", "postgres-us-west-2", "postgres-us-east-1"},
};
// The address at which a client in `from` reaches `place`, a PostgreSQL server.
Endpoint postgres_address(const Place& place, Site from);

inline constexpr std::string_view redis_master_name = "aragora-master";
inline constexpr int sentinel_quorum = 2;
inline constexpr std::string_view database_name = "aragora";
inline constexpr std::string_view entrance_host = "127.0.13.60";
inline constexpr std::uint16_t entrance_port = 21000;
inline constexpr std::uint16_t haproxy_metrics_port = 21001;

}  // namespace kedge::lab
