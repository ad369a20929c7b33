#include "lab/configuration.h"

#include <fmt/format.h>

#include "base/json.h"

namespace kedge::lab {
namespace {

const Place& peer_of(const Place& place) {
    for (const Place& other : places())
        if (other.kind == place.kind && other.site == other_region(place.site)) return other;
    return place;
}

// The region whose servers begin as primary and master.
constexpr Site first_primary = Site::east;

}  // namespace

std::string instance_name(const Place& place) {
    constexpr std::string_view prefix = "app-";
    return std::string(place.name.substr(place.name.starts_with(prefix) ? prefix.size() : 0));
}

std::string postgres_configuration(const Layout& layout, const Place& place) {
    const Endpoint upstream = postgres_address(peer_of(place), place.site);
    const auto command = [&](std::string_view mode, std::string_view arguments) {
        return fmt::format("{} {} {} {} {}", layout.own_program(), mode, layout.root, to_string(place.site), arguments);
    };
    // wal_retrieve_retry_interval: a standby that looks for WAL when it is promoted waits this long once more, 5 s
    // by default. wal_receiver_timeout and wal_sender_timeout: a silent region is noticed in seconds, not a minute.
    // dynamic_shared_memory_type: in the data directory, so that nothing stays in /dev/shm after a kill.
    return fmt::format(
        R"(# {0}: made by the lab. The data directory holds no configuration, so that pg_rewind replaces none.
data_directory = '{1}'
hba_file = '{2}/pg_hba.conf'
ident_file = '{2}/pg_ident.conf'
listen_addresses = '{3}'
port = {4}
unix_socket_directories = '{2}'
cluster_name = '{0}'
max_connections = 100
shared_buffers = 64MB
dynamic_shared_memory_type = mmap
huge_pages = off
jit = off

fsync = on
recovery_init_sync_method = syncfs
synchronous_commit = on
full_page_writes = on
wal_level = replica
wal_log_hints = on
max_wal_size = 512MB
min_wal_size = 80MB
wal_keep_size = 512MB
max_wal_senders = 10
max_replication_slots = 10
wal_sender_timeout = 5s

archive_mode = on
archive_command = '{5}'
archive_timeout = 60s
restore_command = '{6}'

hot_standby = on
primary_conninfo = 'host={7} port={8} user=replicator application_name={9} connect_timeout=3'
wal_receiver_status_interval = 1s
wal_receiver_timeout = 5s
wal_retrieve_retry_interval = 100ms
recovery_target_timeline = latest

log_destination = stderr
log_line_prefix = '%m [%p] %q%a '
log_checkpoints = on
log_connections = off
log_replication_commands = on
timezone = UTC
log_timezone = UTC

include_if_exists '{10}'
)",
        place.name, layout.data(place), layout.of(place), place.host, place.port, command("lab-archive", "%p %f"),
        command("lab-restore", "%f %p"), upstream.host, upstream.port, to_string(place.site), layout.building(place));
}

std::string postgres_access() {
    return R"(# Everything on this machine's loopback is trusted: the lab holds nothing that is worth a password.
local all all trust
local replication all trust
host all all 127.0.0.0/8 trust
host replication all 127.0.0.0/8 trust
)";
}

std::string redis_configuration(const Layout& layout, const Place& place) {
    std::string text = fmt::format(R"(bind {0}
bind-source-addr {0}
port {1}
protected-mode no
daemonize no
pidfile ""
dir {2}
save ""
appendonly yes
appendfsync everysec
aof-use-rdb-preamble yes
replica-announce-ip {3}
replica-announce-port {1}
repl-diskless-sync yes
repl-diskless-sync-delay 0
repl-ping-replica-period 1
repl-timeout 5
min-replicas-to-write 0
min-replicas-max-lag 10
shutdown-timeout 5
)",
                                   place.host, place.port, layout.of(place), place.announced);
    if (place.site != first_primary) {
        const Endpoint master = peer_of(place).via_relay();
        text += fmt::format("replicaof {} {}\n", master.host, master.port);
    }
    return text;
}

std::string sentinel_configuration(const Layout& layout, const Place& place) {
    const Place& master = *find_place("redis-us-east-1");
    // down-after-milliseconds 4000: longer than a planned failover holds writes. The PINGs of a Sentinel wait behind a
    // held PUBLISH, so that it would take a master whose writes are held for longer to be dead.
    return fmt::format(R"(bind {0}
bind-source-addr {0}
port {1}
protected-mode no
daemonize no
pidfile ""
dir {2}
sentinel announce-ip {3}
sentinel announce-port {1}
sentinel monitor {4} {5} {6} {7}
sentinel down-after-milliseconds {4} 4000
sentinel failover-timeout {4} 10000
sentinel parallel-syncs {4} 1
)",
                       place.host, place.port, layout.of(place), place.announced, redis_master_name, master.announced,
                       master.port, sentinel_quorum);
}

