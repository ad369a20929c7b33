// Packs bytes as the tests want them, with the reference libraries.
#pragma once

#include <string>
#include <string_view>

#include "verify/unpack/unpack.h"

namespace kedge::verify {

enum class Checksum { absent, present };  // of lz4 and zstd; gzip and zlib always have one

std::string pack(Packing packing, std::string_view plain, Checksum checksum = Checksum::present);

}  // namespace kedge::verify
