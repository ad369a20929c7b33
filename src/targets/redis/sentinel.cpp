#include "targets/redis/sentinel.h"

#include <fmt/format.h>

#include <map>

#include "targets/redis/redis_node.h"

namespace kedge {
namespace {

using Fields = std::map<std::string, std::string>;

// Sentinel describes things as flat lists of names and values, all of them texts.
Fields fields_of(const Reply& reply) {
    Fields fields;
    if (reply.kind != Reply::Kind::array) return fields;
    for (std::size_t i = 0; i + 1 < reply.items.size(); i += 2) fields[reply.items[i].text] = reply.items[i + 1].text;
    return fields;
}

std::string text(const Fields& fields, const std::string& name) {
    const auto found = fields.find(name);
    return found == fields.end() ? "" : found->second;
}

std::optional<std::int64_t> number(const Fields& fields, const std::string& name) {
    return Reply{.kind = Reply::Kind::text, .text = text(fields, name)}.as_integer();
}

bool has_flag(const Fields& fields, std::string_view flag) {
    return fmt::format(",{},", text(fields, "flags")).find(fmt::format(",{},", flag)) != std::string::npos;
}

std::optional<Endpoint> endpoint(const std::string& host, std::optional<std::int64_t> port) {
    if (host.empty() || !port || *port < 1 || *port > 65535) return std::nullopt;
    return Endpoint{host, static_cast<std::uint16_t>(*port)};
}

void read_master(SentinelReport& report, const Reply& address, const Reply& described) {
    if (described.is_error()) {
        report.knows_master = truth(described.text.find("No such master") == std::string::npos);
        report.says = described.text;
        return;
    }
    report.knows_master = Truth::yes;
    if (address.kind == Reply::Kind::array && address.items.size() == 2)
        report.master = endpoint(address.items[0].text, address.items[1].as_integer());
    const Fields fields = fields_of(described);
    report.failing_over = truth(has_flag(fields, "failover_in_progress"));
    report.configured_quorum = number(fields, "quorum");
    if (const auto after = number(fields, "down-after-milliseconds"))
        report.down_after = std::chrono::milliseconds{*after};
    report.says =
        fmt::format("master {} ({})", report.master ? to_string(*report.master) : "unknown", text(fields, "flags"));
}

void read_replicas(SentinelReport& report, const Reply& replicas) {
    if (replicas.kind != Reply::Kind::array) return;
    for (const Reply& one : replicas.items) {
        const Fields fields = fields_of(one);
        const std::optional<Endpoint> at = endpoint(text(fields, "ip"), number(fields, "port"));
        if (!at) continue;
        const auto heard = number(fields, "info-refresh");
        report.replicas.push_back(
            {.at = *at,
             .down = has_flag(fields, "s_down") || has_flag(fields, "o_down") || has_flag(fields, "disconnected"),
             .link_up = text(fields, "master-link-status") == "ok",
             .priority = number(fields, "slave-priority").value_or(100),
             .heard = heard ? std::optional<Span>(std::chrono::milliseconds{*heard}) : std::nullopt});
    }
}

}  // namespace

SentinelReport ask_sentinel(RedisClient& client, const std::string& master_name, const Until& until) {
    const auto answers = client.ask({{"SENTINEL", "GET-MASTER-ADDR-BY-NAME", master_name},
                                     {"SENTINEL", "MASTER", master_name},
                                     {"SENTINEL", "CKQUORUM", master_name},
                                     {"SENTINEL", "REPLICAS", master_name},
                                     {"INFO", "sentinel"}},
                                    Asking::reads, until);
    SentinelReport report;
    if (!answers) {
        report.reachable = reachable_after(answers.error());
        report.says = answers.error().message;
        return report;
    }
    report.reachable = Truth::yes;
    read_master(report, answers->at(0), answers->at(1));
    const Reply& quorum = answers->at(2);
    if (quorum.kind == Reply::Kind::text) report.quorum = Truth::yes;
    if (quorum.error_code() == "NOQUORUM") {
        report.quorum = Truth::no;
        report.says += "; " + quorum.text;
    }
    read_replicas(report, answers->at(3));
    const Reply& info = answers->at(4);
    if (info.kind == Reply::Kind::text)
        if (const auto tilt = info_field("\n" + info.text, "sentinel_tilt")) report.tilt = truth(*tilt != "0");
    if (report.tilt == Truth::yes) report.says += "; in TILT: it mistrusts its clock and does nothing";
    return report;
}

}  // namespace kedge
