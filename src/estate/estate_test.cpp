#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <random>
#include <sstream>

#include "document/schema.h"
#include "document/tables.h"
#include "estate/achievable.h"
#include "estate/driver_settings.h"
#include "estate/estate_for_tests.h"
#include "estate/parse.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

std::string read_source(const std::string& path) {
    std::ifstream file{KEDGE_SOURCE_DIR "/" + path};
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

Lines lines_of(const std::string& text, const EstateOptions& options = {}) {
    const auto estate = parse_estate("e.yaml", text, options);
    return estate ? Lines{} : estate.mistakes().lines();
}

// The small estate with one text in it replaced: what the test is about.
Lines lines_with(const std::string& what, const std::string& by) {
    std::string text = estate_for_tests;
    const std::size_t at = text.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return lines_of(text.replace(at, what.size(), by));
}

TEST(ParseEstate, ReadsWhatItFinds) {
    const auto estate = parse_estate("e.yaml", estate_for_tests);
    ASSERT_TRUE(estate) << estate.mistakes().lines().front();
    EXPECT_EQ(estate->name, "small");
    EXPECT_EQ(estate->tier("critical")->rpo, 5min);
    EXPECT_EQ(estate->person_by_login("bert")->name, "bert");
    EXPECT_EQ(estate->person_by_login(""), nullptr) << "carl has no login, and nobody has the empty one";
    const Target& db = *estate->target("db");
    EXPECT_TRUE(db.armed);
    EXPECT_FALSE(estate->target("cache")->armed) << "what is not armed is only looked at";
    EXPECT_EQ(db.line, 15);
    EXPECT_EQ(db.settings.text("database"), "shop");
    EXPECT_EQ(db.settings.text("probe-schema"), "kedge") << "a fallback is filled in";
    EXPECT_EQ(db.settings.text("tier"), std::nullopt) << "common fields are no settings";
    EXPECT_EQ(db.site("west")->settings.section("fence").texts("raise"), (Lines{"/f", "r"}));
    EXPECT_EQ(db.site("north"), nullptr);
    EXPECT_EQ(estate->target("cache")->settings.sections("sentinels")[0].text("address"), "a:26379");
    EXPECT_EQ(estate->service("shop")->stands_on, (Lines{"db", "app"}));
    EXPECT_EQ(estate->digest.size(), 64u);
}

TEST(ParseEstate, NamesEveryMistake) {
    const std::vector<std::tuple<std::string, std::string, Lines>> cases{
        {"estate: small",
         "estat: small",
         {"e.yaml:1:1: the estate has no field `estat`; did you mean `estate`?",
          "e.yaml:1:1: the estate lacks `estate`; its name"}},
        {"rto: 1h", "rto: 60", {"e.yaml:6:19: expected a span with its unit, such as 30s or 5m, found `60`"}},
        {"rto: 24h, rpo: 24h",
         "rto: 24h, rpo: 1m",
         {"e.yaml:7:3: tier `low` is stricter than `critical` before it; list the strictest tier first"}},
        {"login: bert",
         "login: anna",
         {"e.yaml:10:36: `anna` is the login of `anna` already; every person needs a login of their own"}},
        {"{tier: critical, stands",
         "{tier: critcal, stands",
         {"e.yaml:13:16: there is no tier `critcal`; did you mean `critical`?"}},
        {"stands-on: [db, app]",
         "stands-on: [bd, app, app2]",
         {"e.yaml:13:38: there is no service or target `bd`; did you mean `db`?",
          "e.yaml:13:47: there is no service or target `app2`; did you mean `app`?"}},
        {"shop: {tier",
         "db: {tier",
         {"e.yaml:13:3: `db` is the name of a target too; names are shared by services and targets"}},
        {"stands-on: [db]", "stands-on: [shop]", {"e.yaml:13:3: `shop` stands on itself: shop -> app -> shop"}},
        {"driver: host",
         "driver: sentinel",
         {"e.yaml:17:13: `database` has no driver `sentinel`; known: host, patroni"}},
        {"driver: host",
         "driver: hsot",
         {"e.yaml:17:13: expected one of host, patroni, sentinel, process, haproxy, file, slack, pagerduty, "
          "prometheus, command, found `hsot`; did you mean `host`?"}},
        {"    armed: true", "    armed: on", {"e.yaml:19:12: expected true or false, found `on`"}},
        {"database: shop",
         "databse: shop",
         {"e.yaml:16:5: a target lacks `database`; the application's database, where the probe's rows are written too",
          "e.yaml:20:5: a target has no field `databse`; did you mean `database`?"}},
        {"      east:\n        connection",
         "      esat:\n        connection",
         {"e.yaml:22:7: there is no region `esat`; did you mean `east`?"}},
        {"fence: {look: [/f, l], raise",
         "fence: {raise",
         {"e.yaml:26:16: fence lacks `look`; program and arguments; exit code 0 = it cannot write, 1 = it can, else "
          "unknown"}},
        {"look: [/f, l]",
         "look: /f l",
         {"e.yaml:26:23: expected a list, found `/f l`; write it as `[a, b]` or one `- a` a line"}},
        {"host=a user=kedge",
         "host=a user=kedge password=hunter2",
         {"e.yaml:23:21: a password stands in the text; keep it elsewhere and refer to it: `password: env:NAME` or "
          "`password: file:/PATH`"}},
        {"http://shop",
         "http://me:hunter2@shop/x",
         {"e.yaml:43:17: a password stands in the text; keep it elsewhere and refer to it: `password: env:NAME` or "
          "`password: file:/PATH`"}},
        {"/data/east",
         "${lab}/east",
         {"e.yaml:25:25: `${lab}` stands here, but the estate belongs to no lab; name the lab: `lab: default`"}},
        {"estate: small",
         "estate: small\nlab: default",
         {"e.yaml:2:6: this estate belongs to a lab, and no labs are kept here"}},
        {"quorum: 1", "quorum: 2", {"e.yaml:36:13: a quorum of 2 with 1 sentinels is never reached"}},
        {"region: outside", "region: moon", {"e.yaml:37:46: there is no region `moon`; known: east, west"}},
        {"probes: {login: {websocket: {path: /ws}}}",
         "probes: {p: {}}",
         {"e.yaml:44:14: probe `p` does nothing; give it `exchanges` or a `websocket`"}},
        {"probes: {login: {websocket: {path: /ws}}}",
         "probes: {p: {exchanges: [{request: /x, body: {a: \"${b}\"}}]}}",
         {"e.yaml:44:30: any answer would pass; say what to `expect`",
          "e.yaml:44:40: a request is a method and a path; for instance `GET /api/health`",
          "e.yaml:44:54: `${b}` is not known here; known: unique"}},
        {"figures: {kind",
         "figures: {kind: metrics, kind",
         {"e.yaml:56:28: `kind` stands here twice, first in line 56; keep one of the two"}},
        {"kind: channel",
         "kind: chanel",
         {"e.yaml:55:16: expected one of database, cache, application, traffic, store, channel, metrics, logs, "
          "migration, index, found `chanel`; did you mean `channel`?"}},
    };
    for (const auto& [what, by, lines] : cases) EXPECT_EQ(lines_with(what, by), lines) << by;
}

TEST(ParseEstate, NeverRepeatsWhatMayBeASecret) {
    const Lines lines = lines_with("host=a user=kedge", "host=a user=kedge\n        password: hunter2");
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_THAT(lines.front(), ::testing::Not(::testing::HasSubstr("hunter2")));
}

TEST(ParseEstate, KnowsAPasswordWhenItSeesOne) {
    for (const std::string text : {"password=x", "host=a PASSWORD = x", "postgres://u:p@host/db", "redis://:p@host",
                                   "sslpassword=x", "https://h/?token=x"})
        EXPECT_TRUE(holds_password(text)) << text;
    for (const std::string text :
         {"host=a user=password", "http://host:80/a@b", "/etc/password", "postgres://u@host/db", ""})
        EXPECT_FALSE(holds_password(text)) << text;
}

TEST(ParseEstate, PutsTheLabsDirectoryWhereItIsNamed) {
    std::string text = estate_for_tests;
    text.replace(text.find("estate: small"), 13, "estate: small\nlab: mine");
    text.replace(text.find("/data/east"), 10, "${lab}/east");
    const auto estate = parse_estate("e.yaml", text, {.lab_root = "/var/tmp/labs"});
    ASSERT_TRUE(estate);
    EXPECT_EQ(estate->lab, "/var/tmp/labs/mine");
    EXPECT_EQ(estate->target("db")->site("east")->settings.text("data-directory"), "/var/tmp/labs/mine/east");
}

const EstateOptions lab_options{.lab_root = "/var/tmp/kedge-lab-0"};

TEST(ParseEstate, ReadsTheShippedEstates) {
    const auto lab = parse_estate("lab.yaml", read_source("plans/aragora/lab.yaml"), lab_options);
    ASSERT_TRUE(lab) << lab.mistakes().lines().front();
    EXPECT_EQ(lab->regions.size(), 2u);
    // The runbook's table of objectives.
    EXPECT_EQ(lab->tier("high")->rto, 4h);
    EXPECT_EQ(lab->tier("high")->rpo, 15min);
    EXPECT_EQ(lab->services.size(), 11u);
}

TEST(ParseEstate, SurvivesRandomDamageToTheShippedEstates) {
    std::mt19937 random{11};
    const std::string alphabet = "{}[]:,-?&*!|>%@`'\"#\n\t ab0~<$";
    const std::string good = read_source("plans/aragora/lab.yaml");
    for (int round = 0; round < 200; ++round) {
        std::string text = good;
        for (auto i = random() % 8 + 1; i > 0; --i) {
            const std::size_t at = random() % text.size(), other = random() % text.size();
            switch (random() % 4) {
                case 0: text[at] = alphabet[random() % alphabet.size()]; break;
                case 1: text.insert(at, 1, alphabet[random() % alphabet.size()]); break;
                case 2: text.erase(at, random() % 40 + 1); break;
                default: text.insert(at, text.substr(other, random() % 60)); break;
            }
        }
        const auto estate = parse_estate("e.yaml", text, lab_options);
        if (estate) (void)as_text(achievable(*estate));
    }
}

// An estate with one service over one target of each kind, `limits` given as written.
Achievable with_limits(const std::string& database, const std::string& cache = "",
                       const std::string& tier = "critical") {
    std::string text = estate_for_tests;
    const auto put = [&](const std::string& after, const std::string& limits) {
        text.insert(text.find(after) + after.size(), "\n    limits: {" + limits + "}");
    };
    put("database: shop", database);
    put("master-name: m", cache);
    put("public-url: http://shop", "scale-up: 10s, reconnect: 5s");
    text.replace(text.find("stands-on: [db, app]"), 20,
                 "stands-on: [app" + std::string(cache.empty() ? "]" : ", cache]"));
    text.replace(text.find("    tier: critical\n    armed"), 18, "    tier: " + tier);
    const auto estate = parse_estate("e.yaml", text);
    EXPECT_TRUE(estate) << estate.mistakes().lines().front();
    return achievable(*estate);
}

const Promise& promise_of(const Achievable& result, Scenario scenario) {
    return *std::find_if(result.promises.begin(), result.promises.end(),
                         [&](const Promise& promise) { return promise.scenario == scenario; });
}

TEST(Achievable, AddsUpWhatTheSettingsAllow) {
    const Achievable result = with_limits(
        "probe-interval: 5s, probe-misses: 3, decide: 10m, fence: 30s, promote: 60s, retrieve-retry: 5s, streaming: "
        "true, "
        "max-lag: 30s, archive-timeout: 5m, archive-upload: 10s, switchover-delay: 3600s, backup-every: 24h, restore: "
        "2h");
    const Promise& lost = promise_of(result, Scenario::region_lost);
    EXPECT_EQ(lost.rto.total(), 15s + 10min + 30s + 60s + 5s + 10s + 5s);
    EXPECT_EQ(lost.rpo.total(), 30s);
    EXPECT_EQ(lost.rto_holds, Truth::yes);
    // The archive alone: five minutes and the upload are more than five minutes.
    const Promise& destroyed = promise_of(result, Scenario::data_destroyed);
    EXPECT_EQ(destroyed.rpo.total(), 5min + 10s);
    EXPECT_EQ(destroyed.rpo_holds, Truth::no);
    EXPECT_EQ(destroyed.rto_holds, Truth::no);
    // One clean shut-down may use the whole hour.
    const Promise& planned = promise_of(result, Scenario::planned_move);
    EXPECT_EQ(planned.rto_holds, Truth::no);
    EXPECT_EQ(planned.rpo_holds, Truth::yes);
    EXPECT_FALSE(result.all_hold());
    EXPECT_THAT(as_text(result),
                ::testing::HasSubstr("CANNOT HOLD RPO: 5m00s (db archive-timeout) + 10.0 s (db archive-upload)"));
}

TEST(Achievable, TakesUnknownForNothingElse) {
    const Promise none = promise_of(with_limits(""), Scenario::region_lost);
    EXPECT_EQ(none.rto_holds, Truth::unknown);
    EXPECT_EQ(none.rpo_holds, Truth::unknown);
    EXPECT_EQ(none.rpo.unknown(), Lines{"db: backup-every"}) << "nothing streams and nothing is archived";
    // What is known may be too much already.
    EXPECT_EQ(promise_of(with_limits("decide: 2h"), Scenario::region_lost).rto_holds, Truth::no);
    EXPECT_EQ(promise_of(with_limits("backup-every: 24h"), Scenario::region_lost).rpo_holds, Truth::no);
    EXPECT_EQ(promise_of(with_limits("synchronous: true"), Scenario::region_lost).rpo_holds, Truth::yes);
    EXPECT_EQ(promise_of(with_limits("streaming: true"), Scenario::region_lost).rpo.unknown(), Lines{"db: max-lag"});
}

TEST(Achievable, CountsAFailedTryOfTheSentinels) {
    const Promise lost = promise_of(with_limits("synchronous: true, probe-interval: 1s, probe-misses: 1, decide: 1s, "
                                                "fence: 1s, promote: 1s, retrieve-retry: 1s",
                                                "down-after: 30s, failover-timeout: 180s, election: 10s, max-lag: 10s"),
                                    Scenario::region_lost);
    EXPECT_EQ(lost.rto.total(), 30s + 10s + 360s + 10s + 10s + 5s) << "the cache takes longer than the database";
    EXPECT_EQ(lost.rpo.total(), 10s);
}

TEST(Achievable, FindsWhatStandsOnLess) {
    const Achievable result = with_limits("", "", "low");
    Lines says;
    for (const TierConflict& conflict : result.conflicts) says.push_back(conflict.says());
    EXPECT_EQ(says, Lines{"shop (critical) stands on app, which has no tier"});
    std::string text = estate_for_tests;
    text.replace(text.find("    tier: critical\n    armed"), 18, "    tier: low");
    const auto estate = parse_estate("e.yaml", text);
    ASSERT_TRUE(estate);
    EXPECT_EQ(achievable(*estate).conflicts.front().says(), "shop (critical) stands on db, which is only low");
}

TEST(Achievable, ProvesNothingFromNothing) {
    std::string text = estate_for_tests;
    text.replace(text.find(", stands-on: [db, app]"), 22, "");
    const auto estate = parse_estate("e.yaml", text);
    ASSERT_TRUE(estate);
    for (const Promise& promise : achievable(*estate).promises) {
        EXPECT_EQ(promise.rto_holds, Truth::unknown);
        EXPECT_EQ(promise.rpo_holds, Truth::unknown);
    }
}

const std::string policies_for_tests = R"(backups:
  nightly:
    kind: dump
    of: db
    in: vault
    below: dumps
    max-age: 25h
    prove: checksummed
    keep: {at-least: 7, for: 14d}
    tables:
      public.orders: {rows-at-least: 10, near-production: 0.05}
      public.notes: {}
  images: {kind: base-backup, of: db, in: vault, below: base, log: wal, max-age: 8d}
  wal: {kind: log, of: db, in: vault, below: wal, max-age: 5m}
  sessions: {kind: snapshot, of: cache, in: vault, below: rdb, max-age: 1h, keys-at-least: 3}
  away: {kind: copy, of: nightly, in: vault, below: copies, max-age: 30h}
)";

