#include "targets/postgres/host_postgres.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "os/clock.h"
#include "targets/postgres/control_data.h"

namespace kedge {
namespace {

// A manager that was seen is not looked for again for so long: a planned switch has no round trip to spare.
constexpr Span manager_fresh = std::chrono::seconds{60};

bool is_plain_name(const std::string& name) {
    return !name.empty() && name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos &&
           (name[0] < '0' || name[0] > '9');
}

Result<void> check_site(const std::string& where, const HostSite& site) {
    TRY(check_conninfo(site.connection, where + ": connection"));
    if (!site.replication.empty()) TRY(check_conninfo(site.replication, where + ": replication"));
    if (!site.rewind_source.empty()) TRY(check_conninfo(site.rewind_source, where + ": rewind source"));
    if (!site.host.data_directory.starts_with('/') || site.host.data_directory.ends_with('/'))
        return Error{Fault::invalid_input,
                     fmt::format("{}: data directory '{}' is no absolute path", where, site.host.data_directory)};
    return {};
}

}  // namespace

struct HostPostgres::Site {
    Site(const HostPostgresSettings& target, const std::string& region, const HostSite& site)
        : name(fmt::format("{}@{}", target.name, region)),
          settings(site),
          server(name, site.connection, target.database, target.probe_schema),
          host(name, site.host) {}

    // Nothing when no other manager runs it; refused when one does, or when that cannot be seen.
    Result<void> require_no_manager(Moment deadline);
    DatabaseLook look(Moment deadline);
    Result<bool> is_running(Moment deadline) const;
    // Unless it runs already; returns when it was started, not when it answers.
    Result<void> start(Moment deadline) const;

