#include "runner/runs.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <random>

#include "actions/action.h"
#include "engine/events.h"
#include "estate/parse.h"
#include "plan/bind.h"
#include "plan/parse.h"

namespace kedge {
namespace {

bool is_made_of(const Pinned& known, const RunHeader& header) {
    const BoundPlan& plan = known.course->plan;
    return known.plan_text == header.plan_text && known.estate->text == header.estate_text &&
           plan.inputs == header.inputs && plan.plan_digest == header.plan_digest &&
           plan.inputs_digest == header.inputs_digest && known.estate->digest == header.estate_digest;
}

// Plan and estate as they were pinned, bound again: the digests must come out the same.
Result<LoadedRun> rebuild(const RunId& id, const Entry& first, const std::string& lab_root, const Pinned* known) {
    const RunHeader header = TRY(read_header(first));
    if (known != nullptr && is_made_of(*known, header)) return LoadedRun{known->estate, RunState(id, known->course)};
    Estate estate = TRY(parse_estate("pinned estate", header.estate_text, {.lab_root = lab_root}).result());
    const Plan plan = TRY(parse_plan("pinned plan", header.plan_text).result());
    BoundPlan bound = TRY(bind_plan(plan, header.inputs, estate, catalogue()).result());
    if (bound.plan_digest != header.plan_digest || bound.inputs_digest != header.inputs_digest ||
        estate.digest != header.estate_digest)
        return Error{Fault::corrupt,
                     "run " + id + ": its pinned plan does not have the digest that was pinned with it"};
    return LoadedRun{std::make_shared<const Estate>(std::move(estate)), RunState(id, std::move(bound), catalogue())};
}

Result<void> fold_all(RunState& state, const Journal& journal, const RunId& id) {
    for (const Entry& entry : TRY(journal.read(id, state.last()))) TRY(state.fold(entry));
    return {};
}

// Folded no further than its first entry.
Result<LoadedRun> open(const Journal& journal, const RunId& id, const std::string& lab_root, const Pinned* known) {
    const std::vector<Entry> first = TRY(journal.read(id, 0, 1));
    if (first.empty()) return Error{Fault::not_found, "there is no run " + id, "list them with `kedge run list`"};
    LoadedRun run = TRY(rebuild(id, first.front(), lab_root, known));
    TRY(run.state.fold(first.front()));
    return run;
}

}  // namespace

std::string controller_name() {
    std::array<char, 256> host{};
    if (gethostname(host.data(), host.size() - 1) != 0) return fmt::format("pid {}", getpid());
    return fmt::format("pid {} on {}", getpid(), host.data());
}

Result<RunId> new_run_id(const Journal& journal, std::string_view prefix) {
    const std::vector<RunRecord> runs = TRY(journal.runs());
    static constexpr std::string_view letters = "0123456789abcdefghjkmnpqrstvwxyz";
    std::random_device random;
    while (true) {
        RunId id(prefix);
        for (int i = 0; i < 6; ++i) id += letters[random() % letters.size()];
        if (std::none_of(runs.begin(), runs.end(), [&](const RunRecord& run) { return run.id == id; })) return id;
    }
}

Result<LoadedRun> open_run(const Journal& journal, const RunId& id, const std::string& lab_root) {
    return open(journal, id, lab_root, nullptr);
}

Result<LoadedRun> load_run(const Journal& journal, const RunId& id, const std::string& lab_root, const Pinned* known) {
    LoadedRun run = TRY(open(journal, id, lab_root, known));
    TRY(fold_all(run.state, journal, id));
    return run;
}

Result<Pinned> pin(const Plan& plan, const std::map<std::string, std::string>& inputs, Estate estate) {
    BoundPlan bound = TRY(bind_plan(plan, inputs, estate, catalogue()).result());
    return Pinned{.plan_text = plan.text,
                  .estate = std::make_shared<const Estate>(std::move(estate)),
                  .course = std::make_shared<const Course>(std::move(bound), catalogue())};
}

Result<ControlledRun> start_run(Journal& journal, const Plan& plan, const Estate& estate, const StartOptions& options,
                                const std::string& controller, Moment now) {
    return start_run(journal, TRY(pin(plan, options.inputs, estate)), options, controller, now);
}

Result<ControlledRun> start_run(Journal& journal, const Pinned& pinned, const StartOptions& options,
                                const std::string& controller, Moment now) {
    const BoundPlan& bound = pinned.course->plan;
    const Estate& estate = *pinned.estate;
    const bool changes = options.mode != Mode::rehearse;
    if (changes) {
        TRY(estate.require_armed(unarmed_targets(bound, estate)));
        if (bound.gate && !bound.gate->confirm.empty() && options.confirm != bound.gate->confirm)
            return Error{Fault::refused,
                         fmt::format("plan {} starts only when '{}' was typed", bound.name, bound.gate->confirm),
                         fmt::format("pass --confirm {}", bound.gate->confirm)};
    }
    RunHeader header{.plan_text = pinned.plan_text,
                     .plan_digest = bound.plan_digest,
                     .estate_text = estate.text,
                     .estate_digest = estate.digest,
                     .inputs = bound.inputs,
                     .inputs_digest = bound.inputs_digest,
                     .mode = options.mode,
                     .requester = options.requester,
                     .reason = options.reason,
                     .confirmed = options.confirm,
                     .played = options.played,
                     .drill = options.drill};
    const RunId id = options.id.empty() ? TRY(new_run_id(journal, "r-")) : options.id;
    std::unique_ptr<Claim> claim =
        TRY(journal.begin(id, changes ? bound.targets : std::vector<std::string>{}, started(header, now), controller));
    RunState state(id, pinned.course);
    TRY(fold_all(state, journal, id));
    return ControlledRun{pinned.estate, std::move(claim), std::move(state)};
}

Result<ControlledRun> resume_run(Journal& journal, const RunId& id, const std::string& controller,
                                 const std::string& lab_root, Moment now, const Pinned* known) {
    std::unique_ptr<Claim> claim = TRY(journal.claim(id, controller));
    LoadedRun run = TRY(open(journal, id, lab_root, known));
    TRY(fold_all(run.state, journal, id));
    const std::array takeover = {events::claimed(controller, now)};
    TRY(journal.append(*claim, takeover));
    TRY(fold_all(run.state, journal, id));
    return ControlledRun{std::move(run.estate), std::move(claim), std::move(run.state)};
}

}  // namespace kedge
