// What the network between the sites does at this moment: the part of the relay that is only data.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "base/json.h"
#include "base/time.h"
#include "lab/topology.h"

namespace kedge::lab {

// What becomes of bytes on a path. A cut one resets every connection that needs it and refuses new ones; a silent
// one accepts connections and holds every byte, also the end of a stream, until it is open again.
enum class Passage : std::uint8_t { open, silent, cut };
std::string_view to_string(Passage passage);

// From one site to another, one way.
struct Path {
    Span delay{};
    Span jitter{};    // added, evenly spread between 0 and this
    double loss = 0;  // the share of chunks that are lost once and sent again
    Passage passage = Passage::open;

    std::uint64_t bytes = 0;  // delivered since the start
};

class Paths {
public:
    // 32.5 ms between different sites, nothing within one: 65 ms there and back.
    Paths();

    Path& between(Site from, Site to) { return paths_[index(from)][index(to)]; }
    const Path& between(Site from, Site to) const { return paths_[index(from)][index(to)]; }

    // What one server lets through beside the paths; open unless set.
    void set_host(const std::string& host, Passage passage);
    // The stricter of the path's and of both servers'.
    Passage passage(Site from, Site to, const std::string& host, const std::string& other_host) const;
    // Both ways: a connection is cut if either way is, and opens only if both are open.
    Passage both_ways(Site from, Site to, const std::string& host, const std::string& other_host) const;

    // {"from": SITE, "to": SITE, "delay": "32.5ms", "jitter", "loss", "passage"}, what is absent stays; or
    // {"host": ADDRESS, "passage"}. invalid_input, and nothing changed, for anything else.
    Result<void> apply(const Json& change);
    Json describe() const;

private:
    static constexpr std::size_t index(Site site) { return static_cast<std::size_t>(site); }

    std::array<std::array<Path, 3>, 3> paths_;
    std::map<std::string, Passage> hosts_;
};

}  // namespace kedge::lab
