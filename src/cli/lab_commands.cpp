// lab up, status, break, heal, down.

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/context.h"
#include "cli/table.h"
#include "lab/breaker.h"
#include "lab/lab.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;
using lab::Lab;

constexpr Span up_deadline = 120s;
constexpr Span down_deadline = 60s;
constexpr Span fault_deadline = 30s;
constexpr Span status_deadline = 10s;

struct LabOptions {
    std::string name = std::string(lab::default_lab);
    std::vector<std::string> words;
    bool all = false;
};

// Finds the lab and lets `act` do its work; says what failed.
template <class Act>
ExitCode with_lab(Context& context, const LabOptions& options, std::string_view what, Act act) {
    const Result<Lab> found = Lab::named(options.name);
    if (!found) return context.console().fail(what, found.error());
    const Result<ExitCode> code = act(*found);
    return code ? *code : context.console().fail(what, code.error());
}

ExitCode up(Context& context, const LabOptions& options) {
    return with_lab(context, options, "the lab is not up", [&](const Lab& lab) -> Result<ExitCode> {
        Console& console = context.console();
        const Moment began = context.now();
        TRY(lab.up(
            [&](std::string_view component, std::string_view step) {
                console.note(fmt::format("{:>7}  {:<20} {}", readable(context.now() - began), component, step));
            },
            within(up_deadline)));
        const std::string directory = lab.layout().root;
        if (console.json())
            console.print_item(
                "Lab", {{"name", options.name}, {"directory", directory}, {"seconds", seconds(context.now() - began)}});
        else
            console.print_line(fmt::format("the lab is up in {} after {}", directory, readable(context.now() - began)));
        return ExitCode::ok;
    });
}

ExitCode down(Context& context, const LabOptions& options) {
    return with_lab(context, options, "the lab is not down", [&](const Lab& lab) -> Result<ExitCode> {
        Console& console = context.console();
        const std::size_t ended = TRY(lab.down(within(down_deadline)));
        if (console.json())
            console.print_item("LabDown", {{"name", options.name}, {"processes_ended", ended}});
        else
            console.print_line(fmt::format("{} processes ended, nothing is left", ended));
        return ExitCode::ok;
    });
}

Tone tone_of(lab::Phase phase) {
    switch (phase) {
        case lab::Phase::running: return Tone::good;
        case lab::Phase::killed:
        case lab::Phase::failed: return Tone::bad;
        case lab::Phase::paused: return Tone::waiting;
        case lab::Phase::never_started:
        case lab::Phase::stopped: return Tone::faint;
    }
    return Tone::plain;
}

std::string announced(const lab::LabStatus::Line& line) {
    return line.announced.port == 0 ? "" : to_string(line.announced);
}

Json status_json(const lab::LabStatus& status) {
    Json components = Json::array();
    for (const lab::LabStatus::Line& line : status.lines)
        components.push_back({{"name", line.component.name},
                              {"site", line.component.site},
                              {"phase", to_string(line.component.phase)},
                              {"role", line.role},
                              {"processes", line.component.processes},
                              {"exit", line.component.exit},
                              {"barred", line.component.barred},
                              {"address", to_string(line.direct)},
                              {"announced", announced(line)}});
    return {{"directory", status.directory},
            {"components", components},
            {"faults", status.faults},
            {"network", status.network}};
}

ExitCode show_status(Context& context, const LabOptions& options) {
    return with_lab(context, options, "the lab cannot be shown", [&](const Lab& lab) -> Result<ExitCode> {
        Console& console = context.console();
        const lab::LabStatus status = TRY(lab.status(within(status_deadline)));
        if (console.json()) {
            console.print_item("LabStatus", status_json(status));
            return ExitCode::ok;
        }
        Table table(
            {{"COMPONENT"}, {"STATE"}, {"ROLE"}, {"PROCESSES", Align::right}, {"ADDRESS"}, {"FROM AFAR"}, {"REMARKS"}});
        for (const lab::LabStatus::Line& line : status.lines) {
            std::string remarks = line.component.exit;
            for (const std::string& reason : line.component.barred) remarks += " barred: " + reason;
            table.add({line.component.name,
                       Cell(std::string(to_string(line.component.phase)), tone_of(line.component.phase)),
                       Cell(line.role, line.role == "unknown" ? Tone::unknown : Tone::plain),
                       std::to_string(line.component.processes), to_string(line.direct), announced(line), remarks});
        }
        console.print(table.rendered(console.out()));
        for (const auto& [name, detail] : status.faults.items())
            console.print_line(painted("fault: ", Tone::alarm, console.out()) + printable(name));
        return ExitCode::ok;
    });
}

