#include "os/process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "os/clock.h"
#include "os/files.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;

std::string temporary_directory() {
    char name[] = "/tmp/kedge-os-XXXXXX";
    return mkdtemp(name);
}

bool runs(pid_t pid) {
    return kill(pid, 0) == 0;
}

bool has_children() {
    return waitpid(-1, nullptr, WNOHANG) == 0 || errno != ECHILD;
}

TEST(OwnProgram, IsThePathOfTheFileThatRuns) {
    const Result<std::string> program = own_program();
    ASSERT_TRUE(program) << program.error().message;
    EXPECT_EQ(program->substr(program->rfind('/') + 1), "os_test");
    struct stat file {
    }, running{};
    ASSERT_EQ(stat(program->c_str(), &file), 0);
    ASSERT_EQ(stat("/proc/self/exe", &running), 0);
    EXPECT_EQ(file.st_ino, running.st_ino);
}

TEST(Run, CollectsWhatAProgramWritesAndHowItEnds) {
    const Result<RunOutput> output = run({"sh", "-c", "echo out; echo err >&2; exit 3"}, within(20s));
    ASSERT_TRUE(output) << output.error().message;
    EXPECT_EQ(output->out, "out\n");
    EXPECT_EQ(output->err, "err\n");
    EXPECT_EQ(output->exit, (Exit{.code = 3, .signal = 0}));
    EXPECT_FALSE(output->truncated);
}

TEST(Run, SendsLongOutputToAFileAndTellsComplaintsAsTheyCome) {
    const std::string directory = temporary_directory(), file = directory + "/out";
    std::string told;
    const Result<RunOutput> output =
        run({"sh", "-c", "echo one >&2; echo out; echo two >&2"}, within(20s),
            {.output_file = file, .on_errors = [&](std::string_view said) { told += said; }});
    ASSERT_TRUE(output) << output.error().message;
    EXPECT_EQ(output->out, "");
    EXPECT_EQ(told, "one\ntwo\n");
    EXPECT_EQ(output->err, told);
    EXPECT_EQ(read_file(file).value_or(""), "out\n");
    EXPECT_TRUE(remove_tree(directory));
}

TEST(Run, FeedsLongInputWhileItReadsTheOutput) {
    const std::string input(3 << 20, 'x');
    const Result<RunOutput> output = run({"cat"}, within(20s), {.input = input});
    ASSERT_TRUE(output);
    EXPECT_EQ(output->out, input);
}

TEST(Run, SurvivesAProgramThatDoesNotReadItsInput) {
    const Result<RunOutput> output = run({"true"}, within(20s), {.input = std::string(3 << 20, 'x')});
    ASSERT_TRUE(output);
    EXPECT_TRUE(output->exit.ok());
}

TEST(Run, DropsOutputBeyondTheCapAndSaysSo) {
    const Result<RunOutput> output =
        run({"head", "-c", "500000", "/dev/zero"}, within(20s), {.output_bytes_max = 1000});
    ASSERT_TRUE(output);
    EXPECT_EQ(output->out.size(), 1000U);
    EXPECT_TRUE(output->truncated);
    EXPECT_TRUE(output->exit.ok());
}

TEST(Run, KillsTheWholeGroupAtTheDeadline) {
    const std::string directory = temporary_directory();
    const Result<RunOutput> output =
        run({"sh", "-c", "sleep 60 & echo $! > " + directory + "/pid; wait"}, within(300ms));
    ASSERT_FALSE(output);
    EXPECT_EQ(output.error().fault, Fault::outcome_unknown);
    EXPECT_NE(output.error().message.find("sh: killed"), std::string::npos);
    const pid_t grandchild = std::stoi(*read_file(directory + "/pid"));
    // It belongs to init now, which reaps it; its death is not ours to await exactly.
    for (int i = 0; i < 200 && runs(grandchild); ++i) {
        const Result<std::string> status = read_file("/proc/" + std::to_string(grandchild) + "/stat");
        if (!status || status->find(") Z") != std::string::npos) break;
        ASSERT_TRUE(run({"sleep", "0.01"}, within(20s)));
    }
    const Result<std::string> status = read_file("/proc/" + std::to_string(grandchild) + "/stat");
    EXPECT_TRUE(!status || status->find(") Z") != std::string::npos);
    ASSERT_TRUE(remove_tree(directory));
}

