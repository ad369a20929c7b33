// check, run preview, access explain: what a plan would do and would need, without doing it.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "cli/commands.h"
#include "cli/finding.h"
#include "cli/looks.h"
#include "cli/past_runs.h"
#include "cli/table.h"
#include "cli/wiring.h"
#include "plan/bind.h"
#include "plan/standing.h"

namespace kedge {
namespace {

// How much a step means.
enum class StepWeight { reads, changes, irreversible, people };
StepWeight weight_of(const BoundStep& step) {
    if (step.type == nullptr) return StepWeight::people;
    if (step.type->effect == Effect::none) return StepWeight::reads;
    return step.type->undo.empty() || step.type->point_of_no_return ? StepWeight::irreversible : StepWeight::changes;
}

using namespace std::chrono_literals;

constexpr Span check_look_limit = 5s;

struct PlanWithInputs {
    std::string plan;
    std::map<std::string, std::string> inputs;
};

// A plan bound to today's estate, and the drivers of its targets.
struct Prospect {
    Estate estate;
    Plan plan;
    BoundPlan bound;
    Targets targets;
};

Result<Prospect> prospect_of(const Context& context, const std::string& name,
                             const std::map<std::string, std::string>& inputs) {
    Prospect prospect{.estate = TRY(find_estate(context)), .plan = TRY(find_plan(context, name))};
    prospect.bound = TRY(bind_plan(prospect.plan, inputs, prospect.estate, catalogue()).result());
    prospect.targets = TRY(bind_targets(prospect.estate, TRY(find_state_directory(context))));
    return prospect;
}

struct StepCheck {
    std::size_t step = 0;
    Standing standing{};
    Look look;
    Truth verdict{};
};

// Looks at the target of every step now, all at once.
std::vector<StepCheck> check_steps(const Prospect& prospect, const Clock& clock, bool only_those_that_decide_now) {
    const std::vector<Standing> standing = standings(prospect.bound);
    std::vector<StepCheck> checks;
    std::vector<Looking> lookings;
    for (std::size_t i = 0; i < prospect.bound.steps.size(); ++i) {
        const BoundStep& step = prospect.bound.steps[i];
        if (step.type == nullptr || !step.skipped_because.empty()) continue;
        if (only_those_that_decide_now && standing[i] == Standing::later) continue;
        checks.push_back({.step = i, .standing = standing[i]});
        lookings.push_back(looking_at_step(step, prospect.estate, prospect.targets, clock));
    }
    const std::vector<Look> looks = look_at_all(lookings, check_look_limit, clock);
    for (std::size_t i = 0; i < checks.size(); ++i) {
        checks[i].look = looks[i];
        checks[i].verdict = verdict(prospect.bound.steps[checks[i].step], checks[i].standing, looks[i]);
    }
    return checks;
}

ExitCode code_of(Truth all) {
    return all == Truth::yes ? ExitCode::ok : all == Truth::no ? ExitCode::refused : ExitCode::unverifiable;
}

Truth all_of(const std::vector<StepCheck>& checks) {
    Truth all = Truth::yes;
    for (const StepCheck& check : checks) all = both(all, check.verdict);
    return all;
}

Json check_json(const BoundPlan& plan, const StepCheck& check) {
    const BoundStep& step = plan.steps[check.step];
    return {{"step", step.id},
            {"action", step.type->name},
            {"target", step.target},
            {"region", step.region},
            {"decides", check.standing == Standing::now ? "now" : "later"},
            {"verdict", to_string(check.verdict)},
            {"done", to_string(check.look.done)},
            {"allowed", to_string(check.look.allowed)},
            {"says", check.look.says},
            {"evidence", *check.look.evidence}};
}

std::string place_of(const BoundStep& step) {
    return step.target + (step.region.empty() ? "" : "@" + step.region);
}

struct Check {
    std::optional<std::string> plan;
    std::map<std::string, std::string> inputs;
    std::optional<std::string> target;
};

ExitCode check_plan(Context& context, const Check& options) {
    Console& console = context.console();
    const std::string what = fmt::format("{} cannot be checked", *options.plan);
    const Result<Prospect> prospect = prospect_of(context, *options.plan, options.inputs);
    if (!prospect) return console.fail(what, prospect.error());
    const std::vector<StepCheck> checks = check_steps(*prospect, context.around().clock, false);
    const Truth all = all_of(checks);
    if (console.json()) {
        Json steps = Json::array();
        for (const StepCheck& check : checks) steps.push_back(check_json(prospect->bound, check));
        console.print_item("Check", {{"plan", prospect->plan.name}, {"ready", to_string(all)}, {"steps", steps}});
        return code_of(all);
    }
    Table table({{"STEP"}, {"READY"}, {"TARGET"}, {"SAYS"}});
    for (const StepCheck& check : checks) {
        const BoundStep& step = prospect->bound.steps[check.step];
        const bool expected = check.standing == Standing::later && check.verdict == Truth::yes;
        table.add({step.id, expected ? Cell("later", Tone::faint) : Cell::of(mark_of(check.verdict), console.out()),
                   place_of(step), check.look.says});
    }
    console.print(table.rendered(console.out()));
    console.note("later: what stands before it in the plan is to bring it about");
    return code_of(all);
}

ExitCode check_targets(Context& context, const Check& options) {
    Console& console = context.console();
    const std::string_view what = "the targets cannot be checked";
    const Result<Estate> estate = find_estate(context);
    if (!estate) return console.fail(what, estate.error());
    if (options.target && estate->target(*options.target) == nullptr) {
        std::vector<std::string> names;
        for (const Target& target : estate->targets) names.push_back(target.name);
        return console.fail(what, {Fault::not_found, fmt::format("there is no target '{}'", *options.target),
                                   suggestion(*options.target, names)});
    }
    const Result<std::string> state = find_state_directory(context);
    if (!state) return console.fail(what, state.error());
    const Result<Targets> targets = bind_targets(*estate, *state);
    if (!targets) return console.fail(what, targets.error());
    std::vector<Sight> sights;
    std::vector<Looking> lookings;
    for (const Target& target : estate->targets) {
        if (options.target && target.name != *options.target) continue;
        for (Sight& sight : sights_of(target, *targets)) {
            lookings.push_back(sight.look);
            sights.push_back(std::move(sight));
        }
    }
    const std::vector<Look> looks = look_at_all(lookings, check_look_limit, context.around().clock);
    Truth all = looks.empty() ? Truth::unknown : Truth::yes;
    Table table({{"TARGET"}, {"REGION"}, {"WELL"}, {"ROLE"}, {"SAYS"}});
    Json items = Json::array();
    for (std::size_t i = 0; i < sights.size(); ++i) {
        const std::string role = get_string(looks[i].evidence, "role").value_or("unknown");
        all = both(all, looks[i].done);
        table.add(
            {sights[i].target, sights[i].region, Cell::of(mark_of(looks[i].done), console.out()), role, looks[i].says});
        items.push_back({{"target", sights[i].target},
                         {"region", sights[i].region},
                         {"well", to_string(looks[i].done)},
                         {"role", role},
                         {"says", looks[i].says},
                         {"evidence", *looks[i].evidence}});
    }
    if (console.json())
        console.print_items("TargetCheck", std::move(items));
    else if (table.empty())
        console.note("there is nothing here that can be looked at by itself; check a plan instead");
    else
        console.print(table.rendered(console.out()));
    return code_of(all);
}

ExitCode check(Context& context, const Check& options) {
    if (options.plan && options.target)
        return context.console().fail_usage({Fault::invalid_input, "name a plan or a target, not both"});
    return options.plan ? check_plan(context, options) : check_targets(context, options);
}

std::string_view sign_of(StepWeight weight, const Surface& surface) {
    const bool utf8 = surface.charset == Charset::utf8;
    switch (weight) {
        case StepWeight::reads: return utf8 ? "·" : ".";
        case StepWeight::changes: return "~";
        case StepWeight::irreversible: return "!";
        case StepWeight::people: return utf8 ? "◷" : "@";
    }
    return "?";
}

std::string_view word_of(StepWeight weight) {
    switch (weight) {
        case StepWeight::reads: return "reads";
        case StepWeight::changes: return "changes";
        case StepWeight::irreversible: return "irreversible";
        case StepWeight::people: return "people";
    }
    return "?";
}

std::string gate_of(const BoundStep& step) {
    if (!step.gate) return step.if_blocked == IfBlocked::ask ? "2 people if blocked" : "";
    std::vector<std::string> parts;
    if (!step.gate->confirm.empty()) parts.push_back(fmt::format("type {}", step.gate->confirm));
    if (step.gate->approvals > 0) parts.push_back(fmt::format("{} approvals", step.gate->approvals));
    return fmt::format("{}", fmt::join(parts, ", "));
}

std::string undo_of(const BoundStep& step) {
    if (step.type == nullptr || step.type->effect == Effect::none) return "";
    if (step.type->point_of_no_return) return "none: point of no return";
    return step.type->undo.empty() ? "none" : step.type->undo;
}

Json preview_json(const Prospect& prospect, const PastRuns& past, const std::vector<StepCheck>& checks) {
    Json steps = Json::array(), looks = Json::array(), inputs = Json::object();
    for (const BoundStep& step : prospect.bound.steps) {
        const auto took = past.last_took.find(step.id);
        steps.push_back({{"id", step.id},
                         {"title", step.title},
                         {"action", step.type != nullptr ? step.type->name : ""},
                         {"target", step.target},
                         {"region", step.region},
                         {"effect", word_of(weight_of(step))},
                         {"gate", gate_of(step)},
                         {"undo", undo_of(step)},
                         {"point_of_no_return", step.type != nullptr && step.type->point_of_no_return},
                         {"skipped_because", step.skipped_because},
                         {"deadline_seconds", seconds(step.deadline)},
                         {"last_took_seconds", took != past.last_took.end() ? Json(seconds(took->second)) : Json()}});
    }
    for (const StepCheck& check : checks) looks.push_back(check_json(prospect.bound, check));
    for (const auto& [name, value] : prospect.bound.inputs) inputs[name] = value;
    return {{"plan", prospect.plan.name},
            {"inputs", inputs},
            {"plan_digest", prospect.bound.plan_digest},
            {"targets", prospect.bound.targets},
            {"unarmed", unarmed_targets(prospect.bound, prospect.estate)},
            {"estimate_seconds", past.totals.empty() ? Json() : Json(seconds(past.median()))},
            {"estimated_from_runs", past.totals.size()},
            {"steps", steps},
            {"looks", looks}};
}

void print_preview(Console& console, const Prospect& prospect, const PastRuns& past,
                   const std::vector<StepCheck>& checks) {
    const BoundPlan& plan = prospect.bound;
    const Surface& surface = console.out();
    console.print_line(fmt::format("{}  {}", painted(plan.name, Tone::strong, surface), printable(plan.summary)));
    if (!past.totals.empty())
        console.print_line(
            fmt::format("takes about {} (the middle of {} runs)", readable(past.median()), past.totals.size()));
    console.print_line();
    Table table({{"#", Align::right}, {"STEP"}, {"TAKES", Align::right}, {"GATE"}, {"UNDO"}, {"EFFECT"}});
    std::map<StepWeight, int> count;
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
        const BoundStep& step = plan.steps[i];
        const StepWeight weight = weight_of(step);
        const bool skipped = !step.skipped_because.empty();
        if (!skipped) ++count[weight];
        const auto took = past.last_took.find(step.id);
        const Tone tone = skipped                              ? Tone::faint
                          : weight == StepWeight::irreversible ? Tone::bad
                          : weight == StepWeight::people       ? Tone::waiting
                                                               : Tone::plain;
        const std::string doing =
            step.type == nullptr ? step.asks : fmt::format("{} {}", step.type->name, place_of(step));
        table.add({std::to_string(i + 1), step.id, took != past.last_took.end() ? readable(took->second) : "",
                   gate_of(step), undo_of(step),
                   Cell(fmt::format("{} {}{}", sign_of(weight, surface),
                                    skipped ? "left out: " + step.skipped_because : doing,
                                    step.always ? " (at the end in any case)" : ""),
                        tone)});
    }
    console.print(table.rendered(surface));
    console.print_line();
    for (const StepCheck& check : checks) {
        const Mark mark = mark_of(check.verdict);
        console.print_line(
            painted(fmt::format("  {} {}", glyph(mark, surface), plan.steps[check.step].id), mark.tone, surface) +
            ": " + printable(check.look.says));
    }
    console.print_line(
        fmt::format("\n{} steps: {} read, {} change, {} irreversible, {} by people. Nothing was changed.",
                    plan.steps.size(), count[StepWeight::reads], count[StepWeight::changes],
                    count[StepWeight::irreversible], count[StepWeight::people]));
    for (const std::string& target : unarmed_targets(plan, prospect.estate))
        console.print_line(
            painted(fmt::format("{} is not armed: it can only be rehearsed", target), Tone::unknown, surface));
    std::string inputs;
    for (const auto& [name, value] : plan.inputs)
        if (const Input* input = prospect.plan.input(name); input == nullptr || input->fallback != value)
            inputs += fmt::format(" -i {}={}", name, value);
    console.print_line(fmt::format("Start it with: kedge run start {}{}", plan.name, inputs));
}

ExitCode preview(Context& context, const PlanWithInputs& options) {
    Console& console = context.console();
    const std::string what = fmt::format("{} cannot be previewed", options.plan);
    const Result<Prospect> prospect = prospect_of(context, options.plan, options.inputs);
    if (!prospect) return console.fail(what, prospect.error());
    const Result<std::unique_ptr<SqliteJournal>> journal = journal_to_read(context);
    const PastRuns past = past_runs(journal ? journal->get() : nullptr, prospect->plan.name, lab_root());
    const std::vector<StepCheck> checks = check_steps(*prospect, context.around().clock, true);
    if (console.json())
        console.print_item("RunPreview", preview_json(*prospect, past, checks));
    else
        print_preview(console, *prospect, past, checks);
    return code_of(all_of(checks));
}

// What a plan needs of each target: its steps' rights and those of what takes them back.
ExitCode explain_access(Context& context, const PlanWithInputs& options) {
    Console& console = context.console();
    const std::string what = fmt::format("what {} needs cannot be told", options.plan);
    const Result<Estate> estate = find_estate(context);
    if (!estate) return console.fail(what, estate.error());
    const Result<Plan> plan = find_plan(context, options.plan);
    if (!plan) return console.fail(what, plan.error());
    const Parsed<BoundPlan> bound = bind_plan(*plan, options.inputs, *estate, catalogue());
    if (!bound) return console.fail(what, bound.mistakes());
    std::map<std::string, std::map<std::string, std::set<std::string>>> rights;  // target -> right -> steps
    for (const BoundStep& step : bound->steps) {
        if (step.type == nullptr) continue;
        for (const std::string& right : step.type->grants) rights[step.target][right].insert(step.id);
        if (const ActionType* undo = find_action(catalogue(), step.type->undo))
            for (const std::string& right : undo->grants) rights[step.target][right].insert(step.id + " (undo)");
    }
    Json items = Json::array();
    for (const auto& [target, by_right] : rights) {
        const Target* known = estate->target(target);
        const bool changes = std::ranges::find(bound->targets, target) != bound->targets.end();
        if (!console.json())
            console.print_line(fmt::format("{}{}", painted(target, Tone::strong, console.out()),
                                           !changes                           ? "  only looked at"
                                           : known != nullptr && known->armed ? "  changed; armed"
                                                                              : "  changed; not armed"));
        for (const auto& [right, steps] : by_right) {
            items.push_back({{"target", target},
                             {"grant", right},
                             {"steps", std::vector<std::string>(steps.begin(), steps.end())}});
            if (!console.json())
                console.print_line(
                    fmt::format("  {}\n      {}", right,
                                painted(fmt::format("for {}", fmt::join(steps, ", ")), Tone::faint, console.out())));
        }
    }
    if (console.json()) console.print_items("Grants", std::move(items));
    return ExitCode::ok;
}

CommandBuilder<PlanWithInputs> of_plan(std::string path, std::string summary,
                                       ExitCode (*function)(Context&, const PlanWithInputs&)) {
    CommandBuilder<PlanWithInputs> builder = command(std::move(path), std::move(summary), function);
    builder.argument("PLAN", &PlanWithInputs::plan, "its name, or a file", Completes::plans)
        .option("input", "NAME=VALUE", &PlanWithInputs::inputs, "an input; may be repeated")
        .letter('i');
    return builder;
}

}  // namespace

