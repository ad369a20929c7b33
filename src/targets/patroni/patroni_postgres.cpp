#include "targets/patroni/patroni_postgres.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "os/clock.h"
#include "os/http.h"
#include "targets/postgres/server.h"

namespace kedge {
namespace {

Result<void> check_site(const std::string& where, const PatroniSite& site) {
    TRY(check_conninfo(site.connection, where + ": connection"));
    TRY(parse_url(site.rest_url).within(where + ": rest-url"));
    if (site.member.empty()) return Error{Fault::invalid_input, fmt::format("{}: names no member", where)};
    return {};
}

// The states in which Patroni makes a member's data anew (postgresql/__init__.py, bootstrap.py).
bool is_being_copied(const std::string& state) {
    return state == "creating replica" || state == "initializing new cluster" || state.starts_with("running custom");
}

std::string without_slash(std::string url) {
    while (url.ends_with('/')) url.pop_back();
    return url;
}

}  // namespace

struct PatroniPostgres::Site {
    Site(const PatroniPostgresSettings& target, const std::string& region, const PatroniSite& site)
        : name(fmt::format("{}@{}", target.name, region)),
          settings(site),
          sql(name, {site.connection, site.password, target.database}, target.probe_schema),
          rest(without_slash(site.rest_url), target.rest) {}

