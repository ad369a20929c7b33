#include "recover/material.h"

#include <fmt/format.h>

#include <filesystem>
#include <thread>

#include "base/check.h"
#include "base/json.h"
#include "company.h"
#include "erasure/ledger.h"
#include "os/files.h"

namespace kedge::bench {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using verify::tool;

void say(const std::string& what) {
    fmt::print("{}\n", what);
    std::fflush(stdout);
}

std::string estate_text(const std::string& directory, const std::string& conninfo, const std::string& data,
                        const std::string& more) {
    return fmt::format(R"(estate: bench
regions: {{here: {{}}}}
tiers: {{critical: {{rto: 1h, rpo: 5m}}}}
targets:
  db:
    kind: database
    driver: host
    database: postgres
    sites:
      here:
        connection: "{0}"
        replication: "{0}"
        data-directory: {1}
        fence: {{look: [/f, l], raise: [/f, r], lower: [/f, d]}}
  vault: {{kind: store, driver: file, path: {2}/store}}
backups:
  dumps: {{kind: dump, of: db, in: vault, below: dumps, max-age: 25h}}
  images: {{kind: base-backup, of: db, in: vault, below: base, log: wal, max-age: 8d}}
  wal: {{kind: log, of: db, in: vault, below: wal, max-age: 1h}}
{3})",
                       conninfo, data, directory, more);
}

// Users, their debates and the receipts of these go; the audit log keeps its rows without them.
std::string erasure_text(const std::string& directory) {
    return fmt::format(R"(erasure:
  ledger: {}/outside/ledger.jsonl
  of: db
  tables:
    public.users: {{key: id}}
    public.debates: {{key: creator}}
    public.decision_receipts: {{key: debate, through: public.debates}}
    public.audit_logs: {{key: actor, do: anonymise, set: {{target: null}}}}
)",
                       directory);
}

constexpr const char* keys_and_indexes = R"(
ALTER TABLE debates ADD creator bigint;
UPDATE debates SET creator = 1 + id % (SELECT max(id) FROM users);
ALTER TABLE debates ADD FOREIGN KEY (creator) REFERENCES users;
UPDATE decision_receipts SET debate = 1 + debate % (SELECT max(id) FROM debates);
ALTER TABLE decision_receipts ADD PRIMARY KEY (id), ADD FOREIGN KEY (debate) REFERENCES debates;
ALTER TABLE audit_logs ADD PRIMARY KEY (id);
ALTER TABLE knowledge_nodes ADD PRIMARY KEY (id);
CREATE INDEX ON users (email);
CREATE INDEX ON debates (creator);
CREATE INDEX ON audit_logs (actor, at);
CREATE INDEX ON decision_receipts (debate);
CREATE INDEX ON knowledge_nodes (created);
CREATE TABLE marker (id int);
)";

class Making {
public:
    explicit Making(Material& material, std::uint64_t megabytes)
        : material_(material), megabytes_(megabytes), server_(ScratchServer::place(scratch_, "company")) {}

    void run() {
        const std::string& directory = material_.directory;
        fs::remove_all(directory);
        for (const char* below :
             {"", "/store", "/store/dumps", "/store/base", "/store/wal", "/outside", "/pgbackrest", "/pgbackrest/log"})
            fs::create_directories(directory + below);
        write(material_.estate(), estate_text(directory, server_->conninfo(), server_->data_directory(), ""));
        write(material_.filtering_estate(),
              estate_text(directory, server_->conninfo(), server_->data_directory(), erasure_text(directory)));
        fill();
        give_away();
        back_up();
        write_log();
        exclude_people();
        server_->stop();
        note();
        give_away();
    }

private:
    static void write(const std::string& path, const std::string& text) {
        check(write_file_atomically(path, text, 0644).has_value(), "the benchmark's files can be written");
    }
    void psql(const std::string& script) const {
        scratch_.run({tool("psql"), "-q", "-v", "ON_ERROR_STOP=1", "-d", server_->conninfo()}, script);
    }
    // To the user that servers run as.
    void give_away() const {
        if (!scratch_.login()) return;
        const auto given =
            run_or_fail({"chown", "-R", scratch_.login()->name, "--", material_.directory}, within(5min));
        check(given.has_value(), given ? "" : given.error().message);
    }