std::vector<Command> check_commands() {
    return {
        command("check", "Look at the targets now: would the plan run tonight?", check)
            .details("Reads only. With a plan, every step looks at its target; without one, every target that can be "
                     "looked at. Ends with 0 if all is well, 7 if something says no, 16 if something is unknown.")
            .argument("PLAN", &Check::plan, "its name, or a file", Completes::plans)
            .option("input", "NAME=VALUE", &Check::inputs, "an input of the plan; may be repeated")
            .letter('i')
            .option("target", "NAME", &Check::target, "only this target", Completes::targets)
            .example("kedge check regional-failover -i from=us-east-1 -i to=us-west-2")
            .example("kedge check --target aragora-postgres")
            .exits({ExitCode::invalid_input, ExitCode::not_found, ExitCode::refused, ExitCode::unverifiable}),
        of_plan("run preview", "Show what a run would do, and what it sees now; changes nothing", preview)
            .example("kedge run preview regional-failover -i from=us-east-1 -i to=us-west-2")
            .exits({ExitCode::invalid_input, ExitCode::not_found, ExitCode::refused, ExitCode::unverifiable}),
        of_plan("access explain", "List the exact rights that a plan needs, target by target", explain_access)
            .example("kedge access explain database-failover -i mode=planned")
            .exits({ExitCode::invalid_input, ExitCode::not_found})};
}

}  // namespace kedge
