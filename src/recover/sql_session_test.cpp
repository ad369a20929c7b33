// What is said to psql, and what is made of what it says.
#include "recover/sql_session.h"
#include "backup/sql_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "recover/scratch_databases.h"

namespace kedge::recover {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

SqlSession opened(Span limit = 60s) {
    return SqlSession::open(ScratchDatabases::access(ScratchDatabases::server(), "postgres"), "here", within(limit))
        .value();
}

TEST(SqlSession, AsksSeveralThingsOneAfterTheOther) {
    SqlSession session = opened();
    EXPECT_EQ(session.ask("SELECT 1; SELECT 2, NULL, 'x'").value(), "1\n2\t\tx");
    EXPECT_EQ(session.ask("SELECT").value(), "");
    EXPECT_EQ(session.ask_number("SELECT 42").value(), 42);
    EXPECT_EQ(session.ask_number("SELECT 'many'").error().fault, Fault::corrupt);
    EXPECT_EQ(session.ask_json("SELECT '{\"a\": [1]}'::jsonb").value()["a"][0], 1);
    EXPECT_EQ(session.ask("SHOW search_path; SHOW timezone").value(), "\nUTC");
}

TEST(SqlSession, CarriesRowsFromOneToTheOtherAsTheyAre) {
    SqlSession from = opened(), to = opened();
    ASSERT_TRUE(to.execute("CREATE TEMP TABLE t (a text, b bytea)"));
    const std::string odd = R"(SELECT E'\\.' AS a, '\x00ff'::bytea AS b UNION ALL SELECT E'\t\r\n\\N', NULL UNION ALL
                               SELECT repeat('long ', 100000), '' UNION ALL SELECT NULL, NULL)";
    ASSERT_TRUE(from.begin_rows(odd));
    ASSERT_TRUE(to.begin_filling("t (a, b)"));
    while (const auto row = from.next_row().value()) ASSERT_TRUE(to.fill(*row));
    EXPECT_EQ(to.end_filling().value(), 4u);
    const std::string digest = "SELECT md5(string_agg(x::text, '|' ORDER BY x::text COLLATE \"C\")) FROM (";
    EXPECT_EQ(to.ask(digest + "SELECT a, b FROM t) AS x").value(), from.ask(digest + odd + ") AS x").value());
}

TEST(SqlSession, TextsAndNamesStayWhatTheyAre) {
    SqlSession session = opened();
    for (const std::string text :
         {"it's", "back\\slash", "\\! ls", ":name :'name'", "$$ $1 \"q\"", "two\nlines;", "ü"}) {
        EXPECT_EQ(session.ask("SELECT " + sql_literal(text)).value(), text);
        EXPECT_EQ(session.ask("SELECT x FROM (SELECT 1 AS " + sql_name(text) + ") AS t (x)").value(), "1") << text;
        EXPECT_TRUE(session.execute(sql_statement("SELECT " + sql_literal(text) + "; SELECT 2"))) << text;
    }
}

TEST(SqlSession, TheServersNoEndsItWithTheServersWords) {
    SqlSession session = opened();
    ASSERT_TRUE(session.execute("CREATE TEMP TABLE t (id int PRIMARY KEY)"));
    const auto twice = session.execute("INSERT INTO t VALUES (1), (1)");
    ASSERT_FALSE(twice);
    EXPECT_EQ(twice.error().fault, Fault::refused);
    EXPECT_EQ(twice.error().message,
              "here: duplicate key value violates unique constraint \"t_pkey\": Key (id)=(1) already exists.");
    EXPECT_FALSE(session.ask("SELECT 1")) << "it is spent";

    SqlSession filling = opened();
    ASSERT_TRUE(filling.execute("CREATE TEMP TABLE t (id int)"));
    ASSERT_TRUE(filling.begin_filling("t"));
    ASSERT_TRUE(filling.fill("1"));
    ASSERT_TRUE(filling.fill("no number"));
    const auto wrong = filling.end_filling();
    ASSERT_FALSE(wrong);
    EXPECT_THAT(wrong.error().message, HasSubstr("invalid input syntax for type integer: \"no number\""));
}

TEST(SqlSession, OneThatTakesTooLongEnds) {
    SqlSession session = opened(2s);
    const auto late = session.ask("SELECT pg_sleep(60)");
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().fault, Fault::unavailable);
}

TEST(SqlSession, WhatPsqlSaysDecidesTheFault) {
    const auto fault = [](const char* said) { return error_of_psql("here", said).fault; };
    EXPECT_EQ(fault("ERROR:  40P01: deadlock detected\nDETAIL:  Process 1 waits\nLOCATION:  x, y.c:1\n"),
              Fault::conflict);
    EXPECT_EQ(fault("FEHLER:  55P03: Sperre\n"), Fault::conflict) << "whatever the language";
    EXPECT_EQ(fault("ERROR:  40001: could not serialize access\n"), Fault::conflict);
    EXPECT_EQ(fault("ERROR:  42501: permission denied for table t\n"), Fault::not_allowed);
    EXPECT_EQ(fault("ERROR:  57014: canceling statement due to statement timeout\n"), Fault::unavailable);
    EXPECT_EQ(fault("FATAL:  57P01: terminating connection\n"), Fault::unavailable);
    EXPECT_EQ(fault("psql: error: connection to server failed\n"), Fault::unavailable);
    EXPECT_EQ(fault(""), Fault::unavailable);
    const Error error = error_of_psql("live", "ERROR:  23503: no\nDETAIL:  Key (a)=(1).\nHINT:  do\n");
    EXPECT_EQ(error.message, "live: no: Key (a)=(1).");
    EXPECT_EQ(error.hint, "do");
}

}  // namespace
}  // namespace kedge::recover
