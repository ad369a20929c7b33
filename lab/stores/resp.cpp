#include "resp.h"

#include <fmt/format.h>

#include <charconv>

namespace kedge::lab {
namespace {

constexpr int depth_max = 8;
constexpr std::int64_t items_max = 100'000;
constexpr std::int64_t bulk_bytes_max = 16 * 1024 * 1024;

Result<std::int64_t> to_number(std::string_view text, std::string_view name) {
    std::int64_t value = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (fault != std::errc{} || end != text.data() + text.size())
        return Error{Fault::corrupt, fmt::format("{}: '{}' is no number", name, text)};
    return value;
}

}  // namespace

Result<RedisConnection> RedisConnection::open(const Endpoint& to, const std::string& source, const Until& until) {
    return RedisConnection{TRY(Stream::connect(to, until, source))};
}

Result<std::vector<Reply>> RedisConnection::pipeline(const std::vector<Command>& commands, const Until& until) {
    std::string bytes;
    for (const Command& command : commands) {
        bytes += fmt::format("*{}\r\n", command.size());
        for (const std::string& word : command) bytes += fmt::format("${}\r\n{}\r\n", word.size(), word);
    }
    TRY(stream_.write_all(bytes, until));
    std::vector<Reply> replies;
    for (std::size_t i = 0; i < commands.size(); ++i) replies.push_back(TRY(read_reply(until, 0)));
    return replies;
}

Result<Reply> RedisConnection::command(const Command& command, const Until& until) {
    return std::move(TRY(pipeline({command}, until)).front());
}

Result<Reply> RedisConnection::read(const Until& until) {
    return read_reply(until, 0);
}

Result<Reply> RedisConnection::read_reply(const Until& until, int depth) {
    const std::string line = TRY(stream_.read_line(until));
    if (line.empty() || depth > depth_max) return Error{Fault::corrupt, stream_.name() + ": not Redis's protocol"};
    const std::string_view rest = std::string_view(line).substr(1);
    switch (line.front()) {
        case '+': return Reply{.kind = Reply::Kind::text, .text = std::string(rest)};
        case '-': return Reply{.kind = Reply::Kind::error, .text = std::string(rest)};
        case ':': return Reply{.kind = Reply::Kind::integer, .integer = TRY(to_number(rest, stream_.name()))};
        case '$': {
            const std::int64_t size = TRY(to_number(rest, stream_.name()));
            if (size < 0) return Reply{};
            if (size > bulk_bytes_max) return Error{Fault::corrupt, stream_.name() + ": a reply too large"};
            std::string text = TRY(stream_.read_exactly(static_cast<std::size_t>(size) + 2, until));
            text.resize(static_cast<std::size_t>(size));
            return Reply{.kind = Reply::Kind::text, .text = std::move(text)};
        }
        case '*': {
            const std::int64_t count = TRY(to_number(rest, stream_.name()));
            if (count < 0) return Reply{};
            if (count > items_max) return Error{Fault::corrupt, stream_.name() + ": a reply too large"};
            Reply reply{.kind = Reply::Kind::array};
            for (std::int64_t i = 0; i < count; ++i) reply.items.push_back(TRY(read_reply(until, depth + 1)));
            return reply;
        }
        default: return Error{Fault::corrupt, stream_.name() + ": not Redis's protocol"};
    }
}

}  // namespace kedge::lab