    void fill() {
        say(fmt::format("making {} MB of rows and as much log in {}; this takes some minutes, once", megabytes_,
                        material_.directory));
        scratch_.run({tool("initdb"), "-D", server_->data_directory(), "-U", "postgres", "-A", "trust", "--no-sync",
                      "--locale=C.UTF-8"});
        for (const char* line :
             {"fsync = off", "synchronous_commit = off", "shared_buffers = 512MB", "max_wal_size = 4GB",
              "listen_addresses = '127.0.0.1'", "maintenance_work_mem = 256MB", "max_connections = 30"})
            server_->configure(line);
        server_->configure(fmt::format("port = {}", server_->port()));
        server_->configure(fmt::format("unix_socket_directories = '{}'", scratch_.path()));
        server_->start();
        verify::make_company(scratch_, *server_, megabytes_ * 1'000'000);
        psql(keys_and_indexes);
        psql("VACUUM (FULL, ANALYZE) debates; VACUUM (FULL, ANALYZE) decision_receipts; CHECKPOINT");
        server_->stop();
    }

    void back_up() {
        const std::string copy = fmt::format("cp %p {}/%f", material_.log());
        std::string push;
        material_.has_pgbackrest = exists("/usr/bin/pgbackrest");
        if (material_.has_pgbackrest) {
            write(material_.pgbackrest_config(),
                  fmt::format("[global]\nrepo1-path={0}/pgbackrest\nlog-path={0}/pgbackrest/log\n"
                              "lock-path={0}/pgbackrest/lock\nspool-path={0}/pgbackrest/spool\ncompress-type=lz4\n"
                              "process-max=2\nlog-level-console=error\nlog-level-file=off\nstart-fast=y\n\n"
                              "[company]\npg1-path={1}\npg1-port={2}\npg1-socket-path={3}\npg1-user=postgres\n",
                              material_.directory, server_->data_directory(), server_->port(), scratch_.path()));
            push = " && " + pgbackrest("archive-push %p");
        }
        server_->configure("archive_mode = on");
        server_->configure(fmt::format("archive_command = '{}{}'", copy, push));
        server_->start();
        if (material_.has_pgbackrest) scratch_.run({"sh", "-c", pgbackrest("stanza-create")});
        say("taking the dump and the base backups");
        for (const char* policy : {"dumps", "images"}) {
            const auto made = run_or_fail({material_.kedge, "backup", "create", policy, "--estate", material_.estate(),
                                           "--state", material_.directory + "/state"},
                                          within(60min));
            check(made.has_value(), made ? "" : made.error().message);
        }
        if (material_.has_pgbackrest) scratch_.run({"sh", "-c", pgbackrest("--type=full backup")});
    }
    std::string pgbackrest(const std::string& what) const {
        return fmt::format("pgbackrest --config={} --stanza=company {}", material_.pgbackrest_config(), what);
    }

    // Eight clients at work, a moment in their middle, and a row that is committed behind it.
    void write_log() {
        say("writing the log");
        const std::string script = scratch_.path() + "/work.sql";
        write(script,
              "\\set node random(1, :nodes)\n\\set debate random(1, :debates)\n"
              "UPDATE knowledge_nodes SET title = left(md5(title) || title, 80), created = now() WHERE id = :node;\n"
              "UPDATE debates SET rounds = rounds + 1, created = now() WHERE id = :debate;\n"
              "INSERT INTO audit_logs SELECT nextval('more'), now(), :node, 'work', 'bench', md5(:node::text);\n");
        psql("CREATE SEQUENCE more START 1000000000");
        const std::string begin = server_->sql("SELECT pg_current_wal_lsn()");
        const auto written = [&] {
            return std::stoull(server_->sql(fmt::format("SELECT (pg_current_wal_lsn() - '{}')::bigint", begin)));
        };
        while (written() < megabytes_ * 1'000'000) work(script, 4s);
        material_.target = server_->sql("SELECT clock_timestamp()");
        // The clock of the commits must have gone on.
        check(
            server_->await(
                fmt::format("SELECT clock_timestamp() > '{}'::timestamptz + interval '0.5 s'", material_.target), "t"),
            "time goes on");
        psql("INSERT INTO marker VALUES (1)");
        work(script, 1s);
        material_.log_bytes = written();
        const std::string last = server_->sql("SELECT pg_walfile_name(pg_switch_wal())");
        for (const Until until = within(30min);
             server_->sql(fmt::format("SELECT coalesce(max(last_archived_wal), '') >= '{}' FROM pg_stat_archiver",
                                      last)) != "t";)
            check(wait_out(within(200ms)) && SystemClock{}.now() < until.deadline, "the log is archived");
    }
    void work(const std::string& script, std::chrono::seconds span) const {
        scratch_.run({tool("pgbench"), "-n", "-c", "8", "-j", "2", "-T", std::to_string(span.count()), "-f", script,
                      "-D", "nodes=" + server_->sql("SELECT max(id) FROM knowledge_nodes"), "-D",
                      "debates=" + server_->sql("SELECT max(id) FROM debates"), server_->conninfo()});
    }

