// A real supervisor and real processes; the programs are those that every machine has.
#include "lab/supervisor.h"

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "lab/observe.h"
#include "lab/supervisor_client.h"
#include "os/files.h"

namespace kedge::lab {
namespace {

using namespace std::chrono_literals;

Until soon() {
    return kedge::within(20s);
}

// A copy of the lab's program stands beside the tests' directory.
std::string own_program() {
    return KEDGE_LAB_PROGRAM;
}

class Supervised : public testing::Test {
protected:
    void SetUp() override {
        char name[] = "/tmp/kedge-supervisor-XXXXXX";
        directory_ = mkdtemp(name);
        ASSERT_TRUE(start_supervisor(directory_, own_program()));
        client_.emplace(directory_);
    }
    void TearDown() override {
        if (client_->status(soon())) {
            EXPECT_TRUE(client_->shut_down(soon()));
        }
        while (waitpid(-1, nullptr, 0) > 0) {
        }
        EXPECT_EQ(marked(), 0U) << "something survived the supervisor";
        EXPECT_TRUE(remove_tree(directory_));
    }

    void define(const std::string& name, const Arguments& arguments, const std::string& site = "us-east-1") {
        ASSERT_TRUE(make_directories(directory_ + "/" + name));
        const Result<void> defined = client_->define(
            {.name = name, .site = site, .arguments = arguments, .directory = directory_ + "/" + name}, soon());
        ASSERT_TRUE(defined) << defined.error().message;
    }
    void start(const std::string& name) {
        const Result<ProcessId> started = client_->start(name, soon());
        ASSERT_TRUE(started) << started.error().message;
    }
    void run(const std::string& name, const Arguments& arguments, const std::string& site = "us-east-1") {
        define(name, arguments, site);
        start(name);
    }
    ComponentStatus status(const std::string& name) {
        const Result<SupervisorStatus> all = client_->status(soon());
        if (all)
            for (const ComponentStatus& one : all->components)
                if (one.name == name) return one;
        return {};
    }
    void await_processes(const std::string& name, std::int64_t count) {
        const Result<void> there =
            wait_for(name, soon(), [&]() -> Result<bool> { return status(name).processes == count; });
        ASSERT_TRUE(there) << there.error().message;
    }
    // Every process that carries the marker of one of our components, or of this one.
    std::vector<Process> all_marked(const std::string& component = "") {
        std::vector<Process> all = processes_of(geteuid()).value_or({});
        std::erase_if(
            all, [&](const Process& process) { return !process.marker.starts_with(directory_ + "#" + component); });
        return all;
    }
    std::size_t marked() { return all_marked().size(); }

