#include "os/scratch_port.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <map>

#include "base/check.h"
#include "os/descriptor.h"
#include "os/socket.h"

namespace kedge {
namespace {

constexpr int port_count = 900;

// A name that belongs to one process, and to nobody when that ends, however it ends (unix(7), abstract sockets).
Descriptor claim(std::uint16_t port) {
    Descriptor claimed(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    check(claimed.is_open(), "a socket can be had");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string name = fmt::format("kedge-scratch-port-{}", port);
    name.copy(address.sun_path + 1, sizeof address.sun_path - 1);
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    if (bind(claimed.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0) claimed.close();
    return claimed;
}

}  // namespace

std::uint16_t take_scratch_port(std::uint16_t first) {
    static std::map<std::uint16_t, Descriptor> ours;
    static int next = getpid() * 7;
    for (int tries = 0; tries < port_count; ++tries) {
        const auto port = static_cast<std::uint16_t>(first + next++ % port_count);
        if (!ours.contains(port)) {
            Descriptor claimed = claim(port);
            if (!claimed.is_open()) continue;
            ours.emplace(port, std::move(claimed));
        }
        if (Listener::listen({"127.0.0.1", port})) return port;
    }
    fail_check("a port for tests is free", __builtin_FILE(), __builtin_LINE());
}

}  // namespace kedge