ExitCode list_faults(Context& context) {
    Console& console = context.console();
    Table table({{"FAULT"}, {"ARGUMENTS"}, {"MEANING"}});
    Json items = Json::array();
    for (const lab::FaultForm& form : lab::fault_forms()) {
        table.add({std::string(form.name), std::string(form.arguments), std::string(form.meaning)});
        items.push_back({{"name", form.name}, {"arguments", form.arguments}, {"meaning", form.meaning}});
    }
    if (console.json())
        console.print_items("FaultList", std::move(items));
    else
        console.print(table.rendered(console.out()));
    return ExitCode::ok;
}

ExitCode inject(Context& context, const LabOptions& options) {
    if (options.words.empty()) return list_faults(context);
    return with_lab(context, options, "nothing was broken", [&](const Lab& lab) -> Result<ExitCode> {
        Console& console = context.console();
        const lab::LabFault fault = TRY(lab::parse_lab_fault(options.words));
        const lab::FaultReport report = TRY(lab::Breaker(lab).inject(fault, within(fault_deadline)));
        if (console.json())
            console.print_item("Fault",
                               {{"name", report.name}, {"at", to_string(report.at)}, {"says", report.sentence}});
        else
            console.print_line(fmt::format("{} {}: {}", to_string(report.at), report.name, report.sentence));
        return ExitCode::ok;
    });
}

ExitCode heal(Context& context, const LabOptions& options) {
    return with_lab(context, options, "nothing was healed", [&](const Lab& lab) -> Result<ExitCode> {
        Console& console = context.console();
        if (options.all == !options.words.empty())
            return Error{Fault::invalid_input, "name one fault, or all of them with --all", "see `kedge lab status`"};
        const lab::Breaker breaker(lab);
        const Until until = within(2 * fault_deadline);
        const std::vector<std::string> sentences =
            options.all ? TRY(breaker.heal_all(until))
                        : TRY(breaker.heal(TRY(lab::parse_lab_fault(options.words)), until));
        if (console.json())
            console.print_items("Healed", sentences);
        else
            for (const std::string& sentence : sentences) console.print_line(sentence);
        return ExitCode::ok;
    });
}

CommandBuilder<LabOptions> lab_command(std::string path, std::string summary,
                                       ExitCode (*function)(Context&, const LabOptions&)) {
    CommandBuilder<LabOptions> builder = command(std::move(path), std::move(summary), function);
    builder.option("name", "NAME", &LabOptions::name, "which lab; `default` if not given");
    return builder;
}

}  // namespace

std::vector<Command> lab_commands() {
    return {lab_command("lab up", "Start two regions of real servers on this machine", up)
                .details("PostgreSQL, Redis, HAProxy, Prometheus and a small application, all in one directory below "
                         "/var/tmp and at addresses of their own.")
                .example("kedge lab up")
                .exits({ExitCode::conflict, ExitCode::not_found}),
            lab_command("lab status", "Show the lab's servers, their roles, and what is broken", show_status)
                .example("kedge lab status")
                .exits({ExitCode::not_found}),
            lab_command("lab break", "Inject a fault; without one, list the faults", inject)
                .argument("FAULT", &LabOptions::words, "its name and arguments")
                .example("kedge lab break region-killed us-east-1")
                .example("kedge lab break partition us-east-1 us-west-2")
                .exits({ExitCode::invalid_input, ExitCode::not_found, ExitCode::conflict, ExitCode::refused}),
            lab_command("lab heal", "Undo a fault", heal)
                .argument("FAULT", &LabOptions::words, "as it was injected")
                .flag("all", &LabOptions::all, "every active fault")
                .example("kedge lab heal region-killed us-east-1")
                .example("kedge lab heal --all")
                .exits({ExitCode::invalid_input, ExitCode::not_found}),
            lab_command("lab down", "End every process of the lab and remove its files", down)
                .example("kedge lab down")
                .exits({ExitCode::outcome_unknown})};
}

}  // namespace kedge