    const std::string name;
    const PatroniSite& settings;
    PostgresServer sql;
    const PatroniRest rest;
};

Result<std::unique_ptr<PatroniPostgres>> PatroniPostgres::create(PatroniPostgresSettings settings) {
    if (settings.scope.empty())
        return Error{Fault::invalid_input, fmt::format("{}: names no Patroni scope", settings.name)};
    TRY(check_probe_schema(settings.name, settings.probe_schema));
    for (const auto& [region, site] : settings.sites)
        TRY(check_site(fmt::format("{}@{}", settings.name, region), site));
    return std::unique_ptr<PatroniPostgres>{new PatroniPostgres{std::move(settings)}};
}

PatroniPostgres::PatroniPostgres(PatroniPostgresSettings settings) : settings_(std::move(settings)) {
    for (const auto& [region, site] : settings_.sites)
        sites_.emplace(region, std::make_unique<Site>(settings_, region, site));
}

PatroniPostgres::~PatroniPostgres() = default;

Result<PatroniPostgres::Site*> PatroniPostgres::find(const std::string& region) const {
    return find_region(sites_, settings_.name, region);
}

Result<PatroniCluster> PatroniPostgres::cluster(const Site& first, Moment deadline) const {
    std::vector<const Site*> order{&first};
    for (const auto& [region, site] : sites_)
        if (site.get() != &first) order.push_back(site.get());
    Error last{Fault::unavailable, "no member"};
    for (std::size_t i = 0; i < order.size(); ++i) {
        // A silent member may use up its share of the time and no more.
        const Moment now = SystemClock{}.now();
        const Moment share = now + (deadline - now) / static_cast<Span::rep>(order.size() - i);
        auto answer = order[i]->rest.cluster(share);
        if (answer) return answer;
        last = std::move(answer).error().within(order[i]->name);
    }
    return Error{Fault::unavailable, fmt::format("{}: no member tells who leads: {}", settings_.name, last.message)};
}

Result<void> PatroniPostgres::check_scope(const Site& site, Moment deadline) const {
    const PatroniStatus status = TRY(site.rest.status(deadline).within(site.name));
    if (status.scope == settings_.scope) return {};
    return Error{Fault::refused, fmt::format("{}: {} is a member of cluster '{}', not '{}'", site.name,
                                             site.settings.rest_url, status.scope, settings_.scope)};
}

Result<DatabaseLook> PatroniPostgres::look(const std::string& region, Moment deadline) {
    Site& site = *TRY(find(region));
    DatabaseLook seen = site.sql.look(deadline);
    if (seen.reachable != Truth::no) return seen;
    const auto status = site.rest.status(deadline);
    seen.says += status ? fmt::format("; patroni says: {}", status->state) : "; and its patroni does not answer";
    if (status && is_being_copied(status->state)) seen.rejoin = "patroni: " + status->state;
    return seen;
}

Result<void> PatroniPostgres::promote(const std::string& region, Moment deadline) {
    const Site& site = *TRY(find(region));
    const PatroniCluster seen = TRY(cluster(site, deadline));
    if (const PatroniMember* leader = seen.leader()) {
        if (leader->name == site.settings.member)
            return Error{Fault::refused, fmt::format("{}: is the leader already", site.name)};
        return Error{Fault::refused,
                     fmt::format("{}: {} holds the leader's key ({})", site.name, leader->name, leader->state),
                     "switch over while it lives; a dead leader's key runs out after Patroni's ttl"};
    }
    TRY(check_scope(site, deadline));
    return site.rest.fail_over(site.settings.member, deadline).within(site.name);
}

Result<void> PatroniPostgres::switch_over(const std::string& region, Moment deadline) {
    const Site& site = *TRY(find(region));
    const PatroniCluster seen = TRY(cluster(site, deadline));
    const PatroniMember* leader = seen.leader();
    if (leader == nullptr)
        return Error{Fault::refused, fmt::format("{}: the cluster has no leader to switch from", site.name),
                     "promote it instead"};
    if (leader->name == site.settings.member)
        return Error{Fault::refused, fmt::format("{}: is the leader already", site.name)};
    TRY(check_scope(site, deadline));
    return site.rest.switch_over(leader->name, site.settings.member, deadline).within(site.name);
}

Result<FenceLook> PatroniPostgres::look_at_fence(const std::string& region, Moment deadline) {
    Site& site = *TRY(find(region));
    if (!site.settings.fence.look.empty()) return kedge::look_at_fence(site.settings.fence, site.name, deadline);
    const Moment half = SystemClock{}.now() + (deadline - SystemClock{}.now()) / 2;
    const DatabaseLook seen = site.sql.look(half);
    if (seen.primary == Truth::yes) return FenceLook{Truth::no, seen.says};
    if (seen.primary == Truth::unknown)
        return FenceLook{Truth::unknown, fmt::format("{}; no fence of its own is named", seen.says)};
    const auto members = cluster(site, deadline);
    if (!members) return FenceLook{Truth::unknown, members.error().message};
    const PatroniMember* leader = members->leader();
    if (leader == nullptr) return FenceLook{Truth::unknown, "a standby, but nobody holds the leader's key"};
    if (leader->name == site.settings.member)
        return FenceLook{Truth::no, "a standby that holds the leader's key: it is being promoted"};
    return FenceLook{Truth::yes, fmt::format("{}; {} holds the leader's key", seen.says, leader->name)};
}

Result<void> PatroniPostgres::raise_fence(const std::string& region, Moment deadline) {
    const Site& site = *TRY(find(region));
    return change_fence(site.settings.fence, FenceChange::raise, site.name, deadline);
}

Result<void> PatroniPostgres::lower_fence(const std::string& region, Moment deadline) {
    const Site& site = *TRY(find(region));
    return change_fence(site.settings.fence, FenceChange::lower, site.name, deadline);
}

Result<Canary> PatroniPostgres::write_canary(const std::string& region, const std::string& key, Moment deadline) {
    return TRY(find(region))->sql.write_canary(key, deadline);
}

Result<Heartbeat> PatroniPostgres::write_heartbeat(const std::string& region, std::int64_t sequence, Moment deadline) {
    return TRY(find(region))->sql.write_heartbeat(sequence, SystemClock{}.now(), deadline);
}

Result<void> PatroniPostgres::checkpoint(const std::string& region, Moment deadline) {
    return TRY(find(region))->sql.checkpoint(deadline);
}

Result<Lsn> PatroniPostgres::create_restore_point(const std::string& region, const std::string& name, Moment deadline) {
    return TRY(find(region))->sql.create_restore_point(name, deadline);
}

Result<void> PatroniPostgres::rejoin(const std::string& region, const std::string& primary, RejoinBy by,
                                     Moment deadline) {
    const Site& site = *TRY(find(region));
    const Site& other = *TRY(find(primary));
    if (by == RejoinBy::rewind)
        return patronis_own(region, "rewinds an old primary itself when that comes back",
                            "set use_pg_rewind in Patroni and start Patroni there");
    const PatroniCluster seen = TRY(cluster(other, deadline));
    const PatroniMember* leader = seen.leader();
    if (leader == nullptr || leader->name != other.settings.member)
        return Error{Fault::refused, fmt::format("{}: does not hold the leader's key", other.name)};
    TRY(check_scope(site, deadline));
    return site.rest.reinitialize(deadline).within(site.name);
}

Error PatroniPostgres::patronis_own(const std::string& region, std::string_view what, std::string_view hint) const {
    return {Fault::refused, fmt::format("{}@{}: Patroni {}", settings_.name, region, what), std::string{hint}};
}

Result<void> PatroniPostgres::shut_down(const std::string& region, Moment) {
    TRY(find(region));
    return patronis_own(region, "would start the server again", "switch over, or pause Patroni and stop it by hand");
}

Result<void> PatroniPostgres::start(const std::string& region, Moment) {
    TRY(find(region));
    return patronis_own(region, "starts its server itself", "start Patroni there");
}

Result<std::optional<Lsn>> PatroniPostgres::stopped_at(const std::string& region, Moment) {
    TRY(find(region));
    return patronis_own(region, "stops and starts its server itself", "switch over: it waits for the last position");
}

Result<StrandedTail> PatroniPostgres::export_stranded(const std::string& region, const std::string&, const std::string&,
                                                      Moment) {
    TRY(find(region));
    return patronis_own(region, "rewinds an old primary as soon as it comes back, with what that alone holds",
                        "keep its Patroni from starting, and export its log by hand with pg_waldump");
}

}  // namespace kedge
