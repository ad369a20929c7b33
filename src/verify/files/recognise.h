// What a file is, by how it begins.
#pragma once

#include <string_view>

#include "verify/bytes.h"
#include "verify/unpack/unpack.h"

namespace kedge::verify {

enum class Format {
    unknown,
    rdb,
    aof,
    aof_manifest,
    custom_dump,
    dump_toc,  // `toc.dat` of a dump in a directory: the same magic, another format byte
    tar_dump,
    tar,
    wal_segment,
    plain_dump,  // SQL: a program, which is never run and cannot be judged
};

// How many bytes of a file's beginning are asked for.
inline constexpr std::size_t front_bytes = 4096;

Format format_of(Bytes front);

}  // namespace kedge::verify
