// What the supervisor keeps: one program of the lab, how it is started and stopped, and what has become of it.
#pragma once

#include <csignal>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/json.h"
#include "base/time.h"
#include "base/truth.h"
#include "lab/process_table.h"
#include "os/process.h"

namespace kedge::lab {

using kedge::to_string;  // those of the outer namespace would be hidden by our own

struct ComponentSpec {
    std::string name;
    std::string site;  // as to_string(Site)
    Arguments arguments;
    Environment environment{};
    std::string directory;      // its own, below the lab's; it is started there
    int stop_signal = SIGTERM;  // asks its first process for a clean end
};
Json to_json(const ComponentSpec& spec);
Result<ComponentSpec> parse_component(const Json& json);

enum class Phase : std::uint8_t { never_started, running, paused, stopped, killed, failed };
std::string_view to_string(Phase phase);
std::optional<Phase> parse_phase(std::string_view name);

struct Component {
    ComponentSpec spec;
    Phase phase = Phase::never_started;
    std::optional<ProcessId> first;  // the process that was started, while it lives
    std::set<ProcessId> recorded{};  // all that were ever started as it
    std::optional<Moment> started, ended;
    std::optional<Exit> exit;                // of the last one
    bool end_expected = false;               // it was asked to stop or killed
    std::map<std::string, Moment> barred{};  // why it may not be started, and since when

    bool is_up() const { return phase == Phase::running || phase == Phase::paused; }
    Traces traces(const std::string& lab_directory) const;
    Json describe() const;
};

// The marker that the processes of a component carry.
std::string marker_of(const std::string& lab_directory, const std::string& component);

}  // namespace kedge::lab
