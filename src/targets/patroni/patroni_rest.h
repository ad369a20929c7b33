// What Patroni's REST API (3.0; documentation: rest_api.rst) is asked, and what it answers.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "os/wait.h"

namespace kedge {

struct PatroniMember {
    std::string name;
    std::string role;   // leader, standby_leader, replica, sync_standby
    std::string state;  // running, streaming, stopped, start failed, creating replica, ...
};

struct PatroniCluster {
    std::vector<PatroniMember> members;
    bool paused = false;

    // The member that holds the leader's key; nothing if nobody does.
    const PatroniMember* leader() const;
    const PatroniMember* find(std::string_view member) const;
};

// What one member says of itself.
struct PatroniStatus {
    std::string scope;
    std::string state, role;
};

// One member's REST API. Any thread may call; each call opens a connection of its own.
class PatroniRest {
public:
    struct Credentials {
        std::string username, password;  // empty: none are sent
    };
    // `url` is that of the member, http://HOST:8008.
    PatroniRest(std::string url, Credentials credentials);

    const std::string& url() const { return url_; }

    // unavailable without an answer, corrupt for one that is not Patroni's.
    Result<PatroniCluster> cluster(const Until& until) const;
    Result<PatroniStatus> status(const Until& until) const;

    // Both return when Patroni tells how it went, a second later at the least. refused with Patroni's own words when it
    // says no, not_allowed for wrong credentials, outcome_unknown when it does not know or does not answer.
    Result<void> switch_over(const std::string& leader, const std::string& candidate, const Until& until) const;
    Result<void> fail_over(const std::string& candidate, const Until& until) const;
    // Has the member throw its data away and copy the leader's; returns when it has begun.
    Result<void> reinitialize(const Until& until) const;

private:
    Result<std::string> get(const std::string& path, const Until& until) const;
    struct Answer {
        int status = 0;  // 200 or 503
        std::string says;
    };
    Result<Answer> post(const std::string& path, const Json& body, const Until& until) const;
    Result<void> change_leader(const std::string& path, const Json& body, const Until& until) const;

    const std::string url_;
    const Credentials credentials_;
};

}  // namespace kedge