    std::string directory_;
    std::optional<SupervisorClient> client_;
};

// Five at its end and never five before it: the one that forks and leaves does so first, while the shell waits for it.
const Arguments tree = {"/bin/sh", "-c", "(sleep 100 & exit); sleep 100 & setsid sleep 100 & sleep 100"};

TEST_F(Supervised, KillsAWholeTreeAndKnowsThatItIsGone) {
    run("tree", tree);
    await_processes("tree", 5);
    const Result<KillReport> report = client_->kill({"tree"}, soon());
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->processes, 5);
    EXPECT_EQ(marked(), 0U);
    EXPECT_EQ(status("tree").phase, Phase::killed);
}

TEST_F(Supervised, KillsOrphansWhoseFirstProcessIsGone) {
    run("tree", {"/bin/sh", "-c", "setsid sleep 100 & exit 0"});
    await_processes("tree", 1);
    ASSERT_TRUE(wait_for("the first to end", soon(), [&]() -> Result<bool> { return !status("tree").first; }));
    EXPECT_EQ(client_->start("tree", soon()).error().fault, Fault::conflict) << "part of it still runs";
    EXPECT_EQ(client_->kill({"tree"}, soon())->processes, 1);
    EXPECT_EQ(marked(), 0U);
}

TEST_F(Supervised, KillsEverythingOfASiteAndNothingElse) {
    run("east-one", {"/bin/sleep", "100"});
    run("east-two", tree);
    run("west", {"/bin/sleep", "100"}, "us-west-2");
    await_processes("east-two", 5);
    EXPECT_EQ(client_->kill_site(Site::east, soon())->processes, 6);
    EXPECT_EQ(status("west").processes, 1);
    EXPECT_EQ(status("east-one").phase, Phase::killed);
}

TEST_F(Supervised, AFenceHoldsUntilItIsLowered) {
    run("server", tree);
    await_processes("server", 5);
    EXPECT_EQ(client_->look_at_fence("server", soon())->fenced, Truth::no);
    const Result<FenceReport> raised = client_->raise_fence("server", soon());
    ASSERT_TRUE(raised) << raised.error().message;
    EXPECT_EQ(raised->fenced, Truth::yes);
    EXPECT_NE(raised->proof.find("5 processes"), std::string::npos) << raised->proof;
    EXPECT_EQ(client_->start("server", soon()).error().fault, Fault::refused);
    EXPECT_EQ(client_->look_at_fence("server", soon())->fenced, Truth::yes);
    ASSERT_TRUE(client_->lower_fence("server", soon()));
    EXPECT_EQ(client_->look_at_fence("server", soon())->fenced, Truth::no);
    start("server");
}

TEST_F(Supervised, AFenceIsNoProofWhileAProcessRunsThatSomebodyElseStarted) {
    define("server", {"/bin/sleep", "100"});
    ASSERT_TRUE(client_->raise_fence("server", soon()));
    Result<Child> intruder = Child::spawn(
        {"/bin/sleep", "100"}, {.environment = {std::string(marker_name) + "=" + marker_of(directory_, "server")}});
    ASSERT_TRUE(intruder);
    const Result<FenceReport> look = client_->look_at_fence("server", soon());
    EXPECT_EQ(look->fenced, Truth::no);
    EXPECT_NE(look->proof.find(std::to_string(intruder->pid())), std::string::npos);
    EXPECT_EQ(client_->raise_fence("server", soon())->fenced, Truth::yes) << "raising it again kills the intruder";
}

TEST_F(Supervised, AProcessInTheDirectoryIsNotKilledForThat) {
    define("server", {"/bin/sleep", "100"});
    Result<Child> bystander =
        Child::spawn({"/bin/cat"}, {.input = Redirect::pipe(), .directory = directory_ + "/server"});
    ASSERT_TRUE(bystander);
    EXPECT_EQ(client_->raise_fence("server", soon())->fenced, Truth::yes);
    EXPECT_FALSE(bystander->wait(kedge::within(0s)));
}

TEST_F(Supervised, StopsInOrderAndSaysWhenSomebodyDoesNotGo) {
    run("polite", {"/bin/sleep", "100"});
    EXPECT_TRUE(client_->stop("polite", soon()));
    EXPECT_EQ(status("polite").phase, Phase::stopped);
    EXPECT_TRUE(client_->stop("polite", soon())) << "stopping a stopped one is no error";

    run("deaf", {"/bin/sh", "-c", "trap '' TERM; echo ready > ready; while :; do sleep 1; done"});
    ASSERT_TRUE(wait_for("the trap", soon(), [&]() -> Result<bool> { return exists(directory_ + "/deaf/ready"); }));
    const Result<void> stopped = client_->stop("deaf", kedge::within(400ms));
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().fault, Fault::outcome_unknown);
    EXPECT_TRUE(client_->kill({"deaf"}, soon()));
}

TEST_F(Supervised, PausesAndContinuesAWholeTree) {
    run("tree", tree);
    await_processes("tree", 5);
    const auto stopped = [&] {
        return std::ranges::count(all_marked("tree"), 'T', [](const Process& process) { return process.state; });
    };
    ASSERT_TRUE(client_->pause("tree", soon()));
    EXPECT_EQ(stopped(), 5);
    EXPECT_EQ(status("tree").phase, Phase::paused);
    ASSERT_TRUE(client_->resume("tree", soon()));
    EXPECT_EQ(stopped(), 0);
    EXPECT_EQ(status("tree").phase, Phase::running);
}

