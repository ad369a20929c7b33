#include "targets/redis/resp.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace kedge {
namespace {

// What is left of one answer's allowance.
struct Allowance {
    std::size_t items;
    std::size_t bytes;
};

Error not_resp(const Stream& stream, std::string_view what) {
    return {Fault::corrupt, fmt::format("{}: this is not what a Redis server answers: {}", stream.name(), what)};
}

Result<std::int64_t> number_of(const Stream& stream, std::string_view text) {
    std::int64_t number = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (fault != std::errc{} || end != text.data() + text.size() || text.empty())
        return not_resp(stream, "a number is malformed");
    return number;
}

Result<Reply> read_value(Stream& stream, const Until& until, const RespLimits& limits, Allowance& left, int depth);

Result<Reply> read_bulk(Stream& stream, std::string_view length, const Until& until, const RespLimits& limits,
                        Allowance& left) {
    const std::int64_t size = TRY(number_of(stream, length));
    if (size == -1) return Reply{};
    if (size < 0) return not_resp(stream, "a length is negative");
    const auto bytes = static_cast<std::size_t>(size);
    if (bytes > limits.text_bytes || bytes > left.bytes) return not_resp(stream, "a text is too long");
    left.bytes -= bytes;
    std::string text = TRY(stream.read_exactly(bytes + 2, until));
    if (!text.ends_with("\r\n")) return not_resp(stream, "a text has another length than it says");
    text.resize(bytes);
    return Reply{.kind = Reply::Kind::text, .text = std::move(text)};
}

Result<Reply> read_array(Stream& stream, std::string_view length, const Until& until, const RespLimits& limits,
                         Allowance& left, int depth) {
    const std::int64_t count = TRY(number_of(stream, length));
    if (count == -1) return Reply{};
    if (count < 0) return not_resp(stream, "a length is negative");
    if (depth >= limits.depth) return not_resp(stream, "it is nested too deep");
    if (static_cast<std::uint64_t>(count) > left.items) return not_resp(stream, "a list is too long");
    Reply reply{.kind = Reply::Kind::array};
    // Not reserved: a peer that promises a million items has to send them first.
    for (std::int64_t i = 0; i < count; ++i)
        reply.items.push_back(TRY(read_value(stream, until, limits, left, depth + 1)));
    return reply;
}

Result<Reply> read_value(Stream& stream, const Until& until, const RespLimits& limits, Allowance& left, int depth) {
    if (left.items == 0) return not_resp(stream, "it has too many items");
    --left.items;
    const std::string line = TRY(stream.read_line(until, limits.line_bytes));
    if (line.empty() || line.size() > left.bytes) return not_resp(stream, "an empty or too long line");
    left.bytes -= line.size();
    const std::string_view rest = std::string_view(line).substr(1);
    switch (line[0]) {
        case '+': return Reply{.kind = Reply::Kind::text, .text = std::string(rest)};
        case '-': return Reply{.kind = Reply::Kind::error, .text = std::string(rest)};
        case ':': return Reply{.kind = Reply::Kind::integer, .integer = TRY(number_of(stream, rest))};
        case '$': return read_bulk(stream, rest, until, limits, left);
        case '*': return read_array(stream, rest, until, limits, left, depth);
        default: return not_resp(stream, "a line begins with an unknown mark");
    }
}

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

}  // namespace

std::string_view Reply::error_code() const {
    if (!is_error()) return {};
    return std::string_view(text).substr(0, text.find(' '));
}

std::optional<std::string> Reply::as_text() const {
    if (kind == Kind::text) return text;
    if (kind == Kind::integer) return std::to_string(integer);
    return std::nullopt;
}

