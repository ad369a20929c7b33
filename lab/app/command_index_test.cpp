// The driver `command` with this application's own index, on a real server.
#include "targets/command/command_index.h"

#include <gmock/gmock.h>

#include <csignal>
#include <filesystem>

#include "init.h"
#include "knowledge_index.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/wait.h"
#include "targets/index_contract.h"
#include "targets/postgres/scratch_cluster.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

// How many rows a second the jobs read: of 5000.
constexpr const char* pace = "4000";

struct Source {
    Source() {
        server->start();
        check(initialise_database(server->conninfo(), "probe password", SystemClock{}.now() + 30s).has_value(),
              "the lab's tables can be loaded");
    }

    ScratchDirectory directory;
    std::unique_ptr<ScratchServer> server = ScratchServer::initialize(directory, "indexed");
};
// Of all worlds, until one spoils it.
std::shared_ptr<Source>& shared_source() {
    static std::shared_ptr<Source> source;
    if (!source) source = std::make_shared<Source>();
    return source;
}

class CommandIndexWorld final : public IndexWorld {
public:
    CommandIndexWorld() {
        check(make_directories(files_.root).has_value(), "a directory can be made");
        check(run_or_fail(words({"build", "first"}), within(30s)).has_value(), "the index can be built");
    }
    // Nothing that a test started outlives it.
    ~CommandIndexWorld() override { signal_job(SIGKILL); }

    Index& index() override { return index_; }
    Moment after(Span span) const override { return SystemClock{}.now() + span; }
    bool await(const std::function<bool()>& condition) override {
        for (const Moment end = after(30s); !condition(); wait_out(within(10ms)))
            if (SystemClock{}.now() > end) return false;
        return true;
    }
    std::int64_t rows() const override {
        return std::stoll(source_->server->sql("SELECT count(*) FROM knowledge_nodes"));
    }
    void lose_entries() override {
        std::filesystem::remove(files_.serving() + "/" + segments_of(files_.serving()).value()[3]);
    }
    void remove_rows() override {
        shared_source().reset();
        source_->server->sql("DELETE FROM knowledge_nodes WHERE id LIKE 'kn_7%'");
    }
    void hold_job() override { signal_job(SIGSTOP); }
    void let_job_go_on() override { signal_job(SIGCONT); }
    void kill_job() override { check(signal_job(SIGKILL), "a job runs"); }
    void lose_source() override {
        shared_source().reset();
        source_->server->kill();
    }

    const IndexFiles& files() const { return files_; }
    CommandIndexSettings settings() const {
        return {.name = "knowledge",
                .look = words({"look"}),
                .degrade = words({"degrade"}),
                .serve = words({"serve"}),
                .rebuild = words({"rebuild", "${job}", pace}),
                .sample = words({"sample", "${size}"})};
    }

private:
    Arguments words(std::vector<std::string> verb) const {
        Arguments all{KEDGE_LAB_APP_PROGRAM, "--index", files_.root, source_->server->conninfo()};
        all.insert(all.end(), verb.begin(), verb.end());
        return all;
    }
    // The pid of whoever holds the lock stands in it.
    bool signal_job(int signal) const {
        const auto free = FileLock::acquire(files_.lock());
        if (free) return false;
        const auto pid = read_file(files_.lock());
        return pid && kill(std::stoi(*pid), signal) == 0;
    }

    ScratchDirectory directory_;
    const IndexFiles files_{directory_.path() + "/knowledge"};
    std::shared_ptr<Source> source_ = shared_source();
    CommandIndex index_{settings()};
};

INSTANTIATE_TEST_SUITE_P(Command, IndexContract,
                         testing::Values([] { return std::unique_ptr<IndexWorld>(new CommandIndexWorld); }));

TEST(CommandIndex, WhatServedIsKeptUntilTheNextIsBuilt) {
    CommandIndexWorld world;
    world.lose_entries();
    ASSERT_TRUE(world.index().rebuild("again", world.after(30s)));
    ASSERT_TRUE(world.await([&] {
        return world.index().look(world.after(5s))->job.state == JobState::finished && exists(world.files().previous());
    }));
    EXPECT_EQ(KnowledgeIndex::load(world.files().previous())->ids().size(), 4900u);
}

// Between the two renames nothing serves; whoever goes on makes the second.
TEST(CommandIndex, AJobThatDiedWhileItPutItsWorkInPlaceIsFinished) {
    CommandIndexWorld world;
    ASSERT_TRUE(rename_into_place(world.files().serving(), world.files().building()));
    const IndexLook torn = world.index().look(world.after(5s)).value();
    EXPECT_EQ(torn.entries, std::nullopt);
    EXPECT_EQ(torn.job.state, JobState::died);
    EXPECT_FALSE(world.index().sample(10, world.after(5s)));
    ASSERT_TRUE(world.index().rebuild("first", world.after(30s)));
    ASSERT_TRUE(world.await([&] { return world.index().look(world.after(5s))->job.state == JobState::finished; }));
    EXPECT_EQ(world.index().look(world.after(5s))->entries, 5000);
}

TEST(CommandIndex, AnIndexThatCannotBeReadIsUnknown) {
    CommandIndexWorld world;
    const std::string segment = world.files().serving() + "/segment-000002.json";
    const std::string whole = read_file(segment).value();
    ASSERT_TRUE(write_file_atomically(segment, whole.substr(0, whole.size() / 2)));
    EXPECT_EQ(world.index().look(world.after(5s))->entries, std::nullopt);
    const auto sample = world.index().sample(10, world.after(5s));
    ASSERT_FALSE(sample);
    EXPECT_THAT(sample.error().message, HasSubstr("segment-000002.json is no segment"));
    EXPECT_EQ(ServedKnowledge(world.files().root).now().error().fault, Fault::corrupt);

    ASSERT_TRUE(write_file_atomically(world.files().mode(), "perhaps"));
    EXPECT_EQ(world.index().look(world.after(5s))->reachable, Truth::unknown) << "nobody knows in which mode it is";
}

TEST(CommandIndex, AProgramThatIsNotThereLeavesEverythingUnknown) {
    const CommandIndexWorld world;
    CommandIndexSettings settings = world.settings();
    settings.look = settings.degrade = settings.sample = {"/nothing/here"};
    CommandIndex missing(settings);
    const IndexLook look = missing.look(world.after(5s)).value();
    EXPECT_EQ(look.reachable, Truth::unknown);
    EXPECT_THAT(look.says, HasSubstr("/nothing/here"));
    EXPECT_FALSE(missing.set_mode(IndexMode::degraded, world.after(5s)));
    EXPECT_FALSE(missing.sample(10, world.after(5s)));
}

}  // namespace
}  // namespace kedge::lab