TEST_F(Supervised, APausedTreeCanBeKilled) {
    run("tree", tree);
    await_processes("tree", 5);
    ASSERT_TRUE(client_->pause("tree", soon()));
    EXPECT_EQ(client_->kill({"tree"}, soon())->processes, 5);
    EXPECT_EQ(client_->resume("tree", soon()).error().fault, Fault::refused);
}

TEST_F(Supervised, SeesOneThatFailsByItself) {
    run("broken", {"/bin/sh", "-c", "echo it is broken; exit 3"});
    ASSERT_TRUE(wait_for("its end", soon(), [&]() -> Result<bool> { return status("broken").phase == Phase::failed; }));
    EXPECT_EQ(status("broken").exit, "exit code 3");
    EXPECT_EQ(*read_file(directory_ + "/broken/output.log"), "it is broken\n");
}

TEST_F(Supervised, BarsForEachReasonApart) {
    define("server", {"/bin/sleep", "100"});
    ASSERT_TRUE(client_->bar("server", "one", soon()));
    ASSERT_TRUE(client_->bar("server", "two", soon()));
    ASSERT_TRUE(client_->unbar("server", "one", soon()));
    EXPECT_EQ(client_->start("server", soon()).error().fault, Fault::refused);
    ASSERT_TRUE(client_->unbar("server", "two", soon()));
    start("server");
}

TEST_F(Supervised, RefusesWhatItDoesNotKnow) {
    EXPECT_EQ(client_->start("nobody", soon()).error().fault, Fault::not_found);
    EXPECT_EQ(client_->kill({"nobody"}, soon()).error().fault, Fault::not_found);
    EXPECT_EQ(ask(directory_ + "/supervisor.sock", {{"do", "dance"}}, soon()).error().fault, Fault::invalid_input);
    EXPECT_EQ(ask(directory_ + "/supervisor.sock", {{"do", "define"}}, soon()).error().fault, Fault::invalid_input);
}

TEST_F(Supervised, IsAloneInItsDirectory) {
    EXPECT_EQ(start_supervisor(directory_, own_program()).error().fault, Fault::conflict);
    EXPECT_TRUE(client_->status(soon())) << "the first one still serves";
}

TEST_F(Supervised, TakesEverythingWithItWhenItIsKilled) {
    run("server", {"/bin/sleep", "100"});
    const Json state = *parse_json(*read_file(directory_ + "/state.json"));
    const Result<ProcessHandle> supervisor = ProcessHandle::open(*parse_process_id(state["supervisor"]));
    ASSERT_TRUE(supervisor);
    ASSERT_TRUE(supervisor->signal(SIGKILL));
    ASSERT_TRUE(wait_for("its children to end", soon(), [&]() -> Result<bool> { return marked() == 0; }));
    // A question that reaches the socket while the dead one's is still being closed has no answer either.
    ASSERT_TRUE(wait_for("nobody to answer", soon(), [&]() -> Result<bool> {
        const auto status = client_->status(soon());
        return !status && status.error().fault == Fault::unavailable;
    }));
    EXPECT_EQ(state["components"][0]["recorded"].size(), 1U) << "who clears up needs the record";
}

TEST_F(Supervised, MakesTheDiskOfOneSlow) {
    // Each round is one fsync.
    run("writer", {"/bin/sh", "-c", "while :; do echo . >> f; sync f; echo . >> rounds; done"});
    const auto rounds = [&] { return read_file(directory_ + "/writer/rounds").value_or("").size(); };
    ASSERT_TRUE(wait_for("a first round", soon(), [&]() -> Result<bool> { return rounds() > 0; }));
    const Result<void> slowed = client_->slow_disk("writer", 300ms, soon());
    if (!slowed) GTEST_SKIP() << slowed.error().message;
    const std::size_t before = rounds();
    const SystemClock clock;
    const Moment start = clock.now();
    ASSERT_TRUE(wait_for("three rounds", soon(), [&]() -> Result<bool> { return rounds() >= before + 8; }));
    EXPECT_GE(clock.now() - start, 900ms);
    ASSERT_TRUE(client_->slow_disk("writer", Span::zero(), soon()));
}

}  // namespace
}  // namespace kedge::lab
