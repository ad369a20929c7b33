#include "cli/wiring.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "backup/policy_backups.h"
#include "os/secret.h"
#include "os/socket.h"
#include "recover/own_recoveries.h"
#include "targets/application/process_application.h"
#include "targets/command/command_index.h"
#include "targets/command/command_migration.h"
#include "targets/files/file_channel.h"
#include "targets/files/file_logs.h"
#include "targets/files/file_samples.h"
#include "targets/files/file_store.h"
#include "targets/haproxy/haproxy_traffic.h"
#include "targets/notification/pagerduty_channel.h"
#include "targets/notification/slack_channel.h"
#include "targets/patroni/patroni_postgres.h"
#include "targets/postgres/host_postgres.h"
#include "targets/prometheus/prometheus_metrics.h"
#include "targets/redis/sentinel_redis.h"

namespace kedge {
namespace {

// Read once, when the target is bound; never written anywhere. Empty if none is named.
Result<std::string> secret(const Settings& settings, std::string_view key) {
    const std::string reference = settings.text(key).value_or("");
    return reference.empty() ? Result<std::string>(std::string()) : read_secret(reference);
}

Result<HostPostgresSettings> host_settings(const Target& target) {
    HostPostgresSettings settings{.name = target.name,
                                  .database = target.settings.text("database").value_or("postgres"),
                                  .probe_schema = target.settings.text("probe-schema").value_or("kedge")};
    for (const Site& site : target.sites) {
        const Settings fence = site.settings.section("fence"), server = site.settings.section("server");
        settings.sites[site.region] = {
            .connection = site.settings.text("connection").value_or(""),
            .password = TRY(secret(site.settings, "password")),
            .host = {.data_directory = site.settings.text("data-directory").value_or(""),
                     .bin_directory =
                         site.settings.text("bin-directory")
                             .value_or(target.settings.text("bin-directory").value_or("/usr/lib/postgresql/15/bin")),
                     .ssh = site.settings.text("ssh").value_or(""),
                     .run_as = site.settings.text("run-as").value_or("")},
            .fence = {fence.texts("look"), fence.texts("raise"), fence.texts("lower")},
            .server = {server.texts("start"), server.texts("stop"), server.texts("running")},
            .replication = site.settings.text("replication").value_or(""),
            .rewind_source = site.settings.text("rewind-source").value_or("")};
    }
    return settings;
}

Result<std::unique_ptr<Database>> bind_host(const Target& target) {
    HostPostgresSettings settings = TRY(host_settings(target));
    std::unique_ptr<HostPostgres> database = TRY(HostPostgres::create(std::move(settings)));
    return std::unique_ptr<Database>(std::move(database));
}

Result<std::unique_ptr<Database>> bind_patroni(const Target& target) {
    PatroniPostgresSettings settings{.name = target.name, .scope = target.settings.text("scope").value_or("")};
    settings.database = target.settings.text("database").value_or("postgres");
    settings.probe_schema = target.settings.text("probe-schema").value_or("kedge");
    settings.rest = {target.settings.text("username").value_or(""), TRY(secret(target.settings, "password"))};
    for (const Site& site : target.sites) {
        const Settings fence = site.settings.section("fence");
        settings.sites[site.region] = {.connection = site.settings.text("connection").value_or(""),
                                       .password = {},
                                       .member = site.settings.text("member").value_or(""),
                                       .rest_url = site.settings.text("rest-url").value_or(""),
                                       .fence = {fence.texts("look"), fence.texts("raise"), fence.texts("lower")}};
    }
    std::unique_ptr<PatroniPostgres> database = TRY(PatroniPostgres::create(std::move(settings)));
    return std::unique_ptr<Database>(std::move(database));
}

Result<std::unique_ptr<Cache>> bind_sentinel(const Target& target) {
    SentinelRedisSettings settings{.master_name = target.settings.text("master-name").value_or("")};
    settings.quorum = static_cast<int>(target.settings.integer("quorum").value_or(2));
    for (const Site& site : target.sites)
        settings.nodes[site.region] = TRY(parse_endpoint(site.settings.text("address").value_or("")));
    for (const Json& sentinel : get(target.settings.json(), "sentinels"))
        settings.sentinels.push_back({TRY(parse_endpoint(get_string(sentinel, "address").value_or(""))),
                                      get_string(sentinel, "region").value_or("")});
    if (std::string password = TRY(secret(target.settings, "password")); !password.empty())
        settings.node_login = RedisLogin{target.settings.text("username").value_or(""), std::move(password)};
    if (std::string password = TRY(secret(target.settings, "sentinel-password")); !password.empty())
        settings.sentinel_login = RedisLogin{"", std::move(password)};
    return std::unique_ptr<Cache>(std::make_unique<SentinelRedis>(std::move(settings)));
}

Result<std::unique_ptr<Application>> bind_process(const Target& target) {
    ProcessApplicationSettings settings{.name = target.name,
                                        .public_url = target.settings.text("public-url").value_or("")};
    settings.health_path = target.settings.text("health-path").value_or(settings.health_path);
    settings.ready_path = target.settings.text("ready-path").value_or(settings.ready_path);
    settings.admin_path = target.settings.text("admin-path").value_or(settings.admin_path);
    settings.admin_token = target.settings.text("admin-token").value_or("");
    for (const auto& [name, probe] : get(target.settings.json(), "probes").items()) settings.probes[name] = probe;
    for (const Site& site : target.sites) {
        ProcessSite& place = settings.sites[site.region];
        for (const Json& instance : get(site.settings.json(), "instances"))
            place.instances.push_back(
                {get_string(instance, "name").value_or(""), get_string(instance, "url").value_or("")});
        place.scale = site.settings.texts("scale");
        place.running = site.settings.texts("running");
        place.deploy = site.settings.texts("deploy");
    }
    std::unique_ptr<ProcessApplication> application = TRY(ProcessApplication::create(std::move(settings)));
    return std::unique_ptr<Application>(std::move(application));
}

Result<std::unique_ptr<Traffic>> bind_haproxy(const Target& target) {
    HaproxySettings settings{.name = target.name,
                             .socket = target.settings.text("socket").value_or(""),
                             .backend = target.settings.text("backend").value_or("")};
    for (const Site& site : target.sites) settings.servers[site.region] = site.settings.texts("servers");
    std::unique_ptr<HaproxyTraffic> traffic = TRY(HaproxyTraffic::create(std::move(settings)));
    return std::unique_ptr<Traffic>(std::move(traffic));
}

Result<std::unique_ptr<Logs>> bind_logs(const Target& target) {
    std::map<std::string, std::vector<std::string>> paths;
    for (const Site& site : target.sites) paths[site.region] = site.settings.texts("paths");
    std::unique_ptr<FileLogs> logs = TRY(FileLogs::create(target.name, std::move(paths)));
    return std::unique_ptr<Logs>(std::move(logs));
}

std::unique_ptr<Migration> bind_migration(const Target& target) {
    return std::make_unique<CommandMigration>(
        CommandMigrationSettings{.name = target.name,
                                 .version = target.settings.texts("version"),
                                 .migrate = target.settings.texts("migrate"),
                                 .validate = target.settings.texts("validate"),
                                 .releases = release_ranges(get(target.settings.json(), "releases"))});
}

std::unique_ptr<Index> bind_index(const Target& target) {
    return std::make_unique<CommandIndex>(CommandIndexSettings{.name = target.name,
                                                               .look = target.settings.texts("look"),
                                                               .degrade = target.settings.texts("degrade"),
                                                               .serve = target.settings.texts("serve"),
                                                               .rebuild = target.settings.texts("rebuild"),
                                                               .sample = target.settings.texts("sample")});
}

Result<std::unique_ptr<Channel>> bind_channel(const Target& target, const std::string& estate) {
    const auto setting = [&](std::string_view name) { return target.settings.text(name).value_or(""); };
    if (target.driver == "slack")
        return std::unique_ptr<Channel>(
            std::make_unique<SlackChannel>(SlackSettings{.name = target.name, .webhook = setting("webhook")}));
    if (target.driver == "pagerduty") {
        PagerdutySettings settings{.name = target.name, .routing_key = setting("routing-key"), .source = estate};
        if (const auto url = target.settings.text("url")) settings.url = *url;
        return std::unique_ptr<Channel>(TRY(PagerdutyChannel::create(std::move(settings))));
    }
    return std::unique_ptr<Channel>(TRY(FileChannel::create(target.name, setting("path"))));
}

Result<void> bind_target(const Target& target, const std::string& estate, Targets& targets) {
    const std::string path = target.settings.text("path").value_or("");
    switch (target.kind) {
        case TargetKind::database:
            targets.databases[target.name] = TRY(target.driver == "patroni" ? bind_patroni(target) : bind_host(target));
            break;
        case TargetKind::cache: targets.caches[target.name] = TRY(bind_sentinel(target)); break;
        case TargetKind::application: targets.applications[target.name] = TRY(bind_process(target)); break;
        case TargetKind::traffic: targets.traffic[target.name] = TRY(bind_haproxy(target)); break;
        case TargetKind::store: targets.stores[target.name] = TRY(FileStore::create(target.name, path)); break;
        case TargetKind::channel: targets.channels[target.name] = TRY(bind_channel(target, estate)); break;
        case TargetKind::metrics:
            targets.metrics[target.name] =
                TRY(PrometheusMetrics::create(target.name, target.settings.text("url").value_or("")));
            break;
        case TargetKind::logs: targets.logs[target.name] = TRY(bind_logs(target)); break;
        case TargetKind::migration: targets.migrations[target.name] = bind_migration(target); break;
        case TargetKind::index: targets.indexes[target.name] = bind_index(target); break;
    }
    return {};
}

std::string samples_in(const std::string& state_directory) {
    return state_directory + "/samples";
}

}  // namespace

Result<Targets> bind_targets(const Estate& estate, const std::string& state_directory) {
    Targets targets;
    for (const Target& target : estate.targets)
        TRY(bind_target(target, estate.name, targets).within("target " + target.name));
    targets.samples = std::make_unique<FileSamples>(samples_in(state_directory));
    if (!estate.backups.empty()) {
        const std::string program = TRY(own_program());
        targets.backups =
            std::make_unique<backup::PolicyBackups>(backup::PolicyBackupsSettings{estate, state_directory, program});
        targets.recoveries =
            std::make_unique<recover::OwnRecoveries>(recover::OwnRecoveriesSettings{estate, state_directory, program});
    }
    return targets;
}

Result<recover::Production> production_in(const Target& target, const std::string& region) {
    if (target.kind != TargetKind::database || target.driver != "host")
        return Error{Fault::refused,
                     fmt::format("{} is reached by the driver `{}`, which does not let its data be replaced",
                                 target.name, target.driver),
                     "take rows back with kedge recover extract, or recover by its manager's own means"};
    HostPostgresSettings settings = TRY(host_settings(target));
    const auto site = settings.sites.find(region);
    if (site == settings.sites.end())
        return Error{Fault::not_found, fmt::format("{} has no copy in {}", target.name, region)};
    return recover::Production{.name = fmt::format("{}@{}", target.name, region),
                               .region = region,
                               .site = site->second,
                               .database = settings.database,
                               .probe_schema = settings.probe_schema};
}

std::vector<ObservedDatabase> observed_databases(const Estate& estate, const Targets& targets) {
    std::vector<ObservedDatabase> all;
    for (const auto& [name, database] : targets.databases) {
        ObservedDatabase watched{.name = name, .database = database.get()};
        for (const Site& site : estate.target(name)->sites) watched.regions.push_back(site.region);
        all.push_back(std::move(watched));
    }
    return all;
}

Observer::Keep keep_samples(const std::string& state_directory) {
    return [samples = FileSamples(samples_in(state_directory))](const std::string& database, const LagSample& sample) {
        return samples.write(database, sample);
    };
}

}  // namespace kedge
