// Redis: a failover that loses nothing pauses writes, waits for equal offsets, fails over, and re-points the old
// master itself instead of leaving that to the Sentinels, who take ten seconds over it.

#include <algorithm>

#include "actions/catalogue.h"
#include "actions/says.h"

namespace kedge {
namespace {

Json facts_of(const CacheLook& look) {
    Json evidence = make_object(8);  // room for what the checks add
    evidence["master"] = to_string(look.master);
    if (look.offset) evidence["offset"] = *look.offset;
    if (look.replication_id) evidence["replication_id"] = *look.replication_id;
    if (look.keys) evidence["keys"] = *look.keys;
    return evidence;
}

struct Opinion {
    std::size_t asked = 0, answered = 0, agree = 0, quorate = 0, calm = 0;
};

// How many Sentinels name the node of `region` master, by their own words.
Opinion opinion_of(const std::vector<SentinelLook>& sentinels, const std::string& region) {
    Opinion opinion{.asked = sentinels.size()};
    for (const SentinelLook& sentinel : sentinels) {
        if (sentinel.reachable != Truth::yes) continue;
        ++opinion.answered;
        if (sentinel.master == region) ++opinion.agree;
        if (sentinel.quorum == Truth::yes) ++opinion.quorate;
        if (sentinel.calm == Truth::yes) ++opinion.calm;
    }
    return opinion;
}

template <class Judge>
Result<Look> looking_at(const Call& call, Judge judge) {
    Cache* cache = TRY(call.cache());
    const Result<CacheLook> look = cache->look(call.region, call.deadline);
    if (!look) return unclear(fmt::format("{}: {}", site(call), look.error().message));
    return judge(*cache, *look);
}

// The same, with what the Sentinels say, asked for at the same time.
template <class Judge>
Result<Look> looking_with_sentinels(const Call& call, Judge judge) {
    Cache* cache = TRY(call.cache());
    Result<CacheLook> node = CacheLook{};
    Result<std::vector<SentinelLook>> sentinels = std::vector<SentinelLook>{};
    call.targets.side_by_side(2, [&](std::size_t i) {
        if (i == 0)
            node = cache->look(call.region, call.deadline);
        else
            sentinels = cache->sentinels(call.deadline);
    });
    if (!node) return unclear(fmt::format("{}: {}", site(call), node.error().message));
    if (!sentinels) return unclear(sentinels.error().message, facts_of(*node));
    return judge(*node, *sentinels);
}

Result<Look> look_replica_ready(const Call& call) {
    return looking_with_sentinels(call, [&](const CacheLook& look, const std::vector<SentinelLook>& sentinels) -> Look {
        Json evidence = facts_of(look);
        if (look.reachable != Truth::yes) return condition(look.reachable, look.says, evidence);
        if (look.master == Truth::yes) return condition(Truth::no, "it is master already, not a replica", evidence);
        if (call.flag("linked") && look.link_up != Truth::yes)
            return condition(look.link_up, "its link to the master is down", evidence);
        const auto first = std::ranges::find(sentinels, Truth::yes, &SentinelLook::reachable);
        const Opinion opinion = opinion_of(sentinels, first == sentinels.end() ? "" : first->master.value_or(""));
        evidence["sentinels_answering"] = opinion.answered;
        evidence["sentinels_quorate"] = opinion.quorate;
        if (opinion.answered * 2 <= opinion.asked)
            return condition(
                Truth::no,
                fmt::format("only {} of {} Sentinels answer: too few for a quorum", opinion.answered, opinion.asked),
                evidence);
        if (opinion.quorate < opinion.answered)
            return condition(
                Truth::no,
                fmt::format("{} of {} Sentinels see no quorum", opinion.answered - opinion.quorate, opinion.answered),
                evidence);
        if (call.flag("linked") && (opinion.agree < opinion.answered || opinion.calm < opinion.answered))
            return condition(Truth::no, "the Sentinels disagree about the master, or are busy", evidence);
        return condition(Truth::yes,
                         fmt::format("a replica that could take over; {} of {} Sentinels answer, with quorum",
                                     opinion.answered, opinion.asked),
                         evidence);
    });
}

Result<Look> look_heard(const Call& call) {
    Cache* cache = TRY(call.cache());
    // The master is asked at the same time, so that the next step need not connect to it first.
    Result<std::optional<Span>> heard = std::optional<Span>();
    Result<CacheLook> master = CacheLook{};
    call.targets.side_by_side(2, [&](std::size_t i) {
        if (i == 0)
            heard = cache->since_heard(call.region, call.deadline);
        else
            master = cache->look(call.text("master"), call.deadline);
    });
    if (!heard) return unclear(heard.error().message);
    if (!master || master->master != Truth::yes) return unclear(call.text("master") + " does not answer as master");
    if (!*heard) return unclear("the Sentinel does not say when it last heard from " + site(call));
    // sentinel.c, sentinel_info_period: it asks every ten seconds; then it is looked for at once.
    constexpr Span asks_every = 10s, look_again = 20ms;
    Look look = condition(truth(**heard <= call.span("within")),
                          fmt::format("the Sentinel heard from {} {} ago", site(call), to_string(**heard)),
                          {{"heard_seconds", seconds(**heard)}});
    look.again_after = std::max(asks_every - **heard, look_again);
    return look;
}

Result<Look> look_pause(const Call& call) {
    if (call.accepted)
        return condition(Truth::yes,
                         fmt::format("writes on {} are held for at most {}", site(call), call.text("limit")));
    return looking_at(call, [&](Cache&, const CacheLook& look) -> Look {
        return absent(look.master, look.master == Truth::yes ? "the master takes writes" : look.says, facts_of(look));
    });
}

Result<Json> apply_pause(const Call& call) {
    TRY(TRY(call.cache())->pause_writes(call.region, call.span("limit"), call.deadline));
    return Json::object();
}

Result<Look> look_resume(const Call& call) {
    return traceless(call, "writes on " + site(call) + " are let through");
}

Result<Json> apply_resume(const Call& call) {
    TRY(TRY(call.cache())->resume_writes(call.region, call.deadline));
    return Json::object();
}

Result<Look> look_replica_caught_up(const Call& call) {
    Cache* cache = TRY(call.cache());
    // The master first: while its writes are held its offset grows by keep-alives only, so a replica that
    // reaches what was read a moment before holds every acknowledged write.
    const Result<CacheLook> master = cache->look(call.text("master"), call.deadline);
    return looking_at(call, [&](Cache&, const CacheLook& look) -> Look {
        Json evidence = facts_of(look);
        // Nobody makes it a replica again but Sentinels or people.
        if (master && master->master == Truth::no && look.master == Truth::yes)
            return Look{.done = Truth::no,
                        .says = fmt::format("{} is master now, and {} is not", site(call), call.text("master")),
                        .evidence = std::move(evidence),
                        .gave_up = true};
        if (!master || !master->offset || master->master != Truth::yes)
            return unclear(call.text("master") + " does not answer as master", std::move(evidence));
        evidence["master_offset"] = *master->offset;
        if (!look.offset || look.replication_id != master->replication_id)
            return unclear("its offset cannot be compared: another replication history", std::move(evidence));
        return condition(truth(*look.offset >= *master->offset),
                         fmt::format("{} holds offset {} of {}", site(call), *look.offset, *master->offset),
                         std::move(evidence));
    });
}

Result<Look> look_fail_over(const Call& call) {
    return looking_with_sentinels(call, [&](const CacheLook& look, const std::vector<SentinelLook>& sentinels) -> Look {
        Json evidence = facts_of(look);
        const Opinion opinion = opinion_of(sentinels, call.region);
        evidence["sentinels_agree"] = opinion.agree;
        if (look.master == Truth::yes && opinion.agree > 0)
            return condition(Truth::yes,
                             fmt::format("{} is master; {} of {} answering Sentinels say so", site(call), opinion.agree,
                                         opinion.answered),
                             std::move(evidence));
        if (look.reachable != Truth::yes) return unclear(look.says, std::move(evidence));
        if (call.accepted) return absent(Truth::no, "the Sentinels fail over", std::move(evidence));
        // They do it by themselves when the master stays away, and refuse a second order meanwhile.
        if (opinion.calm < opinion.answered)
            return unclear("the Sentinels fail over by themselves, or are busy", std::move(evidence));
        if (opinion.quorate == 0)
            return absent(Truth::no, "no Sentinel that answers has a quorum", std::move(evidence));
        return absent(Truth::yes, fmt::format("a replica; {} of {} Sentinels answer", opinion.answered, opinion.asked),
                      std::move(evidence));
    });
}

Result<Json> apply_fail_over(const Call& call) {
    Result<void> asked = TRY(call.cache())->fail_over(call.region, call.deadline);
    if (asked) return Json::object();
    // "No suitable replica" is a Sentinel's opinion of a moment, often seconds old: look, then ask again.
    if (asked.error().fault == Fault::refused)
        return Error{Fault::unavailable, asked.error().message, asked.error().hint};
    return std::move(asked).error();
}

Result<Look> look_follow(const Call& call) {
    return looking_at(call, [&](Cache& cache, const CacheLook& look) -> Look {
        if (look.reachable != Truth::yes) return unclear(look.says, facts_of(look));
        if (look.master == Truth::no && look.follows == call.text("master"))
            return condition(Truth::yes, fmt::format("{} follows {}", site(call), call.text("master")), facts_of(look));
        const Result<CacheLook> master = cache.look(call.text("master"), call.deadline);
        const Truth ready = master ? master->master : Truth::unknown;
        return absent(ready,
                      fmt::format("{} {} master", call.text("master"), ready == Truth::yes ? "is" : "is not seen as"),
                      facts_of(look));
    });
}

Result<Json> apply_follow(const Call& call) {
    TRY(TRY(call.cache())->follow(call.region, call.text("master"), call.deadline));
    return Json::object();
}

Result<Look> look_cache_canary(const Call& call) {
    return traceless(call, fmt::format("key {} written and read back on {}", call.key, site(call)));
}

Result<Json> apply_cache_canary(const Call& call) {
    TRY(TRY(call.cache())->write_canary(call.region, call.key, call.deadline));
    return Json{{"key", call.key}};
}

Result<Look> look_one_master(const Call& call) {
    Cache* cache = TRY(call.cache());
    std::string master;
    int masters = 0;
    bool silent = false;
    Json evidence = Json::object();
    std::vector<Result<CacheLook>> nodes(call.regions.size(), CacheLook{});
    Result<std::vector<SentinelLook>> sentinels = std::vector<SentinelLook>{};
    call.targets.side_by_side(nodes.size() + 1, [&](std::size_t i) {
        if (i < nodes.size())
            nodes[i] = cache->look(call.regions[i], call.deadline);
        else
            sentinels = cache->sentinels(call.deadline);
    });
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        const std::string& region = call.regions[i];
        const Result<CacheLook>& look = nodes[i];
        if (look && look->master == Truth::yes) {
            ++masters;
            master = region;
        }
        silent = silent || !look || look->reachable != Truth::yes;
        evidence[region] = look ? look->says : look.error().message;
    }
    const Opinion opinion = sentinels ? opinion_of(*sentinels, master) : Opinion{};
    evidence["sentinels_agree"] = opinion.agree;
    evidence["sentinels_answering"] = opinion.answered;
    if (masters > 1)
        return condition(Truth::no, fmt::format("{} nodes say they are master", masters), std::move(evidence));
    if (masters == 0)
        return condition(silent ? Truth::unknown : Truth::no, "no node answers as master", std::move(evidence));
    if (opinion.agree < opinion.answered || opinion.answered == 0)
        return condition(
            Truth::no,
            fmt::format("{} is master, but only {} of {} Sentinels say so", master, opinion.agree, opinion.answered),
            std::move(evidence));
    // A node that is silent counts against certainty unless the plan says that its region is lost.
    const bool lost_known = call.has("lost");
    return condition(silent && !lost_known ? Truth::unknown : Truth::yes,
                     fmt::format("{} alone is master; all {} answering Sentinels agree", master, opinion.answered),
                     std::move(evidence));
}

}  // namespace

