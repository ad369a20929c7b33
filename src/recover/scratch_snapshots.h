// For tests: a real Redis with some keys, and the estate whose policy of snapshots is about it.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <string>

#include "estate/parse.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/process.h"
#include "targets/postgres/scratch_cluster.h"
#include "targets/redis/scratch_redis.h"

namespace kedge::recover {

class ScratchSnapshots {
public:
    static Estate parsed(const std::string& text) {
        auto estate = parse_estate("estate.yaml", text);
        check(estate.has_value(), estate.has_value() ? "" : estate.mistakes().error().message);
        return *estate;
    }
    // A snapshot dates itself by the second.
    static void await_the_next_second() {
        const auto second = [] { return std::chrono::floor<std::chrono::seconds>(SystemClock{}.now()); };
        for (const auto first = second(); second() == first;) wait_out(kedge::within(std::chrono::milliseconds(20)));
    }
    // Where a snapshot lies that was taken now.
    std::string take(const std::string& name) const {
        const Endpoint at = group.endpoint("east");
        std::string path = store + "/rdb/" + name;
        const auto made = make_directories(store + "/rdb");
        check(made.has_value(), made ? "" : made.error().message);
        const auto taken = run_or_fail({"redis-cli", "-h", at.host, "-p", std::to_string(at.port), "--rdb", path},
                                       kedge::within(std::chrono::seconds(30)));
        check(taken.has_value(), taken ? "" : taken.error().message);
        return path;
    }

    const ScratchDirectory directory;
    const std::string store = directory.path() + "/store", ledger = directory.path() + "/erasures";
    ScratchRedis group{{.regions = {"east"}}};
    const std::string text =
        fmt::format(R"(estate: small
regions: {{east: {{}}}}
tiers: {{critical: {{rto: 1h, rpo: 5m}}}}
targets:
  db:
    kind: database
    driver: host
    database: postgres
    sites:
      east:
        connection: host=nowhere
        replication: host=nowhere
        data-directory: /nowhere
        fence: {{look: [/f, l], raise: [/f, r], lower: [/f, d]}}
  sessions:
    kind: cache
    driver: sentinel
    master-name: m
    quorum: 1
    sentinels: [{{address: "{}", region: east}}]
    recovered-at: 127.0.0.1:24990
    drop-on-recovery: ["rate:*"]
    personal-keys: [{{match: "session:*", holds: /user_id}}, {{match: "profile:${{person}}:*"}}]
    sites: {{east: {{address: "{}"}}}}
  store: {{kind: store, driver: file, path: {}}}
backups:
  snapshots: {{kind: snapshot, of: sessions, in: store, below: rdb, max-age: 1d}}
erasure:
  ledger: {}
  of: db
  tables: {{}}
)",
                    to_string(group.endpoint("sentinel-east")), to_string(group.endpoint("east")), store, ledger);
    const Estate estate = parsed(text);
};

}  // namespace kedge::recover
