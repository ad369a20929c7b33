#include "targets/notification/pagerduty_channel.h"

#include <fmt/format.h>

#include "base/digest.h"
#include "os/secret.h"
#include "targets/notification/outlet.h"

namespace kedge {
namespace {

// Limits of the Events API: 1024 characters of summary, 255 of a deduplication key, 512 KB an event.
constexpr std::size_t summary_bytes_max = 1024, dedup_key_bytes_max = 255, details_bytes_max = 64 * 1024;
constexpr std::size_t routing_key_bytes = 32;

// A severity that nobody has heard of had better wake somebody.
std::string severity_of(const Notice& notice) {
    return notice.severity == "info" || notice.severity == "warning" ? notice.severity : "critical";
}

std::string dedup_key(const Notice& notice) {
    const std::string& key = notice.about.empty() ? notice.key : notice.about;
    return key.size() <= dedup_key_bytes_max ? key : sha256_hex(key);
}

std::string reasons(const HttpResponse& response) {
    const Result<Json> body = parse_json(response.body);
    if (!body) return shortened(response.body, 200);
    std::string all = get_string(*body, "message").value_or("it gave no reason");
    for (const Json& one : get(*body, "errors"))
        if (one.is_string()) all += "; " + one.get<std::string>();
    return shortened(all, 500);
}

}  // namespace

PagerdutyEvent pagerduty_event(const Notice& notice, const std::string& source) {
    if (notice.is_over) return {"/v2/enqueue", {{"event_action", "resolve"}, {"dedup_key", dedup_key(notice)}}};
    Json payload = {{"summary", shortened(notice.title, summary_bytes_max)},
                    {"source", source},
                    {"timestamp", to_string(notice.at)},
                    {"custom_details", {{"key", notice.key}, {"text", shortened(notice.text, details_bytes_max)}}}};
    if (severity_of(notice) == "info") return {"/v2/change/enqueue", {{"payload", std::move(payload)}}};
    payload["severity"] = severity_of(notice);
    return {"/v2/enqueue",
            {{"event_action", "trigger"},
             {"dedup_key", dedup_key(notice)},
             {"client", "Kedge"},
             {"payload", std::move(payload)}}};
}

Result<std::unique_ptr<PagerdutyChannel>> PagerdutyChannel::create(PagerdutySettings settings) {
    while (settings.url.ends_with('/')) settings.url.pop_back();
    TRY(is_fit_for_secrets(settings.url).within(fmt::format("channel {}: url", settings.name)));
    return std::unique_ptr<PagerdutyChannel>(new PagerdutyChannel(std::move(settings)));
}

Result<Receipt> PagerdutyChannel::send(const Notice& notice, Moment deadline) {
    const std::string where = "channel " + settings_.name;
    const std::string key = TRY(read_secret(settings_.routing_key).within(where));
    if (key.size() != routing_key_bytes)
        return Error{Fault::invalid_input, fmt::format("{}: {} has {} characters, a routing key has {}", where,
                                                       settings_.routing_key, key.size(), routing_key_bytes)};
    PagerdutyEvent event = pagerduty_event(notice, settings_.source);
    event.body["routing_key"] = key;
    const Result<FinalAnswer> answer =
        post_json(settings_.url + event.path, event.body, deadline, settings_.retries).within(where);
    if (!answer) return answer.error();
    if (answer->response.status == 202)
        return Receipt{Truth::unknown, notice.is_over ? "PagerDuty took the end" : "PagerDuty took it", answer->tries};
    return Error{Fault::refused, fmt::format("{}: PagerDuty answered {}: {}", where, answer->response.status,
                                             without_secret(reasons(answer->response), key))};
}

Result<Truth> PagerdutyChannel::delivered(const std::string&, Moment) {
    return Truth::unknown;
}

}  // namespace kedge
