#include "password.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>

#include "base/check.h"
#include "base/digest.h"

namespace kedge::lab {
namespace {

// A laboratory's users are made up: enough to be honest work, not so much that logins load two cores.
constexpr int iterations = 20'000;

std::string hexadecimal(const unsigned char* bytes, std::size_t size) {
    std::string text;
    for (std::size_t i = 0; i < size; ++i) text += fmt::format("{:02x}", bytes[i]);
    return text;
}

template <std::size_t size>
std::string random_hexadecimal() {
    std::array<unsigned char, size> bytes;
    check(RAND_bytes(bytes.data(), size) == 1, "random bytes can be had");
    return hexadecimal(bytes.data(), size);
}

}  // namespace

std::string new_salt() {
    return random_hexadecimal<16>();
}
std::string new_token() {
    return random_hexadecimal<32>();
}

std::string hash_password(std::string_view password, std::string_view salt) {
    std::array<unsigned char, 32> hash;
    const int done = PKCS5_PBKDF2_HMAC(
        password.data(), static_cast<int>(password.size()), reinterpret_cast<const unsigned char*>(salt.data()),
        static_cast<int>(salt.size()), iterations, EVP_sha256(), hash.size(), hash.data());
    check(done == 1, "a password can be hashed");
    return hexadecimal(hash.data(), hash.size());
}

bool is_same_secret(std::string_view a, std::string_view b) {
    const std::string first = sha256_hex(a), second = sha256_hex(b);
    return CRYPTO_memcmp(first.data(), second.data(), first.size()) == 0;
}

}  // namespace kedge::lab
