#include "lab/builder.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <future>
#include <random>

#include "lab/configuration.h"
#include "lab/observe.h"
#include "lab/supervisor.h"
#include "os/files.h"

namespace kedge::lab {
namespace {

const Place& place(std::string_view name) {
    const Place* const found = find_place(name);
    check(found != nullptr, "the lab's own names are in its table");
    return *found;
}

std::string random_secret() {
    std::random_device source;
    std::string secret;
    for (int i = 0; i < 5; ++i) secret += fmt::format("{:08x}", source());
    return secret;
}

Result<bool> is(const Result<std::string>& answer, std::string_view wanted) {
    if (!answer) return answer.error();
    return *answer == wanted;
}

// Both of two pieces of work side by side; the first error of either.
Result<void> side_by_side(const std::function<Result<void>()>& one, const std::function<Result<void>()>& other) {
    auto running = std::async(std::launch::async, one);
    Result<void> second = other();
    TRY(running.get());
    return second;
}

}  // namespace

void Builder::tell(std::string_view component, std::string_view what) {
    const std::lock_guard lock(telling_);
    on_progress_(component, what);
}

Result<void> Builder::build(const Until& until) {
    postgres_ = TRY(postgres_programs());
    TRY(write_secrets());
    TRY(write_configuration());
    TRY(start_supervisor(layout_.root, layout_.own_program()));
    TRY(define_all(until));
    TRY(start_relay(until));
    TRY(side_by_side([&] { return start_databases(until); }, [&] { return start_the_rest(until); }));
    return start_applications(until);
}

bool Builder::has_application() const {
    return exists(layout_.application_program());
}

Result<void> Builder::write_secrets() {
    TRY(make_directories(layout_.secrets()));
    TRY(write_file_atomically(layout_.probe_password(), random_secret() + "\n"));
    return write_file_atomically(layout_.service_token(), random_secret() + "\n");
}

Result<void> Builder::write_configuration() {
    for (const std::string& directory :
         {layout_.wal_store(), layout_.base_store(), layout_.copies_store(), layout_.outside()})
        TRY(make_directories(directory));
    for (const Place& component : places()) {
        const std::string directory = layout_.of(component);
        TRY(make_directories(directory));
        const auto write = [&](std::string_view name, const std::string& text) {
            return write_file_atomically(directory + "/" + std::string(name), text, 0600,
                                         Durability::after_process_death);
        };
        switch (component.kind) {
            case Kind::relay: break;
            case Kind::postgres:
                TRY(write("postgresql.conf", postgres_configuration(layout_, component)));
                TRY(write("pg_hba.conf", postgres_access()));
                TRY(write("pg_ident.conf", ""));
                // What is written until the lab is up can be made again; only then must the disk keep its word.
                TRY(write("building.conf", "fsync = off\n"));
                break;
            case Kind::redis: TRY(write("redis.conf", redis_configuration(layout_, component))); break;
            case Kind::sentinel: TRY(write("sentinel.conf", sentinel_configuration(layout_, component))); break;
            case Kind::application: TRY(write("app.json", application_configuration(layout_, component))); break;
            case Kind::haproxy: TRY(write("haproxy.cfg", haproxy_configuration(layout_))); break;
            case Kind::prometheus: TRY(write("prometheus.yml", prometheus_configuration())); break;
        }
    }
    return {};
}

Result<void> Builder::define_all(const Until& until) {
    for (const Place& component : places()) {
        if (component.kind == Kind::application && !has_application()) continue;
        TRY(supervisor_.define({.name = std::string(component.name),
                                .site = std::string(to_string(component.site)),
                                .arguments = start_command(layout_, component, postgres_),
                                .directory = layout_.of(component),
                                // PostgreSQL: SIGINT is its fast shutdown.
                                .stop_signal = component.kind == Kind::postgres ? SIGINT : SIGTERM},
                               until));
    }
    return {};
}

Result<void> Builder::start(const Place& component, const Until& until) {
    TRY(supervisor_.start(std::string(component.name), until));
    return {};
}

Result<void> Builder::start_relay(const Until& until) {
    TRY(start(place("relay"), until));
    TRY(wait_for("the relay", until,
                 [&]() -> Result<bool> { return Stream::connect_unix(layout_.relay_socket(), until).has_value(); }));
    tell("relay", "carries everything between the sites, 65 ms there and back");
    return {};
}

Result<void> Builder::start_the_rest(const Until& until) {
    TRY(start_front(until));
    return start_caches(until);
}

Result<void> Builder::start_front(const Until& until) {
    for (const std::string_view name : {"haproxy", "prometheus"}) TRY(start(place(name), until));
    for (const std::string_view name : {"haproxy", "prometheus"}) {
        TRY(wait_for(std::string(name), until, [&]() -> Result<bool> { return listens(place(name).direct(), until); }));
        tell(name, fmt::format("listens at {}", to_string(place(name).direct())));
    }
    return {};
}

Result<void> Builder::start_caches(const Until& until) {
    const Place& master = place("redis-us-east-1");
    const Place& replica = place("redis-us-west-2");
    TRY(start(master, until));
    TRY(wait_for("the Redis master", until,
                 [&]() -> Result<bool> { return is(ask_redis(master, "replication", "role", until), "master"); }));
    tell(master.name, "is master");
    TRY(start(replica, until));
    TRY(wait_for("the Redis replica", until, [&]() -> Result<bool> {
        return is(ask_redis(replica, "replication", "master_link_status", until), "up");
    }));
    tell(replica.name, "replicates");
    for (const Place& sentinel : places())
        if (sentinel.kind == Kind::sentinel) TRY(start(sentinel, until));
    for (const Place& sentinel : places()) {
        if (sentinel.kind != Kind::sentinel) continue;
        TRY(wait_for(fmt::format("{} to know the others", sentinel.name), until, [&]() -> Result<bool> {
            const Result<std::string> known = ask_redis(sentinel, "sentinel", "master0", until);
            return known && known->find("slaves=1,sentinels=3") != std::string::npos;
        }));
        tell(sentinel.name, "knows the master, the replica and both other Sentinels");
    }
    return {};
}

Result<void> Builder::start_databases(const Until& until) {
    const Place& primary = place("postgres-us-east-1");
    const Place& standby = place("postgres-us-west-2");
    TRY(make_primary(primary, until));
    TRY(fill_primary(primary, until));
    TRY(side_by_side([&] { return make_standby(primary, standby, until); },
                     [&] { return store_backup(primary, until); }));
    for (const Place* const server : {&primary, &standby}) {
        unlink(layout_.building(*server).c_str());
        TRY(tell_postgres(layout_, *server, "postgres", "select pg_reload_conf();\n", until));
        TRY(wait_for(fmt::format("{} to sync to disk", server->name), until,
                     [&] { return is(ask_postgres(layout_, *server, "postgres", "show fsync", until), "on"); }));
    }
    return {};
}

Result<void> Builder::make_primary(const Place& primary, const Until& until) {
    // Not synced here: the lab need not survive a loss of power, and the servers themselves run with fsync on.
    TRY(run_or_fail({postgres_ + "/initdb", "-D", layout_.data(primary), "-U", "postgres", "-A", "trust", "-k",
                     "--locale=C.UTF-8", "--encoding=UTF8", "--no-sync", "--no-instructions"},
                    until));
    tell(primary.name, "has a data directory with checksums");
    TRY(start(primary, until));
    TRY(wait_for("the PostgreSQL primary", until, [&]() -> Result<bool> {
        return is(ask_postgres(layout_, primary, "postgres", "select pg_is_in_recovery()", until), "f");
    }));
    tell(primary.name, "accepts connections");
    return {};
}

Result<void> Builder::fill_primary(const Place& primary, const Until& until) {
    TRY(tell_postgres(layout_, primary, "postgres",
                      fmt::format("create role replicator login replication;\ncreate role aragora login;\n"
                                  "create database {} owner aragora;\n",
                                  database_name),
                      until));
    if (!has_application()) return {};
    const std::string conninfo =
        fmt::format("host={} port={} dbname={} user=postgres", layout_.of(primary), primary.port, database_name);
    TRY(run_or_fail({layout_.application_program(), "--init", conninfo, "--password-file", layout_.probe_password()},
                    until));
    tell(primary.name, "holds the application's tables");
    TRY(make_directories(layout_.knowledge()));
    TRY(run_or_fail({layout_.application_program(), "--index", layout_.knowledge(), conninfo, "build", "lab"}, until));
    tell("knowledge", "is indexed");
    return {};
}

Result<void> Builder::make_standby(const Place& primary, const Place& standby, const Until& until) {
    const Endpoint upstream = postgres_address(primary, standby.site);
    TRY(run_or_fail({postgres_ + "/pg_basebackup", "-D", layout_.data(standby), "-d",
                     fmt::format("host={} port={} user=replicator", upstream.host, upstream.port), "-c", "fast", "-X",
                     "stream", "--no-sync"},
                    until));
    TRY(write_file_atomically(layout_.data(standby) + "/standby.signal", "", 0600, Durability::after_process_death));
    tell(standby.name, "has a base backup, taken through the relay");
    TRY(start(standby, until));
    TRY(wait_for("the standby to stream", until, [&]() -> Result<bool> {
        return is(ask_postgres(layout_, primary, "postgres",
                               "select count(*) from pg_stat_replication where state = 'streaming'", until),
                  "1");
    }));
    tell(standby.name, "streams from the primary");
    return {};
}

Result<void> Builder::store_backup(const Place& primary, const Until& until) {
    const std::string partial = layout_.base_store() + "/partial";
    TRY(run_or_fail({postgres_ + "/pg_basebackup", "-D", partial, "-d",
                     fmt::format("host={} port={} user=replicator", primary.host, primary.port), "-c", "fast", "-X",
                     "stream", "--no-sync", "-l", "lab"},
                    until));
    TRY(run_or_fail({postgres_ + "/pg_verifybackup", "-q", partial}, until, {}, Fault::corrupt));
    std::string moment = to_string(SystemClock{}.now());
    std::erase_if(moment, [](char letter) { return letter == ':' || letter == '-'; });
    TRY(rename_into_place(partial, layout_.base_store() + "/" + moment));
    tell("store", "holds a verified base backup");
    return {};
}

Result<void> Builder::start_applications(const Until& until) {
    if (!has_application()) {
        tell("applications", "left out: there is no program kedge-lab-app beside kedge");
        return {};
    }
    for (const Place& instance : places())
        if (instance.kind == Kind::application) TRY(start(instance, until));
    for (const Place& instance : places()) {
        if (instance.kind != Kind::application) continue;
        TRY(wait_for(fmt::format("{} at the entrance", instance.name), until,
                     [&] { return is_up_at_entrance(layout_, instance_name(instance), until); }));
        tell(instance.name, fmt::format("serves at {}", to_string(instance.direct())));
    }
    return {};
}

}  // namespace kedge::lab
