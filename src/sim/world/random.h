// The world's only source of chance: the same seed gives the same draws on every machine, which the standard
// library's distributions do not promise. xoshiro256** by Blackman and Vigna, seeded by splitmix64.
#pragma once

#include <array>
#include <cstdint>

#include "base/time.h"

namespace kedge::sim {

class Random {
public:
    explicit Random(std::uint64_t seed);

    std::uint64_t next();
    std::uint64_t below(std::uint64_t limit);  // 0 .. limit - 1; `limit` is not 0
    bool chance(double probability);
    Span between(Span least, Span most);
    // Another source, which draws from this one change no more: so that one part's draws do not move another's.
    Random fork();

private:
    std::array<std::uint64_t, 4> state_;
};

}  // namespace kedge::sim
