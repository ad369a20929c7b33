// What people decide of a run: approve, confirm, waive, done, reject, withdraw; pause, cancel, retry, skip, resolve,
// take-over. One function: each is a request that the run's controller judges.

#include <fmt/format.h>

#include "cli/asking.h"
#include "cli/commands.h"
#include "cli/finding.h"
#include "cli/run_view.h"

namespace kedge {
namespace {

struct Decide {
    std::string run;
    std::string step;
    std::string text;     // the reason
    std::string confirm;  // what is typed
    std::string digest;   // of what was shown
    std::string as;       // resolve: done or not-done
    std::string play;     // lab only: as whom
    Span timeout = std::chrono::seconds{30};
    bool yes = false;
};

// Shows what is asked, with the figures, before a person agrees to it.
void show_question(Context& context, const RunState& state, std::size_t step) {
    Console& console = context.console();
    const BoundStep& bound = state.bound(step);
    const StepRecord& record = state.record(step);
    console.note(
        fmt::format("{} of {} ({})", painted(bound.id, Tone::strong, console.errors()), state.id(), state.plan().name));
    console.note("  " + printable(doing(bound)));
    if (!record.asks.empty()) console.note("  " + printable(record.asks));
    for (const auto& [name, value] : record.evidence->items())
        console.note(
            printable(fmt::format("  {}: {}", name, value.is_string() ? value.get<std::string>() : dump(value))));
    console.note(fmt::format("  asked by {}; still needed: {}", state.header().requester, still_needed(state, step)));
}

// Whether the person has seen what they agree to: they gave its digest, or see it now and say yes.
Result<void> agreed(Context& context, const RunState& state, std::size_t step, const Decide& options) {
    if (!options.digest.empty()) return {};
    show_question(context, state, step);
    if (options.yes) return {};
    if (!context.may_ask())
        return Error{Fault::refused, "nobody can be asked whether this is meant",
                     fmt::format("pass --yes, or --digest {} for what was shown", state.record(step).digest)};
    const std::string answer = TRY(context.ask("Agree? [y/N]"));
    if (answer != "y" && answer != "yes") return Error{Fault::refused, "the answer was no"};
    return {};
}

// What must be typed word for word.
Result<std::string> typed(Context& context, const std::string& given, const std::string& wanted) {
    if (!given.empty()) return given;
    if (!context.may_ask())
        return Error{Fault::refused, fmt::format("'{}' has to be typed", wanted),
                     fmt::format("pass --confirm {}", wanted)};
    return context.ask(fmt::format("Type {}:", wanted));
}

// A risk is severe: whoever takes it types what it is taken on.
Result<std::string> typed_risk(Context& context, const BoundStep& bound, const Decide& options) {
    const std::string name = TRY(typed(context, options.confirm, bound.target));
    if (name != bound.target)
        return Error{Fault::refused, fmt::format("'{}' is not the name of the target, {}", name, bound.target)};
    return options.text.empty() ? name : options.text;
}

struct Loaded {
    std::unique_ptr<SqliteJournal> journal;
    LoadedRun run;
};

Result<Loaded> load(const Context& context, const RunId& id) {
    const std::unique_ptr<SqliteJournal> reading = TRY(journal_with_runs(context));
    LoadedRun run = TRY(load_run(*reading, id, lab_root()));
    if (run.state.result())
        return Error{Fault::refused, fmt::format("run {} has ended: {}", id, to_string(*run.state.result()))};
    return Loaded{TRY(journal_to_write(context)), std::move(run)};
}

Result<std::size_t> find_step(const RunState& state, const std::string& id) {
    if (const auto found = state.find(id)) return *found;
    std::vector<std::string> known;
    for (std::size_t i = 0; i < state.size(); ++i) known.push_back(state.bound(i).id);
    return Error{Fault::not_found, fmt::format("run {} has no step '{}'", state.id(), id), suggestion(id, known)};
}

// The request, once the person has seen what it is about and typed what has to be typed. Whether it is in place at all
// is for the controller to say.
Result<Asking> prepare(Context& context, const RunState& state, const Decide& options, const std::string& verb) {
    Asking asking{.step = options.step,
                  .verb = verb,
                  .text = options.text,
                  .digest = options.digest,
                  .play_as = options.play,
                  .timeout = options.timeout};
    if (verb == "resolve") asking.text = options.as;
    if (options.step.empty()) return asking;
    const std::size_t step = TRY(find_step(state, options.step));
    const StepRecord& record = state.record(step);
    if (record.state != StepState::waiting) return asking;
    if (asking.digest.empty()) asking.digest = record.digest;
    if (verb == "approve" || verb == "done") TRY(agreed(context, state, step, options));
    if (verb == "waive" || verb == "confirm") show_question(context, state, step);
    if (verb == "waive") asking.text = TRY(typed_risk(context, state.bound(step), options));
    if (verb == "confirm" && state.bound(step).gate)
        asking.text = TRY(typed(context, options.confirm, state.bound(step).gate->confirm));
    return asking;
}

ExitCode decide(Context& context, const Decide& options, const std::string& verb) {
    Console& console = context.console();
    const std::string what = fmt::format("{} was not asked of run {}", verb, options.run);
    Result<Loaded> loaded = load(context, options.run);
    if (!loaded) return console.fail(what, loaded.error());
    const Result<Asking> asking = prepare(context, loaded->run.state, options, verb);
    if (!asking) return console.fail(what, asking.error());
    return ask_and_wait(context, *loaded->journal, loaded->run, *asking);
}

CommandBuilder<Decide> decision(const std::string& verb, std::string summary, std::string path = {}) {
    if (path.empty()) path = "run " + verb;
    CommandBuilder<Decide> builder(path, std::move(summary), [verb](Context& context, const Decide& options) {
        return decide(context, options, verb);
    });
    builder.argument("RUN", &Decide::run, "its id", Completes::runs)
        .option("timeout", "SPAN", &Decide::timeout, "how long to wait for the verdict; 30s if not given")
        .option("play", "PERSON", &Decide::play, "in a lab: as this person of its estate")
        .exits({ExitCode::not_found, ExitCode::not_allowed, ExitCode::refused, ExitCode::timed_out});
    return builder;
}

CommandBuilder<Decide>& of_step(CommandBuilder<Decide>&& builder) {
    return builder.argument("STEP", &Decide::step, "which step");
}

CommandBuilder<Decide>& with_reason(CommandBuilder<Decide>& builder) {
    return builder.option("reason", "TEXT", &Decide::text, "why, for the journal");
}

// For what is agreed to as it was shown.
CommandBuilder<Decide>& with_digest(CommandBuilder<Decide>& builder) {
    return builder.option("digest", "DIGEST", &Decide::digest, "of what was shown, if it was shown elsewhere");
}

}  // namespace

std::vector<Command> run_decide_commands() {
    std::vector<Command> all;
    all.push_back(with_digest(with_reason(of_step(decision("approve", "Agree to a step that waits at its gate"))))
                      .flag("yes", &Decide::yes, "do not ask again")
                      .letter('y')
                      .example("kedge run approve r-7k2f9c shift-traffic"));
    all.push_back(with_digest(of_step(decision("confirm", "Type the words that a gate asks for")))
                      .option("confirm", "TEXT", &Decide::confirm, "the words")
                      .example("kedge run confirm r-7k2f9c start --confirm FAILOVER"));
    all.push_back(with_digest(with_reason(of_step(decision("waive", "Take the risk of a blocked step by name"))))
                      .details("It takes two people, none of them who asked for the run. The name of the target is "
                               "typed.")
                      .option("confirm", "TARGET", &Decide::confirm, "the name of the target")
                      .example("kedge run waive r-7k2f9c promote --confirm aragora-postgres"));
    all.push_back(with_digest(with_reason(of_step(decision("done", "Say that a step by hand is done"))))
                      .flag("yes", &Decide::yes, "do not ask again")
                      .letter('y')
                      .example("kedge run done r-7k2f9c call-customers --yes"));
    all.push_back(with_digest(with_reason(of_step(decision("reject", "Say no to a step that waits"))))
                      .example("kedge run reject r-7k2f9c shift-traffic --reason unclear"));
    all.push_back(with_digest(of_step(decision("withdraw", "Take an agreement back before it was used")))
                      .example("kedge run withdraw r-7k2f9c shift-traffic"));
    CommandBuilder<Decide> pause = decision("pause", "Let nothing new begin");
    all.push_back(with_reason(pause).example("kedge run pause r-7k2f9c"));
    CommandBuilder<Decide> cancel = decision("cancel", "Stop a run and take back what it did");
    all.push_back(with_reason(cancel)
                      .details("Past the point of no return nothing is taken back; what is owed stays owed.")
                      .example("kedge run cancel r-7k2f9c --reason recovered"));
    all.push_back(
        with_reason(of_step(decision("retry", "Try a failed step again"))).example("kedge run retry r-7k2f9c canary"));
    all.push_back(with_reason(of_step(decision("skip", "Leave a step out, with a reason")))
                      .example("kedge run skip r-7k2f9c announce --reason told"));
    all.push_back(of_step(decision("resolve", "Say what became of an effect whose outcome is unknown"))
                      .option("as", "ANSWER", &Decide::as, "what you saw at the target")
                      .choices({"done", "not-done"})
                      .example("kedge run resolve r-7k2f9c promote --as done"));
    all.push_back(with_reason(of_step(decision("take_over", "Take over what a step owes, by name", "run take-over")))
                      .example("kedge run take-over r-7k2f9c promote --reason failback-planned"));
    return all;
}

}  // namespace kedge
