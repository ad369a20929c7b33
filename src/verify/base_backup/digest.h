// The checksums that a backup manifest may have of its files.
#pragma once

#include <string>

#include "verify/base_backup/manifest.h"

struct evp_md_ctx_st;

namespace kedge::verify {

// One digest at a time, of bytes that come in pieces. Belongs to one thread.
class Digest {
public:
    Digest();
    ~Digest();
    Digest(const Digest&) = delete;
    Digest& operator=(const Digest&) = delete;

    void begin(ManifestChecksum algorithm);
    void update(Bytes bytes);
    // As the manifest has it: of CRC-32C the four bytes in the order of a little-endian server. Empty for `none`.
    std::string finish();

private:
    ManifestChecksum algorithm_ = ManifestChecksum::none;
    std::uint32_t crc_ = 0;
    evp_md_ctx_st* context_;
};

}  // namespace kedge::verify
