#include <gtest/gtest.h>

#include <set>

#include "cli/cli_world.h"
#include "cli/exit_code.h"
#include "cli/table.h"
#include "cli/text.h"

namespace kedge {
namespace {

TEST(Text, CountsColumnsAndNotBytes) {
    know_widths();
    EXPECT_EQ(display_width("kedge"), 5u);
    EXPECT_EQ(display_width("✔ ü"), 3u);
    EXPECT_EQ(display_width("漢字"), 4u);
    EXPECT_EQ(display_width("e\u0301"), 1u);
    EXPECT_EQ(display_width("\xff\xfe"), 2u);
}

TEST(Text, MakesControlCharactersHarmless) {
    EXPECT_EQ(printable("a\x1b[2Jb\nc\td"), "a\\x1b[2Jb c d");
    EXPECT_EQ(printable("\xc2\x9b"
                        "1m"),
              "\\x9b1m");
    EXPECT_EQ(printable("\xff ok"), "\\xff ok");
    EXPECT_EQ(printable("safe\u202Eevil"), "safe\\u202eevil");
    EXPECT_EQ(printable("Zürich ✔"), "Zürich ✔");
}

TEST(Text, IsCutAtAWidth) {
    know_widths();
    EXPECT_EQ(shortened("regional-failover", 8, Charset::utf8), "regiona…");
    EXPECT_EQ(shortened("regional-failover", 8, Charset::ascii), "regiona~");
    EXPECT_EQ(shortened("漢字漢字", 4, Charset::utf8), "漢…");
    EXPECT_EQ(shortened("short", 8, Charset::utf8), "short");
    EXPECT_EQ(shortened("x", 0, Charset::utf8), "");
}

TEST(Text, IsBrokenBetweenWords) {
    EXPECT_EQ(wrapped("one two three", 7), (std::vector<std::string>{"one two", "three"}));
    EXPECT_EQ(wrapped("abcdefghij", 4), (std::vector<std::string>{"abcd", "efgh", "ij"}));
    EXPECT_EQ(wrapped("", 4), (std::vector<std::string>{""}));
}

Table sample() {
    Table table({{"RUN"}, {"TOOK", Align::right}, {"SAYS"}});
    table.add({"r-1", "4 s", "the target shows the effect, and the standby follows it"});
    table.add({Cell("r-22", Tone::strong), "12 s", Cell("lost\x1b[31m", Tone::bad)});
    return table;
}

TEST(Table, IsAsWideAsItsTextsWhenNobodyLooks) {
    EXPECT_EQ(sample().rendered({}),
              "RUN   TOOK  SAYS\n"
              "r-1    4 s  the target shows the effect, and the standby follows it\n"
              "r-22  12 s  lost\\x1b[31m\n");
}

TEST(Table, BreaksItsLastColumnOnANarrowTerminal) {
    EXPECT_EQ(sample().rendered({.interactive = true, .columns = 40}),
              "RUN   TOOK  SAYS\n"
              "r-1    4 s  the target shows the effect,\n"
              "            and the standby follows it\n"
              "r-22  12 s  lost\\x1b[31m\n");
}

TEST(Table, BecomesBlocksInTwentyColumns) {
    EXPECT_EQ(sample().rendered({.interactive = true, .columns = 20}),
              "RUN:\n  r-1\nTOOK:\n  4 s\nSAYS:\n  the target shows\n  the effect, and\n  the standby\n  follows it\n"
              "\nRUN:\n  r-22\nTOOK:\n  12 s\nSAYS:\n  lost\\x1b[31m\n");
}

TEST(Table, PaintsCellsButNotTheirBlanks) {
    Table table({{"A"}, {"B"}});
    table.add({Cell("x", Tone::good), Cell("y", Tone::bad)});
    EXPECT_EQ(table.rendered({.colour = true}),
              "\x1b[2mA\x1b[0m  \x1b[2mB\x1b[0m\n\x1b[32mx\x1b[0m  \x1b[31my\x1b[0m\n");
}

TEST(Look, HasAWordAndAGlyphInEveryCharset) {
    const Mark waiting = mark_of(StepState::waiting);
    EXPECT_EQ(shown(waiting, {.charset = Charset::utf8}), "◷ waiting");
    EXPECT_EQ(shown(waiting, {}), "@ waiting");
    EXPECT_EQ(shown(waiting, {.colour = true}), "\x1b[35m@ waiting\x1b[0m");
}

TEST(Look, NeverShowsTheUnknownAsGoodOrBad) {
    EXPECT_EQ(mark_of(Truth::unknown).tone, Tone::unknown);
    EXPECT_EQ(mark_of(StepState::unknown).tone, Tone::unknown);
}

Surface surface_with(const Variables& environment, bool terminal, ColourChoice choice = ColourChoice::automatic) {
    std::ostringstream out;
    std::istringstream in;
    const SystemClock clock;
    const Surroundings around{.out = out,
                              .errors = out,
                              .in = in,
                              .environment = environment,
                              .clock = clock,
                              .window =
                                  [] {
                                      return WindowSize{20, 7};
                                  },
                              .interrupted = [] { return false; },
                              .catch_interrupt = [] {}};
    return surface_of(around, terminal, choice);
}

TEST(Surface, FollowsTheCustomsForColour) {
    EXPECT_TRUE(surface_with({{"TERM", "xterm"}}, true).colour);
    EXPECT_FALSE(surface_with({{"TERM", "xterm"}}, false).colour);
    EXPECT_FALSE(surface_with({{"TERM", "dumb"}}, true).colour);
    EXPECT_FALSE(surface_with({{"NO_COLOR", "1"}, {"CLICOLOR_FORCE", "1"}}, true).colour);
    EXPECT_TRUE(surface_with({{"NO_COLOR", ""}, {"CLICOLOR_FORCE", "1"}}, false).colour);
    EXPECT_TRUE(surface_with({{"NO_COLOR", "1"}}, false, ColourChoice::always).colour);
    EXPECT_FALSE(surface_with({{"CLICOLOR_FORCE", "1"}}, true, ColourChoice::never).colour);
}

TEST(Surface, TakesCharactersFromTheLocaleAndTheSizeFromTheWindow) {
    EXPECT_EQ(surface_with({{"LANG", "de_DE.UTF-8"}}, true).charset, Charset::utf8);
    EXPECT_EQ(surface_with({{"LANG", "de_DE.UTF-8"}, {"LC_ALL", "C"}}, true).charset, Charset::ascii);
    EXPECT_EQ(surface_with({}, true).charset, Charset::ascii);
    EXPECT_EQ(surface_with({}, true).columns, 20u);
    EXPECT_FALSE(surface_with({{"TERM", "dumb"}}, true).interactive);
}

// Scripts rely on the numbers: a new code may be added, an old one never changes.
TEST(ExitCodes, KeepTheirNumbersAndEachHasAMeaning) {
    const std::pair<ExitCode, int> codes[] = {
        {ExitCode::ok, 0},
        {ExitCode::failed, 1},
        {ExitCode::usage, 2},
        {ExitCode::invalid_input, 3},
        {ExitCode::not_found, 4},
        {ExitCode::not_allowed, 5},
        {ExitCode::conflict, 6},
        {ExitCode::refused, 7},
        {ExitCode::waiting, 8},
        {ExitCode::compensated, 9},
        {ExitCode::not_compensated, 10},
        {ExitCode::outcome_unknown, 11},
        {ExitCode::timed_out, 12},
        {ExitCode::objective_missed, 13},
        {ExitCode::unreachable, 14},
        {ExitCode::negative, 15},
        {ExitCode::unverifiable, 16},
        {ExitCode::interrupted, 130},
    };
    std::set<std::string_view> meanings;
    for (const auto& [code, number] : codes) {
        EXPECT_EQ(static_cast<int>(code), number);
        EXPECT_TRUE(meanings.insert(meaning(code)).second) << number << " means what another one means";
        EXPECT_FALSE(meaning(code).empty()) << number;
    }
}

TEST(ExitCodes, SayWhatKindOfFaultEndedACommand) {
    const std::pair<Fault, ExitCode> faults[] = {
        {Fault::invalid_input, ExitCode::invalid_input},
        {Fault::not_found, ExitCode::not_found},
        {Fault::conflict, ExitCode::conflict},
        {Fault::refused, ExitCode::refused},
        {Fault::not_allowed, ExitCode::not_allowed},
        {Fault::unavailable, ExitCode::failed},
        {Fault::outcome_unknown, ExitCode::outcome_unknown},
        {Fault::corrupt, ExitCode::negative},
    };
    for (const auto& [fault, code] : faults) EXPECT_EQ(exit_code_of(fault), code);
}

}  // namespace
}  // namespace kedge
