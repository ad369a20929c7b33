// The driver `pagerduty` of channels: PagerDuty's Events API v2 (its OpenAPI file, reference/events-v2).
//
// A notice opens an alarm, one that says `is_over` closes it; notices with the same `about` are one alarm. What is only
// told (`info`) becomes a change event, which wakes nobody. The routing key is a secret, named by reference.
#pragma once

#include <memory>
#include <string>

#include "base/json.h"
#include "os/http_retry.h"
#include "targets/channel.h"

namespace kedge {

struct PagerdutySettings {
    std::string name;         // the target's
    std::string routing_key;  // env:NAME or file:PATH, where the integration's key of 32 characters stands
    std::string url = "https://events.pagerduty.com";
    std::string source = "kedge";  // what PagerDuty shows as the place where it happened
    Retries retries = {};
};

// Any thread may call.
class PagerdutyChannel final : public Channel {
public:
    // invalid_input for a URL that would carry the key in plain.
    static Result<std::unique_ptr<PagerdutyChannel>> create(PagerdutySettings settings);

    // That PagerDuty took an event (202) does not say that it reached anybody: its receipt is `unknown`. refused when
    // it will not take it, with the reasons that it gives.
    Result<Receipt> send(const Notice& notice, Moment deadline) override;
    // unknown: the Events API cannot be asked.
    Result<Truth> delivered(const std::string& key, Moment deadline) override;

private:
    explicit PagerdutyChannel(PagerdutySettings settings) : settings_(std::move(settings)) {}

    const PagerdutySettings settings_;
};

// Where below the URL a notice goes, and the event without its routing key. Pure.
struct PagerdutyEvent {
    std::string path;
    Json body;
};
PagerdutyEvent pagerduty_event(const Notice& notice, const std::string& source);

}  // namespace kedge
