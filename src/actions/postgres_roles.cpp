// PostgreSQL: how a server is kept from writing, how another takes over, and how the old one comes back.

#include <algorithm>

#include "actions/catalogue.h"
#include "actions/postgres_safety.h"
#include "actions/postgres_says.h"

namespace kedge {
namespace {

Result<Look> look_fence(const Call& call) {
    Database* database = TRY(call.database());
    const Result<FenceLook> fence = database->look_at_fence(call.region, call.deadline);
    if (!fence) return unclear("its fence does not answer: " + fence.error().message);
    Json evidence = {{"fenced", kedge::to_string(fence->fenced)}, {"proof", fence->proof}};
    if (fence->fenced == Truth::yes) {
        // The first moment at which it was proved; a later look does not move it.
        if (get(call.evidence, "fenced_at").is_null()) evidence["fenced_at"] = kedge::to_string(call.now);
        return condition(Truth::yes, site(call) + " cannot write: " + fence->proof, std::move(evidence));
    }
    if (fence->fenced == Truth::unknown) return unclear("its fence cannot tell: " + fence->proof, std::move(evidence));
    return absent(Truth::yes, "not fenced: " + fence->proof, std::move(evidence));
}

Result<Json> apply_fence(const Call& call) {
    TRY(TRY(call.database())->raise_fence(call.region, call.deadline));
    return Json::object();
}

// The fence comes down only while nobody else took over; otherwise it ends by rejoining as a standby. Somebody may take
// over between the look and the order: then it is down and must not be, which is for people to mend.
Result<Look> look_unfence(const Call& call) {
    Database* database = TRY(call.database());
    const FenceLook fence = TRY(database->look_at_fence(call.region, call.deadline));
    if (fence.fenced == Truth::unknown) return unclear("its fence cannot tell: " + fence.proof);
    const bool down = fence.fenced == Truth::no;
    for (const std::string& other : call.regions) {
        if (other == call.region) continue;
        const Result<DatabaseLook> look = database->look(other, call.deadline);
        if (!look || look->primary == Truth::unknown) {
            const std::string says = fmt::format("whether {}@{} took over is unknown", call.target, other);
            return down ? unclear("no fence is up, and " + says) : absent(Truth::unknown, says);
        }
        if (look->primary == Truth::no) continue;
        Look taken = absent(Truth::no, fmt::format("{}@{} is primary: this one must rejoin as its standby{}",
                                                   call.target, other, down ? "; raise its fence again" : ""));
        taken.gave_up = down;
        return taken;
    }
    if (down) return condition(Truth::yes, "no fence is up: " + fence.proof);
    return absent(Truth::yes, "fenced, and nobody else took over");
}

Result<Json> apply_unfence(const Call& call) {
    TRY(TRY(call.database())->lower_fence(call.region, call.deadline));
    return Json::object();
}

Result<Look> look_shut_down(const Call& call) {
    Database* database = TRY(call.database());
    const Result<std::optional<Lsn>> stopped = database->stopped_at(call.region, call.deadline);
    if (stopped && *stopped)
        return condition(Truth::yes, fmt::format("{} stopped cleanly at {}", site(call), to_string(**stopped)),
                         {{"stopped_at", to_string(**stopped)}});
    const Result<DatabaseLook> look = database->look(call.region, call.deadline);
    if (!look) return unclear(look.error().message);
    if (look->reachable != Truth::yes) return Look{.done = Truth::no, .allowed = Truth::no, .says = look->says};
    if (look->primary != Truth::yes) return absent(Truth::no, site(call) + " is not the primary", facts_of(*look));
    const bool streams = std::any_of(look->standbys.begin(), look->standbys.end(),
                                     [](const StandbyLink& link) { return link.state == "streaming"; });
    return absent(truth(streams), streams ? "primary, and a standby streams from it" : "no standby streams from it",
                  facts_of(*look));
}

Result<Json> apply_shut_down(const Call& call) {
    TRY(TRY(call.database())->shut_down(call.region, call.deadline));
    return Json::object();
}

Result<Look> look_start(const Call& call) {
    return looking_at(call, call.region, [&](Database&, const DatabaseLook& look) -> Look {
        if (look.reachable == Truth::yes) return condition(Truth::yes, site(call) + " runs", facts_of(look));
        return absent(negated(look.reachable), look.says);
    });
}

Result<Json> apply_start(const Call& call) {
    TRY(TRY(call.database())->start(call.region, call.deadline));
    return Json::object();
}

// It may have been started after it had stopped, and have taken writes until its fence was up.
Truth still_ended(Database& database, const OldEnd& end, const Call& call, std::string& why) {
    const auto now = database.stopped_at(end.region, call.deadline);
    if (!now) {
        why = "whether it still is as it stopped is unknown: " + now.error().message;
        return Truth::unknown;
    }
    if (*now == end.position) return Truth::yes;
    why = fmt::format("it had stopped at {} and was started since: it may hold more", to_string(end.position));
    return Truth::no;
}

// In this run the loss was bounded, or people took it.
bool loss_was_judged(const Call& call) {
    return std::any_of(call.facts.begin(), call.facts.end(), [&](const Fact& fact) {
        const bool judges = fact.action == "postgres.loss-bound" || fact.action == "postgres.caught-up" ||
                            fact.action == "postgres.lag";
        return judges && fact.region == call.region && (fact.succeeded || fact.risk_taken);
    });
}

Result<Look> look_promote(const Call& call) {
    Database* database = TRY(call.database());
    const Result<DatabaseLook> look = database->look(call.region, call.deadline);
    if (!look) return unclear(look.error().message);
    Json evidence = facts_of(*look);
    const std::optional<OldEnd> end = old_end(call);
    const bool held_end = end && get_string(call.evidence, "holds_to_the_end") == to_string(end->position);
    // Promoted by somebody else, it may lack what the old one went on to write.
    if (look->primary == Truth::yes && end && !held_end)
        return absent(Truth::no,
                      fmt::format("{} is primary already, not by this run: nobody knows whether it holds what the old "
                                  "primary wrote up to {}",
                                  site(call), to_string(end->position)),
                      std::move(evidence));
    if (look->primary == Truth::yes)
        return condition(look->writable,
                         fmt::format("{} is primary on timeline {}", site(call),
                                     look->timeline ? std::to_string(*look->timeline) : "?"),
                         std::move(evidence));
    if (look->primary == Truth::unknown) return unclear(look->says, std::move(evidence));
    if (call.accepted) return absent(Truth::no, site(call) + " was asked and still recovers", std::move(evidence));
    if (look->replay_paused != Truth::no) return absent(Truth::no, "its replay is paused", std::move(evidence));
    if (end) {
        const std::optional<Lsn> has = held(*look);
        if (!has || *has < end->position)
            return absent(has ? Truth::no : Truth::unknown,
                          fmt::format("it holds {}, and the old primary stopped at {}",
                                      has ? to_string(*has) : "nobody knows what", to_string(end->position)),
                          std::move(evidence));
        evidence["holds_to_the_end"] = to_string(end->position);
    } else if (!loss_was_judged(call)) {
        return absent(Truth::no, "no step of this run has bounded the loss or found it caught up", std::move(evidence));
    }
    for (const std::string& other : call.regions) {
        if (other == call.region) continue;
        const bool taken = std::any_of(call.facts.begin(), call.facts.end(), [&](const Fact& fact) {
            return fact.region == other && fact.action == "postgres.fence" && fact.risk_taken;
        });
        std::string why;
        const Result<FenceLook> fence = database->look_at_fence(other, call.deadline);
        const bool proved = fence && fence->fenced == Truth::yes;
        const Truth safe = cannot_write(
            proved ? Result<DatabaseLook>(DatabaseLook{}) : database->look(other, call.deadline), fence, why);
        evidence["other_" + other] = why;
        if (safe != Truth::yes && !(taken && safe == Truth::unknown) && !(call.waived && safe == Truth::unknown))
            return absent(safe == Truth::no ? Truth::no : Truth::unknown,
                          fmt::format("{}@{}: {}", call.target, other, why), std::move(evidence));
    }
    // Only now is that settled: none that is fenced writes on.
    if (std::string why; end)
        if (const Truth still = still_ended(*database, *end, call, why); still != Truth::yes)
            return absent(still, fmt::format("{}@{}: {}", call.target, end->region, why), std::move(evidence));
    return absent(Truth::yes, "a standby, and no other server of this database can write", std::move(evidence));
}

Result<Json> apply_promote(const Call& call) {
    TRY(TRY(call.database())->promote(call.region, call.deadline));
    return Json::object();
}

Result<Look> look_switch_over(const Call& call) {
    return looking_at(call, call.region, [&](Database&, const DatabaseLook& look) -> Look {
        if (look.primary == Truth::yes) return condition(look.writable, site(call) + " is primary", facts_of(look));
        if (look.primary == Truth::unknown) return unclear(look.says, facts_of(look));
        if (call.accepted) return absent(Truth::no, "its manager switches over", facts_of(look));
        return absent(both(look.receiving, negated(look.replay_paused)), "a standby of its manager's cluster",
                      facts_of(look));
    });
}

Result<Json> apply_switch_over(const Call& call) {
    TRY(TRY(call.database())->switch_over(call.region, call.deadline));
    return Json::object();
}

Result<Look> look_export(const Call& call) {
    if (call.accepted) return condition(Truth::yes, "the stranded tail of " + site(call) + " is exported and listed");
    Database* database = TRY(call.database());
    const Result<DatabaseLook> look = database->look(call.region, call.deadline);
    if (look && look->reachable == Truth::yes && look->primary == Truth::no && look->receiving == Truth::yes)
        return condition(Truth::yes, "it is a standby that streams: nothing is stranded", {{"transactions", 0}});
    const FenceLook fence = TRY(database->look_at_fence(call.region, call.deadline));
    return absent(fence.fenced, fence.fenced == Truth::yes ? "stopped and fenced: its log can be read"
                                                           : "it must be fenced first: " + fence.proof);
}

Result<Json> apply_export(const Call& call) {
    const StrandedTail tail =
        TRY(TRY(call.database())
                ->export_stranded(call.region, call.text("primary"), call.text("keep-under"), call.deadline));
    Json tables = Json::object();
    for (const auto& [table, count] : tail.changes_by_table) tables[table] = count;
    return Json{{"from", to_string(tail.from)},
                {"to", to_string(tail.to)},
                {"transactions", tail.transactions},
                {"changes_by_table", tables},
                {"kept_at", tail.kept_at}};
}

Result<Look> look_rejoin(const Call& call) {
    Database* database = TRY(call.database());
    const Result<DatabaseLook> look = database->look(call.region, call.deadline);
    if (!look) return unclear(look.error().message);
    Json evidence = facts_of(*look);
    if (look->rejoin && look->reachable != Truth::yes) return absent(Truth::no, *look->rejoin, std::move(evidence));
    if (look->reachable == Truth::yes && look->primary == Truth::no && look->receiving == Truth::yes)
        return condition(Truth::yes,
                         fmt::format("{} is a standby and streams from {}", site(call), call.text("primary")),
                         std::move(evidence));
    if (look->primary == Truth::yes)
        return absent(Truth::no, site(call) + " runs as a primary: fence it first", std::move(evidence));
    if (look->reachable == Truth::yes)
        return absent(Truth::no, site(call) + " runs as a standby and does not stream yet", std::move(evidence));
    // The driver took the order and works at it no longer: what went wrong is in its words.
    if (call.accepted && look->reachable == Truth::no && !look->rejoin)
        return Look{.done = Truth::no,
                    .allowed = Truth::no,
                    .says = look->says,
                    .evidence = std::move(evidence),
                    .gave_up = true};
    // Where a recovered copy was swapped in, all that a standby holds is in the primary's own data, which are kept.
    const bool exported = std::any_of(call.facts.begin(), call.facts.end(), [&](const Fact& fact) {
        if (fact.action == "recovery.promote") return fact.target == call.target && fact.succeeded;
        return fact.region == call.region && fact.succeeded &&
               (fact.action == "postgres.export-stranded" || fact.action == "postgres.shut-down");
    });
    if (!exported)
        return absent(Truth::no, "what it holds beyond the fork has not been exported in this run",
                      std::move(evidence));
    const Result<DatabaseLook> primary = database->look(call.text("primary"), call.deadline);
    if (!primary || primary->primary != Truth::yes)
        return absent(Truth::unknown,
                      fmt::format("{}@{} does not answer as primary", call.target, call.text("primary")),
                      std::move(evidence));
    return absent(Truth::yes, "stopped; it can be made a standby of " + call.text("primary"), std::move(evidence));
}

Result<Json> apply_rejoin(const Call& call) {
    const RejoinBy by = call.text("by") == "base-backup" ? RejoinBy::base_backup : RejoinBy::rewind;
    TRY(TRY(call.database())->rejoin(call.region, call.text("primary"), by, call.deadline));
    return Json::object();
}

}  // namespace

std::vector<Action> postgres_role_actions() {
    constexpr TargetKind database = TargetKind::database;
    using P = ParameterType;
    const Parameter primary{"primary", P::region, true, "", "region of the present primary"};
    return {
        {{.name = "postgres.fence",
          .on = database,
          .says = "the old primary is kept from writing, by a way other than the server itself, and that is proved",
          .effect = Effect::probed,
          .undo = "postgres.unfence",
          .owes = {{"fence", true, "{target}@{region} is fenced and must rejoin as a standby"}},
          .danger = "Nothing proves that the old primary cannot write. If it still takes writes, both copies diverge "
                    "and one side's writes are lost.",
          .by_hand = "stop the server where it runs (power, hypervisor, or its service manager) and check that no "
                     "process of it is left",
          .deadline = 10s,
          .call_limit = 5s},
         look_fence,
         apply_fence},
        {{.name = "postgres.unfence",
          .on = database,
          .says = "the fence is lowered, as nobody else took over",
          .effect = Effect::probed,
          .pays = {"fence"},
          .by_hand = "allow the server to be started again",
          .deadline = 10s,
          .call_limit = 5s},
         look_unfence,
         apply_unfence},
        {{.name = "postgres.fenced",
          .on = database,
          .says = "it is proved that the server cannot write",
          .by_hand = "ask the fence, not the server",
          .deadline = 10s,
          .call_limit = 5s},
         look_fence},
        {{.name = "postgres.shut-down",
          .on = database,
          .says = "the primary is stopped cleanly, after it sent all its log to its standbys",
          .effect = Effect::probed,
          .undo = "postgres.start",
          .owes = {{"stopped server", true, "{target}@{region} is stopped"}},
          .by_hand = "pg_ctl stop -m fast   # on ${target}@${region}; then pg_controldata must say: shut down",
          .deadline = 60s,
          .call_limit = 10s},
         look_shut_down,
         apply_shut_down},
        {{.name = "postgres.start",
          .on = database,
          .says = "the stopped server is started again as it was",
          .effect = Effect::probed,
          .pays = {"stopped server"},
          .by_hand = "pg_ctl start   # on ${target}@${region}",
          .deadline = 60s,
          .call_limit = 10s},
         look_start,
         apply_start},
        {{.name = "postgres.promote",
          .on = database,
          .says = "the standby becomes primary, once it is proved that no other server of the database can write and "
                  "the loss is bounded",
          .effect = Effect::probed,
          .parameters = {{"after", P::step, false, "",
                          "the step that stopped the old primary: all up to there is held"}},
          .owes = {{"redundancy", false, "{target} has no standby"}},
          .point_of_no_return = true,
          .danger = "Without proof that the old primary cannot write, both copies may take writes and diverge.",
          .by_hand = "SELECT pg_promote();   # on ${target}@${region}, only with the old primary fenced",
          .deadline = 60s,
          .call_limit = 2s,
          .grants = {"GRANT EXECUTE ON FUNCTION pg_promote(boolean, integer) TO kedge", "GRANT pg_monitor TO kedge"}},
         look_promote,
         apply_promote},
        {{.name = "postgres.switch-over",
          .on = database,
          .says = "the database's own manager switches to this server, without loss",
          .effect = Effect::probed,
          .point_of_no_return = true,
          .by_hand = "patronictl switchover --candidate ${region}",
          .deadline = 2min,
          .call_limit = 60s},
         look_switch_over,
         apply_switch_over},
        {{.name = "postgres.export-stranded",
          .on = database,
          .says =
              "what the old primary wrote beyond the fork is exported and listed by table, before anything touches it",
          .effect = Effect::idempotent,
          .parameters = {primary, {"keep-under", P::text, true, "", "directory that keeps the export"}},
          .by_hand = "pg_waldump -p PGDATA/pg_wal --start FORK; copy these segments away",
          .deadline = 5min,
          .call_limit = 2min},
         look_export,
         apply_export},
        {{.name = "postgres.rejoin",
          .on = database,
          .says = "the old primary becomes a standby of the new one",
          .effect = Effect::probed,
          .parameters = {primary, {"by", P::text, false, "rewind", "rewind, or base-backup"}},
          .pays = {"fence", "redundancy", "stopped server"},
          .by_hand = "pg_rewind -R --target-pgdata=PGDATA --source-server='host=...'; then start it; or take a fresh "
                     "pg_basebackup -R",
          .deadline = 30min,
          .call_limit = 30s},
         look_rejoin,
         apply_rejoin},
    };
}

}  // namespace kedge