const std::string erasure_for_tests = R"yaml(erasure:
  ledger: /srv/outside/erasures.jsonl
  of: db
  personal-columns: [user_id, email]
  tables:
    public.users: {key: id}
    public.orders: {key: user_id, do: anonymise, set: {note: "(erased)", price: 0, address: null}}
    public.lines: {key: order_id, through: public.orders}
  not-personal: {public.prices: no person stands in it}
)yaml";

TEST(ErasureMap, IsReadWhole) {
    EXPECT_FALSE(parse_estate("e.yaml", estate_for_tests)->erasure.is_declared());
    const auto estate = parse_estate("e.yaml", estate_for_tests + erasure_for_tests);
    ASSERT_TRUE(estate) << estate.mistakes().lines().front();
    const ErasureMap& map = estate->erasure;
    EXPECT_TRUE(map.is_declared());
    ASSERT_EQ(map.tables.size(), 3u);
    EXPECT_TRUE(map.table("public.users")->is_removed);
    const ErasedTable& orders = *map.table("public.orders");
    EXPECT_FALSE(orders.is_removed);
    ASSERT_EQ(orders.set.size(), 3u);
    const std::map<std::string, std::optional<std::string>> set(orders.set.begin(), orders.set.end());
    EXPECT_EQ(set.at("note"), "(erased)");
    EXPECT_EQ(set.at("price"), "0");
    EXPECT_EQ(set.at("address"), std::nullopt) << "null is NULL";
    EXPECT_EQ(map.table("public.lines")->through, "public.orders");
    EXPECT_TRUE(map.is_not_personal("public.prices"));
    EXPECT_EQ(map.personal_columns.size(), 2u);
}

