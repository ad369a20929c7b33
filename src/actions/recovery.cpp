// Databases recovered beside production. To recover takes long: a process of its own does it, and how it stands is
// looked at here.

#include "actions/catalogue.h"
#include "actions/recovery_says.h"

namespace kedge {
namespace {

RecoveryOrder order_of(const Call& call) {
    return {.name = name_of(call),
            .database = call.target,
            .to = call.text("to"),
            .inclusive = !call.flag("exclusive"),
            .timeline = call.integer("timeline"),
            .policy = call.has("policy") ? call.text("policy") : ""};
}

std::string nearest(const Json& choice) {
    std::string text;
    for (const auto& [key, word] : {std::pair("nearest_before", "before"), std::pair("nearest_after", "after")})
        if (const auto moment = get_string(choice, key)) text += fmt::format("; the nearest {} is {}", word, *moment);
    return text;
}

Result<Look> look_chosen(const Call& call) {
    const Result<RecoveryLook> recovery = look_at(call);
    if (!recovery) return unclear(recovery.error().message);
    const bool ours = recovery->exists && recovery->key == call.key;
    if (!ours || recovery->working == Truth::yes) return not_yet(call, *recovery, "to choose a backup");
    const std::string says = get_string(recovery->choice, "says").value_or("");
    if (recovery->possible == Truth::yes)
        return condition(Truth::yes,
                         fmt::format("{} can be recovered {}, in roughly {}", call.text("to"), says,
                                     readable(Span(static_cast<std::int64_t>(
                                         get_number(recovery->choice, "takes_seconds").value_or(0) * 1e6)))),
                         recovery->choice);
    return Look{.done = Truth::no,
                .allowed = Truth::yes,
                .says = fmt::format("{} cannot be recovered: {}{}", call.text("to"), says, nearest(recovery->choice)),
                .evidence = recovery->choice,
                .gave_up = true};
}

Result<Json> apply_choose(const Call& call) {
    TRY(TRY(call.recoveries())->choose(order_of(call), call.key, call.deadline));
    return Json{{"recovery", name_of(call)}};
}

// Of `what` ("to recover", "to restore"): it stands, failed, or is not there yet.
Result<Look> look_made(const Call& call, const std::string& what) {
    const Result<RecoveryLook> recovery = look_at(call);
    if (!recovery) return unclear(recovery.error().message);
    const bool ours = recovery->exists && recovery->key == call.key && recovery->working != Truth::yes;
    if (ours && recovery->possible == Truth::no)
        return Look{.done = Truth::no,
                    .allowed = Truth::yes,
                    .says = fmt::format("{} is not possible: {}{}", what,
                                        get_string(recovery->choice, "says").value_or(""), nearest(recovery->choice)),
                    .gave_up = true};
    if (!ours || recovery->stands != Truth::yes) return not_yet(call, *recovery, what);
    return condition(Truth::yes, fmt::format("{} stands beside production: {}", name_of(call), recovery->says),
                     {{"recovery", name_of(call)}, {"choice", recovery->choice}, {"proof", recovery->proof}});
}

Result<Look> look_recovered(const Call& call) {
    return look_made(call, "to recover");
}

Result<Look> look_restored(const Call& call) {
    return look_made(call, "to restore");
}

Result<Json> apply_restore(const Call& call) {
    const RestoreOrder order{.name = name_of(call),
                             .database = call.target,
                             .to = call.has("to") ? call.text("to") : "",
                             .dump = call.has("dump") ? call.text("dump") : "",
                             .policy = call.has("policy") ? call.text("policy") : ""};
    if (!order.to.empty() && !(order.dump.empty() && order.policy.empty()))
        return Error{Fault::invalid_input,
                     "with `to` the backup is chosen: `dump` and `policy` cannot stand beside it"};
    TRY(TRY(call.recoveries())->restore(order, call.key, call.deadline));
    return Json{{"recovery", order.name}};
}

Result<Json> apply_restore_snapshot(const Call& call) {
    // Words for what is not asked for: a plan's input cannot be empty.
    const auto given = [&](std::string_view name, std::string_view nothing) {
        return call.text(name) == nothing ? "" : call.text(name);
    };
    const SnapshotOrder order{.name = name_of(call),
                              .cache = call.target,
                              .snapshot = given("snapshot", "newest"),
                              .before = given("before", "now"),
                              .policy = given("policy", ""),
                              .drop = given("drop", "nothing")};
    TRY(TRY(call.recoveries())->restore_snapshot(order, call.key, call.deadline));
    return Json{{"recovery", order.name}};
}

Result<Look> look_kept(const Call& call) {
    const Result<RecoveryLook> recovery = look_at(call);
    if (!recovery) return unclear(recovery.error().message);
    const Json& kept = get(recovery->proof, "kept");
    if (recovery->working == Truth::yes || get_string(kept, "key") != call.key)
        return not_yet(call, *recovery, "to keep what is there");
    return condition(Truth::yes,
                     fmt::format("{} keys of {} are kept in {}", get_integer(kept, "keys").value_or(0), site(call),
                                 get_string(kept, "path").value_or("?")),
                     kept);
}

Result<Json> apply_keep(const Call& call) {
    TRY(TRY(call.recoveries())->keep(name_of(call), call.region, call.key, call.deadline));
    return Json{{"recovery", name_of(call)}};
}

Result<Json> apply_make(const Call& call) {
    TRY(TRY(call.recoveries())->make(order_of(call), call.key, call.deadline));
    return Json{{"recovery", name_of(call)}};
}

Result<Look> look_stands(const Call& call) {
    const Result<RecoveryLook> recovery = look_at(call);
    if (!recovery) return unclear(recovery.error().message);
    if (!recovery->exists) return condition(Truth::no, recovery->says);
    Truth holds = Truth::yes;
    for (const Truth one : {recovery->stands, recovery->proved, recovery->usable, recovery->answers})
        holds = holds == Truth::no || one == Truth::no ? Truth::no : one == Truth::unknown ? one : holds;
    return condition(holds, recovery->says,
                     {{"stands", to_string(recovery->stands)},
                      {"proved", to_string(recovery->proved)},
                      {"usable", to_string(recovery->usable)},
                      {"answers", to_string(recovery->answers)},
                      {"proof", recovery->proof}});
}

Result<Look> look_discarded(const Call& call) {
    const Result<RecoveryLook> recovery = look_at(call);
    if (!recovery) return unclear(recovery.error().message);
    if (!recovery->exists) return condition(Truth::yes, recovery->says);
    return not_yet(call, *recovery, "to discard it");
}

Result<Json> apply_discard(const Call& call) {
    TRY(TRY(call.recoveries())->discard(name_of(call), call.key, call.deadline));
    return Json{{"recovery", name_of(call)}};
}

// What lies only in production, by table: what a promotion would leave behind.
std::string losses(const Json& comparison) {
    if (get_bool(comparison, "live_is_gone").value_or(false))
        return "production has no such database any more: what it had and the copy has not cannot be listed";
    if (get_bool(comparison, "equal").value_or(false)) return "production has nothing that the copy has not";
    std::int64_t only = 0, changed = 0, lacks = 0;
    const Json& tables = get(comparison, "tables");
    for (const auto& [name, table] : tables.items()) {
        only += get_integer(table, "only_production").value_or(0);
        changed += get_integer(table, "changed").value_or(0);
        lacks += get_integer(table, "only_copy").value_or(0);
    }
    return fmt::format(
        "in {} tables production has {} rows that the copy has not, and {} that are otherwise in it; {} rows are only "
        "in "
        "the copy",
        tables.size(), only, changed, lacks);
}

Result<Look> look_compared(const Call& call) {
    const Result<RecoveryLook> recovery = look_at(call);
    if (!recovery) return unclear(recovery.error().message);
    if (recovery->working != Truth::yes && get_string(recovery->comparison, "key") == call.key)
        return condition(Truth::yes, losses(recovery->comparison),
                         {{"with", get(recovery->comparison, "with")},
                          {"live_is_gone", get_bool(recovery->comparison, "live_is_gone").value_or(false)},
                          {"tables", get(recovery->comparison, "tables")}});
    return not_yet(call, *recovery, "to compare it");
}

Result<Json> apply_compare(const Call& call) {
    TRY(TRY(call.recoveries())->compare(name_of(call), call.region, call.key, call.deadline));
    return Json{{"recovery", name_of(call)}};
}

std::vector<Parameter> point_parameters() {
    using P = ParameterType;
    return {{"to", P::text, true, "", "the point: a moment with its zone, 0/5A10F08, xid:4711, name:POINT, latest"},
            {"exclusive", P::flag, false, "false", "without what lies exactly there"},
            {"timeline", P::integer, false, "0", "along this timeline; 0 = the newest that has the point"},
            {"policy", P::text, false, "", "the policy of base backups; absent = the only one"},
            name_parameter};
}

}  // namespace

std::vector<Action> recovery_actions() {
    return {
        {{.name = "recovery.choose",
          .on = TargetKind::database,
          .needs_region = false,
          .says = "says from which base backup and log the point can be recovered, after reading both",
          .effect = Effect::idempotent,
          .parameters = point_parameters(),
          .by_hand = "kedge recover pitr --to ${to} --target ${target} --dry-run",
          .deadline = 2h,
          .call_limit = 60s,
          .grants = {"reading the store of backups and log"}},
         look_chosen,
         apply_choose},
        {{.name = "recovery.make",
          .on = TargetKind::database,
          .needs_region = false,
          .says = "recovers the database to the point, beside production, and takes erased people out of it",
          .effect = Effect::idempotent,
          .parameters = point_parameters(),
          .owes = {{"recovered copy", false, "a recovered copy of {target} stands beside production"}},
          .by_hand = "kedge recover pitr --to ${to} --target ${target} --name ${name}",
          .deadline = 24h,
          .call_limit = 60s,
          .grants = {"reading the store of backups and log", "room for a copy on this machine"}},
         look_recovered,
         apply_make},
        {{.name = "recovery.restore",
          .on = TargetKind::database,
          .needs_region = false,
          .says = "restores a dump beside production, or what serves better, and takes erased people out of it",
          .effect = Effect::idempotent,
          .parameters = {{"to", ParameterType::text, false, "",
                          "a moment with its zone, or latest: takes whichever of dump and base backup loses less"},
                         {"dump", ParameterType::text, false, "", "its name; absent = the newest that is sound"},
                         {"policy", ParameterType::text, false, "", "the policy of dumps; absent = the only one"},
                         name_parameter},
          .owes = {{"recovered copy", false, "a recovered copy of {target} stands beside production"}},
          .by_hand = "kedge recover restore --target ${target} --name ${name}",
          .deadline = 24h,
          .call_limit = 60s,
          .grants = {"reading the store of dumps", "room for a copy on this machine"}},
         look_restored,
         apply_restore},
        {{.name = "recovery.restore-snapshot",
          .on = TargetKind::cache,
          .needs_region = false,
          .says = "loads a snapshot beside production, without the keys that must not come back",
          .effect = Effect::idempotent,
          .parameters = {{"snapshot", ParameterType::text, false, "newest",
                          "its name; newest = the newest that is sound"},
                         {"before", ParameterType::text, false, "now", "taken before this moment, with its zone"},
                         {"policy", ParameterType::text, false, "", "the policy of snapshots; absent = the only one"},
                         {"drop", ParameterType::text, false, "nothing",
                          "a pattern of keys that must not come back, beside those that the estate names"},
                         name_parameter},
          .owes = {{"recovered copy", false, "a recovered copy of {target} stands beside production"}},
          .by_hand = "kedge recover redis --target ${target} --name ${name}",
          .deadline = 6h,
          .call_limit = 60s,
          .grants = {"reading the store of snapshots", "memory for a copy on this machine"}},
         look_restored,
         apply_restore_snapshot},
        {{.name = "recovery.snapshot-stands",
          .on = TargetKind::cache,
          .needs_region = false,
          .says = "the recovered copy has every key that was counted in the snapshot, and none that must not come back",
          .parameters = {name_parameter},
          .by_hand = "kedge recover show ${name}",
          .deadline = 60s,
          .call_limit = 30s},
         look_stands},
        {{.name = "recovery.keep",
          .on = TargetKind::cache,
          .says = "what the node holds now is copied aside, whole, before it is replaced",
          .effect = Effect::idempotent,
          .parameters = {name_parameter},
          .by_hand = "kedge recover keep ${name} --region ${region}",
          .deadline = 1h,
          .call_limit = 60s,
          .grants = {"+info +replconf +psync +sync (node)", "room for a copy on this machine"}},
         look_kept,
         apply_keep},
        {{.name = "recovery.stands",
          .on = TargetKind::database,
          .needs_region = false,
          .says = "the recovered copy ended where it was asked to, erased people are out of it, and it answers",
          .parameters = {name_parameter},
          .by_hand = "kedge recover show ${name}",
          .deadline = 60s,
          .call_limit = 30s},
         look_stands},
        {{.name = "recovery.compare",
          .on = TargetKind::database,
          .says = "says by table what production has that the recovered copy has not, and the other way round",
          .effect = Effect::idempotent,
          .parameters = {name_parameter},
          .by_hand = "kedge recover compare ${name} --from ${region}",
          .deadline = 12h,
          .call_limit = 60s,
          .grants = {"SELECT on every table"}},
         look_compared,
         apply_compare},
        {{.name = "recovery.discard",
          .on = TargetKind::database,
          .needs_region = false,
          .says = "stops the recovered copy and removes all of it; of one that was promoted, what it replaced",
          .effect = Effect::idempotent,
          .parameters = {name_parameter},
          .pays = {"recovered copy", "replaced data"},
          .by_hand = "kedge recover discard ${name}",
          .deadline = 30min,
          .call_limit = 60s},
         look_discarded,
         apply_discard},
    };
}

}  // namespace kedge
