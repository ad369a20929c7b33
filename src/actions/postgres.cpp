// PostgreSQL: who may be promoted, how an old primary is kept from writing, how it comes back.

#include <algorithm>

#include "actions/catalogue.h"
#include "actions/postgres_safety.h"
#include "actions/says.h"

namespace kedge {
namespace {

Json facts_of(const DatabaseLook& look) {
    Json evidence = {{"primary", to_string(look.primary)}, {"writable", to_string(look.writable)}};
    if (look.timeline) evidence["timeline"] = *look.timeline;
    if (look.written) evidence["written"] = to_string(*look.written);
    if (look.received) evidence["received"] = to_string(*look.received);
    if (look.replayed) evidence["replayed"] = to_string(*look.replayed);
    if (look.heartbeat) evidence["heartbeat"] = look.heartbeat->sequence;
    return evidence;
}

// The farthest position that a standby holds: it replays all of it before it opens.
std::optional<Lsn> held(const DatabaseLook& standby) {
    if (!standby.received) return standby.replayed;
    return standby.replayed ? std::max(*standby.received, *standby.replayed) : standby.received;
}

// Calls `check` with the site's look, or reports why there is none as unknown.
template <class Judge>
Result<Look> looking_at(const Call& call, const std::string& region, Judge judge) {
    Database* database = TRY(call.database());
    const Result<DatabaseLook> look = database->look(region, call.deadline);
    if (!look) return unclear(fmt::format("{}@{}: {}", call.target, region, look.error().message));
    return judge(*database, *look);
}

Result<Look> look_ready(const Call& call) {
    return looking_at(call, call.region, [&](Database&, const DatabaseLook& look) -> Look {
        Json evidence = facts_of(look);
        if (look.reachable != Truth::yes) return condition(look.reachable, look.says, evidence);
        if (look.primary == Truth::yes) return condition(Truth::no, "it is a primary already, not a standby", evidence);
        if (look.manager && !look.manager->empty() && !call.flag("managed"))
            return condition(Truth::no, "it is managed by " + *look.manager + ": use its own driver", evidence);
        if (look.replay_paused != Truth::no)
            return condition(negated(look.replay_paused), "its replay is paused: what it received is not applied",
                             evidence);
        if (call.flag("receiving") && look.receiving != Truth::yes)
            return condition(look.receiving, "it does not hear its primary: its stream is not alive", evidence);
        if (!held(look)) return condition(Truth::unknown, "its position in the log is unknown", evidence);
        const Result<std::optional<LagSample>> sample = call.targets.samples
                                                            ? call.targets.samples->latest(call.target)
                                                            : Result<std::optional<LagSample>>(std::nullopt);
        if (sample && *sample && !(*sample)->primary.empty() && look.timeline) {
            const auto primary = (*sample)->sites.find((*sample)->primary);
            if (primary != (*sample)->sites.end() && primary->second.timeline &&
                *primary->second.timeline != *look.timeline)
                return condition(Truth::no,
                                 fmt::format("it is on timeline {}, the primary was on {}", *look.timeline,
                                             *primary->second.timeline),
                                 evidence);
        }
        if (look.retrieve_retry) {
            evidence["retrieve_retry_seconds"] = seconds(*look.retrieve_retry);
            if (*look.retrieve_retry > call.span("max-retry"))
                return condition(
                    Truth::no,
                    fmt::format("wal_retrieve_retry_interval is {}: a promotion may wait it out; set at most {}",
                                readable(*look.retrieve_retry), readable(call.span("max-retry"))),
                    evidence);
        }
        if (look.synchronous_standby_names && !look.synchronous_standby_names->empty())
            return condition(Truth::no,
                             fmt::format("synchronous_standby_names is '{}': writes would hang after a promotion",
                                         *look.synchronous_standby_names),
                             evidence);
        return condition(Truth::yes, fmt::format("a standby that could take over, at {}", to_string(*held(look))),
                         evidence);
    });
}

Result<Look> look_lag(const Call& call) {
    Database* database = TRY(call.database());
    const Result<DatabaseLook> primary = database->look(call.text("primary"), call.deadline);
    const Result<DatabaseLook> standby = database->look(call.region, call.deadline);
    if (!primary || primary->primary != Truth::yes || !primary->written)
        return unclear(fmt::format("{}@{} does not answer as primary", call.target, call.text("primary")));
    if (!standby || standby->reachable != Truth::yes) return unclear(site(call) + " does not answer");
    if (standby->primary != Truth::no)
        return condition(Truth::no, site(call) + " is not a standby", facts_of(*standby));
    if (!standby->replayed || !standby->heartbeat || !primary->heartbeat || !held(*standby))
        return unclear("its lag is unknown: no heartbeat or no position; is `kedge watch` running?",
                       facts_of(*standby));
    const std::int64_t behind =
        static_cast<std::int64_t>(primary->written->value) - static_cast<std::int64_t>(held(*standby)->value);
    // The standby was looked at last, so it may show a heartbeat that is newer than the one seen on the primary.
    const Span lag = standby->heartbeat->sequence >= primary->heartbeat->sequence
                         ? Span{0}
                         : primary->heartbeat->written - standby->heartbeat->written;
    Json evidence = facts_of(*standby);
    evidence["behind_bytes"] = behind;
    evidence["lag_seconds"] = seconds(lag);
    const bool ok = standby->receiving == Truth::yes && lag >= Span{0} && lag <= call.span("max-lag") &&
                    behind <= call.integer("max-behind");
    return condition(
        truth(ok),
        fmt::format("{} is {} and {} bytes behind{}", site(call), readable(lag), std::max<std::int64_t>(0, behind),
                    standby->receiving == Truth::yes ? "" : ", and its stream is not alive"),
        std::move(evidence));
}

Result<Look> look_loss(const Call& call) {
    return looking_at(call, call.region, [&](Database&, const DatabaseLook& standby) -> Look {
        Json evidence = facts_of(standby);
        if (!call.targets.samples) return unclear("nobody observes this database", evidence);
        const Result<std::optional<LagSample>> sample = call.targets.samples->latest(call.target);
        if (!sample) return unclear(sample.error().message, evidence);
        Moment until = call.now;
        for (const Fact& fact : call.facts)
            if (fact.action == "postgres.fence" && fact.succeeded)
                if (const auto at = parse_moment(get_string(fact.evidence, "fenced_at").value_or("")))
                    until = std::min(until, *at);
        const LossBound loss = bound_loss(*sample, standby, until, call.now, call.span("max-sample-age"));
        if (loss.known != Truth::yes) return unclear(loss.says, evidence);
        evidence["loss_seconds_max"] = seconds(loss.seconds);
        evidence["heartbeats_behind"] = loss.heartbeats;
        return condition(truth(loss.seconds <= call.span("max-loss")), loss.says, std::move(evidence));
    });
}

Result<Look> look_fence(const Call& call) {
    Database* database = TRY(call.database());
    const Result<FenceLook> fence = database->look_at_fence(call.region, call.deadline);
    if (!fence) return unclear("its fence does not answer: " + fence.error().message);
    Json evidence = {{"fenced", to_string(fence->fenced)}, {"proof", fence->proof}};
    if (fence->fenced == Truth::yes) {
        // The first moment at which it was proved; a later look does not move it.
        if (get(call.evidence, "fenced_at").is_null()) evidence["fenced_at"] = to_string(call.now);
        return condition(Truth::yes, site(call) + " cannot write: " + fence->proof, std::move(evidence));
    }
    if (fence->fenced == Truth::unknown) return unclear("its fence cannot tell: " + fence->proof, std::move(evidence));
    return absent(Truth::yes, "not fenced: " + fence->proof, std::move(evidence));
}

Result<Json> apply_fence(const Call& call) {
    TRY(TRY(call.database())->raise_fence(call.region, call.deadline));
    return Json::object();
}

Result<Look> look_unfence(const Call& call) {
    Database* database = TRY(call.database());
    const FenceLook fence = TRY(database->look_at_fence(call.region, call.deadline));
    if (fence.fenced == Truth::no) return condition(Truth::yes, "no fence is up: " + fence.proof);
    if (fence.fenced == Truth::unknown) return unclear("its fence cannot tell: " + fence.proof);
    // The fence comes down only while nobody else took over; otherwise it ends by rejoining as a standby.
    for (const std::string& other : call.regions) {
        if (other == call.region) continue;
        const Result<DatabaseLook> look = database->look(other, call.deadline);
        if (!look || look->primary == Truth::unknown)
            return absent(Truth::unknown, fmt::format("whether {}@{} took over is unknown", call.target, other));
        if (look->primary == Truth::yes)
            return absent(Truth::no,
                          fmt::format("{}@{} is primary: this one must rejoin as its standby", call.target, other));
    }
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

Result<Look> look_caught_up(const Call& call) {
    std::optional<Lsn> required;
    for (const Fact& fact : call.facts)
        if (fact.step == call.text("after") && fact.succeeded)
            if (const auto at = parse_lsn(get_string(fact.evidence, "stopped_at").value_or(""))) required = *at;
    if (!required)
        return condition(Truth::no, fmt::format("step {} has left no position to reach", call.text("after")));
    return looking_at(call, call.region, [&](Database&, const DatabaseLook& look) -> Look {
        const std::optional<Lsn> has = held(look);
        Json evidence = facts_of(look);
        evidence["required"] = to_string(*required);
        if (!has) return unclear("its position is unknown: " + look.says, std::move(evidence));
        return condition(truth(*has >= *required),
                         fmt::format("{} holds {}, the old primary stopped at {}", site(call), to_string(*has),
                                     to_string(*required)),
                         std::move(evidence));
    });
}

// In this run the loss was bounded, or people took it.
bool loss_was_judged(const Call& call) {
    return std::any_of(call.facts.begin(), call.facts.end(), [&](const Fact& fact) {
        const bool judges = fact.action == "postgres.loss-bound" || fact.action == "postgres.caught-up" ||
                            fact.action == "postgres.lag";
        return judges && fact.region == call.region && (fact.succeeded || !fact.waived_by.empty());
    });
}

Result<Look> look_promote(const Call& call) {
    Database* database = TRY(call.database());
    const Result<DatabaseLook> look = database->look(call.region, call.deadline);
    if (!look) return unclear(look.error().message);
    Json evidence = facts_of(*look);
    if (look->primary == Truth::yes)
        return condition(look->writable,
                         fmt::format("{} is primary on timeline {}", site(call),
                                     look->timeline ? std::to_string(*look->timeline) : "?"),
                         std::move(evidence));
    if (look->primary == Truth::unknown) return unclear(look->says, std::move(evidence));
    if (call.accepted) return absent(Truth::no, site(call) + " was asked and still recovers", std::move(evidence));
    if (look->replay_paused != Truth::no) return absent(Truth::no, "its replay is paused", std::move(evidence));
    if (!loss_was_judged(call))
        return absent(Truth::no, "no step of this run has bounded the loss or found it caught up", std::move(evidence));
    for (const std::string& other : call.regions) {
        if (other == call.region) continue;
        const bool taken = std::any_of(call.facts.begin(), call.facts.end(), [&](const Fact& fact) {
            return fact.region == other && fact.action == "postgres.fence" && !fact.waived_by.empty();
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

Result<Look> look_one_writer(const Call& call) {
    Database* database = TRY(call.database());
    int writers = 0;
    Truth certain = Truth::yes;
    Json evidence = Json::object();
    struct Seen {
        Result<DatabaseLook> server = DatabaseLook{};
        Result<FenceLook> fence = FenceLook{};
    };
    const auto seen = from_each(call, [&](const std::string& region) {
        Result<FenceLook> fence = database->look_at_fence(region, call.deadline);
        // A fence that is proved answers for its server, which need not be asked.
        if (fence && fence->fenced == Truth::yes) return Seen{DatabaseLook{}, std::move(fence)};
        return Seen{database->look(region, call.deadline), std::move(fence)};
    });
    for (const auto& [region, site] : seen) {
        std::string why;
        if (site.server && site.server->writable == Truth::yes) {
            ++writers;
            why = "writable";
        } else if (cannot_write(site.server, site.fence, why) != Truth::yes) {
            certain = Truth::unknown;
        }
        evidence[region] = why;
    }
    if (writers > 1)
        return condition(Truth::no, fmt::format("{} servers accept writes: split brain", writers), std::move(evidence));
    if (writers == 0)
        return condition(certain == Truth::yes ? Truth::no : Truth::unknown, "no server accepts writes",
                         std::move(evidence));
    return condition(
        certain, certain == Truth::yes ? "exactly one server accepts writes" : "one server accepts writes, another may",
        std::move(evidence));
}

Result<Look> look_canary(const Call& call) {
    return traceless(call, fmt::format("row {} written, committed and read back on {}", call.key, site(call)));
}

Result<Json> apply_canary(const Call& call) {
    const Canary canary = TRY(TRY(call.database())->write_canary(call.region, call.key, call.deadline));
    return Json{{"row", canary.key}, {"position", to_string(canary.position)}, {"timeline", canary.timeline}};
}

Result<Look> look_checkpoint(const Call& call) {
    return traceless(call, "checkpoint on " + site(call));
}

Result<Json> apply_checkpoint(const Call& call) {
    TRY(TRY(call.database())->checkpoint(call.region, call.deadline));
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
    const bool exported = std::any_of(call.facts.begin(), call.facts.end(), [&](const Fact& fact) {
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

Result<Look> look_streaming(const Call& call) {
    return looking_at(call, call.region, [&](Database&, const DatabaseLook& look) -> Look {
        return condition(both(negated(look.primary), look.receiving),
                         look.primary == Truth::no ? site(call) + " receives the log" : look.says, facts_of(look));
    });
}

Result<Look> look_redundant(const Call& call) {
    return looking_at(call, call.region, [&](Database&, const DatabaseLook& look) -> Look {
        const auto streaming = std::count_if(look.standbys.begin(), look.standbys.end(),
                                             [](const StandbyLink& link) { return link.state == "streaming"; });
        if (look.primary != Truth::yes)
            return condition(look.primary, site(call) + " is not seen as primary", facts_of(look));
        return condition(truth(streaming >= call.integer("standbys")),
                         fmt::format("{} standby streams from {}", streaming, site(call)), {{"standbys", streaming}});
    });
}

}  // namespace

std::vector<Action> postgres_actions() {
    constexpr TargetKind database = TargetKind::database;
    using P = ParameterType;
    const Parameter primary{"primary", P::region, true, "", "region of the present primary"};
    const std::string psql = "psql -h ${target} -c ";
    return {
        {{.name = "postgres.ready",
          .on = database,
          .says = "the standby could take over: reachable, replaying, on the right timeline, not managed by another, "
                  "with settings that let a promotion finish at once",
          .parameters = {{"receiving", P::flag, false, "false", "its stream from the primary must be alive"},
                         {"managed", P::flag, false, "false", "another manager (Patroni, ...) is expected"},
                         {"max-retry", P::span, false, "1s", "largest wal_retrieve_retry_interval"}},
          .danger = "A standby that is not ready may need long to open, or lose writes.",
          .by_hand = "psql -c \"SELECT pg_is_in_recovery(), pg_last_wal_replay_lsn()\"   # on ${target}@${region}",
          .deadline = 10s,
          .call_limit = 2s,
          .grants = {"GRANT pg_monitor TO kedge"}},
         look_ready},
        {{.name = "postgres.lag",
          .on = database,
          .says = "the standby is close enough behind its living primary, by heartbeat and by position",
          .parameters = {primary,
                         {"max-lag", P::span, false, "30s", "largest lag in time"},
                         {"max-behind", P::integer, false, "16777216", "largest distance in bytes of log"}},
          .by_hand =
              "SELECT application_name, replay_lsn, pg_current_wal_lsn() FROM pg_stat_replication;   # on the primary",
          .deadline = 30s,
          .call_limit = 2s,
          .grants = {"GRANT pg_monitor TO kedge"}},
         look_lag},
        {{.name = "postgres.loss-bound",
          .on = database,
          .says = "what a promotion would lose is known and within the bound",
          .parameters = {{"max-loss", P::span, false, "30s", "largest loss in time"},
                         {"max-sample-age", P::span, false, "5s", "an older observation is unknown"}},
          .danger = "Promoting loses acknowledged writes: those made after the newest heartbeat that the standby has "
                    "replayed.",
          .by_hand = "SELECT max(sequence), max(written) FROM kedge.heartbeat;   # on ${target}@${region}, against the "
                     "last one acknowledged",
          .deadline = 2s,
          .call_limit = 2s,
          .grants = {"GRANT SELECT ON kedge.heartbeat TO kedge"}},
         look_loss},
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
        {{.name = "postgres.caught-up",
          .on = database,
          .says = "the standby holds everything up to where the old primary stopped",
          .parameters = {{"after", P::step, true, "", "the step that stopped the old primary"}},
          .by_hand = "compare pg_last_wal_receive_lsn() with 'Latest checkpoint location' of pg_controldata on the old "
                     "primary",
          .deadline = 30s,
          .call_limit = 2s,
          .grants = {"GRANT pg_monitor TO kedge"}},
         look_caught_up},
        {{.name = "postgres.promote",
          .on = database,
          .says = "the standby becomes primary, once it is proved that no other server of the database can write and "
                  "the loss is bounded",
          .effect = Effect::probed,
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
        {{.name = "postgres.one-writer",
          .on = database,
          .needs_region = false,
          .says = "exactly one server of the database accepts writes, and that is certain of every other",
          .by_hand = "SELECT pg_is_in_recovery();   # on every server",
          .deadline = 10s,
          .call_limit = 3s},
         look_one_writer},
        {{.name = "postgres.canary",
          .on = database,
          .says = "a row of our own is written, committed and read back",
          .effect = Effect::keyed,
          .by_hand = "INSERT INTO kedge.canary (key) VALUES ('by hand') RETURNING *;   # on ${target}@${region}",
          .deadline = 10s,
          .call_limit = 3s,
          .grants = {"GRANT INSERT, SELECT, UPDATE ON kedge.canary TO kedge"}},
         look_canary,
         apply_canary},
        {{.name = "postgres.checkpoint",
          .on = database,
          .says = "a checkpoint is made, so that an old primary can rewind to it",
          .effect = Effect::idempotent,
          .by_hand = "CHECKPOINT;   # on ${target}@${region}",
          .deadline = 2min,
          .call_limit = 60s,
          .grants = {"GRANT pg_checkpoint TO kedge"}},
         look_checkpoint,
         apply_checkpoint},
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
        {{.name = "postgres.streaming",
          .on = database,
          .says = "the standby receives the log",
          .by_hand = "SELECT status FROM pg_stat_wal_receiver;   # on ${target}@${region}",
          .deadline = 60s,
          .call_limit = 2s,
          .grants = {"GRANT pg_monitor TO kedge"}},
         look_streaming},
        {{.name = "postgres.redundant",
          .on = database,
          .says = "enough standbys stream from the primary",
          .parameters = {{"standbys", P::integer, false, "1", "how many"}},
          .pays = {"redundancy"},
          .by_hand = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming';   # on ${target}@${region}",
          .deadline = 60s,
          .call_limit = 2s,
          .grants = {"GRANT pg_monitor TO kedge"}},
         look_redundant},
    };
}

}  // namespace kedge
