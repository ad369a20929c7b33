// The protocol that Redis and Sentinel speak, RESP2 (redis.io/docs/reference/protocol-spec).
//
// An error that the server answers is a value, in the place where its answer stands: in a pipeline one command
// may be refused while the others are served. A Result is an error only when no answer came, or none that is RESP.
// Every length that the peer names is bounded before anything is allocated for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/truth.h"
#include "os/socket.h"

namespace kedge {

struct RespLimits {
    std::size_t line_bytes = 64u << 10;  // a simple string, an error, a length
    std::size_t text_bytes = 16u << 20;  // one bulk string
    std::size_t items = 1u << 20;        // of one answer, nested ones included
    std::size_t bytes = 64u << 20;       // of one answer altogether
    int depth = 8;
};

struct Reply {
    enum class Kind { text, error, integer, null, array };

    Kind kind = Kind::null;
    std::string text;  // of a text or an error: "ERR unknown command ..."
    std::int64_t integer = 0;
    std::vector<Reply> items;

    bool is_error() const { return kind == Kind::error; }
    // The first word of an error: "NOGOODSLAVE"; empty for anything else.
    std::string_view error_code() const;
    // The text of a text, an integer written out; nothing for all else.
    std::optional<std::string> as_text() const;
    std::optional<std::int64_t> as_integer() const;
};

// One answer off the stream. corrupt for anything that is not RESP2 or breaks a limit, unavailable as the stream says.
Result<Reply> read_reply(Stream& stream, const Until& until, const RespLimits& limits = {});

using RedisCommand = std::vector<std::string>;
// The commands as they are sent, one after the other.
std::string to_resp(const std::vector<RedisCommand>& commands);

struct RedisLogin {
    std::string user;  // empty = the default user
    std::string password;
};

// Whether asking twice does harm.
enum class Asking { reads, changes };

// One server, reached over a connection that is kept. Any thread may call; callers at the same time get a
// connection each.
class RedisClient {
public:
    explicit RedisClient(Endpoint at, std::optional<RedisLogin> login = std::nullopt, RespLimits limits = {});

    // Sends all `commands` at once and reads an answer to each. A command that reads is sent once more when a
    // kept connection turns out to be broken. Errors:
    // unavailable: nothing was carried out (with Asking::reads: no answer came); outcome_unknown (changes only):
    // the connection broke after something was sent; not_allowed: the login was refused; corrupt: that is no Redis.
    Result<std::vector<Reply>> ask(const std::vector<RedisCommand>& commands, Asking asking, const Until& until);

    const Endpoint& endpoint() const { return at_; }

private:
    struct Attempt {
        Result<std::vector<Reply>> replies;
        bool sent = false;
    };
    Result<Stream> connect(const Until& until) const;
    Attempt attempt(Stream& stream, const std::vector<RedisCommand>& commands, const Until& until) const;
    std::optional<Stream> take_kept();
    void keep(Stream stream);

    const Endpoint at_;
    const std::optional<RedisLogin> login_;
    const RespLimits limits_;
    std::mutex mutex_;
    std::optional<Stream> kept_;  // guarded by mutex_
};

// Whether a server that gave `error` instead of an answer is there: no = its machine refused or it hung up;
// unknown = silence.
Truth reachable_after(const Error& error);

// What an error reply means to a caller, told as `where: text`.
Error redis_error(const Reply& reply, std::string_view where);

}  // namespace kedge
