// A Redis data set that was recovered beside production takes the place of what the master holds: the Sentinels wait,
// the master copies it as a replica would, and leads again. No file of a node is touched.

#include <algorithm>

#include "actions/catalogue.h"
#include "actions/says.h"

namespace kedge {
namespace {

constexpr const char* hold_action = "redis.hold-sentinels";

struct Sides {
    CacheLook node, copy;
    RecoveryLook recovery;
};

// The node and the recovered copy, asked at the same time; or why they cannot be seen.
Result<Sides> see(const Call& call) {
    Cache* cache = TRY(call.cache());
    const RecoveryLook recovery = TRY(TRY(call.recoveries())->look(call.text("name"), call.deadline));
    if (recovery.address.empty())
        return Error{Fault::unavailable, fmt::format("{} answers nowhere: {}", call.text("name"), recovery.says)};
    Result<CacheLook> node = CacheLook{}, copy = CacheLook{};
    call.targets.side_by_side(2, [&](std::size_t i) {
        if (i == 0)
            node = cache->look(call.region, call.deadline);
        else
            copy = cache->look_beside(recovery.address, call.deadline);
    });
    return Sides{TRY(node), TRY(copy), recovery};
}

Json evidence_of(const Sides& seen) {
    Json evidence = {{"copy", seen.recovery.address}};
    if (seen.node.keys) evidence["keys"] = *seen.node.keys;
    if (seen.copy.keys) evidence["keys_of_the_copy"] = *seen.copy.keys;
    const Json& kept = get(seen.recovery.proof, "kept");
    const auto kept_offset = get_integer(kept, "replication_offset");
    // Both count what the same history wrote. Keep-alives count as well: it is at most so much.
    if (kept_offset && seen.node.offset && seen.node.master == Truth::yes &&
        get_string(kept, "replication_id") == seen.node.replication_id)
        evidence["written_after_it_was_kept_bytes"] = std::max<std::int64_t>(0, *seen.node.offset - *kept_offset);
    return evidence;
}

Result<Look> look_take_over(const Call& call) {
    const Result<Sides> seen = see(call);
    if (!seen) return unclear(seen.error().message);
    const CacheLook& node = seen->node;
    Json evidence = evidence_of(*seen);
    if (node.reachable != Truth::yes) return unclear(node.says, std::move(evidence));
    if (node.master == Truth::no && node.follows == seen->recovery.address)
        return condition(Truth::yes, fmt::format("{} copies {}", site(call), seen->recovery.address),
                         std::move(evidence));
    if (node.master != Truth::yes) return absent(node.master, node.says, std::move(evidence));
    if (seen->recovery.usable != Truth::yes)
        return absent(seen->recovery.usable, "the recovered copy may not be used: " + seen->recovery.says,
                      std::move(evidence));
    const Json& kept = get(seen->recovery.proof, "kept");
    if (kept.is_null()) return absent(Truth::no, "what it holds was not kept", std::move(evidence));
    // Positions tell what was written since only within one history.
    const auto kept_of = get_string(kept, "replication_id");
    if (kept_of && kept_of != node.replication_id)
        return absent(Truth::no,
                      "it was restarted or failed over since what it held was kept: what was written since is not",
                      std::move(evidence));
    const auto sentinels = TRY(call.cache())->sentinels(call.deadline);
    if (!sentinels) return unclear(sentinels.error().message, std::move(evidence));
    if (const auto named = check_named_master(*sentinels, call.region); !named)
        return absent(Truth::no, named.error().message, std::move(evidence));
    if (seen->copy.master != Truth::yes)
        return absent(seen->copy.master, "the recovered copy: " + seen->copy.says, std::move(evidence));
    return absent(Truth::yes,
                  fmt::format("{} keys would be replaced by {}", node.keys.value_or(0), seen->copy.keys.value_or(0)),
                  std::move(evidence));
}

Result<Json> apply_take_over(const Call& call) {
    const RecoveryLook recovery = TRY(TRY(call.recoveries())->look(call.text("name"), call.deadline));
    TRY(TRY(call.cache())->take_over(call.region, recovery.address, call.deadline));
    return Json::object();
}

// Keys expire while they are counted, on the copy first: both counts are equal a moment later.
Result<Look> look_loaded(const Call& call) {
    const Result<Sides> seen = see(call);
    if (!seen) return unclear(seen.error().message);
    const auto& [node, copy, recovery] = *seen;
    Json evidence = evidence_of(*seen);
    if (node.reachable != Truth::yes) return unclear(node.says, std::move(evidence));
    // Nobody has it copy that again but people.
    if (node.master != Truth::unknown && node.follows != recovery.address)
        return Look{.done = Truth::no,
                    .says = fmt::format("it does not copy the recovered data set any more: {}", node.says),
                    .evidence = std::move(evidence),
                    .gave_up = true};
    if (node.master == Truth::unknown) return unclear(node.says, std::move(evidence));
    if (node.link_up != Truth::yes || !node.keys || !node.offset)
        return condition(Truth::no, "it is still being copied: " + node.says, std::move(evidence));
    if (!copy.keys || !copy.offset) return unclear("the recovered copy: " + copy.says, std::move(evidence));
    if (node.replication_id) evidence["replication_id"] = *node.replication_id;
    const bool is_whole =
        node.replication_id == copy.replication_id && *node.offset >= *copy.offset && node.keys == copy.keys;
    return condition(truth(is_whole),
                     fmt::format("{} holds {} of the {} keys of the copy", site(call), *node.keys, *copy.keys),
                     std::move(evidence));
}

// Of which history the node held all when that was checked.
std::optional<std::string> loaded_history(const Call& call) {
    std::optional<std::string> history;
    for (const Fact& fact : call.facts)
        if (fact.action == "redis.loaded" && fact.region == call.region && fact.succeeded)
            history = get_string(*fact.evidence, "replication_id");
    return history;
}

// Its source may be gone by now: what it had got by then, it has.
Result<Look> look_lead(const Call& call) {
    const Result<CacheLook> node = TRY(call.cache())->look(call.region, call.deadline);
    if (!node) return unclear(node.error().message);
    Json evidence = Json::object();
    if (node->keys) evidence["keys"] = *node->keys;
    if (node->reachable != Truth::yes) return unclear(node->says, std::move(evidence));
    if (node->master == Truth::yes)
        return condition(Truth::yes, fmt::format("{} is master and takes writes", site(call)), std::move(evidence));
    if (node->master == Truth::unknown) return unclear(node->says, std::move(evidence));
    const bool in_group = std::ranges::find(call.regions, node->follows.value_or("")) != call.regions.end();
    if (!in_group && node->link_up != Truth::yes && node->replication_id != loaded_history(call))
        return absent(Truth::no, "it does not hold all of what it copies: " + node->says, std::move(evidence));
    return absent(truth(!in_group), node->says, std::move(evidence));
}

Result<Json> apply_lead(const Call& call) {
    TRY(TRY(call.cache())->lead(call.region, call.deadline));
    return Json::object();
}

// How the Sentinels stand to being told: which would still take the master for down, and whether those could agree.
struct Watch {
    std::int64_t asked = 0, waiting = 0, votes = 0;
    Json before = Json::object();  // by Sentinel: seconds
};

Result<Watch> watch_of(const Call& call, Span wait) {
    Watch watch;
    for (const SentinelLook& sentinel : TRY(TRY(call.cache())->sentinels(call.deadline))) {
        ++watch.asked;
        watch.votes = std::max(watch.votes, sentinel.votes.value_or(0));
        if (sentinel.reachable != Truth::yes || !sentinel.down_after) continue;
        watch.waiting += *sentinel.down_after >= wait;
        watch.before[sentinel.name] = seconds(*sentinel.down_after);
    }
    return watch;
}

// How long the Sentinels waited that this step has seen so far, before it told them anything.
Json noted(const Call& call) {
    const Json& before = get(call.evidence, "before");
    return before.is_object() ? before : Json::object();
}

Result<Look> look_hold_sentinels(const Call& call) {
    const Result<Watch> watch = watch_of(call, call.span("for"));
    if (!watch) return unclear(watch.error().message);
    const auto known = static_cast<std::int64_t>(watch->before.size());
    Json evidence = {{"waiting", watch->waiting}, {"sentinels", watch->asked}, {"before", noted(call)}};
    for (const auto& [name, before] : watch->before.items())
        if (!evidence["before"].contains(name)) evidence["before"][name] = before;
    const std::string says = fmt::format("{} of {} Sentinels wait {} before they take a node for down", watch->waiting,
                                         watch->asked, call.text("for"));
    if (watch->votes == 0) return unclear("no Sentinel says how many must agree", std::move(evidence));
    if (watch->asked - watch->waiting < watch->votes && watch->waiting == known)
        return condition(Truth::yes, says, std::move(evidence));
    if (watch->asked - known >= watch->votes)
        return absent(Truth::no, fmt::format("{}; {} are silent, enough to fail over", says, watch->asked - known),
                      std::move(evidence));
    Look look = absent(Truth::yes, says, std::move(evidence));
    look.cut_off = call.accepted;  // another has been seen since the order: it is told, too
    return look;
}

// One of which nobody has noted how long it waited cannot be put back: it is told when it has been seen.
Result<Json> apply_hold_sentinels(const Call& call) {
    std::map<std::string, Span> spans;
    const Watch watch = TRY(watch_of(call, call.span("for")));
    const Json before = noted(call);
    for (const auto& [name, now] : watch.before.items())
        if (before.contains(name)) spans[name] = call.span("for");
    TRY(TRY(call.cache())->set_down_after(spans, call.deadline));
    return Json::object();
}

// What they had before: as an undo, by this step's own evidence; otherwise by that of the step that told them to wait.
std::map<std::string, Span> spans_before(const Call& call) {
    Json before = get(call.evidence, "before");
    for (const Fact& fact : call.facts)
        if (before.is_null() && fact.action == hold_action) before = get(*fact.evidence, "before");
    std::map<std::string, Span> spans;
    for (const auto& [name, value] : before.items())
        if (value.is_number())
            spans[name] = std::chrono::duration_cast<Span>(std::chrono::duration<double>(value.get<double>()));
    return spans;
}

Result<Look> look_release_sentinels(const Call& call) {
    const std::map<std::string, Span> wanted = spans_before(call);
    if (wanted.empty()) return unclear("nobody noted how long the Sentinels waited before");
    const auto sentinels = TRY(call.cache())->sentinels(call.deadline);
    if (!sentinels) return unclear(sentinels.error().message);
    std::size_t as_before = 0;
    std::string silent;
    for (const SentinelLook& sentinel : *sentinels) {
        const auto before = wanted.find(sentinel.name);
        if (before == wanted.end()) continue;
        if (!sentinel.down_after) silent += " " + sentinel.name;
        as_before += sentinel.down_after == before->second;
    }
    const std::string says = fmt::format("{} of {} Sentinels watch as before", as_before, wanted.size());
    if (as_before == wanted.size()) return condition(Truth::yes, says);
    if (!silent.empty()) return absent(Truth::yes, fmt::format("{}; silent:{}", says, silent));
    return absent(Truth::yes, says);
}

Result<Json> apply_release_sentinels(const Call& call) {
    TRY(TRY(call.cache())->set_down_after(spans_before(call), call.deadline));
    return Json::object();
}

Result<Look> look_persist(const Call& call) {
    const Result<CacheLook> node = TRY(call.cache())->look(call.region, call.deadline);
    if (!node) return unclear(node.error().message);
    if (node->reachable != Truth::yes || node->append_only == Truth::unknown || node->saving == Truth::unknown)
        return unclear(node->says);
    const std::string how = node->append_only == Truth::yes ? "append-only file" : "snapshot";
    Json evidence = {{"append_only", to_string(node->append_only)}};
    if (node->saving == Truth::yes)
        return absent(Truth::no, fmt::format("{} writes its {}", site(call), how), std::move(evidence));
    if (call.accepted && node->saved == Truth::yes)
        return condition(Truth::yes, fmt::format("all that {} holds is in its {} on disk", site(call), how),
                         std::move(evidence));
    return absent(Truth::yes, fmt::format("whether all is in the {} of {} is not known", how, site(call)),
                  std::move(evidence));
}

Result<Json> apply_persist(const Call& call) {
    TRY(TRY(call.cache())->persist(call.region, call.deadline));
    return Json::object();
}

}  // namespace

std::vector<Action> redis_recovery_actions() {
    constexpr TargetKind cache = TargetKind::cache;
    const std::string look_grant = "+role +info +config|get (node)";
    const std::string sentinel_grant =
        "+sentinel|get-master-addr-by-name +sentinel|master +sentinel|ckquorum +sentinel|replicas +info (Sentinel)";
    using P = ParameterType;
    const Parameter name{"name", P::text, true, "", "what the recovered copy is called"};
    return {
        {{.name = hold_action,
          .on = cache,
          .needs_region = false,
          .says = "the Sentinels do not fail over while the master is away for a while",
          .effect = Effect::idempotent,
          .parameters = {{"for", P::span, false, "1h", "so long a node must be silent before they take it for down"}},
          .undo = "redis.release-sentinels",
          .owes = {{"failover held", false, "no Sentinel of {target} would notice that its master is down"}},
          .by_hand = "SENTINEL SET name down-after-milliseconds 3600000   # on every Sentinel; note what it was",
          .deadline = 20s,
          .call_limit = 3s,
          .grants = {sentinel_grant, "+sentinel|set (Sentinel)"}},
         look_hold_sentinels,
         apply_hold_sentinels},
        {{.name = "redis.release-sentinels",
          .on = cache,
          .needs_region = false,
          .says = "the Sentinels watch as they did before",
          .effect = Effect::idempotent,
          .pays = {"failover held"},
          .by_hand = "SENTINEL SET name down-after-milliseconds N   # on every Sentinel, as it was",
          .deadline = 1min,
          .call_limit = 3s,
          .grants = {sentinel_grant, "+sentinel|set (Sentinel)"}},
         look_release_sentinels,
         apply_release_sentinels},
        {{.name = "redis.take-over",
          .on = cache,
          .says = "the master copies the recovered data set, as a replica of it; what it held is gone but for what was "
                  "kept",
          .effect = Effect::idempotent,
          .parameters = {name},
          .owes = {{"cache without a master", true, "{target}@{region} copies the recovered data and takes no writes"}},
          .point_of_no_return = true,
          .by_hand =
              "REPLICAOF host port   # on ${target}@${region}: the address that kedge recover show ${name} tells",
          .deadline = 1min,
          .call_limit = 5s,
          .grants = {look_grant, sentinel_grant, "+replicaof (node)"}},
         look_take_over,
         apply_take_over},
        {{.name = "redis.loaded",
          .on = cache,
          .says = "the node has copied all of the recovered data set: as many keys, and all that was written to it",
          .parameters = {name},
          .by_hand = "DBSIZE and master_link_status   # on ${target}@${region} and on the copy ${name}",
          .deadline = 1h,
          .call_limit = 5s,
          .grants = {look_grant}},
         look_loaded},
        {{.name = "redis.lead",
          .on = cache,
          .says = "the node is master again",
          .effect = Effect::idempotent,
          .pays = {"cache without a master"},
          .by_hand = "REPLICAOF NO ONE   # on ${target}@${region}",
          .deadline = 1min,
          .call_limit = 5s,
          .grants = {look_grant, sentinel_grant, "+replicaof (node)"}},
         look_lead,
         apply_lead},
        {{.name = "redis.persist",
          .on = cache,
          .says = "all that the node holds is on its disk: a new append-only file, or a snapshot where there is none",
          .effect = Effect::idempotent,
          .by_hand = "BGREWRITEAOF, or BGSAVE with appendonly no; then INFO persistence   # on ${target}@${region}",
          .deadline = 1h,
          .call_limit = 5s,
          .grants = {look_grant, "+bgrewriteaof +bgsave (node)"}},
         look_persist,
         apply_persist},
    };
}

}  // namespace kedge
