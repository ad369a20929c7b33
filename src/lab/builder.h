// Makes a lab from nothing in an empty directory: data directories, configuration, a supervisor, and everything
// started in order, as much as possible side by side. Runs as the login that owns the lab.
#pragma once

#include <functional>
#include <mutex>
#include <string>

#include "lab/layout.h"
#include "lab/supervisor_client.h"
#include "os/wait.h"

namespace kedge::lab {

class Builder {
public:
    // May be called from several threads, one at a time: "postgres-us-east-1", "accepts connections".
    using OnProgress = std::function<void(std::string_view component, std::string_view what)>;

    Builder(Layout layout, OnProgress on_progress)
        : layout_(std::move(layout)), supervisor_(layout_.root), on_progress_(std::move(on_progress)) {}

    // After an error some of it may run: whoever called takes the lab down.
    Result<void> build(const Until& until);

private:
    void tell(std::string_view component, std::string_view what);
    Result<void> write_configuration();
    Result<void> write_secrets();
    Result<void> define_all(const Until& until);
    Result<void> start(const Place& place, const Until& until);
    Result<void> start_relay(const Until& until);
    Result<void> start_the_rest(const Until& until);
    Result<void> start_caches(const Until& until);
    Result<void> start_front(const Until& until);
    Result<void> start_databases(const Until& until);
    Result<void> make_primary(const Place& primary, const Until& until);
    Result<void> fill_primary(const Place& primary, const Until& until);
    Result<void> make_standby(const Place& primary, const Place& standby, const Until& until);
    Result<void> store_backup(const Place& primary, const Until& until);
    Result<void> start_applications(const Until& until);
    bool has_application() const;

    const Layout layout_;
    const SupervisorClient supervisor_;
    const OnProgress on_progress_;
    std::mutex telling_;
    std::string postgres_;  // directory of its programs
};

}  // namespace kedge::lab
