#include "config.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/json.h"
#include "base/suggest.h"
#include "os/files.h"
#include "os/http.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;

constexpr int in_flight_limit = 200;  // threads of one stream

Result<void> refuse_unknown_keys(const Json& object, const std::vector<std::string>& known) {
    for (const auto& [key, value] : object.items()) {
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

Result<StreamKind> parse_kind(const std::string& text) {
    for (const StreamKind kind : {StreamKind::http, StreamKind::postgres, StreamKind::redis})
        if (to_string(kind) == text) return kind;
    return Error{Fault::invalid_input, fmt::format("kind '{}' must be http, postgres or redis", text)};
}

Result<StreamOptions> read_stream(const Json& json) {
    TRY(refuse_unknown_keys(json, {"name", "kind", "interval", "deadline"}));
    StreamOptions stream;
    stream.name = TRY(need_text(json, "name"));
    stream.kind = TRY(parse_kind(TRY(need_text(json, "kind"))));
    stream.interval = TRY(parse_span(TRY(need_text(json, "interval"))).within("interval"));
    stream.deadline = TRY(parse_span(TRY(need_text(json, "deadline"))).within("deadline"));
    if (stream.interval < 1ms || stream.in_flight_max() > in_flight_limit)
        return Error{Fault::invalid_input, fmt::format("interval {} with deadline {} would need more than {} attempts "
                                                       "in flight",
                                                       kedge::to_string(stream.interval),
                                                       kedge::to_string(stream.deadline), in_flight_limit)};
    return stream;
}

Result<std::vector<StreamOptions>> read_streams(const Json& json) {
    std::vector<StreamOptions> streams;
    std::set<std::string> names;
    for (const Json& entry : json) {
        streams.push_back(TRY(read_stream(entry).within("streams")));
        if (!names.insert(streams.back().name).second)
            return Error{Fault::invalid_input, fmt::format("streams: '{}' stands twice", streams.back().name)};
    }
    if (streams.empty()) return Error{Fault::invalid_input, "'streams' must list at least one"};
    return streams;
}

Result<void> check_kinds(const WriterConfig& config) {
    for (const StreamOptions& stream : config.streams) {
        switch (stream.kind) {
            case StreamKind::http: TRY(parse_url(config.entrance).within("entrance")); break;
            case StreamKind::redis:
                if (config.cache.sentinels.empty() || config.cache.master.empty())
                    return Error{Fault::invalid_input, "a redis stream needs 'sentinels' and 'master'"};
                break;
            case StreamKind::postgres: break;
        }
    }
    if (config.database.servers.empty()) return Error{Fault::invalid_input, "'databases' must list at least one"};
    return {};
}

Result<WriterConfig> read_config(const Json& json) {
    TRY(refuse_unknown_keys(json, {"log", "entrance", "service_token_file", "source", "databases", "sentinels",
                                   "master", "redis_follows", "streams"}));
    WriterConfig config;
    config.log = TRY(need_text(json, "log"));
    config.entrance = get_string(json, "entrance").value_or("");
    config.source = get_string(json, "source").value_or("");
    if (const auto path = get_string(json, "service_token_file")) {
        config.service_token = TRY(read_file(*path, 4096).within("service_token_file"));
        while (!config.service_token.empty() && config.service_token.back() == '\n') config.service_token.pop_back();
    }
    for (const Json& entry : get(json, "databases")) {
        auto& server = config.database.servers.emplace_back();
        server.region = TRY(need_text(entry, "region").within("databases"));
        server.conninfo = TRY(need_text(entry, "conninfo").within("databases"));
    }
    for (const Json& entry : get(json, "sentinels")) {
        if (!entry.is_string()) return Error{Fault::invalid_input, "'sentinels' must list texts"};
        config.cache.sentinels.push_back(TRY(parse_endpoint(entry.get_ref<const std::string&>()).within("sentinels")));
    }
    config.cache.master = get_string(json, "master").value_or("");
    config.cache.source = config.source;
    if (const auto span = get_string(json, "redis_follows"))
        config.cache.calm_interval = TRY(parse_span(*span).within("redis_follows"));
    config.streams = TRY(read_streams(get(json, "streams")));
    TRY(check_kinds(config));
    return config;
}

}  // namespace

std::string_view to_string(StreamKind kind) {
    switch (kind) {
        case StreamKind::http: return "http";
        case StreamKind::postgres: return "postgres";
        case StreamKind::redis: return "redis";
    }
    return "";
}

Result<WriterConfig> load_writer_config(const std::string& path) {
    const std::string text = TRY(read_file(path));
    const Json json = TRY(parse_json(text).within(path));
    return read_config(json).within(path);
}

}  // namespace kedge::lab
