// How people are told: a pager, a chat, a status page. Contracts as in database.h.
#pragma once

#include <string>

#include "base/result.h"
#include "base/time.h"
#include "base/truth.h"

namespace kedge {

struct Notice {
    std::string key;       // the receiver drops a second notice with the same key
    std::string severity;  // info, warning, critical
    std::string title;
    std::string text;
    Moment at{};
    // Notices about one thing share it: a pager keeps one alarm for them. Empty: the key alone.
    std::string about = {};
    bool is_over = false;  // what was told about it is over: an open alarm is closed
};

// What became of a notice that was sent.
struct Receipt {
    // yes: it stands where people look. unknown: the other side took it, and cannot say whether it reached anybody.
    Truth delivered = Truth::unknown;
    std::string says;  // "posted", "taken by PagerDuty"
    int tries = 1;
};

class Channel {
public:
    virtual ~Channel() = default;
    // Handed over at least once when it returns without error. refused and invalid_input: it will not be taken, however
    // often it is repeated. No message holds a secret of the channel.
    virtual Result<Receipt> send(const Notice& notice, Moment deadline) = 0;
    // Whether a notice with this key was delivered; unknown where the channel cannot tell.
    virtual Result<Truth> delivered(const std::string& key, Moment deadline) = 0;
};

}  // namespace kedge
