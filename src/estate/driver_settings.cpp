#include "estate/driver_settings.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace kedge {
namespace {

using Fields = std::vector<Field>;

Shape arguments() {
    return shape::list(shape::text(), 1, 64);
}

// Figures that nobody can read off a running system, or that `estate check` needs without asking one. Each is
// the worst that is promised, not the usual.
Shape database_limits() {
    return shape::record(
        "limits of a database",
        {optional("probe-interval", shape::span(), "how often it is asked whether it lives"),
         optional("probe-misses", shape::integer(1, 100), "answers missing in a row before it is declared lost"),
         optional("decide", shape::span(), "people's time from the declaration to the typed confirmation"),
         optional("fence", shape::span(), "until its fence has proved that it cannot write"),
         optional("promote", shape::span(), "from the request to a server that takes writes"),
         optional("retrieve-retry", shape::span(),
                  "`wal_retrieve_retry_interval` of the standbys: a promotion may wait it out"),
         optional("streaming", shape::flag(), "whether a standby elsewhere streams from it"),
         optional("synchronous", shape::flag(), "whether commits wait for a standby elsewhere"),
         optional("max-lag", shape::span(), "lag of the standby at which somebody is paged"),
         optional("archive-timeout", shape::span(), "`archive_timeout`: the longest a segment stays unarchived"),
         optional("archive-upload", shape::span(), "until a finished segment is safe in the store"),
         optional("switchover-delay", shape::span(), "the longest a planned shut-down may take"),
         optional("backup-every", shape::span(), "time between two base backups"),
         optional("restore", shape::span(), "from an empty machine to a server that takes writes, as last measured")});
}

Shape cache_limits() {
    return shape::record(
        "limits of a cache",
        {optional("down-after", shape::span(), "`down-after-milliseconds` of the Sentinels"),
         optional("failover-timeout", shape::span(), "`failover-timeout`; a failed try is repeated after twice that"),
         optional("election", shape::span(), "until the Sentinels agree on who leads and the replica is promoted"),
         optional("max-lag", shape::span(), "lag of the replica at which somebody is paged"),
         optional("min-replicas-max-lag", shape::span(),
                  "`min-replicas-max-lag`, where `min-replicas-to-write` is at least 1: bounds what an isolated "
                  "master still accepts"),
         optional("snapshot-every", shape::span(), "time between two snapshots that are kept elsewhere"),
         optional("restore", shape::span(), "from a snapshot to a master that takes writes, as last measured")});
}

Shape application_limits() {
    return shape::record("limits of an application",
                         {optional("scale-up", shape::span(), "until a region alone carries the whole load"),
                          optional("reconnect", shape::span(), "until it has found a database or cache that moved"),
                          optional("hold", shape::span(), "the longest that a write is held before it is refused")});
}

Shape traffic_limits() {
    return shape::record("limits of a traffic record",
                         {optional("apply", shape::span(), "until a changed weight is in force"),
                          optional("ttl", shape::span(), "the longest that clients keep an old answer")});
}

Shape store_limits() {
    return shape::record("limits of a store",
                         {optional("read", shape::span(), "until an object can be read, cold storage counted in"),
                          optional("copied-every", shape::span(), "the longest that an object has no copy elsewhere")});
}

Shape fence() {
    return shape::record(
        "fence",
        {required("look", arguments(),
                  "program and arguments; exit code 0 = it cannot write, 1 = it can, else unknown"),
         required("raise", arguments(), "makes it unable to write and confirms it; exit code 0 = done, 1 = refused"),
         required("lower", arguments(), "allows it to start again; exit code 0 = done, 1 = refused")});
}

Shape server() {
    return shape::record("server control",
                         {required("start", arguments(), "program and arguments that start the server"),
                          required("stop", arguments(), "stops it cleanly (a fast shut-down, never an immediate one)"),
                          required("running", arguments(), "exit code 0 = it runs, 1 = it does not, else unknown")});
}

Field connection() {
    return required("connection", shape::text(),
                    "libpq connection string of Kedge itself, without a password: `host=... port=... user=...`");
}

Field password(std::string says) {
    return optional("password", shape::secret(), std::move(says));
}

Field sites(Shape site) {
    return required("sites", shape::map(std::move(site)), "by region");
}

Case postgres_host() {
    return {
        {"database", "host"},
        "PostgreSQL servers that nobody else manages, through libpq and the server's own tools.",
        {required("database", shape::text(), "the application's database, where the probe's rows are written too"),
         defaulted("probe-schema", shape::text(), "kedge", "schema of Kedge's own tables in it"),
         defaulted("bin-directory", shape::text(), "/usr/lib/postgresql/15/bin",
                   "where `pg_ctl`, `pg_rewind`, `pg_basebackup`, `pg_waldump` lie"),
         optional("limits", database_limits(), "what `estate check` calculates with"),
         sites(shape::record(
             "site of a database: host",
             {connection(), password("of that user; otherwise libpq's own ways"),
              required("replication", shape::text(), "connection string by which the other sites stream from this one"),
              optional("rewind-source", shape::text(),
                       "connection string by which `pg_rewind` elsewhere reads this one; absent = `replication`"),
              required("data-directory", shape::text(), ""),
              optional("ssh", shape::text(), "[user@]host on which its tools are run; absent = this machine"),
              optional("run-as", shape::text(),
                       "login that runs the tools; absent = the owner of the data directory if Kedge is root"),
              required("fence", fence(), "reached otherwise than the server itself"),
              optional("server", server(), "how it is started and stopped; absent = `pg_ctl`")}))}};
}

Case postgres_patroni() {
    return {
        {"database", "patroni"},
        "A PostgreSQL cluster that Patroni manages, through its REST API: Kedge asks Patroni, it never acts past it.",
        {required("scope", shape::text(), "the cluster's name in Patroni"),
         required("database", shape::text(), "the application's database"),
         defaulted("probe-schema", shape::text(), "kedge", "schema of Kedge's own tables in it"),
         optional("username", shape::text(), "for the REST API"), password("of that user"),
         optional("limits", database_limits(), "what `estate check` calculates with"),
         sites(shape::record("site of a database: patroni",
                             {connection(), required("member", shape::text(), "the member's name in Patroni"),
                              required("rest-url", shape::text(), "`http://HOST:8008`"),
                              optional("fence", fence(), "reached otherwise than the server itself")}))}};
}

Case redis_sentinel() {
    const Shape sentinel = shape::record(
        "sentinel", {required("address", shape::text(), "`HOST:PORT`"),
                     required("region", shape::name(), "where it stands: a region, or `outside` of all")});
    const Shape personal_keys = shape::record(
        "personal keys",
        {required(
             "match", shape::text(),
             "a pattern as KEYS takes it: `profile:${person}` names the person's own; without `${person}` the keys "
             "that are looked into"),
         optional("holds", shape::text(),
                  "where in the JSON that such a key holds the person's id stands: `/user_id`")});
    return {
        {"cache", "sentinel"},
        "A Redis master and its replicas under Sentinels. Each Sentinel is asked apart.",
        {required("master-name", shape::text(), "what the Sentinels call it"),
         required("sentinels", shape::list(sentinel, 1, 64), "every one of them"),
         required("quorum", shape::integer(1, 64), "as configured in the Sentinels"),
         optional("username", shape::text(), "of the data nodes"), password("of the data nodes"),
         optional("sentinel-password", shape::secret(), "of the Sentinels"),
         optional("recovered-at", shape::text(),
                  "`HOST:PORT` of the machine that recovers, as the nodes reach it: there they copy a data set that "
                  "is brought back"),
         optional("drop-on-recovery", shape::list(shape::text()),
                  "patterns of keys, as KEYS takes them, that must not come back: `rate:*`, `lock:*`"),
         optional("personal-keys", shape::list(personal_keys, 0),
                  "keys that are a person's: those of erased people are taken out of what is brought back. Absent: "
                  "unknown, and nothing is brought back while the ledger erases somebody"),
         optional("limits", cache_limits(), "what `estate check` calculates with"),
         sites(shape::record("site of a cache: sentinel",
                             {required("address", shape::text(), "`HOST:PORT` as the node announces it")}))}};
}

Shape exchange() {
    const Shape expectation = shape::record(
        "expected answer",
        {required("status", shape::integer(100, 599), "the HTTP status"),
         optional("json", shape::map_of_texts(shape::text()),
                  "JSON pointer to what stands there: a text to be equal to, `present`, or `one of A, B`"),
         optional("headers", shape::map_of_texts(shape::text()), "header to its value, or `present`")});
    return shape::record(
        "exchange",
        {required("request", shape::text(), "method and path: `POST /api/auth/login`"),
         optional("headers", shape::map_of_texts(shape::text()), "texts with `${name}` of what was captured before"),
         optional("body", shape::json(), "sent as JSON; texts with `${unique}`, `${name}`, `${secret:NAME}`"),
         optional("expect", expectation, "the answer that passes"),
         optional("capture", shape::map(shape::text()), "name to the JSON pointer whose value it keeps"),
         optional("until", shape::span(), "asked again until the answer passes, for at most so long"),
         defaulted("times", shape::integer(1, 1000), "1", "how often it is sent"),
         optional("some", expectation, "at least one of the answers must be this one")});
}

Shape probe() {
    const Shape websocket = shape::record(
        "WebSocket exchange", {required("path", shape::text(), "`/ws`"),
                               optional("url", shape::text(), "instead of the instances' own: a port of its own"),
                               optional("greeting", shape::text(), "`type` of the first frame"),
                               optional("send", shape::json(), "a frame, sent as JSON"),
                               optional("answer", shape::text(), "`type` of the frame that must come back")});
    return shape::record("probe",
                         {optional("says", shape::text(), "what it shows, in words"),
                          optional("secrets", shape::map(shape::secret()), "what `${secret:NAME}` stands for"),
                          optional("exchanges", shape::list(exchange(), 1, 32), "HTTP requests, one after the other"),
                          optional("websocket", websocket, "a WebSocket connection, after the exchanges")});
}

Case application_process() {
    const Shape instance = shape::record(
        "instance", {required("name", shape::name(), ""), required("url", shape::text(), "`http://HOST:PORT`")});
    return {{"application", "process"},
            "Instances that are reached over HTTP at addresses of their own.",
            {required("public-url", shape::text(), "the entrance that users take"),
             defaulted("health-path", shape::text(), "/api/health", "says whether it serves"),
             defaulted("ready-path", shape::text(), "/readyz", "says whether it could serve once its stores are there"),
             defaulted("admin-path", shape::text(), "/admin/maintenance",
                       "of the maintenance mode: GET says and PUT sets `{\"mode\": \"off\"}`, `hold` or `refuse`"),
             optional("admin-token", shape::secret(), "sent as a bearer token with it"),
             optional("probes", shape::map(probe()), "what `application.probe` can be asked for"),
             optional("limits", application_limits(), "what `estate check` calculates with"),
             sites(shape::record(
                 "site of an application: process",
                 {required("instances", shape::list(instance, 1, 1000), "every one that should be there"),
                  optional("scale", arguments(), "program and arguments that set how many run; `${instances}`"),
                  optional("running", arguments(), "prints how many should run"),
                  optional("deploy", arguments(),
                           "program and arguments that have every instance run a release; `${release}`")}))}};
}

Case traffic_haproxy() {
    return {{"traffic", "haproxy"},
            "The weights of a HAProxy backend, through its runtime socket.",
            {required("socket", shape::text(), "path of the runtime socket, level admin"),
             required("backend", shape::text(), ""),
             optional("limits", traffic_limits(), "what `estate check` calculates with"),
             sites(shape::record("site of a traffic record: haproxy",
                                 {required("servers", shape::list(shape::text(), 1, 1000),
                                           "names of the backend's servers that stand in the region")}))}};
}

Case store_file() {
    return {
        {"store", "file"},
        "A directory.",
        {required("path", shape::text(), ""), defaulted("wal", shape::text(), "wal", "where archived log lies in it"),
         defaulted("base", shape::text(), "base", "where base backups lie in it"),
         optional("limits", store_limits(), "what `estate check` calculates with")}};
}

Case channel_file() {
    return {{"channel", "file"},
            "Appends each notice to a file, one JSON object a line.",
            {required("path", shape::text(), "")}};
}

Case channel_slack() {
    return {{"channel", "slack"},
            "A Slack channel, through an incoming webhook.",
            {required("webhook", shape::secret(), "the webhook's address, `https://hooks.slack.com/services/...`")}};
}

Case channel_pagerduty() {
    return {{"channel", "pagerduty"},
            "PagerDuty, through its Events API v2. What is only told (`info`) becomes a change event and wakes nobody.",
            {required("routing-key", shape::secret(), "the integration key of the service, 32 characters"),
             defaulted("url", shape::text(), "https://events.pagerduty.com", "another one for accounts in the EU")}};
}

Case metrics_prometheus() {
    return {{"metrics", "prometheus"},
            "A Prometheus server's HTTP API.",
            {required("url", shape::text(), "`http://HOST:PORT`")}};
}

Case logs_file() {
    return {{"logs", "file"},
            "Log files that a collector has gathered, one line a record in JSON with a `ts`.",
            {sites(shape::record("site of logs: file", {required("paths", shape::list(shape::text(), 1, 1000),
                                                                 "files; a last component may hold `*`")}))}};
}

Case migration_command() {
    const Shape range = shape::record("versions of a schema",
                                      {required("least", shape::integer(0, 1'000'000'000), "the oldest it lives with"),
                                       required("most", shape::integer(0, 1'000'000'000), "the newest it lives with")});
    return {
        {"migration", "command"},
        "The schema of a database, moved between its versions by programs.",
        {required("of", shape::name(), "the database"),
         required("version", arguments(), "prints the version that the schema has"),
         required("migrate", arguments(),
                  "moves it up or down, in one transaction; `${version}`. `PGOPTIONS` bounds its waits for locks"),
         required("validate", arguments(),
                  "ends with 0 if the schema is what its version says, with 1 if it is not; anything else: unknown"),
         required("releases", shape::map_of_texts(range),
                  "releases of the application, each with the versions that it lives with")}};
}

Case index_command() {
    return {
        {"index", "command"},
        "An index that is derived from a database; programs build, serve and ask it.",
        {required("of", shape::name(), "the database"),
         required("look", arguments(), "prints as JSON how it stands, its newest job among it"),
         required("degrade", arguments(), "has searches answered without it; exit code 0 = done, 1 = refused"),
         required("serve", arguments(), "has it answer them again; exit code 0 = done, 1 = refused"),
         required(
             "rebuild", arguments(),
             "starts a job that builds it, and ends; one that died goes on where it stopped, one that runs is left "
             "alone; `${job}` is its name"),
         required("sample", arguments(),
                  "asks the index for rows of the source, and the source for entries of the index; prints as JSON what "
                  "was found; `${size}` of each")}};
}

Fields common_fields() {
    return {required("kind",
                     shape::choice({"database", "cache", "application", "traffic", "store", "channel", "metrics",
                                    "logs", "migration", "index"}),
                     "what it is to plans"),
            required("driver",
                     shape::choice({"host", "patroni", "sentinel", "process", "haproxy", "file", "slack", "pagerduty",
                                    "prometheus", "command"}),
                     "how it is reached"),
            optional("says", shape::text(), "what it holds or does, in words"),
            optional("tier", shape::name(), "the tier whose objectives it must meet"),
            defaulted("armed", shape::flag(), "false", "whether Kedge may change it; otherwise it only looks"),
            optional("stands-on", shape::list(shape::name()), "services and targets without which it does not work")};
}

}  // namespace

bool is_common_target_field(std::string_view name) {
    const Fields fields = common_fields();
    return std::ranges::find(fields, name, &Field::name) != fields.end();
}

Shape target_shape() {
    return shape::variant("a target", {"kind", "driver"}, common_fields(),
                          {postgres_host(), postgres_patroni(), redis_sentinel(), application_process(),
                           traffic_haproxy(), store_file(), channel_file(), channel_slack(), channel_pagerduty(),
                           metrics_prometheus(), logs_file(), migration_command(), index_command()});
}

bool holds_password(std::string_view text) {
    std::string lower{text};
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    for (const std::string_view word : {"password", "passwd", "pwd", "secret", "token"}) {
        for (std::size_t at = lower.find(word); at != std::string::npos; at = lower.find(word, at + 1)) {
            std::size_t next = at + word.size();
            while (next < lower.size() && lower[next] == ' ') ++next;
            if (next < lower.size() && lower[next] == '=') return true;
        }
    }
    // user:password@ in the authority of an address.
    const std::size_t scheme = lower.find("://");
    if (scheme == std::string::npos) return false;
    const std::string_view rest = std::string_view{lower}.substr(scheme + 3);
    const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
    const std::size_t at = authority.rfind('@');
    return at != std::string_view::npos && authority.substr(0, at).find(':') != std::string_view::npos;
}

}  // namespace kedge
