#include "base/digest.h"

#include <openssl/evp.h>

#include <array>
#include <memory>

#include "base/check.h"

namespace kedge {

namespace {

struct FreeContext {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

// Looking the algorithm up costs several times what hashing an entry of a journal does, so it is done once for each
// thread and the context used again.
EVP_MD_CTX* context_of_this_thread() {
    thread_local const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
    thread_local const bool chosen = EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1;
    check(chosen, "OpenSSL always offers SHA-256");
    return context.get();
}

}  // namespace

std::string sha256_hex(std::string_view bytes) {
    std::array<unsigned char, 32> digest{};
    unsigned int size = 0;
    EVP_MD_CTX* const context = context_of_this_thread();
    check(EVP_DigestInit_ex(context, nullptr, nullptr) == 1 &&
              EVP_DigestUpdate(context, bytes.data(), bytes.size()) == 1 &&
              EVP_DigestFinal_ex(context, digest.data(), &size) == 1 && size == digest.size(),
          "hashing bytes in memory cannot fail");
    static constexpr std::string_view hex = "0123456789abcdef";
    std::string text(2 * digest.size(), '0');
    for (std::size_t i = 0; i < digest.size(); ++i) {
        text[2 * i] = hex[digest[i] >> 4];
        text[2 * i + 1] = hex[digest[i] & 15];
    }
    return text;
}

}  // namespace kedge