std::vector<Action> redis_actions() {
    constexpr TargetKind cache = TargetKind::cache;
    // As the Redis driver's own test proves to be enough, as ACL SETUSER takes them.
    const std::string look_grant = "+role +info +config|get (node)";
    const std::string sentinel_grant =
        "+sentinel|get-master-addr-by-name +sentinel|master +sentinel|ckquorum +sentinel|replicas +info (Sentinel)";
    using P = ParameterType;
    const Parameter master{"master", P::region, true, "", "region of the present master"};
    return {
        {{.name = "redis.ready",
          .on = cache,
          .says = "the replica could take over, and the Sentinels have a quorum and agree",
          .parameters = {{"linked", P::flag, false, "true", "its link to the master must be up"}},
          .danger = "Without agreeing Sentinels two nodes may end as master.",
          .by_hand = "SENTINEL CKQUORUM name; INFO replication   # every Sentinel, every node",
          .deadline = 10s,
          .call_limit = 2s,
          .grants = {look_grant, sentinel_grant}},
         look_replica_ready},
        {{.name = "redis.heard",
          .on = cache,
          .says =
              "the Sentinel that will be asked has just heard from the replica, so that it sees the new master soonest",
          .parameters = {master, {"within", P::span, false, "250ms", "so long ago at most"}},
          .by_hand = "SENTINEL REPLICAS name   # info-refresh of ${target}@${region}, in milliseconds",
          .deadline = 12s,
          .call_limit = 2s,
          .grants = {look_grant, sentinel_grant}},
         look_heard},
        {{.name = "redis.pause-writes",
          .on = cache,
          .says = "writes on the master are held for a short time",
          .effect = Effect::idempotent,
          .parameters = {{"limit", P::span, false, "3s", "the server lifts it by itself after this"}},
          .undo = "redis.resume-writes",
          .owes = {{"cache writes held", true, "writes of {target}@{region} are held"}},
          .by_hand = "CLIENT PAUSE 3000 WRITE   # on ${target}@${region}",
          .deadline = 5s,
          .call_limit = 2s,
          .grants = {look_grant, "+client|pause (node)", sentinel_grant}},
         look_pause,
         apply_pause},
        {{.name = "redis.resume-writes",
          .on = cache,
          .says = "held writes are let through",
          .effect = Effect::idempotent,
          .pays = {"cache writes held"},
          .by_hand = "CLIENT UNPAUSE   # on ${target}@${region}",
          .deadline = 5s,
          .call_limit = 2s,
          .grants = {"+client|unpause (node)"}},
         look_resume,
         apply_resume},
        {{.name = "redis.caught-up",
          .on = cache,
          .says = "the replica holds everything that the held master acknowledged",
          .parameters = {master},
          .by_hand = "compare master_repl_offset on both nodes, under the same master_replid",
          .deadline = 2s,
          .call_limit = 1s,
          .grants = {look_grant}},
         look_replica_caught_up},
        {{.name = "redis.fail-over",
          .on = cache,
          .says = "a Sentinel makes this node master",
          .effect = Effect::probed,
          .by_hand = "SENTINEL FAILOVER name   # on one Sentinel, once",
          .deadline = 15s,
          .call_limit = 2s,
          .grants = {look_grant, "+config|set (node, with three or more)", sentinel_grant,
                     "+sentinel|failover (Sentinel)"}},
         look_fail_over,
         apply_fail_over},
        {{.name = "redis.follow",
          .on = cache,
          .says = "the node becomes a replica of the new master",
          .effect = Effect::idempotent,
          .parameters = {master},
          .by_hand = "REPLICAOF host port   # on ${target}@${region}",
          .deadline = 10s,
          .call_limit = 2s,
          .grants = {look_grant, "+replicaof (node)"}},
         look_follow,
         apply_follow},
        {{.name = "redis.canary",
          .on = cache,
          .says = "a key of our own is written and read back on the master",
          .effect = Effect::keyed,
          .by_hand = "SET kedge:canary x EX 3600; GET kedge:canary   # on ${target}@${region}",
          .deadline = 10s,
          .call_limit = 2s,
          .grants = {look_grant, "+set +get ~kedge:* (node)"}},
         look_cache_canary,
         apply_cache_canary},
        {{.name = "redis.one-master",
          .on = cache,
          .needs_region = false,
          .says = "exactly one node is master and every Sentinel that answers says so",
          .parameters = {{"lost", P::region, false, "", "a region that is known to be lost; its node may be silent"}},
          .by_hand = "ROLE on every node; SENTINEL get-master-addr-by-name on every Sentinel",
          .deadline = 20s,
          .call_limit = 3s,
          .grants = {look_grant, sentinel_grant}},
         look_one_master},
    };
}

}  // namespace kedge
