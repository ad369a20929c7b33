#include "lab/topology.h"

#include <algorithm>

namespace kedge::lab {
namespace {

constexpr std::array all_places = {
    Place{"relay", Kind::relay, Site::outside, "", "", 0},
    Place{"postgres-us-east-1", Kind::postgres, Site::east, "127.0.11.10", "127.0.11.110", 21432},
    Place{"postgres-us-west-2", Kind::postgres, Site::west, "127.0.12.10", "127.0.12.110", 21432},
    Place{"redis-us-east-1", Kind::redis, Site::east, "127.0.11.20", "127.0.11.120", 21379},
    Place{"redis-us-west-2", Kind::redis, Site::west, "127.0.12.20", "127.0.12.120", 21379},
    Place{"sentinel-us-east-1", Kind::sentinel, Site::east, "127.0.11.30", "127.0.11.130", 21380},
    Place{"sentinel-us-west-2", Kind::sentinel, Site::west, "127.0.12.30", "127.0.12.130", 21380},
    Place{"sentinel-outside", Kind::sentinel, Site::outside, "127.0.13.30", "127.0.13.130", 21380},
    Place{"app-us-east-1-a", Kind::application, Site::east, "127.0.11.41", "127.0.11.141", 21080},
    Place{"app-us-east-1-b", Kind::application, Site::east, "127.0.11.42", "127.0.11.142", 21080},
    Place{"app-us-west-2-a", Kind::application, Site::west, "127.0.12.41", "127.0.12.141", 21080},
    Place{"app-us-west-2-b", Kind::application, Site::west, "127.0.12.42", "127.0.12.142", 21080},
    Place{"haproxy", Kind::haproxy, Site::outside, entrance_host, "", entrance_port},
    Place{"prometheus", Kind::prometheus, Site::outside, "127.0.13.50", "", 21090},
};

}  // namespace

std::string_view to_string(Site site) {
    switch (site) {
        case Site::east: return "us-east-1";
        case Site::west: return "us-west-2";
        case Site::outside: return "outside";
    }
    return "outside";
}

std::optional<Site> parse_site(std::string_view name) {
    for (const Site site : sites)
        if (to_string(site) == name) return site;
    return std::nullopt;
}

Site site_of(std::string_view address) {
    if (address.starts_with("127.0.11.")) return Site::east;
    if (address.starts_with("127.0.12.")) return Site::west;
    return Site::outside;
}

std::span<const Place> places() {
    return all_places;
}

const Place* find_place(std::string_view name) {
    const auto* const found = std::ranges::find(all_places, name, &Place::name);
    return found == all_places.end() ? nullptr : found;
}

Endpoint postgres_address(const Place& place, Site from) {
    if (from == place.site) return place.direct();
    if (from == Site::outside) return place.via_relay();
    for (const FixedSource& fixed : fixed_sources)
        if (fixed.target == place.name) return {std::string(fixed.announced), place.port};
    return place.via_relay();
}

}  // namespace kedge::lab
