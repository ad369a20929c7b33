#include "cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;

constexpr Span alarmed_watch = 50ms;
constexpr Span call_limit = 250ms;  // must exceed a round trip between regions, connecting included
constexpr std::size_t idle_connections_max = 8;

// The value of `field` in a flat list of fields and values.
std::optional<std::string> field(const Reply& reply, std::string_view name) {
    for (std::size_t i = 0; i + 1 < reply.items.size(); i += 2)
        if (reply.items[i].text == name) return reply.items[i + 1].text;
    return std::nullopt;
}

Result<void> check_role(RedisConnection& connection) {
    const Reply role = TRY(connection.command({"ROLE"}, within(call_limit)));
    if (role.kind == Reply::Kind::error) return Error{Fault::unavailable, role.text};
    if (role.items.empty() || role.items[0].text != "master")
        return Error{Fault::unavailable, "the server that the Sentinels name is no master"};
    return {};
}

// Replies after which this server is not (or not now) the one to ask.
bool is_passing_error(const std::string& error) {
    for (const auto* prefix : {"READONLY", "LOADING", "MASTERDOWN", "MISCONF", "NOREPLICAS"})
        if (error.starts_with(prefix)) return true;
    return false;
}

}  // namespace

Cache::Cache(CacheOptions options) : options_(std::move(options)), answers_(options_.sentinels.size()) {
    state_.says = "no Sentinel has answered yet";
    for (std::size_t i = 0; i < options_.sentinels.size(); ++i)
        watchers_.emplace_back([this, i](const std::stop_token& stop) { watch_sentinel(i, stop); });
    watchers_.emplace_back([this](const std::stop_token& stop) { watch_master(stop); });
}

Cache::~Cache() {
    for (auto& watcher : watchers_) watcher.request_stop();
    changed_.notify_all();
}

void Cache::watch_sentinel(std::size_t index, const std::stop_token& stop) {
    const auto ask = [&](std::optional<RedisConnection>& connection) -> Result<Answer> {
        if (!connection)
            connection =
                TRY(RedisConnection::open(options_.sentinels[index], options_.source, within(call_limit, stop)));
        // Only the first question answers with the new master before the failover has wholly ended, and only
        // the second tells how new the answer is.
        const auto replies = TRY(connection->pipeline(
            {{"SENTINEL", "GET-MASTER-ADDR-BY-NAME", options_.master}, {"SENTINEL", "MASTER", options_.master}},
            within(call_limit, stop)));
        if (replies[0].items.size() != 2) return Error{Fault::unavailable, "the Sentinel knows no " + options_.master};
        Answer answer;
        answer.master = TRY(parse_endpoint(replies[0].items[0].text + ":" + replies[0].items[1].text));
        const std::string epoch = field(replies[1], "config-epoch").value_or("0");
        std::from_chars(epoch.data(), epoch.data() + epoch.size(), answer.epoch);
        return answer;
    };
    std::optional<RedisConnection> connection;
    while (!stop.stop_requested()) {
        auto answer = ask(connection);
        std::unique_lock lock{mutex_};
        if (answer) {
            answers_[index] = *answer;
        } else {
            answers_[index].reset();
            connection.reset();
        }
        changed_.notify_all();
        changed_.wait_for(lock, stop, state_.is_usable ? options_.calm_interval : alarmed_watch, [] { return false; });
    }
}

// Of what the Sentinels say the newest counts: a Sentinel that was cut off may name an old master for long.
std::optional<Endpoint> Cache::named_master() const {
    std::optional<Answer> newest;
    for (const auto& answer : answers_)
        if (answer && (!newest || answer->epoch > newest->epoch)) newest = answer;
    if (newest) return newest->master;
    return state_.master;  // nobody answers: the last known one may still live
}

void Cache::watch_master(const std::stop_token& stop) {
    std::optional<Endpoint> connected;
    std::optional<RedisConnection> connection;
    const auto ask = [&](const Endpoint& master) -> Result<void> {
        if (connected != master) connection.reset();
        connected = master;
        if (!connection) connection = TRY(RedisConnection::open(master, options_.source, within(call_limit, stop)));
        return check_role(*connection);
    };
    while (!stop.stop_requested()) {
        std::optional<Endpoint> master;
        {
            const std::lock_guard lock{mutex_};
            master = named_master();
        }
        const Result<void> verdict =
            master ? ask(*master) : Result<void>{Error{Fault::unavailable, "no Sentinel names a master"}};
        if (!verdict) connection.reset();
        judge(master, verdict);
        std::unique_lock lock{mutex_};
        changed_.wait_for(lock, stop, state_.is_usable ? options_.calm_interval : alarmed_watch,
                          [&] { return state_.is_usable && named_master() != master; });
    }
}

void Cache::judge(std::optional<Endpoint> asked, const Result<void>& verdict) {
    const std::lock_guard lock{mutex_};
    if (state_.master != asked || !verdict) idle_.clear();
    state_ = {asked, verdict.has_value(), verdict ? "" : verdict.error().message};
    changed_.notify_all();
}

void Cache::suspect(const Endpoint& master, const std::string& why) {
    const std::lock_guard lock{mutex_};
    if (state_.master != master) return;
    state_.is_usable = false;
    state_.says = why;
    idle_.clear();
    changed_.notify_all();
}

Result<std::vector<Reply>> Cache::run(const std::vector<Command>& commands, std::optional<Moment> deadline) {
    Until until = within(call_limit);
    if (deadline) until.deadline = std::min(until.deadline, *deadline);
    std::unique_ptr<RedisConnection> connection;
    Endpoint master;
    {
        const std::lock_guard lock{mutex_};
        if (!state_.is_usable || !state_.master) return Error{Fault::unavailable, "redis: " + state_.says};
        master = *state_.master;
        while (!idle_.empty() && !connection) {
            connection = std::move(idle_.back());
            idle_.pop_back();
            if (connection->is_spent()) connection.reset();
        }
    }
    if (!connection) {
        auto opened = RedisConnection::open(master, options_.source, until);
        if (!opened) {
            suspect(master, opened.error().message);
            return opened.error().within("redis");
        }
        connection = std::make_unique<RedisConnection>(std::move(*opened));
    }
    auto replies = connection->pipeline(commands, until);
    if (!replies) {
        suspect(master, replies.error().message);
        return Error{Fault::outcome_unknown, "redis: " + replies.error().message};
    }
    for (const Reply& reply : *replies) {
        if (reply.kind != Reply::Kind::error) continue;
        if (is_passing_error(reply.text)) suspect(master, reply.text);
        return Error{is_passing_error(reply.text) ? Fault::unavailable : Fault::refused, "redis: " + reply.text};
    }
    const std::lock_guard lock{mutex_};
    if (state_.master == master && idle_.size() < idle_connections_max) idle_.push_back(std::move(connection));
    return replies;
}

bool Cache::await_master(Moment deadline) {
    std::unique_lock lock{mutex_};
    while (!state_.is_usable) {
        const Span left = deadline - SystemClock{}.now();
        if (left <= 0ms) return false;
        changed_.wait_for(lock, left);
    }
    return true;
}

CacheState Cache::state() const {
    const std::lock_guard lock{mutex_};
    return state_;
}

}  // namespace kedge::lab