    void exclude_people() {
        material_.users = std::stoull(server_->sql("SELECT max(id) FROM users"));
        auto ledger = ErasureFile::open(material_.directory + "/outside/ledger.jsonl", within(30s));
        check(ledger.has_value(), "the ledger of the benchmark can be made");
        std::vector<ErasureEntry> entries;
        for (std::uint64_t i = 0; i < std::min(erased_people, material_.users); ++i)
            entries.push_back({.at = SystemClock{}.now(),
                               .event = ErasureEvent::erase,
                               .subject = std::to_string(1 + i * material_.users / erased_people),
                               .reason = "asked for it",
                               .who = "bench"});
        check(ledger->add(std::move(entries)).has_value(), "people can be excluded");
    }

    void note() const {
        write(material_.directory + "/made.json", Json{{"megabytes", megabytes_},
                                                       {"target", material_.target},
                                                       {"log_bytes", material_.log_bytes},
                                                       {"users", material_.users},
                                                       {"pgbackrest", material_.has_pgbackrest}}
                                                      .dump());
    }

    Material& material_;
    const std::uint64_t megabytes_;
    const ScratchDirectory scratch_;
    const std::unique_ptr<ScratchServer> server_;
};

std::uint64_t bytes_below(const std::string& path) {
    if (!fs::is_directory(path)) return fs::file_size(path);
    std::uint64_t bytes = 0;
    for (const auto& entry : fs::recursive_directory_iterator(path))
        if (entry.is_regular_file()) bytes += entry.file_size();
    return bytes;
}

// The only one there that is a backup: beside it lie its manifest and the globals.
std::string only_backup(const std::string& directory) {
    std::string shortest;
    for (const auto& entry : fs::directory_iterator(directory))
        if (shortest.empty() || entry.path().string().size() < shortest.size()) shortest = entry.path();
    check(!shortest.empty(), "the benchmark has its backup");
    return shortest;
}

}  // namespace

Material make_material(const std::string& kedge, const std::string& directory, std::uint64_t megabytes) {
    Material material{.kedge = kedge, .directory = directory};
    const auto read = [&] { return parse_json(read_file(directory + "/made.json").value_or("")).value_or(Json()); };
    if (get_integer(read(), "megabytes") != static_cast<std::int64_t>(megabytes)) Making(material, megabytes).run();
    check(write_file_atomically(
              material.living_estate(),
              estate_text(directory, fmt::format("host={} user=postgres dbname=postgres", material.living()),
                          material.living() + "/data", ""),
              0644)
              .has_value(),
          "the benchmark's files can be written");
    const Json made = read();
    material.target = get_string(made, "target").value();
    material.log_bytes = static_cast<std::uint64_t>(get_integer(made, "log_bytes").value());
    material.users = static_cast<std::uint64_t>(get_integer(made, "users").value());
    material.has_pgbackrest = get(made, "pgbackrest") == true;
    material.dump = only_backup(directory + "/store/dumps");
    material.base = only_backup(directory + "/store/base");
    material.dump_bytes = bytes_below(material.dump);
    material.base_bytes = bytes_below(material.base);
    return material;
}

}  // namespace kedge::bench