TEST(ErasureMap, MistakesAreNamed) {
    const std::vector<std::pair<std::string, std::string>> mistakes = {
        {"ledger: /srv/outside/erasures.jsonl", "ledger: erasures.jsonl"},
        {"of: db", "of: nobody"},
        {"public.users: {key: id}", "users: {key: id}"},
        {"public.users: {key: id}", "public.users: {key: id, set: {a: b}}"},
        {"through: public.orders", "through: public.ordres"},
        {"through: public.orders", "through: public.lines"},
        {"through: public.orders", "through: public.orders, do: anonymise"},
        {"public.prices: no", "public.users: no"}};
    for (const auto& [from, to] : mistakes) {
        std::string text = erasure_for_tests;
        text.replace(text.find(from), from.size(), to);
        EXPECT_FALSE(parse_estate("e.yaml", estate_for_tests + text)) << to;
    }
}

TEST(BackupPolicies, AreReadWhole) {
    const auto estate = parse_estate("e.yaml", estate_for_tests + policies_for_tests);
    ASSERT_TRUE(estate) << estate.mistakes().lines().front();
    ASSERT_EQ(estate->backups.size(), 5u);
    const BackupPolicy& nightly = *estate->backup("nightly");
    EXPECT_EQ(nightly.kind, BackupKind::dump);
    EXPECT_EQ(nightly.max_age, std::chrono::hours(25));
    EXPECT_EQ(nightly.prove, ProofAsked::checksummed);
    EXPECT_EQ(nightly.keep_at_least, 7);
    EXPECT_EQ(nightly.keep_for, std::chrono::hours(14 * 24));
    ASSERT_EQ(nightly.tables.size(), 2u);
    EXPECT_EQ(nightly.tables[0].rows_at_least, 10);
    EXPECT_EQ(nightly.tables[0].near_production, 0.05);
    EXPECT_EQ(nightly.tables[1].rows_at_least, 1);
    EXPECT_FALSE(nightly.tables[1].near_production);
    EXPECT_EQ(estate->backup("images")->log, "wal");
    EXPECT_EQ(estate->backup("images")->prove, ProofAsked::restored);
    EXPECT_EQ(estate->backup("images")->keep_at_least, 0) << "without `keep` nothing is removed";
    EXPECT_EQ(estate->backup("sessions")->keys_at_least, 3);
    EXPECT_EQ(estate->backup("away")->of, "nightly");
}

