// The faults that the lab can inject: how they are written, and what they make of the network. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lab/relay_client.h"
#include "lab/topology.h"

namespace kedge::lab {

enum class FaultKind : std::uint8_t {
    region_killed,
    region_silent,
    partition,
    one_way,
    slow_path,
    lossy_path,
    kill,
    pause,
    cut,
    silence,
    replay_lag,
    archive_full,
    slow_disk,
    old_primary_returns,
};

struct FaultForm {
    FaultKind kind;
    std::string_view name;
    std::string_view arguments;  // as usage shows them
    std::string_view meaning;    // one line
};
std::span<const FaultForm> fault_forms();

// One fault with its arguments; those that its kind does not take are empty.
struct LabFault {
    FaultKind kind;
    std::optional<Site> site{}, other_site{};
    const Place* component = nullptr;
    std::optional<Span> delay{};
    double share = 0;
    Passage passage = Passage::silent;

    // The words that it is parsed from: its name in `status` and `heal`.
    std::string name() const;
};

// From the words after `break` or `heal`. invalid_input with the right form, and the nearest known word for a typo.
Result<LabFault> parse_lab_fault(const std::vector<std::string>& words);

struct Network {
    std::vector<PathChange> paths;  // all nine
    std::vector<HostChange> hosts;  // every server
};
// The network while exactly these faults are active. Of two that touch one path the stricter counts, so that healing
// one never opens what another holds.
Network network_under(const std::vector<LabFault>& faults);
// Whether bytes pass both ways between the two.
bool is_open(const Network& network, Site one, Site other);

}  // namespace kedge::lab
