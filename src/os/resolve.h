// Names and addresses of the Internet families.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "os/socket.h"

namespace kedge {

// A socket address of any family.
struct Address {
    sockaddr_storage storage{};
    socklen_t size = 0;

    sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

// An IPv4 or IPv6 address in digits; nothing if `host` is none.
std::optional<Address> parse_address(const std::string& host, std::uint16_t port);
Endpoint to_endpoint(const Address& address);

// The addresses of `host`, at least one. not_found if the name has none, unavailable if the resolver
// does not answer in time.
Result<std::vector<Address>> resolve(const std::string& host, std::uint16_t port, const Until& until);

}  // namespace kedge
