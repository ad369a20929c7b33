#include "backup/verdicts.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "os/files.h"

namespace kedge::backup {
namespace {

class Memory : public testing::Test {
public:
    Memory() {
        std::string pattern = (std::filesystem::temp_directory_path() / "kedge-verdicts-XXXXXX").string();
        state = mkdtemp(pattern.data());
    }
    ~Memory() override { std::filesystem::remove_all(state); }

protected:
    std::string state;
};

Judgement judgement(const std::string& name, Truth holds, int hour = 1) {
    return {.name = name,
            .fingerprint = "f",
            .digest = "d",
            .at = Moment(std::chrono::hours(hour)),
            .read_at = Moment(std::chrono::minutes(5)),
            .taken = Moment(std::chrono::minutes(3)),
            .bytes = 7,
            .rung = "restored",
            .answers = {{"fresh", Truth::yes, "it is 3 min old", {{"age_seconds", 180}}}, {"intact", holds, "?"}}};
}

TEST_F(Memory, KeepsWhatWasJudged) {
    EXPECT_TRUE(read_verdicts(state, "nightly")->judgements.empty());
    const LockFile lock = std::move(lock_policy(state, "nightly").value());
    Verdicts verdicts;
    verdicts.add(judgement("a", Truth::yes));
    verdicts.add(judgement("b", Truth::no));
    verdicts.add(judgement("a", Truth::unknown, 2));
    ASSERT_TRUE(write_verdicts(state, "nightly", verdicts));
    const Verdicts read = read_verdicts(state, "nightly").value();
    ASSERT_EQ(read.judgements.size(), 2u) << "a backup has one judgement, its newest";
    EXPECT_EQ(read.judgements[0].name, "a");
    EXPECT_EQ(read.of("a")->at, Moment(std::chrono::hours(2)));
    EXPECT_EQ(read.of("a")->holds(), Truth::unknown);
    EXPECT_EQ(read.of("b")->holds(), Truth::no);
    EXPECT_EQ(read.of("b")->answer("fresh")->evidence["age_seconds"], 180);
    EXPECT_EQ(read.of("b")->taken, Moment(std::chrono::minutes(3)));
    EXPECT_EQ(read.of("b")->read_at, Moment(std::chrono::minutes(5))) << "else it is read again every time";
    EXPECT_EQ(read.of("c"), nullptr);
}

TEST_F(Memory, IsNotTakenForEmptyWhenItIsDamaged) {
    ASSERT_TRUE(make_directories(state + "/backups"));
    const std::string unlikely =
        R"({"version":1,"judgements":[{"name":"a","fingerprint":"f","bytes":1,"at":"1970-01-01T00:00:00Z",)"
        R"("answers":[{"question":"q","says":"s","holds":"maybe"}]}]})";
    for (const std::string& text : {std::string(), std::string("{"), std::string(R"({"version":2})"),
                                    std::string(R"({"version":1,"judgements":[{}]})"), unlikely}) {
        ASSERT_TRUE(write_file_atomically(state + "/backups/nightly.json", text));
        const auto read = read_verdicts(state, "nightly");
        ASSERT_FALSE(read) << text;
        EXPECT_EQ(read.error().fault, Fault::corrupt);
    }
}

TEST_F(Memory, LetsOneAtATimeWorkOnAPolicy) {
    EXPECT_FALSE(*is_policy_locked(state, "nightly"));
    const auto first = lock_policy(state, "nightly");
    ASSERT_TRUE(first);
    EXPECT_TRUE(*is_policy_locked(state, "nightly"));
    EXPECT_EQ(lock_policy(state, "nightly").error().fault, Fault::conflict);
    EXPECT_TRUE(lock_policy(state, "weekly"));
}

}  // namespace
}  // namespace kedge::backup
