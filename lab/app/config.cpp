#include "config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/json.h"
#include "base/suggest.h"
#include "os/files.h"

namespace kedge::lab {
namespace {

constexpr std::array known_keys = {
    "knowledge",          "instance", "region",     "listen",  "source",      "databases",
    "sentinels",          "master",   "log",        "release", "maintenance", "maintenance_file",
    "service_token_file", "limits",   "write_wait", "attempt", "connect"};

Result<void> refuse_unknown_keys(const Json& json) {
    const std::vector<std::string> known(known_keys.begin(), known_keys.end());
    for (const auto& [key, value] : json.items()) {
        if (std::ranges::find(known, key) != known.end()) continue;
        const auto meant = nearest(key, known);
        return Error{Fault::invalid_input, fmt::format("unknown key '{}'", key),
                     meant ? fmt::format("did you mean '{}'?", *meant) : ""};
    }
    return {};
}

Result<std::string> need_text(const Json& json, std::string_view key) {
    auto text = get_string(json, key);
    if (!text || text->empty()) return Error{Fault::invalid_input, fmt::format("'{}' must be a text", key)};
    return std::move(*text);
}

Result<Span> span_or(const Json& json, std::string_view key, Span fallback) {
    const auto text = get_string(json, key);
    if (!text) return fallback;
    return parse_span(*text).within(key);
}

Result<std::vector<DatabaseServer>> read_databases(const Json& json) {
    std::vector<DatabaseServer> servers;
    for (const Json& entry : get(json, "databases")) {
        DatabaseServer& server = servers.emplace_back();
        server.region = TRY(need_text(entry, "region"));
        server.conninfo = TRY(need_text(entry, "conninfo"));
    }
    if (servers.empty()) return Error{Fault::invalid_input, "'databases' must list at least one server"};
    return servers;
}

Result<std::vector<Endpoint>> read_sentinels(const Json& json) {
    std::vector<Endpoint> endpoints;
    for (const Json& entry : get(json, "sentinels")) {
        if (!entry.is_string()) return Error{Fault::invalid_input, "'sentinels' must list texts"};
        endpoints.push_back(TRY(parse_endpoint(entry.get_ref<const std::string&>()).within("sentinels")));
    }
    return endpoints;
}

std::string trimmed(std::string text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
    return text;
}

RateLimits read_limits(const Json& json) {
    RateLimits limits;
    const auto take = [&](std::string_view key, int& into) {
        if (const auto number = get_integer(get(json, "limits"), key)) into = static_cast<int>(*number);
    };
    take("list", limits.list);
    take("read", limits.read);
    take("create", limits.create);
    take("login", limits.login);
    return limits;
}

Result<Config> read_config(const Json& json) {
    TRY(refuse_unknown_keys(json));
    Config config;
    config.instance = TRY(need_text(json, "instance"));
    config.region = TRY(need_text(json, "region"));
    config.listen = TRY(parse_endpoint(TRY(need_text(json, "listen"))).within("listen"));
    config.cache.source = get_string(json, "source").value_or("");
    config.database.servers = TRY(read_databases(json));
    config.cache.sentinels = TRY(read_sentinels(json));
    config.cache.master = get_string(json, "master").value_or("");
    config.log = TRY(need_text(json, "log"));
    config.release = get_string(json, "release").value_or(config.release);
    config.maintenance = TRY(parse_maintenance(get_string(json, "maintenance").value_or("off")));
    config.maintenance_file = get_string(json, "maintenance_file").value_or("");
    config.knowledge = get_string(json, "knowledge").value_or("");
    if (const auto path = get_string(json, "service_token_file"))
        config.service_token = trimmed(TRY(read_file(*path, 4096).within("service_token_file")));
    config.limits = read_limits(json);
    config.database.write_limit = TRY(span_or(json, "write_wait", config.database.write_limit));
    config.database.attempt_limit = TRY(span_or(json, "attempt", config.database.attempt_limit));
    config.database.connect_limit = TRY(span_or(json, "connect", config.database.connect_limit));
    return config;
}

}  // namespace

std::string_view to_string(Maintenance mode) {
    switch (mode) {
        case Maintenance::off: return "off";
        case Maintenance::hold: return "hold";
        case Maintenance::refuse: return "refuse";
    }
    return "";
}

Result<Maintenance> parse_maintenance(std::string_view text) {
    for (const Maintenance mode : {Maintenance::off, Maintenance::hold, Maintenance::refuse})
        if (to_string(mode) == text) return mode;
    return Error{Fault::invalid_input, fmt::format("maintenance '{}' must be off, hold or refuse", text)};
}

Result<Config> load_config(const std::string& path) {
    const std::string text = TRY(read_file(path));
    const Json json = TRY(parse_json(text).within(path));
    return read_config(json).within(path);
}

}  // namespace kedge::lab
