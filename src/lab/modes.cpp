#include "lab/modes.h"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "lab/archive.h"
#include "lab/builder.h"
#include "lab/deployment.h"
#include "lab/relay.h"
#include "lab/slow_disk.h"
#include "os/files.h"

namespace kedge::lab {
namespace {

using std::chrono::seconds;
using Words = std::span<const std::string>;

constexpr Span build_deadline = seconds{120};
constexpr Span control_deadline = seconds{60};

void print_line(const std::string& text) {
    fmt::print("{}\n", text);
    std::fflush(stdout);
}

int complain(const Error& error) {
    fmt::print(stderr, "{}\n", error.message);
    return 1;
}

int build(Words words) {
    Builder builder({words[0]}, [](std::string_view component, std::string_view what) {
        print_line(dump(Json{{"component", component}, {"what", what}}));
    });
    const Result<void> built = builder.build(kedge::within(build_deadline));
    print_line(dump(built ? Json{{"ok", true}} : to_json(built.error())));
    return built ? 0 : 1;
}

int relay(Words words) {
    signal(SIGPIPE, SIG_IGN);
    const Result<std::unique_ptr<Relay>> relay = Relay::open(lab_routes(), Layout{words[0]}.relay_socket());
    if (!relay) return complain(relay.error());
    (*relay)->run();
    return 0;
}

int archive(Words words) {
    const std::optional<Site> site = parse_site(words[1]);
    if (!site) return complain({Fault::invalid_input, "no site " + words[1]});
    const Result<void> archived = archive_segment({words[0]}, *site, words[2], words[3]);
    return archived ? 0 : complain(archived.error());
}

int restore(Words words) {
    const std::optional<Site> site = parse_site(words[1]);
    if (!site) return complain({Fault::invalid_input, "no site " + words[1]});
    const Result<void> restored = restore_segment({words[0]}, *site, words[2], words[3]);
    if (restored) return 0;
    // PostgreSQL asks for segments that do not exist yet all the time: that is no line for its log.
    return restored.error().fault == Fault::not_found ? 1 : complain(restored.error());
}

constexpr int done = 0, no = 1, unknown = 2;

int outcome(const Result<void>& result, const std::string& sentence) {
    if (result) {
        print_line(sentence);
        return done;
    }
    print_line(result.error().message);
    const bool said_no = result.error().fault == Fault::refused || result.error().fault == Fault::conflict ||
                         result.error().fault == Fault::not_found;
    return said_no ? no : unknown;
}

int fence_outcome(const Result<FenceReport>& report) {
    if (!report) return outcome(report.error(), {});
    print_line(report->proof);
    return report->fenced == Truth::yes ? done : report->fenced == Truth::no ? no : unknown;
}

int is_running(const SupervisorClient& supervisor, const std::string& component, const Until& until) {
    const Result<SupervisorStatus> status = supervisor.status(until);
    if (!status) return outcome(status.error(), {});
    for (const ComponentStatus& one : status->components) {
        if (one.name != component) continue;
        print_line(fmt::format("{}: {}, {} processes", component, to_string(one.phase), one.processes));
        return one.processes > 0 ? done : no;
    }
    return outcome(Error{Fault::not_found, fmt::format("no component {}", component)}, {});
}

Result<void> without_value(const Result<ProcessId>& result) {
    if (!result) return result.error();
    return {};
}

int control(Words words) {
    const SupervisorClient supervisor(words[0]);
    const std::string &verb = words[1], &component = words[2];
    const Until until = kedge::within(control_deadline);
    if (verb == "start") return outcome(without_value(supervisor.start(component, until)), component + ": started");
    if (verb == "stop") return outcome(supervisor.stop(component, until), component + ": stopped, no process is left");
    if (verb == "running") return is_running(supervisor, component, until);
    if (verb == "fence") return fence_outcome(supervisor.raise_fence(component, until));
    if (verb == "unfence") return outcome(supervisor.lower_fence(component, until), component + ": may start again");
    if (verb == "fenced") return fence_outcome(supervisor.look_at_fence(component, until));
    return outcome(Error{Fault::invalid_input, fmt::format("no verb '{}'", verb)}, {});
}

int deploy(Words words) {
    const std::optional<Site> site = parse_site(words[1]);
    if (!site) return complain({Fault::invalid_input, "no site " + words[1]});
    return outcome(deploy_release({words[0]}, *site, words[2], kedge::within(control_deadline)),
                   fmt::format("release {} runs in {}", words[2], words[1]));
}

int execute(Words words) {
    return complain(execute_under_watch(std::stoi(words[0]), {words.begin() + 1, words.end()}));
}

constexpr std::size_t any_number = 0;
struct Mode {
    std::string_view name;
    std::size_t words;
    int (*run)(Words);
};
constexpr std::array modes = {Mode{"lab-build", 1, build},          Mode{"lab-relay", 1, relay},
                              Mode{"lab-archive", 4, archive},      Mode{"lab-restore", 4, restore},
                              Mode{"lab-control", 3, control},      Mode{"lab-deploy", 3, deploy},
                              Mode{"lab-exec", any_number, execute}};

}  // namespace

std::optional<int> run_mode(int argc, const char* const* argv) {
    const std::vector<std::string> words(argv + 1, argv + std::max(argc, 1));
    for (const Mode& mode : modes)
        if (words.size() > 1 && words.front() == mode.name &&
            (mode.words == any_number || words.size() == mode.words + 1))
            return mode.run(Words(words).subspan(1));
    return std::nullopt;
}

}  // namespace kedge::lab
