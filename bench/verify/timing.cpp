#include "timing.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "base/check.h"
#include "os/clock.h"

namespace kedge::verify {

using namespace std::chrono_literals;

namespace {

std::uint64_t peak_of(const Arguments& arguments) {
    Result<Child> child = Child::spawn(arguments, {});
    check(child.has_value(), child ? "" : child.error().message);
    const std::optional<Exit> exit = child->wait(within(10min));
    check(exit.has_value() && exit->ok(), "what is measured ends well");
    // The C library's waitid leaves this out, and the child has to stay for its owner to reap.
    siginfo_t info{};
    struct rusage usage {};
    check(syscall(SYS_waitid, P_PID, child->pid(), &info, WEXITED | WNOWAIT, &usage) == 0, "it has ended");
    return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace

Contender program(std::string name, Arguments arguments) {
    const std::uint64_t peak = peak_of(arguments);
    return {std::move(name),
            [arguments = std::move(arguments)] {
                const auto output = run_or_fail(arguments, within(10min));
                check(output.has_value(), output ? "" : output.error().message);
                return output->took;
            },
            peak};
}

Contender work(std::string name, std::function<void()> once) {
    return {std::move(name), [once] {
                const SystemClock clock;
                const Moment start = clock.now();
                once();
                return clock.now() - start;
            }};
}

std::vector<Timing> time_in_turns(const std::vector<Contender>& contenders, int rounds) {
    std::vector<Timing> timings;
    for (const Contender& contender : contenders) {
        contender.once();
        timings.push_back({contender.name, {}, contender.peak_bytes});
    }
    for (int round = 0; round < rounds; ++round)
        for (std::size_t i = 0; i < contenders.size(); ++i) timings[i].spans.push_back(contenders[i].once());
    for (Timing& timing : timings) std::ranges::sort(timing.spans);
    return timings;
}

void print_table(const std::string& title, std::uint64_t bytes, const std::vector<Timing>& timings) {
    const double megabytes = static_cast<double>(bytes) / 1e6;
    fmt::print("{} ({:.0f} MB, {} rounds in turns)\n\n", title, megabytes, timings.front().spans.size());
    fmt::print("| what | median s | least..most | MB/s | times the first | memory |\n|---|---|---|---|---|---|\n");
    for (const Timing& timing : timings)
        fmt::print("| {} | {:.3f} | {:.3f}..{:.3f} | {:.0f} | {:.2f} | {} |\n", timing.name, seconds(timing.median()),
                   seconds(timing.spans.front()), seconds(timing.spans.back()), megabytes / seconds(timing.median()),
                   seconds(timings.front().median()) / seconds(timing.median()),
                   timing.peak_bytes == 0 ? "" : fmt::format("{} MiB", timing.peak_bytes >> 20));
    fmt::print("\n");
}

}  // namespace kedge::verify
