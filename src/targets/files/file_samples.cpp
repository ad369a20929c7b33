#include "targets/files/file_samples.h"

#include <fmt/format.h>

#include "os/files.h"

namespace kedge {
namespace {

constexpr int form_version = 1;

Json to_json(const Heartbeat& beat) {
    Json json = {{"sequence", beat.sequence}, {"written", to_string(beat.written)}};
    if (beat.position) json["position"] = to_string(*beat.position);
    return json;
}

std::optional<Heartbeat> read_heartbeat(const Json& json) {
    const std::optional<std::int64_t> sequence = get_integer(json, "sequence");
    const Result<Moment> written = parse_moment(get_string(json, "written").value_or(""));
    if (!sequence || !written) return std::nullopt;
    Heartbeat beat{.sequence = *sequence, .written = *written};
    if (const Result<Lsn> position = parse_lsn(get_string(json, "position").value_or(""))) beat.position = *position;
    return beat;
}

Truth read_truth(const Json& json, std::string_view key) {
    const std::string text = get_string(json, key).value_or("");
    return text == "yes" ? Truth::yes : text == "no" ? Truth::no : Truth::unknown;
}

}  // namespace

Json to_json(const LagSample& sample) {
    Json json = {{"version", form_version}, {"at", to_string(sample.at)}, {"primary", sample.primary}};
    if (sample.acknowledged) json["acknowledged"] = to_json(*sample.acknowledged);
    Json sites = Json::object();
    for (const auto& [region, look] : sample.sites) {
        Json site = {{"reachable", to_string(look.reachable)},
                     {"primary", to_string(look.primary)},
                     {"receiving", to_string(look.receiving)},
                     {"says", look.says}};
        if (look.timeline) site["timeline"] = *look.timeline;
        if (look.written) site["written"] = to_string(*look.written);
        if (look.received) site["received"] = to_string(*look.received);
        if (look.replayed) site["replayed"] = to_string(*look.replayed);
        if (look.heartbeat) site["heartbeat"] = to_json(*look.heartbeat);
        sites[region] = std::move(site);
    }
    json["sites"] = std::move(sites);
    return json;
}

Result<LagSample> read_sample(const Json& json) {
    const Result<Moment> at = parse_moment(get_string(json, "at").value_or(""));
    if (get_integer(json, "version") != form_version || !at)
        return Error{Fault::corrupt, "it is no sample of this version"};
    LagSample sample{.at = *at, .primary = get_string(json, "primary").value_or("")};
    sample.acknowledged = read_heartbeat(get(json, "acknowledged"));
    for (const auto& [region, site] : get(json, "sites").items()) {
        DatabaseLook look{.reachable = read_truth(site, "reachable"),
                          .says = get_string(site, "says").value_or(""),
                          .primary = read_truth(site, "primary"),
                          .receiving = read_truth(site, "receiving")};
        if (const auto timeline = get_integer(site, "timeline")) look.timeline = static_cast<std::uint32_t>(*timeline);
        const auto position = [&](std::string_view key) -> std::optional<Lsn> {
            const Result<Lsn> lsn = parse_lsn(get_string(site, key).value_or(""));
            return lsn ? std::optional(*lsn) : std::nullopt;
        };
        look.written = position("written");
        look.received = position("received");
        look.replayed = position("replayed");
        look.heartbeat = read_heartbeat(get(site, "heartbeat"));
        sample.sites[region] = std::move(look);
    }
    return sample;
}

Result<std::optional<LagSample>> FileSamples::latest(const std::string& database) const {
    const Result<std::string> text = read_file(path_of(database));
    if (!text) {
        if (text.error().fault == Fault::not_found) return std::optional<LagSample>{};
        return text.error().within("samples of " + database);
    }
    const Result<Json> json = parse_json(*text);
    if (!json) return Error{Fault::corrupt, fmt::format("{}: {}", path_of(database), json.error().message)};
    return std::optional(TRY(read_sample(*json).within(path_of(database))));
}

Result<void> FileSamples::write(const std::string& database, const LagSample& sample) const {
    TRY(make_directories(directory_));
    return write_file_atomically(path_of(database), dump_pretty(to_json(sample)) + "\n")
        .within("samples of " + database);
}

}  // namespace kedge
