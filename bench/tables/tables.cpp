#include "tables/tables.h"

#include <fmt/format.h>

#include <algorithm>

#include "tables/observation.h"

namespace kedge::bench {
namespace {

// In which unit a figure is written.
enum class Unit { seconds, milliseconds, mebibytes, rows, each_second };

std::string written(double value, Unit unit) {
    switch (unit) {
        case Unit::seconds: return fmt::format("{:.2f} s", value);
        case Unit::milliseconds: return fmt::format("{:.2f} ms", value);
        case Unit::mebibytes: return fmt::format("{:.1f} MiB", value);
        case Unit::rows: return fmt::format("{:.0f}", value);
        case Unit::each_second: return fmt::format("{:.0f} /s", value);
    }
    return "";
}

const std::vector<Json>& of(const Observations& seen, const std::string& subject) {
    static const std::vector<Json> nothing;
    const auto found = seen.find(subject);
    return found == seen.end() ? nothing : found->second;
}

struct Figure {
    std::string what, subject, key;
    Unit unit = Unit::seconds;
    std::string aim = {};
    Guarantee guarantee = {};
};

// "not measured" where nothing was; where only some repetitions gave a figure, the worst one says so.
Row row_of(const Observations& seen, const Figure& figure) {
    const Spread spread = spread_of(of(seen, figure.subject), figure.key);
    Row row{
        .what = figure.what, .count = spread.count + spread.unknown, .aim = figure.aim, .guarantee = figure.guarantee};
    row.median = spread.count > 0 ? written(spread.median, figure.unit) : "not measured";
    const double worst = figure.unit == Unit::each_second ? spread.least : spread.most;  // of a rate, the lowest
    row.worst = spread.count > 0 ? written(worst, figure.unit) : "";
    if (spread.unknown > 0 && spread.count > 0)
        row.worst = fmt::format("{}, in {} of {}", figure.unit == Unit::seconds ? "never" : "unknown", spread.unknown,
                                row.count);
    row.figures = {
        {"subject", figure.subject}, {"figure", figure.key}, {"count", spread.count}, {"unknown", spread.unknown}};
    if (spread.count > 0) {
        row.figures["median"] = spread.median;
        row.figures["least"] = spread.least;
        row.figures["worst"] = worst;
    }
    return row;
}

BenchTable table_of(const Observations& seen, std::string name, std::string title, const std::vector<Figure>& figures,
                    std::vector<std::string> notes, bool guarantees = true) {
    BenchTable table{.name = std::move(name),
                     .title = std::move(title),
                     .guarantees = guarantees,
                     .rows = {},
                     .notes = std::move(notes)};
    for (const Figure& figure : figures) table.rows.push_back(row_of(seen, figure));
    return table;
}

const Guarantee kedge_kill = {"a played person, at once", "supervisor kills and confirms",
                              "the probe: 3 misses in 100 ms steps"};
const Guarantee kedge_redis_kill = {"a played person, at once", "region fenced first", "the probe, 2 of 3 Sentinels"};
const Guarantee patroni = {"Patroni by itself", "none (watchdog off): the lock's ttl", "1 member, 1 etcd"};
const Guarantee kedge_planned = {"a played person", "stopped in order, then supervisor", "Kedge, at both ends"};
const Guarantee patroni_planned = {"the caller of patronictl", "none: demoted by its own Patroni", "2 members, 1 etcd"};
const Guarantee redis_planned = {"a played person", "writes paused, then made a replica", "Kedge, 3 Sentinels"};
const Guarantee sentinel_planned = {"the caller", "none: stays writable for ~10 s", "3 Sentinels"};

BenchTable killed(const Observations& seen) {
    return table_of(
        seen, "killed", "The region of the primary is killed: what clients see",
        {{"PostgreSQL writes, Kedge", "kill/kedge", "postgres_outage_s", Unit::seconds, "median < 1.5 s, worst < 3 s",
          kedge_kill},
         {"through the entrance, Kedge", "kill/kedge", "counter_outage_s", Unit::seconds, "", kedge_kill},
         {"Redis writes, Kedge", "kill/kedge", "redis_outage_s", Unit::seconds, "median < 2.5 s", kedge_redis_kill},
         {"PostgreSQL writes, Patroni at its defaults", "kill/patroni-default", "outage_s", Unit::seconds, "", patroni},
         {"PostgreSQL writes, Patroni at its fastest", "kill/patroni-fast", "outage_s", Unit::seconds, "", patroni},
         {"Kedge: fault to declaration", "kill/kedge", "declared_s", Unit::seconds, "", kedge_kill},
         {"Kedge: declaration to promoted", "kill/kedge", "own_s", Unit::seconds, "< 0.7 s + round trips", kedge_kill},
         {"acknowledged rows lost, PostgreSQL, Kedge", "kill/kedge", "postgres_lost", Unit::rows, "announced ones only",
          kedge_kill},
         {"acknowledged rows lost, Redis, Kedge", "kill/kedge", "redis_lost", Unit::rows, "announced ones only",
          kedge_redis_kill},
         {"acknowledged rows lost, Patroni, defaults", "kill/patroni-default", "lost", Unit::rows, "", patroni},
         {"acknowledged rows lost, Patroni, fastest", "kill/patroni-fast", "lost", Unit::rows, "", patroni}},
        {"Outage: from the first failed write to the first of ten seconds of unbroken acknowledged ones; a write every "
         "20 ms, given up after 300 ms (1 s through the entrance).",
         "Kedge's regions are 65 ms apart by a relay, its servers sync; Patroni's members share 127.0.0.1 and do not.",
         "Patroni 3.0 with etcd. Defaults: ttl 30, loop 10, retry 10. Fastest that still fails over: ttl 5, loop 1, "
         "retry 2 (with retry 1 it was seen never to). It is killed at even parts of its loop.",
         "Kedge does not promote by itself: a person decides, and is played without delay here. Patroni does."});
}

BenchTable switched(const Observations& seen) {
    return table_of(
        seen, "switchover", "Planned switchover of the database",
        {{"longest time without an acknowledged write, Kedge", "database/kedge", "counter_gap_s", Unit::seconds,
          "< 0.7 s", kedge_planned},
         {"the same for direct clients, Kedge", "database/kedge", "postgres_gap_s", Unit::seconds, "< 0.7 s",
          kedge_planned},
         {"the same for direct clients, Patroni", "database/patroni", "gap_s", Unit::seconds, "", patroni_planned},
         {"errors through the entrance, Kedge", "database/kedge", "counter_failed", Unit::rows, "0", kedge_planned},
         {"errors of direct clients, Kedge", "database/kedge", "postgres_failed", Unit::rows, "", kedge_planned},
         {"errors of direct clients, Patroni", "database/patroni", "failed", Unit::rows, "", patroni_planned},
         {"rows lost, Kedge", "database/kedge", "postgres_lost", Unit::rows, "0", kedge_planned},
         {"rows lost, Patroni", "database/patroni", "lost", Unit::rows, "", patroni_planned}},
        {"Through the entrance the application holds writes until the switch is over: a wait and no error. A direct "
         "client gives a write up after 300 ms. Patroni has nothing in front of it that could hold a write.",
         "Kedge: there and back in one lab, 65 ms between the regions. Patroni: there and back, no delay, ttl 30, "
         "loop 10, `patronictl switchover --force`."});
}

BenchTable redis(const Observations& seen) {
    return table_of(
        seen, "redis", "Planned failover of Redis",
        {{"writes blocked for, Kedge", "redis/kedge", "redis_gap_s", Unit::seconds, "< 1.5 s", redis_planned},
         {"writes blocked for, SENTINEL FAILOVER", "redis/sentinel", "redis_gap_s", Unit::seconds, "",
          sentinel_planned},
         {"acknowledged writes lost, Kedge", "redis/kedge", "redis_lost", Unit::rows, "0", redis_planned},
         {"acknowledged writes lost, SENTINEL FAILOVER", "redis/sentinel", "redis_lost", Unit::rows, "",
          sentinel_planned},
         {"errors of clients, Kedge", "redis/kedge", "redis_failed", Unit::rows, "", redis_planned},
         {"errors of clients, SENTINEL FAILOVER", "redis/sentinel", "redis_failed", Unit::rows, "", sentinel_planned}},
        {"The client asks the Sentinels four times a second who is master and gives a write up after 300 ms. One that "
         "asks only after an error loses some ten seconds of writes to SENTINEL FAILOVER, not some tenths.",
         "SENTINEL FAILOVER is quick because the old master goes on taking writes that are thrown away later."});
}

// How many of ten took longer than a promotion takes.
std::string slow_ones(const std::vector<Json>& observations, const std::string& key) {
    const auto slow = std::count_if(observations.begin(), observations.end(),
                                    [&](const Json& one) { return get_number(one, key).value_or(0) > 1; });
    return fmt::format("{} of {} took over 1 s", slow, observations.size());
}

BenchTable promotions(const Observations& seen) {
    BenchTable table = table_of(
        seen, "promotion", "Promotions that waited out wal_retrieve_retry_interval",
        {{"by hand, 5 s (PostgreSQL's default)",
          "promote/hand",
          "took_s",
          Unit::seconds,
          "",
          {"the caller", "none", "none"}},
         {"by Kedge's driver, 5 s",
          "promote/kedge",
          "took_s",
          Unit::seconds,
          "0 of 10 over 1 s",
          {"the caller", "none", "none"}},
         {"in drills, 100 ms as its readiness wants", "kill/kedge", "promote_s", Unit::seconds, "0 of 10 over 1 s",
          kedge_kill}},
        {"The cause: a request to promote is a flag and a set latch. The startup process uses the latch up while it "
         "looks at its broken stream; when that has failed twice within wal_retrieve_retry_interval it sleeps out the "
         "rest of the interval before it looks at the flag. Waking it again ends the sleep: Kedge's driver does, and "
         "its readiness refuses an interval over 1 s.",
         "The primary is killed and the standby asked at once. In drills the relay's round trips are in the figure."});
    const std::array<std::pair<const char*, const char*>, 3> keys = {
        {{"promote/hand", "took_s"}, {"promote/kedge", "took_s"}, {"kill/kedge", "promote_s"}}};
    for (std::size_t i = 0; i < keys.size(); ++i) {
        const std::string slow = slow_ones(of(seen, keys[i].first), keys[i].second);
        table.rows[i].what += ": " + slow;
        table.rows[i].figures["slow"] = slow;
    }
    return table;
}

BenchTable engine(const Observations& seen) {
    std::vector<Figure> figures;
    for (const char* journal : {"sqlite", "memory"})
        for (const int steps : {10, 100, 1000, 10000})
            figures.push_back({fmt::format("a step of {} in a chain, journal {}", steps,
                                           std::string_view(journal) == "sqlite" ? "on SQLite" : "in memory"),
                               fmt::format("engine/{}/{}", journal, steps), "step_ms", Unit::milliseconds,
                               std::string_view(journal) == "sqlite" ? "flat, < 5 ms" : ""});
    figures.push_back({"one write and sync of a page on the same disk", "engine/sync", "sync_ms", Unit::milliseconds});
    for (const int steps : {10, 100, 500})
        figures.push_back({fmt::format("reading, binding and beginning a plan of {} steps", steps),
                           fmt::format("engine/begin/{}", steps), "begin_ms", Unit::milliseconds});
    return table_of(seen, "engine", "Engine and journal: what a step costs that does nothing", figures,
                    {"Real engine, runner, threads and journal; the target is in the process. A step is three durable "
                     "appends: ready, intended, succeeded. In a chain no two steps share one.",
                     "A file may list 500 steps; longer plans are made in memory."},
                    false);
}

BenchTable simulator(const Observations& seen) {
    return table_of(
        seen, "simulator", "`kedge plan test`: disasters of regional-failover",
        {{"simulated disasters, one core", "sim/1", "disasters_per_s", Unit::each_second, "1000 /s"},
         {"simulated disasters, two cores", "sim/2", "disasters_per_s", Unit::each_second, "2000 /s"},
         {"simulated seconds in a real second, one core", "sim/1", "simulated_s_per_s", Unit::each_second},
         {"simulated seconds in a real second, two cores", "sim/2", "simulated_s_per_s", Unit::each_second}},
        {"Shipped engine, runner, actions and plan; a thousand disasters each time, each with faults of its own, one "
         "in "
         "twenty done twice. The worst of a rate is its lowest."},
        false);
}

BenchTable resources(const Observations& seen) {
    return table_of(seen, "resources", "What kedge needs",
                    {{"peak memory during a drill", "kill/kedge", "peak_mib", Unit::mebibytes, "< 64 MiB"},
                     {"`kedge version`, start to end", "version", "took_ms", Unit::milliseconds, "< 20 ms"}},
                    {"Memory: VmHWM of /proc/PID/status."}, false);
}

// Constants of the runbook's own scripts: added up by reading them, nothing of it was run here.
BenchTable sleeps() {
    struct Script {
        const char* name;
        int fixed_s, polling_s;
    };
    static constexpr std::array scripts = {
        Script{"database_failover_cnpg.sh", 10, 60},     Script{"database_failover_rds.sh", 0, 0},
        Script{"redis_failover_sentinel.sh", 15, 0},     Script{"redis_failover_k8s.sh", 15, 0},
        Script{"regional_failover.sh", 0, 50},           Script{"pitr_recovery.sh", 0, 0},
        Script{"full_database_restore.sh", 40, 0},       Script{"redis_data_recovery.sh", 20, 0},
        Script{"knowledge_mound_recovery.sh", 60, 0},    Script{"application_rollback.sh", 10, 0},
        Script{"database_migration_rollback.sh", 10, 0}, Script{"regional_failback.sh", 300, 0}};
    BenchTable table{.name = "sleeps",
                     .title = "Fixed sleeps in the runbook's own scripts",
                     .guarantees = false,
                     .rows = {},
                     .notes = {}};
    int fixed = 0, polling = 0;
    const auto add = [&](const std::string& what, int fixed_s, int polling_s) {
        table.rows.push_back({.what = what,
                              .count = 0,
                              .median = fmt::format("{} s", fixed_s),
                              .worst = polling_s > 0 ? fmt::format("{} s", fixed_s + polling_s) : "",
                              .aim = {},
                              .guarantee = {},
                              .figures = {{"fixed_s", fixed_s}, {"polling_s", polling_s}}});
    };
    for (const Script& script : scripts) {
        add(script.name, script.fixed_s, script.polling_s);
        fixed += script.fixed_s;
        polling += script.polling_s;
    }
    add("all of them", fixed, polling);
    table.notes = {
        "Constants of the runbook's text, added up by reading it: nothing was run. \"Worst\" adds its polling "
        "loops up to their last try; what it waits for tools is not in it. Kedge sleeps for nothing fixed: "
        "it looks until the condition holds or its deadline passes."};
    return table;
}

}  // namespace

std::vector<BenchTable> make_tables(const Observations& seen) {
    return {killed(seen), switched(seen),  redis(seen),     promotions(seen),
            engine(seen), simulator(seen), resources(seen), sleeps()};
}

}  // namespace kedge::bench
