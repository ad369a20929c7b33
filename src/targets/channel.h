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
};

class Channel {
public:
    virtual ~Channel() = default;
    // Delivered at least once when it returns without error.
    virtual Result<void> send(const Notice& notice, Moment deadline) = 0;
    // Whether a notice with this key was delivered; unknown where the channel cannot tell.
    virtual Result<Truth> delivered(const std::string& key, Moment deadline) = 0;
};

}  // namespace kedge