std::optional<std::int64_t> Reply::as_integer() const {
    if (kind == Kind::integer) return integer;
    if (kind != Kind::text) return std::nullopt;
    std::int64_t number = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (fault != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
    return number;
}

Result<Reply> read_reply(Stream& stream, const Until& until, const RespLimits& limits) {
    Allowance left{limits.items, limits.bytes};
    return read_value(stream, until, limits, left, 0);
}

std::string to_resp(const std::vector<RedisCommand>& commands) {
    std::string bytes;
    for (const RedisCommand& command : commands) {
        bytes += fmt::format("*{}\r\n", command.size());
        for (const std::string& word : command) {
            bytes += fmt::format("${}\r\n", word.size());
            bytes += word;
            bytes += "\r\n";
        }
    }
    return bytes;
}

RedisClient::RedisClient(Endpoint at, std::optional<RedisLogin> login, RespLimits limits)
    : at_(std::move(at)), login_(std::move(login)), limits_(limits) {}

Result<Stream> RedisClient::connect(const Until& until) const {
    Stream stream = TRY(Stream::connect(at_, until));
    if (!login_) return stream;
    RedisCommand auth = {"AUTH"};
    if (!login_->user.empty()) auth.push_back(login_->user);
    auth.push_back(login_->password);
    const Attempt answer = attempt(stream, {auth}, until);
    if (!answer.replies) return answer.replies.error();
    const Reply& reply = answer.replies->front();
    if (reply.is_error()) return redis_error(reply, fmt::format("{}: log in", stream.name()));
    return stream;
}

RedisClient::Attempt RedisClient::attempt(Stream& stream, const std::vector<RedisCommand>& commands,
                                          const Until& until) const {
    // From here on the server may have got some of it, also when the write fails.
    if (Result<void> written = stream.write_all(to_resp(commands), until); !written) return {written.error(), true};
    std::vector<Reply> replies;
    for (std::size_t i = 0; i < commands.size(); ++i) {
        Result<Reply> reply = read_reply(stream, until, limits_);
        if (!reply) return {std::move(reply).error(), true};
        replies.push_back(std::move(*reply));
    }
    return {std::move(replies), true};
}

std::optional<Stream> RedisClient::take_kept() {
    const std::lock_guard lock(mutex_);
    std::optional<Stream> stream = std::exchange(kept_, std::nullopt);
    if (stream && stream->is_spent()) stream.reset();
    return stream;
}

void RedisClient::keep(Stream stream) {
    const std::lock_guard lock(mutex_);
    if (!kept_) kept_.emplace(std::move(stream));
}

Result<std::vector<Reply>> RedisClient::ask(const std::vector<RedisCommand>& commands, Asking asking,
                                            const Until& until) {
    std::optional<Stream> kept = take_kept();
    const bool was_kept = kept.has_value();
    if (!kept) kept.emplace(TRY(connect(until)));
    Attempt attempt_now = attempt(*kept, commands, until);
    if (!attempt_now.replies && was_kept && asking == Asking::reads &&
        reachable_after(attempt_now.replies.error()) == Truth::no) {
        kept.emplace(TRY(connect(until)));
        attempt_now = attempt(*kept, commands, until);
    }
    if (attempt_now.replies) {
        keep(std::move(*kept));
        return std::move(attempt_now.replies);
    }
    Error error = attempt_now.replies.error();
    if (asking == Asking::changes && error.fault == Fault::unavailable) error.fault = Fault::outcome_unknown;
    return error;
}

Truth reachable_after(const Error& error) {
    // The stream tells the cause in words only; the system's are compared with strerror's own.
    const std::array refusals = {ECONNREFUSED, ECONNRESET, EPIPE};
    const bool refused =
        std::ranges::any_of(refusals, [&](int number) { return contains(error.message, std::strerror(number)); });
    return refused || contains(error.message, "closed by the peer") ? Truth::no : Truth::unknown;
}

Error redis_error(const Reply& reply, std::string_view where) {
    struct Meaning {
        std::string_view code;
        Fault fault;
        std::string_view hint;
    };
    static constexpr std::array meanings = {
        Meaning{"NOAUTH", Fault::not_allowed, "name its user and password in the estate"},
        Meaning{"WRONGPASS", Fault::not_allowed, "the user or the password in the estate is not the server's"},
        Meaning{"NOPERM", Fault::not_allowed, "kedge access explain shows the rights that are needed"},
        Meaning{"LOADING", Fault::unavailable, "it reads its data from disk and answers when it has"},
        Meaning{"MASTERDOWN", Fault::unavailable, "it is a replica without its master"},
        Meaning{"BUSY", Fault::unavailable, "a script runs; it answers when the script has ended"},
        Meaning{"READONLY", Fault::refused, "it is a replica; another node is the master"},
        Meaning{"MISCONF", Fault::refused, "it cannot save to its disk: see its log and INFO persistence"},
        Meaning{"NOREPLICAS", Fault::refused, "fewer replicas are attached than min-replicas-to-write asks for"},
        Meaning{"OOM", Fault::refused, "it has used all the memory that maxmemory allows"},
        Meaning{"INPROG", Fault::conflict, "wait until the failover that is under way has ended"},
        Meaning{"NOGOODSLAVE", Fault::refused,
                "no replica is linked, answering and allowed (replica-priority above 0)"},
        Meaning{"NOQUORUM", Fault::refused, "too few Sentinels can be reached"},
    };
    const std::string message = fmt::format("{}: {}", where, reply.text);
    const auto* const meaning = std::ranges::find(meanings, reply.error_code(), &Meaning::code);
    if (meaning != meanings.end()) return {meaning->fault, message, std::string(meaning->hint)};
    if (contains(reply.text, "No such master"))
        return {Fault::not_found, message, "the master's name in the estate is not the Sentinels'"};
    return {Fault::refused, message};
}

}  // namespace kedge
