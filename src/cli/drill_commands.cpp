// drill start, list, report.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "actions/action.h"
#include "cli/commands.h"
#include "cli/finding.h"
#include "cli/run_view.h"
#include "cli/table.h"
#include "cli/wiring.h"
#include "lab/ground/lab_ground.h"
#include "os/files.h"
#include "plan/bind.h"
#include "response/drill.h"

namespace kedge {
namespace {

using namespace std::chrono_literals;

constexpr Span redraw_period = 100ms;

struct StartDrill {
    std::string plan;
    std::map<std::string, std::string> inputs;
    std::string fault = "region-killed";
    std::string type = "Regional Failover";
    std::string verification = "post-failover-verification";
    std::string failback = "regional-failback";
    bool no_failback = false;
    bool takes_risks = false;
};

// Shows a drill as it goes on: on a terminal the present run in place, below what has happened; else one line a
// change.
class DrillView {
public:
    explicit DrillView(Context& context) : context_(context), console_(context.console()) {}

    void show(const DrillProgress& progress) {
        if (console_.json() || console_.quiet()) return;
        if (!progress.what.empty()) {
            erase();
            print(fmt::format("{} {}", to_string(progress.at), progress.what));
        }
        if (progress.run == nullptr) return;
        if (!console_.out().interactive) {
            if (const auto line = change_line(*progress.run, *progress.entry)) print(*line);
            return;
        }
        if (progress.at - drawn_at_ < redraw_period && progress.run->phase() != RunPhase::ended) return;
        drawn_at_ = progress.at;
        erase();
        console_.measure();
        std::vector<std::string> lines = live_view(*progress.run, console_.out(), progress.at);
        for (const std::string& line : lines) console_.print_line(line);
        lines_ = progress.run->phase() == RunPhase::ended ? 0 : lines.size();
        console_.flush();
    }

private:
    void print(const std::string& line) {
        console_.print_line(line);
        console_.flush();
    }
    void erase() {
        if (lines_ > 0) console_.print(fmt::format("\x1b[{}A\x1b[J", lines_));
        lines_ = 0;
    }

