#include "targets/postgres/host_postgres.h"

#include <fmt/format.h>

#include <utility>

#include "os/clock.h"
#include "targets/postgres/rejoin.h"
#include "targets/postgres/stranded.h"

namespace kedge {
namespace {

Result<void> check_site(const std::string& where, const HostSite& site) {
    TRY(check_conninfo(site.connection, where + ": connection"));
    if (!site.replication.empty()) TRY(check_conninfo(site.replication, where + ": replication"));
    if (!site.rewind_source.empty()) TRY(check_conninfo(site.rewind_source, where + ": rewind-source"));
    if (!site.host.data_directory.starts_with('/') || site.host.data_directory.ends_with('/'))
        return Error{Fault::invalid_input,
                     fmt::format("{}: data directory '{}' is no absolute path", where, site.host.data_directory)};
    return {};
}

}  // namespace

struct HostPostgres::Site {
    Site(const HostPostgresSettings& target, const std::string& region, const HostSite& site)
        : server(fmt::format("{}@{}", target.name, region), site, target.database, target.probe_schema) {}

    HostServer server;
    Rejoin rejoin;
};

Result<std::unique_ptr<HostPostgres>> HostPostgres::create(HostPostgresSettings settings) {
    TRY(check_probe_schema(settings.name, settings.probe_schema));
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
    return find_region(sites_, settings_.name, region);
}

Result<DatabaseLook> HostPostgres::look(const std::string& region, Moment deadline) {
    Site& site = *TRY(find(region));
    DatabaseLook seen = site.server.look(deadline);
    seen.rejoin = site.rejoin.progress();
    if (const auto failure = site.rejoin.failure(); failure && seen.receiving != Truth::yes)
        seen.says += fmt::format("; its last rejoin failed: {}", *failure);
    return seen;
}

Result<void> HostPostgres::promote(const std::string& region, Moment deadline) {
    return TRY(find(region))->server.sql().promote(deadline);
}

Result<void> HostPostgres::switch_over(const std::string& region, Moment) {
    return Error{Fault::refused, fmt::format("{}: no manager switches it", TRY(find(region))->server.name()),
                 "shut the primary down, wait for its last position, promote: that is what database-failover does"};
}

Result<void> HostPostgres::shut_down(const std::string& region, Moment deadline) {
    HostServer& server = TRY(find(region))->server;
    if (!TRY(server.is_running(deadline))) return {};
    TRY(server.require_no_manager(deadline));
    return server.stop(deadline);
}

Result<void> HostPostgres::start(const std::string& region, Moment deadline) {
    const HostServer& server = TRY(find(region))->server;
    if (!server.settings().fence.look.empty()) {
        const FenceLook fence = TRY(kedge::look_at_fence(server.settings().fence, server.name(), deadline));
        if (fence.fenced != Truth::no)
            return Error{Fault::refused,
                         fmt::format("{}: not started: its fence is {}: {}", server.name(),
                                     fence.fenced == Truth::yes ? "up" : "not known to be down", fence.proof),
                         "a fence comes down when its server rejoins as a standby"};
    }
    return server.start(deadline);
}

Result<std::optional<Lsn>> HostPostgres::stopped_at(const std::string& region, Moment deadline) {
    return kedge::stopped_at(TRY(find(region))->server, deadline);
}

Result<FenceLook> HostPostgres::look_at_fence(const std::string& region, Moment deadline) {
    const HostServer& server = TRY(find(region))->server;
    return kedge::look_at_fence(server.settings().fence, server.name(), deadline);
}

Result<void> HostPostgres::raise_fence(const std::string& region, Moment deadline) {
    const HostServer& server = TRY(find(region))->server;
    return change_fence(server.settings().fence, FenceChange::raise, server.name(), deadline);
}

Result<void> HostPostgres::lower_fence(const std::string& region, Moment deadline) {
    const HostServer& server = TRY(find(region))->server;
    return change_fence(server.settings().fence, FenceChange::lower, server.name(), deadline);
}

Result<Canary> HostPostgres::write_canary(const std::string& region, const std::string& key, Moment deadline) {
    return TRY(find(region))->server.sql().write_canary(key, deadline);
}

Result<Heartbeat> HostPostgres::write_heartbeat(const std::string& region, std::int64_t sequence, Moment deadline) {
    return TRY(find(region))->server.sql().write_heartbeat(sequence, SystemClock{}.now(), deadline);
}

Result<void> HostPostgres::checkpoint(const std::string& region, Moment deadline) {
    return TRY(find(region))->server.sql().checkpoint(deadline);
}

Result<Lsn> HostPostgres::create_restore_point(const std::string& region, const std::string& name, Moment deadline) {
    return TRY(find(region))->server.sql().create_restore_point(name, deadline);
}

Result<StrandedTail> HostPostgres::export_stranded(const std::string& region, const std::string& primary,
                                                   const std::string& keep_under, Moment deadline) {
    return export_stranded_tail(TRY(find(region))->server, TRY(find(primary))->server, keep_under, deadline);
}

Result<void> HostPostgres::rejoin(const std::string& region, const std::string& primary, RejoinBy by, Moment deadline) {
    Site& own = *TRY(find(region));
    Site& other = *TRY(find(primary));
    if (&own == &other) return Error{Fault::invalid_input, fmt::format("{}: cannot rejoin itself", own.server.name())};
    return own.rejoin.start(own.server, other.server, by, deadline);
}

}  // namespace kedge
