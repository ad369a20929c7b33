// Injects faults into a running lab and heals them.
//
// The supervisor keeps the list of active faults. What the network does is always computed from the whole list, so
// faults may overlap and be healed in any order.
#pragma once

#include <string>
#include <vector>

#include "lab/fault.h"
#include "lab/lab.h"

namespace kedge::lab {

struct FaultReport {
    std::string name;
    Moment at;             // when it took effect
    std::string sentence;  // what was done, for people
};

class Breaker {
public:
    explicit Breaker(const Lab& lab) : lab_(lab), supervisor_(lab.supervisor()), relay_(lab.relay()) {}

    // conflict if that fault is active already or somebody else is breaking or healing; refused if it cannot be had in
    // this state of the lab; not_found if the lab does not run. An error after the fault was noted leaves it noted:
    // heal it.
    Result<FaultReport> inject(const LabFault& fault, const Until& until) const;

    // Undoes the fault as far as that is the lab's affair: a server that was killed is started again, except a
    // PostgreSQL server while another one is primary (to rejoin it is the plan's work). not_found if it is not active.
    // What was done and what was left, a sentence each.
    Result<std::vector<std::string>> heal(const LabFault& fault, const Until& until) const;
    Result<std::vector<std::string>> heal_all(const Until& until) const;

    Result<std::vector<LabFault>> active(const Until& until) const;

private:
    Result<std::string> take_effect(const LabFault& fault, const Until& until) const;
    Result<std::vector<std::string>> undo(const LabFault& fault, const Until& until) const;
    Result<void> shape_network(const std::vector<LabFault>& faults, const Until& until) const;
    Result<std::vector<const Place*>> components_in(Site region, const Until& until) const;
    Result<std::string> kill_region(const LabFault& fault, const Until& until) const;
    Result<std::vector<std::string>> revive_region(const LabFault& fault, const Until& until) const;
    Result<std::string> start_again(const Place& place, const Until& until) const;
    Result<std::string> delay_replay(const LabFault& fault, const Until& until) const;
    Result<std::string> resume_replay(const LabFault& fault, const Until& until) const;
    Result<std::string> fill_archive() const;
    Result<std::string> return_old_primary(const LabFault& fault, const Until& until) const;
    Result<void> refuse_impossible(const LabFault& fault, const Until& until) const;

    const Lab& lab_;
    const SupervisorClient supervisor_;
    const RelayClient relay_;
};

}  // namespace kedge::lab