std::string haproxy_configuration(const Layout& layout) {
    std::string servers;
    for (const Place& place : places()) {
        if (place.kind != Kind::application) continue;
        servers += fmt::format("    server {} {} weight {}\n", instance_name(place), to_string(place.via_relay()),
                               place.site == first_primary ? 100 : 0);
    }
    // A check takes two round trips of 65 ms when the path is sound. A server that is marked down loses its
    // sessions: over a silent path they would otherwise hang until the server timeout.
    return fmt::format(R"(global
    maxconn 2000
    nbthread 1
    stats socket {0} mode 600 level admin
    stats timeout 30s

defaults
    mode http
    timeout connect 1s
    timeout client 30s
    timeout server 10s
    timeout tunnel 1h
    timeout check 500ms
    option redispatch
    retries 2
    source {1}

frontend api
    bind {1}:{2}
    default_backend api

backend api
    balance roundrobin
    option forwardfor
    option httpchk
    http-check send meth GET uri /readyz
    http-check expect status 200
    default-server check inter 500ms fastinter 200ms downinter 500ms fall 2 rise 1 on-marked-down shutdown-sessions
{4}
frontend metrics
    bind {1}:{3}
    http-request use-service prometheus-exporter if {{ path /metrics }}
    http-request return status 404
)",
                       layout.haproxy_socket(), entrance_host, entrance_port, haproxy_metrics_port, servers);
}

std::string prometheus_configuration() {
    std::string targets;
    for (const Place& place : places()) {
        if (place.kind != Kind::application) continue;
        targets += fmt::format("      - targets: ['{}']\n        labels: {{region: {}, instance: {}}}\n",
                               to_string(place.via_relay()), to_string(place.site), instance_name(place));
    }
    return fmt::format(R"(global:
  scrape_interval: 1s
  scrape_timeout: 900ms
scrape_configs:
  - job_name: api
    static_configs:
{}  - job_name: haproxy
    static_configs:
      - targets: ['{}:{}']
)",
                       targets, entrance_host, haproxy_metrics_port);
}

std::string application_configuration(const Layout& layout, const Place& place) {
    Json databases = Json::array(), sentinels = Json::array();
    for (const Place& other : places()) {
        if (other.kind == Kind::postgres) {
            const Endpoint address = postgres_address(other, place.site);
            databases.push_back({{"region", to_string(other.site)},
                                 {"conninfo", fmt::format("host={} port={} dbname={} user=aragora", address.host,
                                                          address.port, database_name)}});
        }
        if (other.kind == Kind::sentinel) sentinels.push_back(to_string(other.via_relay()));
    }
    return dump_pretty({{"instance", instance_name(place)},
                        {"region", to_string(place.site)},
                        {"listen", to_string(place.direct())},
                        {"source", place.host},
                        {"databases", databases},
                        {"sentinels", sentinels},
                        {"master", redis_master_name},
                        {"log", layout.of(place) + "/requests.log"},
                        {"release", "1.0.0"},
                        {"maintenance_file", layout.of(place) + "/maintenance"},
                        {"knowledge", layout.knowledge()},
                        {"service_token_file", layout.service_token()}});
}

Arguments start_command(const Layout& layout, const Place& place, const std::string& postgres_programs) {
    const std::string directory = layout.of(place);
    switch (place.kind) {
        case Kind::relay: return {layout.own_program(), "lab-relay", layout.root};
        case Kind::postgres:
            return {postgres_programs + "/postgres", "-c", "config_file=" + directory + "/postgresql.conf"};
        case Kind::redis: return {"/usr/bin/redis-server", directory + "/redis.conf"};
        case Kind::sentinel: return {"/usr/bin/redis-server", directory + "/sentinel.conf", "--sentinel"};
        case Kind::application: return {layout.application_program(), directory + "/app.json"};
        case Kind::haproxy: return {"/usr/sbin/haproxy", "-db", "-f", directory + "/haproxy.cfg"};
        case Kind::prometheus:
            return {"/usr/bin/prometheus",
                    "--config.file=" + directory + "/prometheus.yml",
                    "--storage.tsdb.path=" + directory + "/data",
                    "--storage.tsdb.retention.time=6h",
                    "--web.listen-address=" + to_string(place.direct()),
                    "--log.level=warn"};
    }
    return {};
}

}  // namespace kedge::lab
