#include "verify/files/recognise.h"

#include <cstring>

#include "verify/dump/dump.h"
#include "verify/redis/aof.h"
#include "verify/unpack/tar.h"

namespace kedge::verify {
namespace {

std::string_view as_text(Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The long header of a segment's first page (access/xlog_internal.h): a magic that counts versions from 0xD05x on, and
// the flag that says that the header is a long one.
bool looks_like_wal(Bytes front) {
    constexpr std::size_t long_header_bytes = 40;
    constexpr std::uint16_t long_header = 2, known_flags = 15;
    if (front.size() < long_header_bytes) return false;
    std::uint16_t magic = 0, flags = 0;
    std::memcpy(&magic, front.data(), sizeof magic);
    std::memcpy(&flags, front.data() + 2, sizeof flags);
    return magic >= 0xd050 && magic < 0xd200 && (flags & long_header) != 0 && (flags & ~known_flags) == 0;
}

}  // namespace

Format format_of(Bytes front) {
    constexpr std::size_t format_byte = 10;  // behind magic, version and two sizes
    constexpr std::byte custom_format{1};    // the contents of a directory say 3, that of a tar
    if (looks_like_rdb(front)) return Format::rdb;
    if (begins_tar_dump(front)) return Format::tar_dump;
    if (as_text(front).starts_with("PGDMP") && front.size() > format_byte && front[format_byte] != custom_format)
        return Format::dump_toc;
    if (begins_custom_dump(front)) return Format::custom_dump;
    if (looks_like_wal(front)) return Format::wal_segment;
    if (looks_like_aof_manifest(front)) return Format::aof_manifest;
    if (looks_like_aof(front)) return Format::aof;
    if (front.size() >= TarReader::block_bytes && is_tar_head(front.first(TarReader::block_bytes))) return Format::tar;
    const std::string_view text = as_text(front);
    if (text.find("-- PostgreSQL database dump\n") < 64 || text.find("-- PostgreSQL database cluster dump\n") < 64)
        return Format::plain_dump;
    return Format::unknown;
}

}  // namespace kedge::verify