TEST(Run, DoesNotWaitForABackgroundProcessThatHoldsThePipe) {
    const SystemClock clock;
    const Moment start = clock.now();
    const Result<RunOutput> output = run({"sh", "-c", "sleep 60 & echo done"}, within(20s));
    ASSERT_TRUE(output);
    EXPECT_EQ(output->out, "done\n");
    EXPECT_LT(clock.now() - start, 10s);
}

TEST(Run, EndsWhenItIsAskedToStop) {
    std::stop_source source;
    std::jthread stopper([&] { source.request_stop(); });
    const Result<RunOutput> output = run({"sleep", "60"}, within(30s, source.get_token()));
    ASSERT_FALSE(output);
    EXPECT_EQ(output.error().fault, Fault::outcome_unknown);
}

TEST(Run, LeavesNoZombie) {
    ASSERT_TRUE(run({"true"}, within(20s)));
    ASSERT_FALSE(run({"sleep", "60"}, within(10ms)));
    EXPECT_FALSE(has_children());
}

TEST(Run, NamesAProgramThatIsNotThere) {
    EXPECT_EQ(run({"kedge-no-such-program"}, within(1s)).error().fault, Fault::not_found);
    EXPECT_EQ(run({"/no/such/program"}, within(1s)).error().fault, Fault::not_found);
    EXPECT_EQ(run({}, within(1s)).error().fault, Fault::invalid_input);
    EXPECT_EQ(run({"echo", std::string("a\0b", 3)}, within(1s)).error().fault, Fault::invalid_input);
}

TEST(Run, TellsThatAProgramCannotBeExecuted) {
    const std::string directory = temporary_directory();
    ASSERT_TRUE(write_file_atomically(directory + "/broken", "#!/no/such/interpreter\n", 0700));
    const Result<RunOutput> output = run({directory + "/broken"}, within(20s));
    ASSERT_FALSE(output);
    EXPECT_NE(output.error().message.find("cannot execute"), std::string::npos);
    EXPECT_FALSE(has_children());
    ASSERT_TRUE(remove_tree(directory));
}

TEST(Run, GivesACleanEnvironmentAndNoDescriptors) {
    setenv("KEDGE_TEST_SECRET", "x", 1);
    const Descriptor open_file(dup(1));
    const Result<RunOutput> environment = run({"env"}, within(20s), {.environment = {"TZ=Europe/Berlin", "MORE=1"}});
    const Result<RunOutput> files = run({"ls", "/proc/self/fd"}, within(20s));
    unsetenv("KEDGE_TEST_SECRET");
    ASSERT_TRUE(environment && files);
    EXPECT_EQ(environment->out.find("KEDGE_TEST_SECRET"), std::string::npos);
    EXPECT_NE(environment->out.find("TZ=Europe/Berlin\n"), std::string::npos);
    EXPECT_EQ(environment->out.find("TZ=UTC"), std::string::npos);
    EXPECT_NE(environment->out.find("MORE=1\n"), std::string::npos);
    EXPECT_EQ(files->out, "0\n1\n2\n3\n");  // 3 is the listing itself
}

TEST(Run, GivesDefaultSignals) {
    signal(SIGPIPE, SIG_IGN);
    const Result<RunOutput> output = run({"sh", "-c", "kill -PIPE $$; echo alive"}, within(20s));
    signal(SIGPIPE, SIG_DFL);
    ASSERT_TRUE(output);
    EXPECT_EQ(output->exit.signal, SIGPIPE);
}

