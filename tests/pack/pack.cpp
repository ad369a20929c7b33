#include "pack.h"

#include <lz4frame.h>
#include <zlib.h>
#include <zstd.h>

#include "base/check.h"

namespace kedge::verify {
namespace {

std::string pack_deflate(std::string_view plain, int window_bits) {
    z_stream stream{};
    check(deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) == Z_OK,
          "zlib is there");
    std::string packed(deflateBound(&stream, plain.size()) + 32, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
    stream.avail_in = static_cast<uInt>(plain.size());
    stream.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    check(deflate(&stream, Z_FINISH) == Z_STREAM_END, "the bound was enough");
    packed.resize(stream.total_out);
    deflateEnd(&stream);
    return packed;
}

std::string pack_lz4(std::string_view plain, Checksum checksum) {
    LZ4F_preferences_t preferences{};
    preferences.frameInfo.contentChecksumFlag =
        checksum == Checksum::present ? LZ4F_contentChecksumEnabled : LZ4F_noContentChecksum;
    std::string packed(LZ4F_compressFrameBound(plain.size(), &preferences), '\0');
    const std::size_t size = LZ4F_compressFrame(packed.data(), packed.size(), plain.data(), plain.size(), &preferences);
    check(LZ4F_isError(size) == 0, "the bound was enough");
    packed.resize(size);
    return packed;
}

std::string pack_zstd(std::string_view plain, Checksum checksum) {
    ZSTD_CCtx* context = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, checksum == Checksum::present ? 1 : 0);
    std::string packed(ZSTD_compressBound(plain.size()), '\0');
    const std::size_t size = ZSTD_compress2(context, packed.data(), packed.size(), plain.data(), plain.size());
    ZSTD_freeCCtx(context);
    check(ZSTD_isError(size) == 0, "the bound was enough");
    packed.resize(size);
    return packed;
}

}  // namespace

std::string pack(Packing packing, std::string_view plain, Checksum checksum) {
    switch (packing) {
        case Packing::none: return std::string(plain);
        case Packing::gzip: return pack_deflate(plain, 15 + 16);
        case Packing::zlib: return pack_deflate(plain, 15);
        case Packing::lz4: return pack_lz4(plain, checksum);
        case Packing::zstd: return pack_zstd(plain, checksum);
    }
    return {};
}

}  // namespace kedge::verify
