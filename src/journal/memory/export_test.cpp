#include "journal/export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "journal/memory/memory_journal.h"

namespace kedge {
namespace {

using testing::HasSubstr;

// An export of 1,200 entries of two runs: more than is read at a time.
std::string exported() {
    MemoryJournal journal(std::make_shared<MemoryStore>());
    const Draft draft{"step.evidence",
                      {{"text", "é\n\"\\"}, {"number", 0.1}, {"large", 18446744073709551615u}, {"none", nullptr}},
                      Moment{Span{1'790'000'000'123'456}}};
    const auto one = journal.begin("r-1", {}, draft, "me");
    const auto two = journal.begin("r-2", {}, draft, "me");
    const std::vector<Draft> many(599, draft);
    EXPECT_TRUE(journal.append(**one, many, {}, Ends::no));
    EXPECT_TRUE(journal.append(**two, many, {}, Ends::no));
    std::ostringstream out;
    const auto summary = export_journal(journal, out);
    EXPECT_EQ(summary->entries, 1200u);
    return out.str();
}

Result<ExportSummary> verified(const std::string& text) {
    std::istringstream in(text);
    return verify_export(in);
}
std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line + "\n");
    return lines;
}
std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) text += line;
    return text;
}

struct Export : testing::Test {
    const std::vector<std::string> lines = lines_of(exported());

    void expect_corrupt(const std::vector<std::string>& damaged, const std::string& words) {
        const auto result = verified(joined(damaged));
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().fault, Fault::corrupt);
        EXPECT_THAT(result.error().message, HasSubstr(words));
    }
};

TEST_F(Export, IsVerifiedWithoutTheJournal) {
    const auto summary = verified(joined(lines));
    ASSERT_TRUE(summary) << summary.error().message;
    EXPECT_EQ(summary->entries, 1200u);
    EXPECT_THAT(lines.back(), HasSubstr(summary->head));
}

TEST_F(Export, OfAnEmptyJournalIsVerifiedToo) {
    std::stringstream stream;
    EXPECT_TRUE(export_journal(MemoryJournal(std::make_shared<MemoryStore>()), stream));
    EXPECT_EQ(verify_export(stream)->entries, 0u);
}

TEST_F(Export, ShowsEveryKindOfDamageWithItsLine) {
    auto damaged = lines;
    damaged[10].replace(damaged[10].find(":0.1"), 4, ":0.2");
    expect_corrupt(damaged, "line 11: journal entry 10 was changed");
    damaged = lines;
    damaged.erase(damaged.begin() + 10);
    expect_corrupt(damaged, "line 11: journal entry 10 is missing");
    damaged = lines;
    std::swap(damaged[10], damaged[11]);
    expect_corrupt(damaged, "line 11: journal entry 10 is missing");
    damaged = lines;
    damaged.insert(damaged.begin() + 10, damaged[9]);
    expect_corrupt(damaged, "line 11: journal entry 10 is missing");
    damaged = lines;
    damaged.pop_back();
    expect_corrupt(damaged, "it was cut off");
    damaged.pop_back();
    damaged.push_back(lines.back());
    expect_corrupt(damaged, "other figures than its 1199 entries");
    damaged = lines;
    damaged.push_back(lines[1]);
    expect_corrupt(damaged, "there is more after the last line");
    damaged = lines;
    damaged.back().pop_back();
    expect_corrupt(damaged, "ends within a line");
    damaged = lines;
    damaged[5].replace(damaged[5].find("T"), 1, " ");
    expect_corrupt(damaged, "the time of entry 5 says otherwise");
    damaged = lines;
    damaged[5] = "{\"position\":5}\n";
    expect_corrupt(damaged, "line 6: a field of the entry is missing");
    damaged = lines;
    damaged[5] = "nonsense\n";
    expect_corrupt(damaged, "line 6: the line is no JSON object");
}

TEST_F(Export, RefusesWhatIsNoExport) {
    for (const char* const text : {"", "\n", "{}\n", "[1]\n", "kedge\n"})
        EXPECT_EQ(verified(text).error().fault, Fault::invalid_input) << text;
    EXPECT_THAT(verified("{\"format\":\"kedge-journal\",\"version\":2}\n").error().message,
                HasSubstr("version 2, this kedge knows 1"));
    const auto endless = verified(std::string(body_bytes_max + 8192, 'x'));
    EXPECT_THAT(endless.error().message, HasSubstr("longer than any entry"));
}

}  // namespace
}  // namespace kedge
