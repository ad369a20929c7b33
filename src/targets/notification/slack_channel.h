// The driver `slack` of channels: a Slack incoming webhook (docs.slack.dev, "Sending messages using incoming
// webhooks").
//
// The webhook's address is a secret: whoever has it can write to the channel. It is named by reference, read before
// each use, and taken out of every message.
#pragma once

#include <memory>
#include <string>

#include "base/json.h"
#include "os/http_retry.h"
#include "targets/channel.h"

namespace kedge {

struct SlackSettings {
    std::string name;     // the target's
    std::string webhook;  // env:NAME or file:PATH, where https://hooks.slack.com/services/... stands
    Retries retries = {};
};

// Slack drops no repeated message: after a lost answer one may stand there twice, under the same key. Any thread may
// call.
class SlackChannel final : public Channel {
public:
    explicit SlackChannel(SlackSettings settings) : settings_(std::move(settings)) {}

    // refused when Slack will not take it (the webhook was revoked, the channel archived, the payload is wrong);
    // corrupt when something else than Slack answered.
    Result<Receipt> send(const Notice& notice, Moment deadline) override;
    // unknown: a webhook cannot be asked.
    Result<Truth> delivered(const std::string& key, Moment deadline) override;

private:
    const SlackSettings settings_;
};

// The message as Slack takes it: `text` for notifications and small screens, `blocks` for the channel. Pure.
Json slack_message(const Notice& notice);

}  // namespace kedge
