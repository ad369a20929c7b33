// For tests: a real server with its archive, and the estate whose policies are about it.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>

#include "backup/create.h"
#include "backup/judge.h"
#include "backup/verdicts.h"
#include "estate/parse.h"
#include "os/clock.h"
#include "os/files.h"
#include "targets/postgres/scratch_cluster.h"

namespace kedge::backup {

class World {
public:
    World() {
        server = ScratchServer::initialize(directory, "server");
        // `outside`: where tests of recoveries keep the ledger of the erased.
        directory.run({"mkdir", "-p", store + "/wal", directory.path() + "/outside"});
        server->configure("archive_mode = on");
        server->configure(fmt::format("archive_command = 'cp %p {}/wal/%f'", store));
        server->start();
        server->sql("CREATE TABLE orders (id int PRIMARY KEY)");
        server->sql("INSERT INTO orders SELECT generate_series(1, 1000)");
        server->sql("CREATE TABLE notes (id int)");
        set_estate();
    }

    // `more`: lines of the policy `nightly`.
    void set_estate(const std::string& more =
                        "keep: {at-least: 2, for: 7d}\n"
                        "    tables: {public.orders: {rows-at-least: 10, near-production: 0.05}}") {
        text = fmt::format(R"(estate: small
regions: {{east: {{}}}}
tiers: {{critical: {{rto: 1h, rpo: 5m}}}}
targets:
  db:
    kind: database
    driver: host
    armed: true
    database: postgres
    sites:
      east:
        connection: "{0}"
        replication: "{0}"
        data-directory: {1}
        fence: {{look: [/f, l], raise: [/f, r], lower: [/f, d]}}
  vault: {{kind: store, driver: file, path: {2}}}
backups:
  nightly:
    kind: dump
    of: db
    in: vault
    below: dumps
    max-age: 25h
    {3}
  images: {{kind: base-backup, of: db, in: vault, below: base, log: wal, max-age: 8d}}
  wal: {{kind: log, of: db, in: vault, below: wal, max-age: 1h, keep: {{at-least: 1, for: 10m}}}}
  away: {{kind: copy, of: nightly, in: vault, below: copies, max-age: 25h, keep: {{at-least: 1, for: 10m}}}}
)",
                           server->conninfo(), server->data_directory(), store, more);
        auto parsed = parse_estate("estate.yaml", text);
        check(parsed.has_value(), "the estate of the test can be read");
        estate = std::move(*parsed);
    }

    const BackupPolicy& policy(const std::string& name) const { return *estate.backup(name); }
    // `later`: by the time in its name. A name has whole seconds: a second backup waits for the next one.
    Result<std::vector<CreatedBackup>> try_create(const std::string& name, Span later = {}) const {
        return create_backup(estate, policy(name), {.threads = 2, .now = next_second() + later});
    }
    CreatedBackup create(const std::string& name, Span later = {}) const {
        const auto created = try_create(name, later);
        check(created.has_value(), created ? "" : created.error().message);
        return created->at(0);
    }
    Result<Judgement> judged(const std::string& name, const Verdicts& known = {}, JudgeOptions options = {}) const {
        options.now = SystemClock{}.now();
        options.threads = 2;
        options.place = directory.path() + "-place";
        return judge(estate, policy(name), known, options);
    }
    // Everything up to now is in the archive.
    void archive() const {
        const std::string last = server->sql("SELECT pg_walfile_name(pg_switch_wal())");
        check(server->await(fmt::format("SELECT last_archived_wal >= '{}' FROM pg_stat_archiver", last), "t"),
              "the log is archived");
    }

private:
    // The time, in a second that no earlier call was given.
    Moment next_second() const {
        const auto second = [](Moment at) { return std::chrono::floor<std::chrono::seconds>(at); };
        Moment now = SystemClock{}.now();
        while (given_ && second(now) == second(*given_)) now = SystemClock{}.now();
        given_ = now;
        return now;
    }
    mutable std::optional<Moment> given_;

public:
    ScratchDirectory directory;
    const std::string store = directory.path() + "/store";
    std::unique_ptr<ScratchServer> server;
    std::string text;  // of the estate
    Estate estate;
};

}  // namespace kedge::backup
