#include "verify/base_backup/digest.h"

#include <openssl/evp.h>

#include "base/check.h"
#include "verify/crc32c.h"

namespace kedge::verify {
namespace {

// Looked up once: OpenSSL 3 searches its providers at every use of the older names.
const EVP_MD* algorithm_of(ManifestChecksum algorithm) {
    static const EVP_MD* const sha224 = EVP_MD_fetch(nullptr, "SHA224", nullptr);
    static const EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    static const EVP_MD* const sha384 = EVP_MD_fetch(nullptr, "SHA384", nullptr);
    static const EVP_MD* const sha512 = EVP_MD_fetch(nullptr, "SHA512", nullptr);
    switch (algorithm) {
        case ManifestChecksum::sha224: return sha224;
        case ManifestChecksum::sha256: return sha256;
        case ManifestChecksum::sha384: return sha384;
        case ManifestChecksum::sha512: return sha512;
        default: return nullptr;
    }
}

}  // namespace

Digest::Digest() : context_(EVP_MD_CTX_new()) {
    check(context_ != nullptr, "there is memory for a digest");
}

Digest::~Digest() {
    EVP_MD_CTX_free(context_);
}

void Digest::begin(ManifestChecksum algorithm) {
    algorithm_ = algorithm;
    crc_ = crc32c_start;
    if (algorithm == ManifestChecksum::none || algorithm == ManifestChecksum::crc32c) return;
    check(EVP_DigestInit_ex2(context_, algorithm_of(algorithm), nullptr) == 1, "OpenSSL has the SHA-2 family");
}

void Digest::update(Bytes bytes) {
    if (algorithm_ == ManifestChecksum::none) return;
    if (algorithm_ == ManifestChecksum::crc32c)
        crc_ = crc32c_update(crc_, bytes);
    else
        check(EVP_DigestUpdate(context_, bytes.data(), bytes.size()) == 1, "a digest takes any bytes");
}

std::string Digest::finish() {
    std::string result(checksum_bytes(algorithm_), '\0');
    if (algorithm_ == ManifestChecksum::crc32c) {
        const std::uint32_t value = ~crc_;
        for (std::size_t i = 0; i < result.size(); ++i) result[i] = static_cast<char>(value >> (8 * i) & 0xFF);
    } else if (algorithm_ != ManifestChecksum::none) {
        check(EVP_DigestFinal_ex(context_, reinterpret_cast<unsigned char*>(result.data()), nullptr) == 1,
              "a digest ends");
    }
    return result;
}

}  // namespace kedge::verify
