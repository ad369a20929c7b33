// Processes that change while they are looked at.
#include "lab/process_table.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <sstream>
#include <thread>

#include "os/files.h"
#include "os/process.h"
#include "os/wait.h"

namespace kedge::lab {
namespace {

// It becomes the same program again and again, under the same pid.
TEST(ProcessTable, KnowsWhoseAProcessIsWhileItBecomesAnotherProgram) {
    const std::string marker = fmt::format("/nowhere-{}#one", getpid());
    Result<Child> child =
        Child::spawn({"/bin/sh", "-c", "exec /bin/sh -c \"$0\" \"$0\"", "exec /bin/sh -c \"$0\" \"$0\""},
                     {.environment = {fmt::format("{}={}", marker_name, marker)}});
    ASSERT_TRUE(child) << child.error().message;
    for (int look = 0; look < 300; ++look) {
        const std::vector<Process> all = processes_of(geteuid()).value();
        const auto own = std::ranges::find(all, child->pid(), [](const Process& one) { return one.id.pid; });
        ASSERT_NE(own, all.end());
        ASSERT_EQ(own->marker, marker) << "in look " << look;
    }
    child->kill_and_reap();
}

// Its first thread has ended, another goes on.
TEST(ProcessTable, KnowsAProcessWhoseFirstThreadHasEnded) {
    const pid_t child = fork();
    if (child == 0) {
        std::thread([] { pause(); }).detach();
        syscall(SYS_exit, 0);
    }
    const std::string path = fmt::format("/proc/{}/stat", child);
    while (read_file(path).value_or("").find(") Z ") == std::string::npos)
        wait_out(within(std::chrono::milliseconds(1)));
    const std::vector<Process> all = processes_of(geteuid()).value();
    const auto seen = [&](pid_t pid) {
        return std::ranges::find(all, pid, [](const Process& one) { return one.id.pid; });
    };
    ASSERT_NE(seen(child), all.end());
    EXPECT_EQ(seen(child)->program, seen(getpid())->program);
    EXPECT_EQ(seen(child)->directory, seen(getpid())->directory);
    ASSERT_EQ(kill(child, SIGKILL), 0);
    EXPECT_EQ(waitpid(child, nullptr, 0), child);
}

std::size_t resident_pages(pid_t pid) {
    std::istringstream fields(read_file(fmt::format("/proc/{}/statm", pid)).value_or(""));
    std::size_t size = 0, resident = 0;
    fields >> size >> resident;
    return resident;
}

// Much memory takes long to give back; meanwhile it has no environment, no program, and is no zombie yet.
TEST(ProcessTable, KnowsWhoseAProcessIsUntilItHasEnded) {
    const std::string marker = fmt::format("/nowhere-{}#two", getpid());
    Result<Child> child = Child::spawn({"/bin/dd", "if=/dev/zero", "of=/dev/null", "bs=256M", "status=none"},
                                       {.environment = {fmt::format("{}={}", marker_name, marker)}});
    ASSERT_TRUE(child) << child.error().message;
    while (resident_pages(child->pid()) < (256u << 20) / 4096) wait_out(within(std::chrono::milliseconds(5)));
    const Result<ProcessHandle> handle = ProcessHandle::open(identify(child->pid()).value());
    ASSERT_TRUE(handle) << handle.error().message;
    ASSERT_TRUE(handle->signal(SIGKILL));
    const auto is_listed = [&] {
        return std::ranges::any_of(processes_of(geteuid()).value(),
                                   [&](const Process& one) { return one.marker == marker; });
    };
    while (is_listed()) wait_out(within(std::chrono::milliseconds(1)));
    EXPECT_TRUE(handle->has_ended());
    child->kill_and_reap();
}

}  // namespace
}  // namespace kedge::lab
