// The driver `haproxy`: the weights of a backend, read and set through HAProxy's runtime socket
// (HAProxy 2.6 management guide, section 9.3).
//
// A region has one or more servers of the backend. Its share is spread over them exactly, at twice the percentage,
// so that halves do not get lost; a share of 0 also puts them into maintenance, which ends their use whatever the
// others' health.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "targets/traffic.h"

namespace kedge {

struct HaproxySettings {
    std::string name;    // the target's, for messages
    std::string socket;  // path of the runtime socket, level admin
    std::string backend;
    std::map<std::string, std::vector<std::string>> servers;  // by region, names in the backend
};

// Any thread may call: every call has a connection of its own. HAProxy carries out the commands of one line
// without anything between them.
class HaproxyTraffic final : public Traffic {
public:
    // invalid_input for a name that could be read as more than a name, or a region without servers.
    static Result<std::unique_ptr<HaproxyTraffic>> create(HaproxySettings settings);

    Result<TrafficLook> look(Moment deadline) override;
    Result<void> shift(const std::map<std::string, int>& weights, Moment deadline) override;
    Result<void> cut_sessions(const std::string& region, Moment deadline) override;

private:
    explicit HaproxyTraffic(HaproxySettings settings) : settings_(std::move(settings)) {}
    Result<std::string> ask(const std::string& line, Moment deadline, bool changes) const;

    const HaproxySettings settings_;
};

}  // namespace kedge
