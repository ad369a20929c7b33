// The ledger of the erased: what it takes, what it says, and that no change to it goes unseen.
#include "erasure/ledger.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "os/files.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const Moment noon = *parse_moment("2026-11-25T12:00:00Z");

ErasureEntry entry(ErasureEvent event, std::string subject = "", std::int64_t finding = 0) {
    return {.at = noon,
            .event = event,
            .subject = std::move(subject),
            .reason = "asked",
            .source = "ticket 7",
            .who = "ana",
            .finding = finding};
}

// A ledger with a little of everything, and its text.
struct Written {
    ErasureLedger ledger;
    std::string text;
    Written() {
        for (ErasureEntry one : {entry(ErasureEvent::erase, "usr_1"), entry(ErasureEvent::erase, "usr_2"),
                                 entry(ErasureEvent::hold, "usr_2"), entry(ErasureEvent::finding),
                                 entry(ErasureEvent::erase, "usr_ü \"3\""), entry(ErasureEvent::acknowledge, "", 4)})
            text += ledger.add(std::move(one)).value() + "\n";
    }
};

TEST(ErasureLedger, NamesTheErasedButThoseThatAHoldKeeps) {
    Written written;
    EXPECT_THAT(written.ledger.erased(), ElementsAre("usr_1", "usr_ü \"3\""));
    EXPECT_THAT(written.ledger.held(), ElementsAre("usr_2"));
    ASSERT_TRUE(written.ledger.add(entry(ErasureEvent::release, "usr_2")));
    EXPECT_THAT(written.ledger.erased(), ElementsAre("usr_1", "usr_2", "usr_ü \"3\""));
    EXPECT_THAT(written.ledger.held(), IsEmpty());
}

TEST(ErasureLedger, ReadsWhatItWrote) {
    const Written written;
    const auto read = ErasureLedger::read(written.text);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->entries().size(), 6u);
    EXPECT_EQ(read->head(), written.ledger.head());
    EXPECT_EQ(read->erased(), written.ledger.erased());
    EXPECT_THAT(read->open_findings(), IsEmpty());
}

TEST(ErasureLedger, TakesOnlyWhatIsNew) {
    Written written;
    const std::string head = written.ledger.head();
    for (const ErasureEntry& one : {entry(ErasureEvent::erase, "usr_1"), entry(ErasureEvent::hold, "usr_2"),
                                    entry(ErasureEvent::release, "usr_1"), entry(ErasureEvent::acknowledge, "", 4),
                                    entry(ErasureEvent::acknowledge, "", 1)})
        EXPECT_EQ(written.ledger.add(one).error().fault, Fault::refused) << to_string(one.event) << " " << one.subject;
    for (const std::string& subject :
         {std::string(""), std::string("a\nb"), std::string("\xff"), std::string(5000, 'x')})
        EXPECT_EQ(written.ledger.add(entry(ErasureEvent::erase, subject)).error().fault, Fault::invalid_input);
    EXPECT_EQ(written.ledger.head(), head) << "nothing of that was taken in";
}

TEST(ErasureLedger, ShowsAnyByteThatWasChanged) {
    const Written written;
    for (std::size_t at = 0; at < written.text.size(); ++at) {
        std::string changed = written.text;
        changed[at] = static_cast<char>(changed[at] ^ 1);
        const auto read = ErasureLedger::read(changed);
        ASSERT_FALSE(read) << "byte " << at << " was changed and nobody noticed";
        EXPECT_EQ(read.error().fault, Fault::corrupt);
    }
}

TEST(ErasureLedger, ShowsLinesThatAreMissingMovedOrTorn) {
    const Written written;
    const auto first = written.text.find('\n') + 1, second = written.text.find('\n', first) + 1;
    const std::string one = written.text.substr(0, first), two = written.text.substr(first, second - first),
                      rest = written.text.substr(second);
    for (const std::string& text : {two + rest, one + rest, two + one + rest, one + one + two + rest,
                                    written.text + "{}\n", written.text.substr(0, written.text.size() - 1)})
        EXPECT_EQ(ErasureLedger::read(text).error().fault, Fault::corrupt);
    EXPECT_THAT(ErasureLedger::read(one + rest).error().message, HasSubstr("line 2"));
}

TEST(ErasureLedger, TakesAllOfSeveralOrNone) {
    Written written;
    const std::string head = written.ledger.head();
    const auto twice =
        written.ledger.add(std::vector{entry(ErasureEvent::erase, "usr_8"), entry(ErasureEvent::erase, "usr_8")});
    EXPECT_EQ(twice.error().fault, Fault::refused);
    EXPECT_EQ(twice.error().message, "usr_8 was given twice");
    const auto known =
        written.ledger.add(std::vector{entry(ErasureEvent::erase, "usr_8"), entry(ErasureEvent::erase, "usr_1")});
    EXPECT_EQ(known.error().message, "usr_1 is in the ledger already");
    EXPECT_EQ(written.ledger.head(), head);
    // What is said of the same person is another thing each time.
    EXPECT_EQ(written.ledger.add(std::vector{entry(ErasureEvent::erase, "usr_8"), entry(ErasureEvent::hold, "usr_8")})
                  ->size(),
              2u);
}

TEST(ErasureFile, IsBegunOnlyInADirectoryThatIsThere) {
    const std::string directory = testing::TempDir() + fmt::format("kedge-erasure-{}", getpid()),
                      path = directory + "/ledger.jsonl";
    const auto gone = ErasureFile::open(path, within(30s));
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().fault, Fault::not_found);
    EXPECT_THAT(gone.error().message, HasSubstr("the directory " + directory + " is not there"));
    EXPECT_THAT(gone.error().hint, HasSubstr("mkdir -p " + directory));
    EXPECT_FALSE(exists(directory));
    std::filesystem::create_directory(directory);
    EXPECT_TRUE(ErasureFile::open(path, within(30s))->was_begun());
    EXPECT_FALSE(ErasureFile::open(path, within(30s))->was_begun());
    std::filesystem::remove_all(directory);
}

TEST(ErasureFile, KeepsWhatWasAddedAndHasOneWriter) {
    const std::string path = testing::TempDir() + fmt::format("kedge-erasure-{}.jsonl", getpid());
    std::filesystem::remove(path);
    EXPECT_EQ(read_ledger(path).error().fault, Fault::not_found) << "no ledger is not an empty one";
    {
        auto file = ErasureFile::open(path, within(30s));
        ASSERT_TRUE(file) << file.error().message;
        EXPECT_EQ(ErasureFile::open(path, within(50ms)).error().fault, Fault::unavailable);
        ASSERT_TRUE(file->add({entry(ErasureEvent::erase, "usr_1"), entry(ErasureEvent::erase, "usr_2")}));
        EXPECT_EQ(file->add({entry(ErasureEvent::erase, "usr_3"), entry(ErasureEvent::erase, "usr_1")}).error().fault,
                  Fault::refused);
    }
    const auto read = read_ledger(path);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_THAT(read->erased(), ElementsAre("usr_1", "usr_2")) << "of an addition that was refused nothing is left";
    ASSERT_TRUE(write_file_atomically(path, "not a ledger\n"));
    EXPECT_EQ(ErasureFile::open(path, within(30s)).error().fault, Fault::corrupt);
    std::filesystem::remove(path);
}

}  // namespace
}  // namespace kedge
