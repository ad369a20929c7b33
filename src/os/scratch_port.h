// For tests: ports on loopback that no other test takes, of whatever process.
#pragma once

#include <cstdint>

namespace kedge {

// A free one of the 900 ports from `first` on, another at each call until all were given. It stays this process's until
// that ends: no other process is given it, even while nothing listens there. Stops the process if none is free. One
// thread.
std::uint16_t take_scratch_port(std::uint16_t first);

}  // namespace kedge
