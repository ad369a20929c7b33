// The lab by itself, without the rest of kedge:
//
//   kedge-lab [--name NAME] up | down | status | break FAULT... | heal FAULT... | heal all
#include <fmt/format.h>

#include <csignal>
#include <string>
#include <vector>

#include "lab/breaker.h"
#include "lab/lab.h"
#include "lab/modes.h"

namespace kedge::lab {
namespace {

using kedge::within;
using namespace std::chrono_literals;
using Words = std::vector<std::string>;

int complain(const Error& error) {
    fmt::print(stderr, "kedge-lab: {}\n", error.message);
    if (!error.hint.empty()) fmt::print(stderr, "hint: {}\n", error.hint);
    return 1;
}

int up(const Lab& lab) {
    const SystemClock clock;
    const Moment start = clock.now();
    const Result<void> done = lab.up(
        [&](std::string_view component, std::string_view what) {
            fmt::print("{:>7} {:<20} {}\n", readable(clock.now() - start), component, what);
        },
        within(120s));
    if (!done) return complain(done.error());
    fmt::print("{:>7} the lab is up in {}\n", readable(clock.now() - start), lab.layout().root);
    return 0;
}

int down(const Lab& lab) {
    const Result<std::size_t> ended = lab.down(within(60s));
    if (!ended) return complain(ended.error());
    fmt::print("{} processes ended, nothing is left\n", *ended);
    return 0;
}

int show(const Lab& lab) {
    const Result<LabStatus> status = lab.status(within(30s));
    if (!status) return complain(status.error());
    for (const LabStatus::Line& line : status->lines) {
        std::string barred;
        for (const std::string& reason : line.component.barred) barred += " barred: " + reason;
        fmt::print("{:<20} {:<14} {:<9} {:>3} processes  {:<20} {:<20} {}{}\n", line.component.name,
                   to_string(line.component.phase), line.role, line.component.processes,
                   line.direct.port == 0 ? "" : to_string(line.direct),
                   line.announced.port == 0 ? "" : to_string(line.announced), line.component.exit, barred);
    }
    for (const auto& [name, detail] : status->faults.items()) fmt::print("fault: {} {}\n", name, dump(detail));
    return 0;
}

int inject(const Lab& lab, const Words& words) {
    const Result<LabFault> fault = parse_lab_fault(words);
    if (!fault) return complain(fault.error());
    const Result<FaultReport> report = Breaker(lab).inject(*fault, within(30s));
    if (!report) return complain(report.error());
    fmt::print("{} {}: {}\n", to_string(report->at), report->name, report->sentence);
    return 0;
}

int heal(const Lab& lab, const Words& words) {
    Result<std::vector<std::string>> sentences = std::vector<std::string>{};
    if (words == Words{"all"}) {
        sentences = Breaker(lab).heal_all(within(60s));
    } else {
        const Result<LabFault> fault = parse_lab_fault(words);
        if (!fault) return complain(fault.error());
        sentences = Breaker(lab).heal(*fault, within(60s));
    }
    if (!sentences) return complain(sentences.error());
    for (const std::string& sentence : *sentences) fmt::print("{}\n", sentence);
    return 0;
}

int run(Words words) {
    std::string name(default_lab);
    if (words.size() > 2 && words.front() == "--name") {
        name = words[1];
        words.erase(words.begin(), words.begin() + 2);
    }
    const Result<Lab> lab = Lab::named(name);
    if (!lab) return complain(lab.error());
    if (words == Words{"up"}) return up(*lab);
    if (words == Words{"down"}) return down(*lab);
    if (words == Words{"status"}) return show(*lab);
    if (words.size() > 1 && words.front() == "break") return inject(*lab, {words.begin() + 1, words.end()});
    if (words.size() > 1 && words.front() == "heal") return heal(*lab, {words.begin() + 1, words.end()});
    for (const FaultForm& form : fault_forms())
        fmt::print(stderr, "  break {:<50} {}\n", fmt::format("{} {}", form.name, form.arguments), form.meaning);
    return complain({Fault::invalid_input, "usage: kedge-lab up|down|status|break FAULT...|heal FAULT...|heal all"});
}

}  // namespace
}  // namespace kedge::lab

int main(int argc, char** argv) {
    if (const std::optional<int> code = kedge::lab::run_mode(argc, argv)) return *code;
    return kedge::lab::run({argv + 1, argv + argc});
}
