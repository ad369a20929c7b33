// A recovered database takes production's place: by its data directory, or by a database's name within the running
// server.

#include "actions/catalogue.h"
#include "actions/postgres_safety.h"
#include "actions/recovery_says.h"

namespace kedge {
namespace {

// Ready for one of the two ways in which it can take production's place.
Result<Look> look_ready(const Call& call, bool exchanges, const std::string& doing) {
    const Result<RecoveryLook> recovery = look_at(call);
    if (!recovery) return unclear(recovery.error().message);
    if (recovery->working == Truth::yes) return not_yet(call, *recovery, doing);
    if (recovery->prepared == Truth::yes && recovery->exchanges == exchanges)
        return condition(Truth::yes, recovery->says, get(recovery->proof, "promotion"));
    const Look next = TRY(not_yet(call, *recovery, doing));
    if (next.gave_up || recovery->usable == Truth::yes) return next;
    // Nothing that goes on makes it usable again, be it what this step began that has shut its gate.
    return Look{.done = Truth::no,
                .allowed = recovery->usable,
                .says = recovery->says,
                .gave_up = recovery->usable == Truth::no};
}

Result<Look> look_prepared(const Call& call) {
    return look_ready(call, false, "to prepare it");
}

Result<Look> look_in_the_server(const Call& call) {
    return look_ready(call, true, "to load it into the running server");
}

Result<Json> apply_load(const Call& call) {
    TRY(TRY(call.recoveries())->load(name_of(call), call.region, call.key, call.deadline));
    return Json{{"recovery", name_of(call)}};
}

Result<Json> apply_prepare(const Call& call) {
    TRY(TRY(call.recoveries())->prepare(name_of(call), call.region, call.key, call.deadline));
    return Json{{"recovery", name_of(call)}};
}

Result<Look> look_put_back(const Call& call) {
    const Result<RecoveryLook> recovery = look_at(call);
    if (!recovery) return unclear(recovery.error().message);
    if (recovery->working != Truth::yes && recovery->prepared == Truth::no)
        return condition(Truth::yes, name_of(call) + " stands beside production");
    if (recovery->working != Truth::yes && recovery->promoted == Truth::no && recovery->served)
        return condition(Truth::yes, recovery->says);
    return not_yet(call, *recovery, "to put it back");
}

Result<Json> apply_put_back(const Call& call) {
    TRY(TRY(call.recoveries())->put_back(name_of(call), call.region, call.key, call.deadline));
    return Json{{"recovery", name_of(call)}};
}

// Allowed, as `says` has it, unless another server than that in the region of the call may write.
Look unless_others_write(const Call& call, Database& database, Json evidence, std::string says) {
    for (const std::string& other : call.regions) {
        if (other == call.region) continue;
        std::string why;
        const Truth safe =
            cannot_write(database.look(other, call.deadline), database.look_at_fence(other, call.deadline), why);
        evidence[other] = why;
        if (safe != Truth::yes)
            return absent(safe, fmt::format("{}@{}: {}", call.target, other, why), std::move(evidence));
    }
    return absent(Truth::yes, std::move(says), std::move(evidence));
}

// No server of the database takes writes, and the one whose place is taken cannot begin to.
Look nobody_writes(const Call& call, Database& database) {
    const Result<FenceLook> own = database.look_at_fence(call.region, call.deadline);
    if (!own) return unclear(fmt::format("the fence of {} does not answer: {}", site(call), own.error().message));
    if (own->fenced != Truth::yes)
        return absent(own->fenced, fmt::format("{} is not proved to be unable to write: {}", site(call), own->proof));
    return unless_others_write(call, database, {{call.region, own->proof}},
                               "prepared, and no server of the database can write");
}

// The one server that takes writes is the one in the region of the call.
Look only_writer(const Call& call, Database& database) {
    const Result<DatabaseLook> own = database.look(call.region, call.deadline);
    if (!own) return unclear(fmt::format("{} does not answer: {}", site(call), own.error().message));
    if (own->writable != Truth::yes)
        return absent(own->writable, fmt::format("{} is not seen to take writes: {}", site(call), own->says));
    return unless_others_write(call, database, {{call.region, own->says}},
                               fmt::format("{} alone takes writes", site(call)));
}

// `may` judges the servers of the database, once it is ready to take production's place.
Result<Look> look_in_place(const Call& call, bool exchanges, const std::string& doing,
                           Look (*may)(const Call&, Database&)) {
    const Result<RecoveryLook> recovery = look_at(call);
    if (!recovery) return unclear(recovery.error().message);
    if (recovery->working == Truth::yes) return not_yet(call, *recovery, doing);
    const Truth in_place = both(recovery->promoted, truth(recovery->exchanges == exchanges));
    if (in_place == Truth::yes) return condition(Truth::yes, recovery->says, get(recovery->proof, "promotion"));
    const Truth ready = both(recovery->prepared, truth(recovery->exchanges == exchanges));
    if (ready != Truth::yes) return absent(ready, "it is not ready for that: " + recovery->says);
    const Look next = TRY(not_yet(call, *recovery, doing));
    return next.gave_up ? next : may(call, *TRY(call.database()));
}

Result<Look> look_swapped(const Call& call) {
    return look_in_place(call, false, "to swap it in", nobody_writes);
}

Result<Look> look_exchanged(const Call& call) {
    return look_in_place(call, true, "to exchange them", only_writer);
}

Result<Json> apply_exchange(const Call& call) {
    TRY(TRY(call.recoveries())->exchange(name_of(call), call.region, call.key, call.deadline));
    return Json{{"recovery", name_of(call)}};
}

Result<Json> apply_swap(const Call& call) {
    TRY(TRY(call.recoveries())->promote(name_of(call), call.region, call.key, call.deadline));
    return Json{{"recovery", name_of(call)}};
}

}  // namespace

std::vector<Action> recovery_in_place_actions() {
    return {
        {{.name = "recovery.prepare",
          .on = TargetKind::database,
          .says =
              "the recovered copy is stopped in order and gets production's settings, once it is known that it could "
              "take its place",
          .effect = Effect::idempotent,
          .parameters = {name_parameter},
          .undo = "recovery.put-back",
          .by_hand = "kedge recover promote ${name} --in ${region} --prepare",
          .deadline = 30min,
          .call_limit = 60s,
          .grants = {"reading and renaming the data directory"}},
         look_prepared,
         apply_prepare},
        {{.name = "recovery.put-back",
          .on = TargetKind::database,
          .says = "the recovered copy stands beside production again",
          .effect = Effect::idempotent,
          .parameters = {name_parameter},
          .by_hand = "kedge recover put-back ${name}",
          .deadline = 30min,
          .call_limit = 60s},
         look_put_back,
         apply_put_back},
        {{.name = "recovery.promote",
          .on = TargetKind::database,
          .says = "the recovered copy takes the place of the fenced server's data, which are kept beside it",
          .effect = Effect::idempotent,
          .parameters = {name_parameter},
          .owes = {{"replaced data", true, "what was in {target}@{region} before is kept"},
                   {"redundancy", false, "{target} has no standby"},
                   {"base backup", true, "{target}@{region} has no base backup of its new timeline"}},
          .pays = {"recovered copy"},
          .point_of_no_return = true,
          .by_hand = "kedge recover promote ${name} --in ${region}   # only with its fence up",
          .deadline = 10min,
          .call_limit = 60s,
          .grants = {"renaming the data directory"}},
         look_swapped,
         apply_swap},
        {{.name = "recovery.load",
          .on = TargetKind::database,
          .says = "the recovered copy is loaded into the running server, as a database beside the one that is there",
          .effect = Effect::idempotent,
          .parameters = {name_parameter},
          .undo = "recovery.put-back",
          .by_hand = "kedge recover exchange ${name} --in ${region} --load",
          .deadline = 24h,
          .call_limit = 60s,
          .grants = {"CREATEDB, and what the copy's objects need", "room for a second database"}},
         look_in_the_server,
         apply_load},
        {{.name = "recovery.exchange",
          .on = TargetKind::database,
          .says = "what was loaded takes the name of the database that is there, which is kept; the server goes on",
          .effect = Effect::idempotent,
          .parameters = {name_parameter},
          .owes = {{"replaced data", true,
                    "what was in {target}@{region} before, unless it was gone, is kept as a database of its own"},
                   {"base backup", true, "{target}@{region} has no base backup since its database was exchanged"}},
          .pays = {"recovered copy"},
          .point_of_no_return = true,
          .by_hand = "kedge recover exchange ${name} --in ${region}",
          .deadline = 10min,
          .call_limit = 60s,
          .grants = {"owner of both databases", "pg_signal_backend"}},
         look_exchanged,
         apply_exchange},
    };
}

}  // namespace kedge
