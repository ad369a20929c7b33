// bench-peer WHAT DIRECTORY COUNT: what Kedge's figures stand beside, on the same machine.
//
//   patroni-default      the leader and its server killed, Patroni at its defaults: ttl 30, loop 10, retry 10
//   patroni-fast         the same at its fastest settings that still fail over: ttl 5, loop 1, retry 2
//   patroni-switchover   `patronictl switchover --force` there and back, at the defaults
//   promote-by-hand      a primary killed, its standby promoted at once by SQL; wal_retrieve_retry_interval 5 s
//   promote-by-kedge     the same standby promoted by Kedge's driver, without its readiness check
//
// Real programs throughout: Patroni with its two members and one etcd, servers without fsync, no delay between them.
#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <filesystem>

#include "failover/clients.h"
#include "failover/patroni_clients.h"
#include "os/http.h"
#include "os/wait.h"
#include "tables/observation.h"
#include "targets/postgres/host_postgres.h"
#include "targets/postgres/scratch_cluster.h"

namespace kedge::bench {
namespace {

using namespace std::chrono_literals;

constexpr Span failover_limit = 120s;
constexpr Span unbroken = OutageRules{}.unbroken + 1s;

Json figures_of(const LoadRecord& load, Moment from, Moment to) {
    const auto found = load.attempts.streams.find(PatroniClients::stream);
    const std::vector<Attempt> window =
        found == load.attempts.streams.end() ? std::vector<Attempt>{} : sent_between(found->second, from, to);
    Json figures = seen_by_clients(window, from);
    const auto loss = load.losses.find(PatroniClients::stream);
    figures["lost"] = lost_of(window, loss == load.losses.end() ? std::nullopt : loss->second);
    return figures;
}

// How long Patroni takes depends on where in its loop the leader dies: `phase`, from 0 to 1, is a part of the loop.
Result<void> patroni_kill(const std::string& directory, const std::string& subject, ScratchPatroni::Timing timing,
                          double phase) {
    ScratchPatroni cluster(timing);
    const std::unique_ptr<PatroniClients> clients = TRY(PatroniClients::start(cluster));
    const SystemClock clock;
    TRY(clients->await_unbroken(clock.now(), 3s, 30s));
    wait_out(within(Span{static_cast<std::int64_t>(phase * timing.loop_wait * 1e6)}));
    const Moment fault = clock.now();
    cluster.kill("east");
    const Result<void> over = clients->await_unbroken(fault, unbroken, failover_limit);
    const Moment to = clock.now();
    // Headless for ever is a result, too: then the outage is unknown.
    if (!over) fmt::print(stderr, "bench-peer: {}: {}\n", subject, over.error().message);
    return note(directory, subject, figures_of(TRY(clients->stop(fault)), fault, to));
}

Result<void> await_replica(const ScratchPatroni& cluster, const std::string& member) {
    const SystemClock clock;
    const Moment deadline = clock.now() + failover_limit;
    for (; clock.now() < deadline; wait_out(within(200ms))) {
        const auto answer = http_request({.target = cluster.rest_url(member) + "/replica"}, within(1s));
        if (answer && answer->status == 200 &&
            cluster.server(member).ask("SELECT status FROM pg_stat_wal_receiver").value_or("") == "streaming")
            return {};
    }
    return Error{Fault::unavailable, member + " did not become a streaming replica"};
}

Result<void> patroni_switchover(const std::string& directory, int count) {
    ScratchPatroni cluster({.ttl = 30, .loop_wait = 10, .retry_timeout = 10});
    const std::unique_ptr<PatroniClients> clients = TRY(PatroniClients::start(cluster));
    const SystemClock clock;
    struct Window {
        Moment from, to;
        Span command;
    };
    std::vector<Window> windows;
    std::string leader = "east", candidate = "west";
    for (int i = 0; i < count; ++i) {
        // Patroni switches to a standby that lacks up to maximum_lag_on_failover, 1 MB, whether it streams or not: one
        // that had just been made was seen to lose every write of the first seconds, and their table.
        TRY(await_replica(cluster, candidate));
        TRY(clients->await_unbroken(clock.now(), 3s, 30s));
        const Moment from = clock.now();
        const RunOutput done = TRY(
            run_or_fail({"patronictl", "-c", fmt::format("{}/{}.yml", cluster.directory().path(), candidate),
                         "switchover", "--force", "--leader", leader, "--candidate", candidate, ScratchPatroni::scope},
                        within(60s), {.environment = {"LC_ALL=C.UTF-8"}}));
        TRY(clients->await_unbroken(from, unbroken, failover_limit));
        TRY(await_replica(cluster, leader));
        windows.push_back({from, clock.now(), done.took});
        std::swap(leader, candidate);
    }
    const LoadRecord load = TRY(clients->stop(windows.front().from));
    for (const Window& window : windows) {
        Json figures = figures_of(load, window.from, window.to);
        figures["command_s"] = seconds(window.command);
        TRY(note(directory, "database/patroni", figures));
    }
    return {};
}

enum class Promoter { hand, kedge };

// From the request until the standby is no standby any more.
Result<void> promote(const std::string& directory, Promoter promoter) {
    const ScratchDirectory place;
    const auto primary = ScratchServer::initialize(place, "primary");
    primary->configure("wal_retrieve_retry_interval = 5s");
    primary->start();
    const auto standby = ScratchServer::standby_of(*primary, "standby");
    standby->start();
    check(standby->await("SELECT status FROM pg_stat_wal_receiver", "streaming"), "the standby streams");
    HostPostgresSettings settings{.name = "bench", .database = "postgres"};
    HostSite& site = settings.sites["standby"];
    site.connection = site.replication = standby->conninfo();
    site.host.data_directory = standby->data_directory();
    site.fence = {.look = {"false"}, .raise = {"false"}, .lower = {"false"}};
    const std::unique_ptr<HostPostgres> driver = TRY(HostPostgres::create(std::move(settings)));
    const SystemClock clock;
    TRY(driver->look("standby", clock.now() + 5s));
    primary->kill();
    const Moment asked = clock.now();
    if (promoter == Promoter::hand)
        TRY(standby->ask("SELECT pg_promote(true, 60)"));
    else
        TRY(driver->promote("standby", clock.now() + 60s));
    while (standby->ask("SELECT pg_is_in_recovery()").value_or("") != "f")
        if (clock.now() > asked + 60s) return Error{Fault::unavailable, "the standby was not promoted"};
    return note(directory, promoter == Promoter::hand ? "promote/hand" : "promote/kedge",
                {{"took_s", seconds(clock.now() - asked)}});
}

Result<void> measure(const std::string& what, const std::string& directory, int count) {
    if (what == "patroni-switchover") return patroni_switchover(directory, count);
    for (int i = 0; i < count; ++i) {
        const double phase = (i + 0.5) / count;
        if (what == "patroni-default")
            TRY(patroni_kill(directory, "kill/patroni-default", {.ttl = 30, .loop_wait = 10, .retry_timeout = 10},
                             phase));
        else if (what == "patroni-fast")
            TRY(patroni_kill(directory, "kill/patroni-fast", {.ttl = 5, .loop_wait = 1, .retry_timeout = 2}, phase));
        else if (what == "promote-by-hand" || what == "promote-by-kedge")
            TRY(promote(directory, what == "promote-by-hand" ? Promoter::hand : Promoter::kedge));
        else
            return Error{Fault::invalid_input, "there is nothing to measure called " + what};
    }
    return {};
}

}  // namespace
}  // namespace kedge::bench

int main(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    int count = 0;
    if (words.size() != 3 ||
        std::from_chars(words[2].data(), words[2].data() + words[2].size(), count).ec != std::errc{} || count < 1) {
        fmt::print(stderr,
                   "usage: bench-peer patroni-default|patroni-fast|patroni-switchover|promote-by-hand|promote-by-kedge"
                   " DIRECTORY COUNT\n");
        return 2;
    }
    const kedge::Result<void> done =
        kedge::bench::measure(words[0], std::filesystem::absolute(words[1]).string(), count);
    if (done) return 0;
    fmt::print(stderr, "bench-peer: {}: {}\n", words[0], done.error().message);
    return 1;
}