    Context& context_;
    Console& console_;
    std::size_t lines_ = 0;
    Moment drawn_at_{};
};

// The other region of two, for a plan that names both.
Result<std::string> other_region(const Estate& estate, const std::string& region) {
    for (const Region& other : estate.regions)
        if (other.name != region) return other.name;
    return Error{Fault::invalid_input, "the estate has only one region: nothing can take over from it"};
}

const Person* with_role(const Estate& estate, std::string_view role) {
    const auto found = std::find_if(estate.people.begin(), estate.people.end(), [&](const Person& person) {
        return std::find(person.roles.begin(), person.roles.end(), role) != person.roles.end();
    });
    return found == estate.people.end() ? nullptr : &*found;
}

// Reads the plans and fills in what was not said: the first region is lost, the other takes over.
Result<DrillScript> make_script(const Context& context, const Estate& estate, const StartDrill& options) {
    DrillScript script{.type = options.type, .fault = options.fault};
    if (estate.regions.empty() || estate.people.empty())
        return Error{Fault::invalid_input, "a drill needs an estate with regions and people"};
    script.recovery = TRY(find_plan(context, options.plan));
    script.recovery_inputs = options.inputs;
    const auto given = options.inputs.find("from");
    const std::string from = given != options.inputs.end() ? given->second : estate.regions.front().name;
    const std::string to = options.inputs.contains("to") ? options.inputs.at("to") : TRY(other_region(estate, from));
    script.region = from;
    for (const Input& input : script.recovery.inputs) {
        if (input.name == "from") script.recovery_inputs["from"] = from;
        if (input.name == "to") script.recovery_inputs["to"] = to;
    }
    script.verification = TRY(find_plan(context, options.verification));
    script.verification_inputs = {{"region", to}};
    if (!options.no_failback) {
        script.failback = TRY(find_plan(context, options.failback));
        script.failback_inputs = {{"from", to}, {"to", from}};
        script.final_verification_inputs = {{"region", from}};
        TRY(bind_plan(script.failback, script.failback_inputs, estate, catalogue()).result());
    }
    const Person* lead = with_role(estate, "on-call");
    script.lead = (lead != nullptr ? *lead : estate.people.front()).name;
    const Person* engineering = with_role(estate, "engineering-lead");
    script.engineering_lead = engineering != nullptr ? engineering->name : script.lead;
    script.play.takes_risks = options.takes_risks;
    return script;
}

Result<std::string> write_report(const Context& context, const DrillRecord& record) {
    const std::string directory = TRY(find_lasting_directory(context)) + "/reports";
    TRY(make_directories(directory));
    TRY(write_file_atomically(directory + "/" + record.id + ".md", to_markdown(record), 0644));
    TRY(write_file_atomically(directory + "/" + record.id + ".json", dump_pretty(to_json(record)) + "\n", 0644));
    return directory + "/" + record.id;
}

ExitCode code_of(DrillResult result) {
    switch (result) {
        case DrillResult::pass: return ExitCode::ok;
        case DrillResult::partial: return ExitCode::unverifiable;
        case DrillResult::fail: return ExitCode::objective_missed;
    }
    return ExitCode::failed;
}

ExitCode start_drill(Context& context, const StartDrill& options) {
    Console& console = context.console();
    const auto refuse = [&](const Error& error) {
        return console.fail("the drill was not started, nothing was changed", error);
    };
    const Result<Estate> estate = find_estate(context);
    if (!estate) return refuse(estate.error());
    if (estate->lab.empty())
        return refuse({Fault::refused, fmt::format("the estate {} is no lab's: drills break things", estate->name),
                       "use an estate with `lab:`, such as plans/aragora/lab.yaml"});
    const Result<DrillScript> script = make_script(context, *estate, options);
    if (!script) return refuse(script.error());
    if (const auto known = lab::LabGround::check_fault(script->fault, script->region); !known)
        return refuse(known.error());
    const Result<lab::Lab> lab = lab::Lab::named(std::filesystem::path(estate->lab).filename().string());
    if (!lab) return refuse(lab.error());
    if (const auto status = lab->status(within(10s)); !status)
        return refuse({status.error().fault, status.error().message, "start it with `kedge lab up`"});
    Result<std::unique_ptr<SqliteJournal>> journal = journal_to_write(context);
    if (!journal) return refuse(journal.error());
    const Result<std::string> state = find_state_directory(context);
    if (!state) return refuse(state.error());
    const Result<Targets> targets = bind_targets(*estate, *state);
    if (!targets) return refuse(targets.error());

    context.around().catch_interrupt();
    lab::LabGround ground(*lab);
    Observer observer(observed_databases(*estate, *targets), *targets->samples, keep_samples(*state),
                      context.around().clock);
    DrillView view(context);
    const DrillWorld world{**journal,
                           *estate,
                           *targets,
                           context.around().clock,
                           ground,
                           observer,
                           [&](const DrillProgress& progress) { view.show(progress); },
                           context.around().interrupted};
    const Result<DrillRecord> record = run_drill(world, *script);
    if (!record) return console.fail("the drill could not be carried out", record.error());
    const Result<std::string> report = write_report(context, *record);
    if (console.json()) {
        console.print_item("DrillReport", to_json(*record));
    } else {
        console.print_line();
        console.print(to_markdown(*record));
        console.print_line();
        if (report) console.print_line(fmt::format("The report: {0}.md and {0}.json", *report));
    }
    if (!report) return console.fail("the report could not be written", report.error());
    if (context.around().interrupted()) return ExitCode::interrupted;
    return code_of(judge(*record));
}

struct ListDrills {};

// The reports that were kept, newest first.
Result<std::vector<Json>> read_reports(const Context& context) {
    const std::string directory = TRY(find_lasting_directory(context)) + "/reports";
    std::vector<Json> reports;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(directory, error))
        if (entry.path().extension() == ".json" && entry.path().filename().string().starts_with("d-"))
            reports.push_back(TRY(parse_json(TRY(read_file(entry.path().string()))).within(entry.path().string())));
    std::sort(reports.begin(), reports.end(),
              [](const Json& a, const Json& b) { return get_string(a, "began") > get_string(b, "began"); });
    return reports;
}

std::string seconds_cell(const Json& report, std::string_view key) {
    const std::optional<double> value = get_number(report, key);
    return value ? readable(Span{static_cast<std::int64_t>(*value * 1e6)}) : "not measured";
}

ExitCode list_drills(Context& context, const ListDrills&) {
    Console& console = context.console();
    const Result<std::vector<Json>> reports = read_reports(context);
    if (!reports) return console.fail("the drills cannot be listed", reports.error());
    if (console.json()) {
        console.print_items("DrillList", Json(*reports));
        return ExitCode::ok;
    }
    Table table({{"DRILL"},
                 {"BEGAN"},
                 {"TYPE"},
                 {"FAULT"},
                 {"RESULT"},
                 {"RTO", Align::right},
                 {"RPO", Align::right},
                 {"ISSUES", Align::right}});
    for (const Json& report : *reports) {
        const std::string result = get_string(report, "result").value_or("?");
        table.add({get_string(report, "id").value_or("?"), get_string(report, "began").value_or("?").substr(0, 19),
                   get_string(report, "type").value_or("?"), get_string(report, "fault").value_or("?"),
                   Cell(result, result == "PASS"   ? Tone::good
                                : result == "FAIL" ? Tone::bad
                                                   : Tone::unknown),
                   seconds_cell(report, "rto_from_onset_seconds"), seconds_cell(report, "rpo_seconds"),
                   std::to_string(get(report, "issues").size())});
    }
    if (table.empty())
        console.note("no drill has been run yet; begin with `kedge drill start regional-failover`");
    else
        console.print(table.rendered(console.out()));
    return ExitCode::ok;
}

struct ShowReport {
    std::optional<std::string> drill;
};

ExitCode show_report(Context& context, const ShowReport& options) {
    Console& console = context.console();
    const Result<std::vector<Json>> reports = read_reports(context);
    if (!reports) return console.fail("the report cannot be read", reports.error());
    const auto found = std::find_if(reports->begin(), reports->end(), [&](const Json& report) {
        return !options.drill || get_string(report, "id") == *options.drill;
    });
    if (found == reports->end())
        return console.fail(
            "there is no such report",
            {Fault::not_found, options.drill ? "no drill " + *options.drill : "no drill has been run yet",
             "list them with `kedge drill list`"});
    if (console.json()) {
        console.print_item("DrillReport", *found);
        return ExitCode::ok;
    }
    const Result<std::string> directory = find_lasting_directory(context);
    const Result<std::string> text =
        directory ? read_file(fmt::format("{}/reports/{}.md", *directory, get_string(*found, "id").value_or("")))
                  : Result<std::string>(directory.error());
    if (!text) return console.fail("the report cannot be read", text.error());
    console.print(*text);
    return ExitCode::ok;
}

}  // namespace

