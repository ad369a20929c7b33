// The lab as a whole: two regions of real processes on this machine, made, looked at, broken, healed and removed.
//
// A lab has a name; its addresses are fixed, so one runs at a time on a machine. Everything is in one directory.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "lab/layout.h"
#include "lab/relay_client.h"
#include "lab/supervisor_client.h"

namespace kedge::lab {

struct LabStatus {
    struct Line {
        ComponentStatus component;
        std::string role;  // "primary", "replica", "serving", ...; "unknown" when it cannot be observed
        Endpoint direct;
        Endpoint announced;  // port 0: it is not reached from other sites
    };
    std::string directory;
    std::vector<Line> lines;
    Json faults;   // active ones by name
    Json network;  // as the relay describes it; null if it does not answer
};

class Lab {
public:
    using OnProgress = std::function<void(std::string_view component, std::string_view what)>;

    // invalid_input for an unusable name.
    static Result<Lab> named(const std::string& name = std::string(default_lab));

    // Makes and starts everything; what a dead lab of that name left is cleared first. conflict if the lab runs or one
    // of its addresses is taken. What was begun is taken down again on every error.
    Result<void> up(const OnProgress& on_progress, const Until& until) const;

    // Ends every process and removes every file, whether the lab runs, is broken or died. Success if there is none.
    // How many processes were ended.
    Result<std::size_t> down(const Until& until) const;

    // not_found if no lab of that name runs.
    Result<LabStatus> status(const Until& until) const;

    const LabName& name() const { return name_; }
    Layout layout() const { return name_.layout(); }
    SupervisorClient supervisor() const { return SupervisorClient(layout().root); }
    RelayClient relay() const { return RelayClient(layout().relay_socket()); }

private:
    explicit Lab(LabName name) : name_(std::move(name)) {}
    Result<void> prepare(const Until& until) const;
    Result<void> copy_programs() const;
    Result<void> run_builder(const OnProgress& on_progress, const Until& until) const;
    Result<void> remove_files() const;

    LabName name_;
};

}  // namespace kedge::lab