TEST(BackupPolicies, AreRefusedWhereTheyCannotBeKept) {
    const auto mistake = [](const std::string& what, const std::string& instead) {
        std::string text = estate_for_tests + policies_for_tests;
        text.replace(text.find(what), what.size(), instead);
        const auto estate = parse_estate("e.yaml", text);
        return estate ? std::string("accepted") : estate.mistakes().lines().front();
    };
    const auto says = [](const std::string& text, const std::string& part) {
        return text.find(part) != std::string::npos ? testing::AssertionSuccess() : testing::AssertionFailure() << text;
    };
    EXPECT_TRUE(says(mistake("of: db\n    in: vault", "of: cache\n    in: vault"), "no database `cache`"));
    EXPECT_TRUE(says(mistake("of: cache, in: vault", "of: db, in: vault"), "no cache `db`"));
    EXPECT_TRUE(says(mistake("in: vault, below: base", "in: chat, below: base"), "no store `chat`"));
    EXPECT_TRUE(says(mistake("log: wal", "log: nightly"), "no backup policy `nightly`"));
    EXPECT_TRUE(says(mistake("of: nightly", "of: away"), "no backup policy `away`"));
    EXPECT_TRUE(says(mistake("below: dumps", "below: ../dumps"), "outside of the store"));
    EXPECT_TRUE(says(mistake("public.notes", "notes"), "`public.notes`"));
    EXPECT_TRUE(says(mistake("0.05", "5"), "between 0 and 1"));
    EXPECT_TRUE(says(mistake("max-age: 8d", "max-age: 8"), "span"));
    EXPECT_TRUE(says(mistake("max-age: 5m", "max-age: 5m, tables: {}"), "tables"));
}

// With UPDATE_FORMATS=1 in the environment they are written anew.
void expect_same_as_file(const std::string& path, const std::string& generated) {
    if (std::getenv("UPDATE_FORMATS") != nullptr) std::ofstream{KEDGE_SOURCE_DIR "/" + path} << generated;
    EXPECT_EQ(read_source(path), generated) << "run this test with UPDATE_FORMATS=1 to write " << path << " anew";
}

TEST(EstateFormat, IsDocumentedAsItIsRead) {
    const auto document = with_tables(read_source("docs/formats/estate.md"), field_tables(estate_shape()));
    ASSERT_TRUE(document) << document.error().message;
    expect_same_as_file("docs/formats/estate.md", *document);
    expect_same_as_file("docs/formats/estate.schema.json",
                        dump_pretty(json_schema(estate_shape(), "Kedge estate")) + "\n");
}

}  // namespace
}  // namespace kedge
