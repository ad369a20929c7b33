// What the channels that speak HTTP share: one message, handed over to a service that may be busy.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "os/http_retry.h"

namespace kedge {

// invalid_input for an address that would carry a secret in plain: only https, or http to this machine. The message
// does not name the address, which may be a secret itself.
Result<void> is_fit_for_secrets(std::string_view url);

inline constexpr std::string_view ellipsis = "\xe2\x80\xa6";

// How many bytes of `text`, at most `bytes_max`, are whole characters of UTF-8.
std::size_t whole_characters(std::string_view text, std::size_t bytes_max);
// The beginning of `text`, at most `bytes_max` bytes, never ending inside a character; what was cut ends in "…".
std::string shortened(std::string_view text, std::size_t bytes_max);

// Posts `body` as JSON until it was answered for good.
Result<FinalAnswer> post_json(const std::string& url, const Json& body, Moment deadline, const Retries& retries);

}  // namespace kedge
