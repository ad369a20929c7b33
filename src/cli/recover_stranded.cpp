// recover stranded: what a lossy failover left on the old primary, found in the journal and brought back beside
// production.

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/finding.h"
#include "cli/recover_pitr.h"
#include "cli/table.h"
#include "cli/text.h"
#include "recover/choose.h"
#include "runner/runs.h"

namespace kedge {
namespace {

struct Stranded {
    std::optional<std::string> run, target, policy;
    std::string name, place;
    bool dry_run = false;
};

// As the step that kept it told.
struct Tail {
    RunId run;
    std::string target, region, kept_at;
    std::optional<Moment> at;
    SharedJson evidence;
};

void add_tails(const RunState& state, std::vector<Tail>& tails) {
    for (std::size_t i = 0; i < state.size(); ++i) {
        const BoundStep& step = state.bound(i);
        const StepRecord& record = state.record(i);
        if (step.type == nullptr || step.type->name != "postgres.export-stranded") continue;
        if (record.state != StepState::succeeded) continue;
        const std::string kept_at = get_string(record.evidence, "kept_at").value_or("");
        if (!kept_at.empty())
            tails.push_back({state.id(), step.target, step.region, kept_at, record.ended_at, record.evidence});
    }
}

Result<std::vector<Tail>> tails_of(Context& context, const RunId& run) {
    std::vector<Tail> tails;
    const std::unique_ptr<SqliteJournal> journal = TRY(journal_with_runs(context).within("run " + run));
    add_tails(TRY(load_run(*journal, run, lab_root())).state, tails);
    return tails;
}

Result<std::vector<Tail>> all_tails(Context& context) {
    std::vector<Tail> tails;
    const std::unique_ptr<SqliteJournal> journal = TRY(journal_to_read(context));
    if (!journal) return tails;
    for (const RunRecord& record : TRY(journal->runs())) {
        const Result<LoadedRun> loaded = load_run(*journal, record.id, lab_root());
        if (loaded)
            add_tails(loaded->state, tails);
        else
            context.console().warn(fmt::format("run {}: {}", record.id, loaded.error().message));
    }
    return tails;
}

std::string changes_text(const Json& changes) {
    std::string text;
    for (const auto& [table, rows] : changes.items())
        text += fmt::format("{}{} in {}", text.empty() ? "" : ", ", rows.dump(), table);
    return text;
}

Json tail_json(const Tail& tail) {
    Json json{{"run", tail.run},
              {"target", tail.target},
              {"region", tail.region},
              {"kept", tail.at ? Json(to_string(*tail.at)) : Json()}};
    for (const char* key : {"from", "to", "transactions", "changes_by_table", "kept_at"})
        json[key] = get(tail.evidence, key);
    return json;
}

ExitCode list_tails(Context& context) {
    Console& console = context.console();
    const auto tails = all_tails(context);
    if (!tails) return console.fail("what is stranded cannot be listed", tails.error());
    Json items = Json::array();
    Table table({{"RUN"}, {"LEFT ON"}, {"BEYOND"}, {"TRANSACTIONS", Align::right}, {"ROWS CHANGED"}, {"KEPT AT"}});
    for (const Tail& tail : *tails) {
        items.push_back(tail_json(tail));
        table.add({tail.run, tail.target + "@" + tail.region, get_string(tail.evidence, "from").value_or("?"),
                   std::to_string(get_integer(tail.evidence, "transactions").value_or(0)),
                   changes_text(get(tail.evidence, "changes_by_table")), tail.kept_at});
    }
    if (console.json())
        console.print_items("StrandedTail", std::move(items));
    else if (tails->empty())
        console.note("no run has kept what an old primary alone held");
    else
        console.print(table.rendered(console.out()));
    return ExitCode::ok;
}

Result<Pitr> asked_of(Context& context, const Stranded& options) {
    std::vector<Tail> tails = TRY(tails_of(context, *options.run));
    if (options.target) std::erase_if(tails, [&](const Tail& tail) { return tail.target != *options.target; });
    if (tails.empty())
        return Error{Fault::not_found,
                     fmt::format("run {} has kept nothing that an old primary{} alone held", *options.run,
                                 options.target ? " of " + *options.target : ""),
                     "kedge recover stranded lists the runs that have"};
    if (tails.size() > 1)
        return Error{Fault::invalid_input, fmt::format("run {} has kept {} of them", *options.run, tails.size()),
                     "say of which database with --target"};
    const Tail& tail = tails.front();
    return Pitr{.to = "latest",
                .name = options.name.empty() ? "stranded-" + tail.run : options.name,
                .place = options.place,
                .key = {},
                .target = tail.target,
                .policy = options.policy,
                .timeline = TRY(recover::timeline_of_tail(tail.kept_at).within("what run " + tail.run + " kept")),
                .dry_run = options.dry_run,
                .tail = tail.kept_at,
                .asked = fmt::format("all that {} held (run {})", tail.region, tail.run)};
}

ExitCode stranded(Context& context, const Stranded& options) {
    if (!options.run) return list_tails(context);
    const auto asked = asked_of(context, options);
    if (!asked) return context.console().fail("nothing was recovered", asked.error());
    const ExitCode code = pitr(context, *asked);
    if (code == ExitCode::ok && !options.dry_run)
        context.console().note(
            fmt::format("kedge recover compare {0} shows what production lacks of it, kedge recover "
                        "extract {0} brings rows back",
                        asked->name));
    return code;
}

}  // namespace

std::vector<Command> recover_stranded_commands() {
    return {
        command("recover stranded", "List what old primaries alone held, or bring it back beside production", stranded)
            .argument("RUN", &Stranded::run, "the run that kept it, as regional-failback does; none: all are listed",
                      Completes::runs)
            .option("target", "TARGET", &Stranded::target, "the database, if the run kept several", Completes::targets)
            .option("policy", "POLICY", &Stranded::policy, "the base backups, if several policies have some")
            .option("name", "NAME", &Stranded::name, "what the recovery is called; stranded-RUN")
            .option("place", "DIR", &Stranded::place, "where it lies; /var/tmp/kedge-recover-UID", Completes::files)
            .flag("dry-run", &Stranded::dry_run, "only say what it would be made from, and how long it would take")
            .details("A failover that could not wait loses what the standby had not received. Before the old primary "
                     "becomes a standby, its log beyond the fork is kept. With a base backup and the archive it gives "
                     "the old primary's last state: a server beside production, as kedge recover pitr makes it.")
            .example("kedge recover stranded")
            .example("kedge recover stranded r-7k2f9c --name left-behind")
            .exits({ExitCode::invalid_input, ExitCode::not_found, ExitCode::conflict, ExitCode::refused,
                    ExitCode::negative, ExitCode::unverifiable, ExitCode::interrupted}),
    };
}

}  // namespace kedge
