#include "os/resolve.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/eventfd.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <thread>

#include "base/check.h"

namespace kedge {
namespace {

struct FreeAddresses {
    void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

// What the asking thread and the resolving thread share: whoever is last frees it.
struct Lookup {
    Descriptor done{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    std::atomic<bool> is_answered = false;  // the two below are set: the event alone orders nothing between threads
    int code = 0;
    std::unique_ptr<addrinfo, FreeAddresses> list;
};

addrinfo stream_hints() {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;
    return hints;
}

}  // namespace

std::optional<Address> parse_address(const std::string& host, std::uint16_t port) {
    Address address;
    sockaddr_in v4{};
    if (inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
        v4.sin_family = AF_INET;
        v4.sin_port = htons(port);
        std::memcpy(&address.storage, &v4, sizeof v4);
        address.size = sizeof v4;
        return address;
    }
    sockaddr_in6 v6{};
    if (inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1) {
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(port);
        std::memcpy(&address.storage, &v6, sizeof v6);
        address.size = sizeof v6;
        return address;
    }
    return std::nullopt;
}

Endpoint to_endpoint(const Address& address) {
    char text[INET6_ADDRSTRLEN] = {};
    if (address.get()->sa_family == AF_INET6) {
        sockaddr_in6 v6;
        std::memcpy(&v6, &address.storage, sizeof v6);
        inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
        return Endpoint{text, ntohs(v6.sin6_port)};
    }
    sockaddr_in v4;
    std::memcpy(&v4, &address.storage, sizeof v4);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return Endpoint{text, ntohs(v4.sin_port)};
}

Result<std::vector<Address>> resolve(const std::string& host, std::uint16_t port, const Until& until) {
    if (const auto address = parse_address(host, port)) return std::vector{*address};

    // getaddrinfo has no deadline and cannot be called off, so it runs in a thread that may outlast this
    // call by the resolver's own patience; it touches nothing but the lookup, which it shares.
    const auto lookup = std::make_shared<Lookup>();
    std::thread([lookup, host] {
        const addrinfo hints = stream_hints();
        addrinfo* list = nullptr;
        lookup->code = getaddrinfo(host.c_str(), nullptr, &hints, &list);
        lookup->list.reset(list);
        lookup->is_answered.store(true, std::memory_order_release);
        eventfd_write(lookup->done.get(), 1);
    }).detach();
    TRY(wait_ready(lookup->done.get(), POLLIN, until).within("resolve " + host));
    check(lookup->is_answered.load(std::memory_order_acquire), "the event says that it is answered");

    if (lookup->code == EAI_NONAME || lookup->code == EAI_NODATA)
        return Error{Fault::not_found, fmt::format("resolve {}: {}", host, gai_strerror(lookup->code))};
    if (lookup->code != 0)
        return Error{Fault::unavailable, fmt::format("resolve {}: {}", host, gai_strerror(lookup->code))};
    std::vector<Address> addresses;
    for (const addrinfo* entry = lookup->list.get(); entry != nullptr; entry = entry->ai_next) {
        Address address;
        std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
        address.size = entry->ai_addrlen;
        if (entry->ai_family == AF_INET)
            reinterpret_cast<sockaddr_in*>(&address.storage)->sin_port = htons(port);
        else
            reinterpret_cast<sockaddr_in6*>(&address.storage)->sin6_port = htons(port);
        addresses.push_back(address);
    }
    if (addresses.empty()) return Error{Fault::not_found, fmt::format("resolve {}: no address", host)};
    return addresses;
}

}  // namespace kedge
