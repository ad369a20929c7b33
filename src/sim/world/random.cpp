#include "sim/world/random.h"

#include <bit>

namespace kedge::sim {

Random::Random(std::uint64_t seed) : state_{} {
    for (std::uint64_t& word : state_) {
        seed += 0x9e3779b97f4a7c15;
        std::uint64_t mixed = seed;
        mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
        word = mixed ^ (mixed >> 31);
    }
}

std::uint64_t Random::next() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
}

// The bias of a remainder is below 2^-40 for every limit used here.
std::uint64_t Random::below(std::uint64_t limit) {
    return next() % limit;
}

bool Random::chance(double probability) {
    return static_cast<double>(next() >> 11) * 0x1.0p-53 < probability;
}

Span Random::between(Span least, Span most) {
    return least + Span{static_cast<std::int64_t>(below(static_cast<std::uint64_t>((most - least).count()) + 1))};
}

Random Random::fork() {
    return Random(next());
}

}  // namespace kedge::sim
