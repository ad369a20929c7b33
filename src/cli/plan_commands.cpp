// plan list, validate, schema.

#include <fmt/format.h>

#include <algorithm>

#include "actions/action.h"
#include "cli/commands.h"
#include "cli/finding.h"
#include "cli/past_runs.h"
#include "cli/table.h"
#include "document/schema.h"
#include "plan/bind.h"
#include "plan/lint.h"
#include "plan/parse.h"
#include "plan/render.h"

namespace kedge {
namespace {

struct ListPlans {
    bool names = false;
};

std::string today(Moment now) {
    return to_string(now).substr(0, 10);
}

ExitCode list_plans(Context& context, const ListPlans& options) {
    Console& console = context.console();
    const Result<std::vector<std::string>> files = find_plan_files(context);
    if (!files) return console.fail("the plans cannot be listed", files.error());
    Table table({{"PLAN"}, {"ANSWERS"}, {"STEPS", Align::right}, {"OWNER"}, {"REVIEW BY"}, {"SUMMARY"}});
    Json items = Json::array();
    for (const std::string& file : *files) {
        const Result<Parsed<Plan>> plan = read_plan(file);
        if (!plan || !*plan) {
            console.warn(fmt::format("{} is not a valid plan; see `kedge plan validate {}`", file, file));
            continue;
        }
        const Plan& read = **plan;
        if (options.names) {
            console.print_line(read.name);
            continue;
        }
        const bool overdue = !read.review_by.empty() && read.review_by < today(context.now());
        items.push_back({{"name", read.name},
                         {"summary", read.summary},
                         {"answers", read.answers},
                         {"steps", read.steps.size() + read.always.size()},
                         {"owner", read.owner},
                         {"review_by", read.review_by},
                         {"review_overdue", overdue},
                         {"drill", read.drill},
                         {"path", read.path},
                         {"digest", read.digest}});
        table.add({read.name, fmt::format("{}", fmt::join(read.answers, " ")),
                   std::to_string(read.steps.size() + read.always.size()), read.owner,
                   Cell(read.review_by + (overdue ? " overdue" : ""), overdue ? Tone::unknown : Tone::plain),
                   read.summary});
    }
    if (options.names) return ExitCode::ok;
    if (console.json())
        console.print_items("PlanList", std::move(items));
    else if (table.empty())
        console.note("there are no plans here");
    else
        console.print(table.rendered(console.out()));
    return ExitCode::ok;
}

struct ShowPlan {
    std::string plan;
    std::map<std::string, std::string> inputs;
    std::string form;
};

// The plan as the runbook that it replaces.
ExitCode show_plan(Context& context, const ShowPlan& options) {
    Console& console = context.console();
    const Result<std::string> file = find_plan_file(context, options.plan);
    if (!file) return console.fail("the plan cannot be shown", file.error());
    const Result<Parsed<Plan>> plan = read_plan(*file);
    if (!plan) return console.fail("the plan cannot be shown", plan.error());
    if (!*plan) return console.fail(*file + " is not a valid plan", plan->mistakes());
    for (const auto& [name, value] : options.inputs)
        if ((*plan)->input(name) == nullptr)
            return console.fail("the plan cannot be shown",
                                Error{Fault::invalid_input, fmt::format("{} has no input '{}'", (*plan)->name, name)});
    // A journal that cannot be read only means that nothing was measured.
    const Result<std::unique_ptr<SqliteJournal>> journal = journal_to_read(context);
    const PastRuns past = past_runs(journal ? journal->get() : nullptr, (*plan)->name, lab_root());
    const Runbook runbook = runbook_of(
        **plan, catalogue(), {.inputs = options.inputs, .last_took = past.last_took, .today = today(context.now())});
    if (console.json())
        console.print_item("Runbook", as_json(runbook));
    else if (options.form == "markdown")
        console.print(as_markdown(runbook));
    else
        console.print(
            as_text(runbook, console.out().interactive ? std::min<std::size_t>(console.out().columns, 100) : 100));
    return ExitCode::ok;
}

struct ValidatePlans {
    std::vector<std::string> plans;
    std::map<std::string, std::string> inputs;
};

// The mistakes of one plan; with inputs also those that only binding to the estate shows.
Result<std::optional<Mistakes>> mistakes_of(const std::string& file, const ValidatePlans& options,
                                            const std::optional<Estate>& estate) {
    const Parsed<Plan> plan = TRY(read_plan(file));
    if (!plan) return std::optional<Mistakes>(plan.mistakes());
    if (estate && !options.inputs.empty()) {
        const Parsed<BoundPlan> bound = bind_plan(*plan, options.inputs, *estate, catalogue());
        return bound ? std::nullopt : std::optional<Mistakes>(bound.mistakes());
    }
    Mistakes mistakes(file);
    lint_plan(*plan, catalogue(), mistakes);
    return mistakes.empty() ? std::nullopt : std::optional<Mistakes>(std::move(mistakes));
}

ExitCode validate_plans(Context& context, const ValidatePlans& options) {
    Console& console = context.console();
    std::vector<std::string> files;
    for (const std::string& name : options.plans) {
        Result<std::string> file = find_plan_file(context, name);
        if (!file) return console.fail("the plans cannot be validated", file.error());
        files.push_back(std::move(*file));
    }
    if (options.plans.empty()) {
        Result<std::vector<std::string>> all = find_plan_files(context);
        if (!all) return console.fail("the plans cannot be validated", all.error());
        files = std::move(*all);
    }
    std::optional<Estate> estate;
    if (!options.inputs.empty()) {
        Result<Estate> found = find_estate(context);
        if (!found) return console.fail("the estate cannot be read", found.error());
        estate = std::move(*found);
    }
    ExitCode code = ExitCode::ok;
    Json items = Json::array();
    for (const std::string& file : files) {
        const Result<std::optional<Mistakes>> mistakes = mistakes_of(file, options, estate);
        if (!mistakes) return console.fail(file + " cannot be validated", mistakes.error());
        if (*mistakes) {
            code = console.fail(file + " is not a valid plan", **mistakes);
            continue;
        }
        items.push_back({{"path", file}, {"valid", true}});
        if (!console.json())
            console.print_line(fmt::format("{}: {}", file, shown({"✔", "+", "valid", Tone::good}, console.out())));
    }
    if (console.json() && code == ExitCode::ok) console.print_items("PlanValidation", std::move(items));
    return code;
}

ExitCode show_plan_schema(Context& context, const Nothing&) {
    context.console().print_line(dump_pretty(json_schema(plan_shape(), "Kedge recovery plan")));
    return ExitCode::ok;
}

}  // namespace

std::vector<Command> plan_commands() {
    return {command("plan list", "List the recovery plans", list_plans)
                .flag("names", &ListPlans::names, "only their names, one a line")
                .example("kedge plan list --plans plans/aragora"),
            command("plan show", "Show a plan as the runbook that it replaces", show_plan)
                .details("For each step: what is checked or done, the command by hand, how it is taken back, how long "
                         "it took when it ran last.")
                .argument("PLAN", &ShowPlan::plan, "its name, or a file", Completes::plans)
                .option("input", "NAME=VALUE", &ShowPlan::inputs, "an input to fill in; may be repeated")
                .letter('i')
                .option("format", "FORM", &ShowPlan::form, "how to write it")
                .choices({"text", "markdown"})
                .example("kedge plan show regional-failover -i from=us-east-1 -i to=us-west-2")
                .exits({ExitCode::invalid_input, ExitCode::not_found}),
            command("plan validate", "Check plans: form, names, dangerous orders of steps", validate_plans)
                .details("Every mistake is named with its line. With inputs the plan is also bound to the estate.")
                .argument("PLAN", &ValidatePlans::plans, "names or files; all plans if none", Completes::plans)
                .option("input", "NAME=VALUE", &ValidatePlans::inputs, "an input; may be repeated")
                .letter('i')
                .example("kedge plan validate")
                .example("kedge plan validate ./failover.yaml -i from=us-east-1 -i to=us-west-2")
                .exits({ExitCode::invalid_input, ExitCode::not_found}),
            command("plan schema", "Write the JSON Schema of plans, for editors", show_plan_schema)
                .example("kedge plan schema > plan.schema.json")};
}

}  // namespace kedge