std::vector<Command> drill_commands() {
    return {
        command("drill start", "Break something on purpose, recover it, report what was measured", start_drill)
            .details("Only in an estate that a lab owns: its people are played, through the same inbox as real ones. "
                     "Exit 13 when an "
                     "objective was missed or more was lost than announced, 16 when something was not measured.")
            .argument("PLAN", &StartDrill::plan, "the recovery plan", Completes::plans)
            .option("fault", "FAULT", &StartDrill::fault, "what happens: region-killed, region-silent, partition")
            .option("input", "NAME=VALUE", &StartDrill::inputs, "an input of the plan; may be repeated")
            .letter('i')
            .option("type", "TEXT", &StartDrill::type, "kind of drill, for the report")
            .option("verification", "PLAN", &StartDrill::verification, "the checks afterwards", Completes::plans)
            .option("failback", "PLAN", &StartDrill::failback, "the way back", Completes::plans)
            .flag("no-failback", &StartDrill::no_failback, "stay in the other region")
            .flag("accept-risk", &StartDrill::takes_risks, "the played people also take risks that block a step")
            .example("kedge drill start regional-failover")
            .example("kedge drill start regional-failover --fault partition --json")
            .exits({ExitCode::invalid_input, ExitCode::not_found, ExitCode::conflict, ExitCode::refused,
                    ExitCode::objective_missed, ExitCode::unverifiable, ExitCode::interrupted}),
        command("drill list", "List the drills that were run, newest first", list_drills).example("kedge drill list"),
        command("drill report", "Show the report of a drill", show_report)
            .argument("DRILL", &ShowReport::drill, "which; the newest if none")
            .example("kedge drill report --json")
            .exits({ExitCode::not_found})};
}

}  // namespace kedge
