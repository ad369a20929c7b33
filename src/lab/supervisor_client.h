// Speaks to a lab's supervisor. Every call is one request over its socket and ends in time.
//
// unavailable: no supervisor answers there. outcome_unknown: it was asked and did not answer in time; look with
// `status` or `look_at_fence` before asking again (all requests may be repeated).
#pragma once

#include <string>
#include <vector>

#include "base/truth.h"
#include "lab/component.h"
#include "lab/topology.h"
#include "os/wait.h"

namespace kedge::lab {

struct KillReport {
    std::int64_t processes = 0;  // that were found and are gone
    Span took{};
};
struct FenceReport {
    Truth fenced = Truth::unknown;
    std::string proof;
};
struct ComponentStatus {
    std::string name;
    std::string site;
    Phase phase = Phase::never_started;
    std::optional<ProcessId> first;
    std::int64_t processes = 0;  // found in /proc at this moment
    std::string exit;            // how the last one ended; empty if it has not
    std::vector<std::string> barred;
};
struct SupervisorStatus {
    std::vector<ComponentStatus> components;
    Json faults;  // by name: what was noted with each
};

class SupervisorClient {
public:
    explicit SupervisorClient(const std::string& lab_directory) : path_(lab_directory + "/supervisor.sock") {}

    Result<void> define(const ComponentSpec& spec, const Until& until) const;
    // Started, not yet serving. refused while barred, conflict if it runs.
    Result<ProcessId> start(const std::string& component, const Until& until) const;
    // Asks it to end in order and waits until none of its processes is left. Success if it does not run.
    Result<void> stop(const std::string& component, const Until& until) const;
    // SIGKILL to every process of all of them at one instant; returns when it is certain that none is left.
    Result<KillReport> kill(const std::vector<std::string>& components, const Until& until) const;
    Result<KillReport> kill_site(Site site, const Until& until) const;
    // Every process stopped where it is (SIGSTOP), and continued.
    Result<void> pause(const std::string& component, const Until& until) const;
    Result<void> resume(const std::string& component, const Until& until) const;
    // A barred component cannot be started; each reason is lifted apart.
    Result<void> bar(const std::string& component, const std::string& reason, const Until& until) const;
    Result<void> unbar(const std::string& component, const std::string& reason, const Until& until) const;

    // Bars it, kills it and sees that nothing is left: yes, with the proof, or an error.
    Result<FenceReport> raise_fence(const std::string& component, const Until& until) const;
    Result<void> lower_fence(const std::string& component, const Until& until) const;
    // yes only if it is barred by a fence and none of its processes is there now.
    Result<FenceReport> look_at_fence(const std::string& component, const Until& until) const;

    // How much longer each sync to disk of the component takes (see slow_disk.h); zero ends it.
    Result<void> slow_disk(const std::string& component, Span delay, const Until& until) const;

    Result<void> note_fault(const std::string& name, const Json& detail, const Until& until) const;
    Result<void> forget_fault(const std::string& name, const Until& until) const;
    Result<SupervisorStatus> status(const Until& until) const;
    // Kills everything and ends the supervisor.
    Result<void> shut_down(const Until& until) const;

private:
    Result<Json> ask_for(Json request, const Until& until) const;
    Result<Json> ask_for(std::string_view verb, const std::string& component, const Until& until) const;

    std::string path_;
};

}  // namespace kedge::lab
