// For tests: a database in which some people are in every table, by every kind of key and way of referring, and the
// erasure map of it.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>

#include "erasure/ledger.h"
#include "os/clock.h"
#include "os/files.h"
#include "recover/load_dump.h"

namespace kedge::recover {

// What is only in rows of people who are erased, each table in its own words.
inline constexpr const char* canary = "the canary sings";

// `u1`, a text that has to be quoted everywhere, a uuid and a number are erased; the others stay.
inline constexpr const char* everybody = R"SQL(
CREATE TABLE people (id text PRIMARY KEY, email text, note text);
INSERT INTO people VALUES ('u1', 'the canary sings 1', NULL), ('u2', 'b@x', E'tab\there, \\N and \\.'), ('u11', NULL, ''),
    (E'it''s\\ a', 'the canary sings 2', E'new\nline');
CREATE TABLE debates (id bigint PRIMARY KEY, creator text REFERENCES people ON DELETE CASCADE, task text, kind text);
INSERT INTO debates SELECT i, CASE i % 3 WHEN 0 THEN 'u1' WHEN 1 THEN 'u2' END, CASE i % 3 WHEN 0 THEN
    'the canary sings ' || i ELSE 'task' END, E'k\\' FROM generate_series(1, 300) i;
CREATE TABLE nodes (content text, debate bigint REFERENCES debates, id int PRIMARY KEY);
INSERT INTO nodes SELECT CASE i % 3 WHEN 0 THEN 'the canary sings ' || i ELSE 'content' END, i, i
    FROM generate_series(1, 300) i;
CREATE TABLE votes (node int REFERENCES nodes ON DELETE CASCADE, weight int, remark text);
INSERT INTO votes SELECT CASE WHEN i < 301 THEN i END, 1, CASE WHEN i < 301 AND i % 3 = 0 THEN 'the canary sings ' || i END
    FROM generate_series(1, 310) i;
CREATE TABLE drafts (id int PRIMARY KEY, owner text REFERENCES people ON DELETE SET NULL);
INSERT INTO drafts VALUES (1, 'u1'), (2, 'u2'), (3, NULL), (4, E'it''s\\ a');
CREATE TABLE accounts (id uuid PRIMARY KEY, iban text);
INSERT INTO accounts VALUES ('0A1B2C3D-0000-4000-8000-000000000001', 'the canary sings 3'),
    ('0a1b2c3d-0000-4000-8000-000000000002', 'another');
CREATE TABLE visits (day date, person int, page text) PARTITION BY RANGE (day);
CREATE TABLE visits_old PARTITION OF visits FOR VALUES FROM ('2026-01-01') TO ('2026-06-01');
CREATE TABLE visits_new (page text, day date, person int);
ALTER TABLE visits ATTACH PARTITION visits_new FOR VALUES FROM ('2026-06-01') TO ('2027-01-01');
INSERT INTO visits SELECT date '2026-01-02' + i, i % 10, CASE i % 10 WHEN 7 THEN 'the canary sings ' || i ELSE 'p' END
    FROM generate_series(0, 299) i;
CREATE TABLE badges (holder character(12), page text);
INSERT INTO badges VALUES ('u1', 'the canary sings 4'), ('u11', 'x');
CREATE TABLE plain (id int PRIMARY KEY, label text);
INSERT INTO plain SELECT i, CASE i % 5 WHEN 0 THEN NULL ELSE E'u1\tu1\\' END FROM generate_series(1, 1000) i;
CREATE SEQUENCE numbers; SELECT setval('numbers', 42);
SELECT lo_from_bytea(0, 'a large object');
)SQL";

// Rows that are left of each table once the people above are gone.
inline const std::map<std::string, std::string> rows_left = {
    {"people", "2"},   {"debates", "300"}, {"nodes", "200"},      {"votes", "210"},      {"drafts", "4"},
    {"accounts", "1"}, {"badges", "1"},    {"visits_old", "135"}, {"visits_new", "135"}, {"plain", "1000"}};

inline ErasureMap map_of_everybody() {
    return {.ledger = "/nowhere",
            .of = "db",
            .tables = {{.name = "public.people", .key = "id"},
                       {.name = "public.debates",
                        .key = "creator",
                        .is_removed = false,
                        .set = {{"task", std::optional<std::string>("(erased)\n")}}},
                       {.name = "public.nodes", .key = "debate", .through = "public.debates"},
                       {.name = "public.accounts", .key = "id"},
                       {.name = "public.visits", .key = "person"},
                       {.name = "public.badges", .key = "holder"}},
            .not_personal = {{"public.votes", "numbers"}, {"public.drafts", "empty"}},
            .personal_columns = {"email"}};
}

inline std::set<std::string> erased_people() {
    return {"u1", "it's\\ a", "0a1b2c3d-0000-4000-8000-000000000001", "7", "the canary sings for nobody"};
}

// Somebody who asked for it is in that ledger.
inline void enter_erasure(const std::string& ledger_file, const std::string& subject) {
    ASSERT_TRUE(make_directories(std::filesystem::path(ledger_file).parent_path()));
    auto ledger = ErasureFile::open(ledger_file, within(std::chrono::seconds(5))).value();
    ASSERT_TRUE(ledger.add({{.at = SystemClock{}.now(),
                             .event = ErasureEvent::erase,
                             .subject = subject,
                             .reason = "asked for it",
                             .who = "tester"}}));
}

}  // namespace kedge::recover
