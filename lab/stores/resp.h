// Redis's protocol, RESP2, as far as the lab's programs need it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "os/socket.h"

namespace kedge::lab {

struct Reply {
    enum class Kind { text, error, integer, null, array } kind = Kind::null;
    std::string text;
    std::int64_t integer = 0;
    std::vector<Reply> items;
};

using Command = std::vector<std::string>;

class RedisConnection {
public:
    static Result<RedisConnection> open(const Endpoint& to, const std::string& source, const Until& until);
    // Sends all commands at once and reads as many replies. An error reply is a reply.
    Result<std::vector<Reply>> pipeline(const std::vector<Command>& commands, const Until& until);
    Result<Reply> command(const Command& command, const Until& until);
    // The next reply that nobody asked for (a published message).
    Result<Reply> read(const Until& until);
    bool is_spent() const { return stream_.is_spent(); }

private:
    explicit RedisConnection(Stream stream) : stream_(std::move(stream)) {}
    Result<Reply> read_reply(const Until& until, int depth);
    Stream stream_;
};

}  // namespace kedge::lab
