#include "os/secret.h"

#include <fmt/format.h>

#include <cstdlib>

#include "os/files.h"

namespace kedge {
namespace {

constexpr std::size_t secret_bytes_max = 64 * 1024;

}  // namespace

Result<std::string> read_secret(std::string_view reference) {
    const auto colon = reference.find(':');
    const std::string_view kind = reference.substr(0, colon);
    const std::string place{colon == std::string_view::npos ? "" : reference.substr(colon + 1)};
    std::string secret;
    if (kind == "env" && !place.empty()) {
        const char* value = std::getenv(place.c_str());
        if (value == nullptr) return Error{Fault::not_found, fmt::format("secret {}: not set", reference)};
        secret = value;
    } else if (kind == "file" && !place.empty()) {
        secret = TRY(read_file(place, secret_bytes_max).within("secret"));
    } else {
        return Error{Fault::invalid_input, fmt::format("secret '{}' is not env:NAME or file:PATH", reference)};
    }
    if (secret.ends_with('\n')) secret.pop_back();
    if (secret.ends_with('\r')) secret.pop_back();
    if (secret.empty()) return Error{Fault::refused, fmt::format("secret {}: empty", reference)};
    return secret;
}

std::string without_secret(std::string text, std::string_view secret) {
    if (secret.empty()) return text;
    constexpr std::string_view instead = "***";
    for (std::size_t at = text.find(secret); at != std::string::npos; at = text.find(secret, at + instead.size()))
        text.replace(at, secret.size(), instead);
    return text;
}

}  // namespace kedge
