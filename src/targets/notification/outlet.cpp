#include "targets/notification/outlet.h"

#include <fmt/format.h>

namespace kedge {
namespace {

bool is_loopback(std::string_view host) {
    return host.starts_with("127.") || host == "localhost" || host == "::1";
}

// Bytes 10xxxxxx go on with a character (RFC 3629).
bool goes_on(char c) {
    return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

}  // namespace

Result<void> is_fit_for_secrets(std::string_view url) {
    const Result<Url> parsed = parse_url(url);
    if (!parsed) return Error{Fault::invalid_input, "it is no URL that can be asked"};
    if (parsed->scheme == "https" || (parsed->scheme == "http" && is_loopback(parsed->host))) return {};
    return Error{Fault::invalid_input, fmt::format("{}:// would carry a secret in plain", parsed->scheme)};
}

std::size_t whole_characters(std::string_view text, std::size_t bytes_max) {
    if (text.size() <= bytes_max) return text.size();
    std::size_t end = bytes_max;
    while (end > 0 && goes_on(text[end])) --end;
    return end > 0 ? end : bytes_max;  // it is no UTF-8 at all
}

std::string shortened(std::string_view text, std::size_t bytes_max) {
    if (text.size() <= bytes_max) return std::string(text);
    const std::size_t end = whole_characters(text, bytes_max - std::min(bytes_max, ellipsis.size()));
    return std::string(text.substr(0, end)) + std::string(ellipsis);
}

Result<FinalAnswer> post_json(const std::string& url, const Json& body, Moment deadline, const Retries& retries) {
    return http_request_until_answered({.method = "POST",
                                        .target = url,
                                        .headers = {{"Content-Type", "application/json; charset=utf-8"}},
                                        .body = dump(body)},
                                       deadline, retries);
}

}  // namespace kedge
