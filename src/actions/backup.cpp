// Backups: whether they are in time, and what they are worth. To judge one takes long: a process of its own does it,
// and its answers are looked at here.

#include "actions/catalogue.h"
#include "actions/says.h"

namespace kedge {
namespace {

const Parameter policy_parameter{"policy", ParameterType::text, true, "", "which backups: a policy of the estate"};

Result<BackupsLook> look_at_backups(const Call& call) {
    return TRY(call.backups())->look(call.text("policy"), call.deadline);
}

Result<Look> look_fresh(const Call& call) {
    const Result<BackupsLook> backups = look_at_backups(call);
    if (!backups) return unclear(backups.error().message);
    if (backups->reachable == Truth::unknown) return unclear(backups->says);
    if (!backups->taken) return condition(Truth::no, backups->says);
    constexpr Span clocks_differ = 2min;
    const Span age = call.now - *backups->taken;
    if (age < -clocks_differ) return unclear(backups->says);
    return condition(truth(age <= backups->max_age), backups->says,
                     {{"name", backups->newest.value_or("")},
                      {"age_seconds", seconds(age)},
                      {"limit_seconds", seconds(backups->max_age)}});
}

// Answers that were given to this step, and not to an earlier run.
bool is_answered(const BackupsLook& backups, const std::string& key) {
    return !backups.answers.empty() && get_string(backups.answers.begin()->second.evidence, "key") == key;
}

Result<Look> look_verified(const Call& call) {
    const Result<BackupsLook> backups = look_at_backups(call);
    if (!backups) return unclear(backups.error().message);
    const std::string policy = call.text("policy");
    if (is_answered(*backups, call.key)) {
        Json evidence = Json::object();
        for (const auto& [question, answer] : backups->answers) evidence[question] = to_string(answer.holds);
        return condition(Truth::yes, fmt::format("{} was judged: {}", policy, backups->newest.value_or(backups->says)),
                         std::move(evidence));
    }
    if (backups->working == Truth::yes) return absent(Truth::no, "the backups of " + policy + " are being judged");
    if (backups->reachable != Truth::yes) return unclear(backups->says);
    const auto failed = TRY(TRY(call.backups())->failure(policy, call.key));
    if (failed)
        return Look{.done = Truth::no,
                    .allowed = Truth::yes,
                    .says = fmt::format("{} was not judged: {}", policy, *failed),
                    .gave_up = true};
    return absent(Truth::yes, policy + " has not been judged in this run");
}

Result<Json> apply_verify(const Call& call) {
    const Judging judging = call.flag("recover") ? Judging::recovery
                            : call.flag("again") ? Judging::again
                                                 : Judging::as_needed;
    TRY(TRY(call.backups())->judge(call.text("policy"), judging, call.key, call.deadline));
    return Json{{"key", call.key}};
}

// It is there once another is the newest than when this step looked first.
Result<Look> look_created(const Call& call) {
    const Result<BackupsLook> backups = look_at_backups(call);
    if (!backups) return unclear(backups.error().message);
    if (backups->reachable != Truth::yes) return unclear(backups->says);
    const std::string newest = backups->newest.value_or("");
    const std::string before = get_string(call.evidence, "before").value_or(newest);
    Json evidence = {{"before", before}};
    if (backups->working == Truth::yes)
        return absent(Truth::no, "somebody works on the backups of " + call.text("policy"), std::move(evidence));
    if (newest != before) {
        evidence["name"] = newest;
        return condition(Truth::yes, fmt::format("{} was taken of {} and read back", newest, site(call)),
                         std::move(evidence));
    }
    const auto failed = TRY(TRY(call.backups())->failure(call.text("policy"), call.key));
    if (failed)
        return Look{.done = Truth::no,
                    .allowed = Truth::yes,
                    .says = "no backup was taken: " + *failed,
                    .evidence = std::move(evidence),
                    .gave_up = true};
    return absent(Truth::yes, "none was taken in this step", std::move(evidence));
}

Result<Json> apply_create(const Call& call) {
    TRY(TRY(call.backups())->create(call.text("policy"), call.region, call.key, call.deadline));
    return Json::object();
}

Result<Look> look_holds(const Call& call) {
    const Result<BackupsLook> backups = look_at_backups(call);
    if (!backups) return unclear(backups.error().message);
    const std::string question = call.text("question");
    const auto answer = backups->answers.find(question);
    if (answer == backups->answers.end())
        return unclear(fmt::format("{} was never asked of {}", question, call.text("policy")));
    const Span age = call.now - backups->judged_at.value_or(Moment{});
    if (age > call.span("max-age"))
        return unclear(fmt::format("the answer is {} old: {}", readable(age), answer->second.says));
    return condition(answer->second.holds, answer->second.says, answer->second.evidence);
}

}  // namespace

std::vector<Action> backup_actions() {
    using P = ParameterType;
    return {
        {{.name = "backup.fresh",
          .on = TargetKind::store,
          .needs_region = false,
          .says = "the newest backup is as young as its policy asks, by what it says of itself",
          .parameters = {policy_parameter},
          .by_hand = "kedge backup list ${policy}",
          .deadline = 60s,
          .call_limit = 30s},
         look_fresh},
        {{.name = "backup.create",
          .on = TargetKind::database,
          .says = "a backup is taken of this copy of the database as its policy asks, and read back",
          .effect = Effect::idempotent,
          .parameters = {policy_parameter},
          .pays = {"base backup"},
          .by_hand = "kedge backup create ${policy} --from ${region}",
          .deadline = 24h,
          .call_limit = 60s,
          .grants = {"the role attribute REPLICATION", "writing to the store"}},
         look_created,
         apply_create},
        {{.name = "backup.verify",
          .on = TargetKind::store,
          .needs_region = false,
          .says = "the newest backup is read, restored and judged as its policy asks",
          .effect = Effect::idempotent,
          .parameters = {policy_parameter,
                         {"again", P::flag, false, "false", "read also what has not changed since it was found sound"},
                         {"recover", P::flag, false, "false",
                          "of base backups: also recover to a moment of the window, chosen by chance"}},
          .by_hand = "kedge backup verify ${policy}",
          .deadline = 6h,
          .call_limit = 60s,
          .grants = {"reading the store", "SELECT on a standby, for tables that are compared"}},
         look_verified,
         apply_verify},
        {{.name = "backup.holds",
          .on = TargetKind::store,
          .needs_region = false,
          .says = "the last judgement answers a question of the policy with yes",
          .parameters = {policy_parameter,
                         {"question", P::text, true, "",
                          "fresh, intact, proved, tables, keys, production, continuous, copied or recovered"},
                         {"max-age", P::span, false, "12h", "an older answer is none"}},
          .by_hand = "kedge backup verify ${policy}, and look at ${question}",
          .deadline = 60s,
          .call_limit = 60s},
         look_holds},
    };
}

}  // namespace kedge
