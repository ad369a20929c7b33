#include "targets/redis/redis_node.h"

#include <fmt/format.h>

#include <charconv>

namespace kedge {
namespace {

std::optional<std::int64_t> number(std::optional<std::string> text) {
    if (!text) return std::nullopt;
    return Reply{.kind = Reply::Kind::text, .text = std::move(*text)}.as_integer();
}

// INFO's "db0:keys=12,expires=0,avg_ttl=0" lines, added up. A node without keys has no such line.
std::int64_t keys_of(std::string_view info) {
    std::int64_t keys = 0;
    for (std::size_t at = info.find("\ndb"); at != std::string_view::npos; at = info.find("\ndb", at + 1)) {
        const std::size_t value = info.find(":keys=", at);
        if (value == std::string_view::npos || value > info.find('\n', at + 1)) continue;
        std::int64_t count = 0;
        std::from_chars(info.data() + value + 6, info.data() + info.size(), count);
        keys += count;
    }
    return keys;
}

// INFO's "slave0:ip=..,port=..,state=online,offset=..,lag=.." lines that are online.
std::int64_t replicas_of(std::string_view info) {
    std::int64_t online = 0;
    for (std::size_t at = info.find("\nslave"); at != std::string_view::npos; at = info.find("\nslave", at + 1)) {
        const std::string_view line = info.substr(at + 1, info.find('\n', at + 1) - at - 1);
        if (line.find(":ip=") != std::string_view::npos && line.find(",state=online,") != std::string_view::npos)
            ++online;
    }
    return online;
}

// Who else would move the role of this node about. Other Sentinels than ours cannot be seen from here.
std::string manager_of(std::string_view info) {
    if (info_field(info, "redis_mode") == "cluster") return "redis-cluster";
    const std::string system = info_field(info, "os").value_or("");
    if (system.starts_with("Amazon")) return system;  // ElastiCache names itself there
    if (info_field(info, "master_failover_state").value_or("no-failover") != "no-failover")
        return "a FAILOVER command that is under way";
    return "";
}

void read_master(CacheLook& look, std::string_view info) {
    look.master = Truth::yes;
    look.offset = number(info_field(info, "master_repl_offset"));
    look.replicas = replicas_of(info);
    look.says = fmt::format("master at offset {}, {} replicas", look.offset.value_or(0), *look.replicas);
}

void read_replica(CacheLook& look, std::string_view info, const Reply& role,
                  const std::function<std::string(const Endpoint&)>& region_of) {
    look.master = Truth::no;
    const auto host = info_field(info, "master_host");
    const auto port = number(info_field(info, "master_port"));
    if (host && port) look.follows = region_of({*host, static_cast<std::uint16_t>(*port)});
    const std::optional<std::string> link = info_field(info, "master_link_status");
    if (link) look.link_up = truth(*link == "up");
    look.offset = number(info_field(info, "slave_repl_offset"));
    if (look.offset && *look.offset < 0) look.offset.reset();
    look.says = fmt::format("replica of {}, link {} ({})", look.follows.value_or("nobody"), link.value_or("unknown"),
                            role.items.size() > 3 ? role.items[3].text : "?");
    if (info_field(info, "master_sync_in_progress") == "1") {
        look.says += ", a full copy is being loaded";
        look.offset.reset();  // it counts from a copy that is not complete
    }
}

void read_persistence(CacheLook& look, std::string_view info) {
    const auto is = [&](std::string_view field, std::string_view wanted) {
        const auto value = info_field(info, field);
        return value ? truth(*value == wanted) : Truth::unknown;
    };
    look.append_only = is("aof_enabled", "1");
    const Truth idle = both(both(is("rdb_bgsave_in_progress", "0"), is("aof_rewrite_in_progress", "0")),
                            is("aof_rewrite_scheduled", "0"));
    look.saving = negated(idle);
    look.saved = look.append_only == Truth::yes
                     ? both(is("aof_last_bgrewrite_status", "ok"), is("aof_last_write_status", "ok"))
                     : is("rdb_last_bgsave_status", "ok");
}

}  // namespace

std::optional<std::string> info_field(std::string_view info, std::string_view field) {
    const std::string start = fmt::format("\n{}:", field);
    std::size_t at = info.find(start);
    if (at == std::string_view::npos) return std::nullopt;
    at += start.size();
    const std::size_t end = info.find_first_of("\r\n", at);
    return std::string(info.substr(at, end == std::string_view::npos ? end : end - at));
}

const std::vector<RedisCommand>& node_questions() {
    static const std::vector<RedisCommand> questions = {{"ROLE"}, {"INFO"}, {"CONFIG", "GET", "min-replicas-to-write"}};
    return questions;
}

Result<CacheLook> read_node(const std::vector<Reply>& answers, const std::string& name,
                            const std::function<std::string(const Endpoint&)>& region_of) {
    const Reply& role = answers.at(0);
    const Reply& info_answer = answers.at(1);
    const Reply& setting = answers.at(2);
    for (const Reply* const answer : {&role, &info_answer})
        if (answer->is_error() && redis_error(*answer, name).fault == Fault::not_allowed)
            return redis_error(*answer, name);
    CacheLook look{.reachable = Truth::yes};
    if (role.kind != Reply::Kind::array || role.items.empty() || info_answer.kind != Reply::Kind::text) {
        look.says = fmt::format("{}: {}", name, role.is_error() ? role.text : "it does not say what it is");
        return look;
    }
    const std::string info = "\n" + info_answer.text;
    look.manager = manager_of(info);
    look.replication_id = info_field(info, "master_replid");
    look.keys = keys_of(info);
    read_persistence(look, info);
    if (setting.kind == Reply::Kind::array && setting.items.size() == 2)
        look.min_replicas_to_write = setting.items[1].as_integer();

    if (role.items[0].text == "master") {
        read_master(look, info);
    } else if (role.items[0].text == "slave") {
        read_replica(look, info, role, region_of);
    }
    if (info_field(info, "loading") == "1") {
        // It says "master" by its configuration only; whether it will be is not settled.
        look.master = Truth::unknown;
        look.offset.reset();
        look.keys.reset();
        look.says = "it is loading its data from disk";
    }
    look.says = fmt::format("{}: {}", name, look.says);
    return look;
}

}  // namespace kedge