    const std::string name;
    const HostSite& settings;
    PostgresServer server;
    ServerHost host;

private:
    std::mutex mutex_;
    std::optional<std::string> manager_;  // as last seen; guarded by mutex_
    Moment manager_seen_{};               // guarded by mutex_
};

DatabaseLook HostPostgres::Site::look(Moment deadline) {
    DatabaseLook look = server.look(deadline);
    if (look.manager) {
        const std::lock_guard lock{mutex_};
        manager_ = look.manager;
        manager_seen_ = SystemClock{}.now();
    }
    return look;
}

Result<void> HostPostgres::Site::require_no_manager(Moment deadline) {
    std::optional<std::string> manager;
    {
        const std::lock_guard lock{mutex_};
        if (SystemClock{}.now() - manager_seen_ < manager_fresh) manager = manager_;
    }
    std::string says;
    if (!manager) {
        DatabaseLook seen = look(deadline);
        manager = seen.manager;
        says = seen.says;
    }
    if (!manager)
        return Error{Fault::refused, fmt::format("{}: whether another manager runs it cannot be seen: {}", name, says),
                     "it must answer SQL, to a role with pg_monitor"};
    if (!manager->empty())
        return Error{Fault::refused, fmt::format("{}: is run by {}", name, *manager),
                     "act through that manager: bind the target to its driver"};
    return {};
}

Result<bool> HostPostgres::Site::is_running(Moment deadline) const {
    const Arguments command = settings.server.running.empty()
                                  ? Arguments{host.tool("pg_ctl"), "status", "-D", host.data_directory()}
                                  : settings.server.running;
    const auto output = TRY(host.run(command, deadline));
    if (output.exit == Exit{0, 0}) return true;
    if (output.exit == Exit{1, 0} || output.exit == Exit{3, 0}) return false;
    return Error{Fault::unavailable, fmt::format("{}: whether it runs: {}", name, complaint(output))};
}

Result<void> HostPostgres::Site::start(Moment deadline) const {
    if (TRY(is_running(deadline))) return {};
    const Arguments command = settings.server.start.empty() ? Arguments{host.tool("pg_ctl"),
                                                                        "start",
                                                                        "-W",
                                                                        "-s",
                                                                        "-D",
                                                                        host.data_directory(),
                                                                        "-l",
                                                                        host.data_directory() + "/server.log"}
                                                            : settings.server.start;
    TRY(host.run_or_fail(command, deadline, {}, Fault::outcome_unknown));
    return {};
}

Result<std::unique_ptr<HostPostgres>> HostPostgres::create(HostPostgresSettings settings) {
    if (!is_plain_name(settings.probe_schema))
        return Error{Fault::invalid_input,
                     fmt::format("{}: probe schema '{}' is no plain name", settings.name, settings.probe_schema)};
    for (const auto& [region, site] : settings.sites)
        TRY(check_site(fmt::format("{}@{}", settings.name, region), site));
    return std::unique_ptr<HostPostgres>{new HostPostgres{std::move(settings)}};
}

HostPostgres::HostPostgres(HostPostgresSettings settings) : settings_(std::move(settings)) {
    for (const auto& [region, site] : settings_.sites)
        sites_.emplace(region, std::make_unique<Site>(settings_, region, site));
}

HostPostgres::~HostPostgres() = default;

Result<HostPostgres::Site*> HostPostgres::find(const std::string& region) const {
    if (const auto found = sites_.find(region); found != sites_.end()) return found->second.get();
    std::string known;
    for (const auto& [name, site] : sites_) known += (known.empty() ? "" : ", ") + name;
    return Error{Fault::not_found, fmt::format("{}: has no copy in '{}'", settings_.name, region),
                 fmt::format("it has copies in {}", known)};
}

Result<DatabaseLook> HostPostgres::look(const std::string& region, Moment deadline) {
    return TRY(find(region))->look(deadline);
}

Result<void> HostPostgres::promote(const std::string& region, Moment deadline) {
    return TRY(find(region))->server.promote(deadline);
}

Result<void> HostPostgres::switch_over(const std::string& region, Moment) {
    return Error{Fault::refused, fmt::format("{}: no manager switches it", TRY(find(region))->name),
                 "shut the primary down, wait for its last position, promote: that is what database-failover does"};
}

Result<void> HostPostgres::shut_down(const std::string& region, Moment deadline) {
    Site& site = *TRY(find(region));
    if (!TRY(site.is_running(deadline))) return {};
    TRY(site.require_no_manager(deadline));
    const Arguments command =
        site.settings.server.stop.empty()
            ? Arguments{site.host.tool("pg_ctl"), "stop", "-D", site.host.data_directory(), "-m", "fast", "-W"}
            : site.settings.server.stop;
    TRY(site.host.run_or_fail(command, deadline, {}, Fault::outcome_unknown));
    return {};
}

Result<void> HostPostgres::start(const std::string& region, Moment deadline) {
    const Site& site = *TRY(find(region));
    if (!site.settings.fence.look.empty()) {
        const FenceLook fence = TRY(kedge::look_at_fence(site.settings.fence, site.name, deadline));
        if (fence.fenced != Truth::no)
            return Error{Fault::refused,
                         fmt::format("{}: not started: its fence is {}: {}", site.name,
                                     fence.fenced == Truth::yes ? "up" : "not known to be down", fence.proof),
                         "a fence comes down when its server rejoins as a standby"};
    }
    return site.start(deadline);
}

Result<std::optional<Lsn>> HostPostgres::stopped_at(const std::string& region, Moment deadline) {
    const Site& site = *TRY(find(region));
    const auto output =
        TRY(site.host.run_or_fail({site.host.tool("pg_controldata"), "-D", site.host.data_directory()}, deadline));
    const ControlData control = TRY(parse_control_data(output.out).within(site.name));
    return control.is_shut_down() ? std::optional{control.checkpoint} : std::nullopt;
}

Result<FenceLook> HostPostgres::look_at_fence(const std::string& region, Moment deadline) {
    const Site& site = *TRY(find(region));
    return kedge::look_at_fence(site.settings.fence, site.name, deadline);
}

Result<void> HostPostgres::raise_fence(const std::string& region, Moment deadline) {
    const Site& site = *TRY(find(region));
    return change_fence(site.settings.fence, FenceChange::raise, site.name, deadline);
}

Result<void> HostPostgres::lower_fence(const std::string& region, Moment deadline) {
    const Site& site = *TRY(find(region));
    return change_fence(site.settings.fence, FenceChange::lower, site.name, deadline);
}

Result<Canary> HostPostgres::write_canary(const std::string& region, const std::string& key, Moment deadline) {
    return TRY(find(region))->server.write_canary(key, deadline);
}

Result<Heartbeat> HostPostgres::write_heartbeat(const std::string& region, std::int64_t sequence, Moment deadline) {
    return TRY(find(region))->server.write_heartbeat(sequence, SystemClock{}.now(), deadline);
}

Result<void> HostPostgres::checkpoint(const std::string& region, Moment deadline) {
    return TRY(find(region))->server.checkpoint(deadline);
}

Result<StrandedTail> HostPostgres::export_stranded(const std::string& region, const std::string&, const std::string&,
                                                   Moment) {
    return Error{Fault::refused, fmt::format("{}: cannot export a stranded tail yet", region)};
}

Result<void> HostPostgres::rejoin(const std::string& region, const std::string&, RejoinBy, Moment) {
    return Error{Fault::refused, fmt::format("{}: cannot rejoin a server yet", region)};
}

}  // namespace kedge
