// PostgreSQL: what is seen of its servers, and what must be so before a switch and after it.

#include <algorithm>

#include "actions/catalogue.h"
#include "actions/postgres_safety.h"
#include "actions/postgres_says.h"

namespace kedge {
namespace {

Result<Look> look_standby_ready(const Call& call) {
    return looking_at(call, call.region, [&](Database&, const DatabaseLook& look) -> Look {
        Json evidence = facts_of(look);
        if (look.reachable != Truth::yes) return condition(look.reachable, look.says, evidence);
        if (look.primary == Truth::yes) return condition(Truth::no, "it is a primary already, not a standby", evidence);
        if (look.serves == Truth::no) return condition(Truth::no, look.says, evidence);
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
        const Fact* open = nullptr;
        for (const Fact& fact : call.facts) {
            if (fact.action != "postgres.fence") continue;
            if (!fact.succeeded && fact.risk_taken) open = &fact;
            if (const auto at = parse_moment(get_string(fact.evidence, "fenced_at").value_or("")); at && fact.succeeded)
                until = std::min(until, *at);
        }
        const LossBound loss = bound_loss(*sample, standby, until, call.now, call.span("max-sample-age"));
        if (loss.known != Truth::yes) return unclear(loss.says, evidence);
        // What was lost so far bounds nothing while the old primary may write on.
        if (open)
            return unclear(
                fmt::format("{} so far, and all that {}@{} takes from now on: nothing proves that it is fenced",
                            loss.says, open->target, open->region),
                std::move(evidence));
        evidence["loss_seconds_max"] = seconds(loss.seconds);
        evidence["heartbeats_behind"] = loss.heartbeats;
        return condition(truth(loss.seconds <= call.span("max-loss")), loss.says, std::move(evidence));
    });
}

Result<Look> look_caught_up(const Call& call) {
    const std::optional<OldEnd> end = old_end(call);
    if (!end) return condition(Truth::no, fmt::format("step {} has left no position to reach", call.text("after")));
    return looking_at(call, call.region, [&](Database&, const DatabaseLook& look) -> Look {
        const std::optional<Lsn> has = held(look);
        Json evidence = facts_of(look);
        evidence["required"] = to_string(end->position);
        if (!has) return unclear("its position is unknown: " + look.says, std::move(evidence));
        return condition(truth(*has >= end->position),
                         fmt::format("{} holds {}, the old primary stopped at {}", site(call), to_string(*has),
                                     to_string(end->position)),
                         std::move(evidence));
    });
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

// A name that stands for two positions is refused by a recovery: each attempt takes one of its own, and what is told is
// that of the attempt whose answer came.
Result<Look> look_restore_point(const Call& call) {
    return traceless(call, fmt::format("the position of {} has a name", site(call)));
}

Result<Json> apply_restore_point(const Call& call) {
    const std::string name =
        fmt::format("kedge-{}-{}", call.key.substr(0, call.key.find('/')), call.now.time_since_epoch().count());
    const Lsn position = TRY(TRY(call.database())->create_restore_point(call.region, name, call.deadline));
    return Json{{"restore_point", name}, {"position", to_string(position)}};
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
         look_standby_ready},
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
        {{.name = "postgres.restore-point",
          .on = database,
          .says = "the present position gets a name, to which a recovery can go back",
          .effect = Effect::idempotent,
          .by_hand = "SELECT pg_create_restore_point('before-it');   # on ${target}@${region}",
          .deadline = 10s,
          .call_limit = 2s,
          .grants = {"GRANT EXECUTE ON FUNCTION pg_create_restore_point TO kedge"}},
         look_restore_point,
         apply_restore_point},
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
