// Messages that come late, once too little, or not at all.

#include <array>

#include "sim/faults.h"

namespace kedge::sim {
namespace {

void cut_for_a_while(Staging& staging, Place from, Place to) {
    Ground& ground = staging.world().ground;
    staging.later([&ground, from, to] { ground.cut(from, to); }, [&ground, from, to] { ground.mend(from, to); });
}

void other_region_unheard(Staging& staging) {
    cut_for_a_while(staging, staging.other(), staging.world().ground.outside());
}
void other_region_unreached(Staging& staging) {
    cut_for_a_while(staging, staging.world().ground.outside(), staging.other());
}
void home_region_unheard(Staging& staging) {
    cut_for_a_while(staging, staging.home(), staging.world().ground.outside());
}
void regions_part(Staging& staging) {
    World& world = staging.world();
    const Place a = staging.home(), b = staging.other();
    staging.later([&world, a, b] { world.part(a, b); },
                  [&world, a, b] {
                      world.ground.mend(a, b);
                      world.ground.mend(b, a);
                  });
}
void one_way_between_regions(Staging& staging) {
    const bool to_home = staging.random.chance(0.5);
    cut_for_a_while(staging, to_home ? staging.other() : staging.home(), to_home ? staging.home() : staging.other());
}
void slow_network(Staging& staging) {
    Ground& ground = staging.world().ground;
    const Place place = staging.other();
    const Span by = staging.random.between(100ms, 1500ms);
    staging.later(
        [&ground, place, by] {
            ground.slow_down(ground.outside(), place, by / 2);
            ground.slow_down(place, ground.outside(), by / 2);
        },
        [&ground, place] {
            ground.slow_down(ground.outside(), place, Span{0});
            ground.slow_down(place, ground.outside(), Span{0});
        });
}

// Each exchange with a target is lost with a chance: the message, or its answer.
void messages_are_lost(Staging& staging, Passage how) {
    const double share = 0.05 + 0.3 * (static_cast<double>(staging.random.below(100)) / 100);
    Ground& ground = staging.world().ground;
    auto random = std::make_shared<Random>(staging.random.fork());
    auto fired = staging.fired;
    ground.schedule().at(staging.when(), [&ground, random, share, how, fired, &disaster = staging.disaster] {
        if (disaster.is_healed()) return;
        ground.meddle([random, share, how, fired](Port, std::uint64_t) -> std::optional<Passage> {
            if (!random->chance(share)) return std::nullopt;
            fired();
            return how;
        });
    });
    ground.schedule().at(staging.to, [&ground] { ground.meddle({}); });
}
void requests_are_lost(Staging& staging) {
    messages_are_lost(staging, Passage::silent);
}
void answers_are_lost(Staging& staging) {
    messages_are_lost(staging, Passage::answer_lost);
}
void connections_are_refused(Staging& staging) {
    messages_are_lost(staging, Passage::refused);
}
// Ways between all places go and come back, one after the other.
void swizzle(Staging& staging) {
    Ground& ground = staging.world().ground;
    const Place places = ground.outside() + 1;
    for (Place from = 0; from < places; ++from)
        for (Place to = 0; to < places; ++to)
            if (from != to && staging.random.chance(0.5))
                staging.later([&ground, from, to] { ground.cut(from, to); },
                              [&ground, from, to] { ground.mend(from, to); }, 100ms, 4s);
}

}  // namespace

std::span<const FaultPiece> faults_of_network() {
    static constexpr std::array faults{
        FaultPiece{"the other region is not heard for a while", "36", other_region_unheard},
        FaultPiece{"the other region is not reached for a while", "36", other_region_unreached},
        FaultPiece{"the lost region is heard one way", "36", home_region_unheard},
        FaultPiece{"the regions part for a while", "35, 37", regions_part},
        FaultPiece{"one way between the regions is cut", "36", one_way_between_regions},
        FaultPiece{"the network is slow", "35, 40, 75", slow_network},
        FaultPiece{"requests are lost", "35, 39", requests_are_lost},
        FaultPiece{"answers are lost", "38", answers_are_lost},
        FaultPiece{"connections are refused", "66, 73", connections_are_refused},
        FaultPiece{"ways go and come back", "46", swizzle},
    };
    return faults;
}

}  // namespace kedge::sim
