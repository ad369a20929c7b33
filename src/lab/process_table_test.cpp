// Processes that change while they are looked at.
#include "lab/process_table.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "os/process.h"

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

}  // namespace
}  // namespace kedge::lab