TEST(Run, DropsRightsWhereThereAreAny) {
    if (geteuid() != 0) GTEST_SKIP() << "only root can give rights away";
    const Result<Login> nobody = find_login("nobody");
    ASSERT_TRUE(nobody);
    const Result<RunOutput> output = run({"sh", "-c", "id -u; id -G; echo $HOME"}, within(20s), {.login = *nobody});
    ASSERT_TRUE(output);
    EXPECT_EQ(output->out,
              std::to_string(nobody->uid) + "\n" + std::to_string(nobody->gid) + "\n" + nobody->home + "\n");
}

TEST(RunOrFail, TellsTheLastLineOfAFailure) {
    const Result<RunOutput> output =
        run_or_fail({"sh", "-c", "echo first >&2; echo 'it is full' >&2; exit 9"}, within(20s));
    ASSERT_FALSE(output);
    EXPECT_EQ(output.error().message, "sh: exit code 9: it is full");
}

TEST(Child, IsKilledWithItsGroupWhenDropped) {
    pid_t pid = 0;
    {
        Result<Child> child = Child::spawn({"sleep", "60"}, {});
        ASSERT_TRUE(child);
        pid = child->pid();
        EXPECT_FALSE(child->wait(within(0s)));
        EXPECT_TRUE(runs(pid));
    }
    EXPECT_FALSE(runs(pid));
    EXPECT_FALSE(has_children());
}

// The process that spawns is one of the test's own, so that it can be killed: what its child forked must go as well.
TEST(Child, GuardedGroupEndsWithUsWhateverItForked) {
    std::string pattern = "/tmp/kedge-guard-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    const std::string file = pattern + "/pid";
    const pid_t ours = fork();
    if (ours == 0) {
        const auto child =
            Child::spawn({"sh", "-c", "sleep 1000 & echo $! > " + file + "; wait"}, {.guard_group = true});
        while (child) pause();
        _exit(1);
    }
    std::string said;
    const Moment limit = SystemClock{}.now() + 30s;
    while (!said.ends_with('\n') && SystemClock{}.now() < limit) {
        wait_out(within(5ms));
        said = read_file(file).value_or("");
    }
    const auto forked = static_cast<pid_t>(std::stoi(said));
    EXPECT_EQ(kill(forked, 0), 0) << "it lives as long as we do";
    EXPECT_EQ(kill(ours, SIGKILL), 0);
    EXPECT_EQ(waitpid(ours, nullptr, 0), ours);
    const auto state = [&] {
        const std::string status = read_file("/proc/" + std::to_string(forked) + "/stat").value_or("");
        return status.empty() ? 'Z' : status[status.rfind(')') + 2];
    };
    while (state() != 'Z' && SystemClock{}.now() < limit) wait_out(within(5ms));
    EXPECT_EQ(state(), 'Z') << "gone, or a zombie that nobody collects in this environment";
    EXPECT_TRUE(remove_tree(pattern));
}

TEST(Child, TalksThroughItsPipes) {
    Result<Child> child = Child::spawn({"cat"}, {.input = Redirect::pipe(), .output = Redirect::pipe()});
    ASSERT_TRUE(child);
    ASSERT_EQ(write(child->input().get(), "hello", 5), 5);
    child->input().close();
    const std::optional<Exit> exit = child->wait(within(10s));
    ASSERT_TRUE(exit);
    EXPECT_TRUE(exit->ok());
    char buffer[16];
    EXPECT_EQ(read(child->output().get(), buffer, sizeof buffer), 5);
}

TEST(Child, AppendsItsOutputToAFile) {
    const std::string directory = temporary_directory();
    for (const char* word : {"one", "two"}) {
        Result<Child> child = Child::spawn({"echo", word}, {.output = Redirect::append_to(directory + "/log")});
        ASSERT_TRUE(child);
        ASSERT_TRUE(child->wait(within(10s)));
    }
    EXPECT_EQ(*read_file(directory + "/log"), "one\ntwo\n");
    ASSERT_TRUE(remove_tree(directory));
}

}  // namespace
}  // namespace kedge
