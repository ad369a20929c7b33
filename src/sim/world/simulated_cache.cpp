#include "sim/world/simulated_cache.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

// Once most Sentinels have answered, the others are waited for no longer than this.
constexpr Span straggler_limit = 300ms;

}  // namespace

Result<SimulatedCache::Node*> SimulatedCache::find(const std::string& region) {
    const auto place = ground_.place_of(region);
    if (!place) return Error{Fault::not_found, fmt::format("{} has no node in {}", model_.name(), region)};
    return &model_.at(*place);
}

Result<CacheLook> SimulatedCache::look(const std::string& region, Moment deadline) {
    return look_at(*TRY(find(region)), deadline);
}

CacheLook SimulatedCache::look_at(const Node& node, Moment deadline) {
    const Passage passage = ground_.visit(Port::cache, node.part, deadline);
    if (passage != Passage::through)
        return CacheLook{.reachable = passage == Passage::refused ? Truth::no : Truth::unknown,
                         .says = not_through(passage, node.part.name).message};
    model_.settle();
    CacheLook look{.reachable = Truth::yes, .master = truth(node.master)};
    look.offset = static_cast<std::int64_t>(node.held.position.value);
    look.replication_id = model_.history_of(node);
    look.keys = node.keys;
    look.manager = "";
    look.append_only = Truth::yes;
    look.saving = Truth::no;
    look.saved = Truth::yes;
    look.min_replicas_to_write = 0;
    if (node.master) {
        look.replicas = std::count_if(model_.nodes().begin(), model_.nodes().end(), [&](const Node& other) {
            return other.linked && other.follows == node.part.place;
        });
        look.says = "master";
    } else {
        look.follows = model_.copies_beside(node) ? model_.recovered_at : ground_.regions()[node.follows];
        look.link_up = truth(node.linked);
        look.says = fmt::format("replica of {}", *look.follows);
    }
    return look;
}

Result<std::vector<SentinelLook>> SimulatedCache::sentinels(Moment deadline) {
    std::vector<SentinelLook> looks(model_.sentinels().size());
    const Moment limit = std::min(deadline, ground_.caller_time() + straggler_limit);
    ground_.side_by_side(looks.size(), [&](std::size_t i) {
        const CacheModel::Sentinel& sentinel = model_.sentinels()[i];
        SentinelLook& look = looks[i];
        look.name = sentinel.part.name;
        const Passage passage = ground_.visit(Port::sentinel, sentinel.part, limit);
        look.reachable = passage == Passage::through   ? Truth::yes
                         : passage == Passage::refused ? Truth::no
                                                       : Truth::unknown;
        if (passage != Passage::through) {
            look.says = not_through(passage, look.name).message;
            return;
        }
        look.master = ground_.regions()[sentinel.master];
        look.quorum = truth(model_.sees_quorum(sentinel));
        look.calm = truth(!sentinel.failing_over);
        look.down_after = sentinel.down_after;
        look.votes = model_.quorum();
        look.says = "names " + *look.master;
    });
    return looks;
}

Result<void> SimulatedCache::pause_writes(const std::string& region, Span limit, Moment deadline) {
    Node& node = *TRY(find(region));
    std::optional<Span> down_after;
    for (const SentinelLook& sentinel : TRY(sentinels(deadline)))
        if (sentinel.down_after) down_after = std::min(down_after.value_or(*sentinel.down_after), *sentinel.down_after);
    if (limit < 1ms) return Error{Fault::invalid_input, "writes cannot be held for " + kedge::to_string(limit)};
    if (!down_after) return Error{Fault::unavailable, "no Sentinel says after how long it takes a master for down"};
    if (limit >= *down_after)
        return Error{Fault::refused,
                     fmt::format("{}: writes would be held for up to {}, but the Sentinels take the master for down "
                                 "after {} (down-after-milliseconds)",
                                 region, kedge::to_string(limit), kedge::to_string(*down_after))};
    const Passage passage = ground_.visit(Port::cache, node.part, deadline);
    if (passage == Passage::silent || passage == Passage::refused) return not_through(passage, node.part.name);
    if (!node.master) return Error{Fault::refused, node.part.name + " is a replica and takes no writes"};
    node.paused_until = ground_.now() + limit;
    ground_.note(EffectKind::cache_pause, node.part.place, model_.index());
    if (passage != Passage::through) return not_through(passage, node.part.name);
    return {};
}

Result<void> SimulatedCache::resume_writes(const std::string& region, Moment deadline) {
    Node& node = *TRY(find(region));
    const Passage passage = ground_.visit(Port::cache, node.part, deadline);
    if (passage == Passage::silent || passage == Passage::refused) return not_through(passage, node.part.name);
    node.paused_until = {};
    ground_.note(EffectKind::cache_resume, node.part.place, model_.index());
    if (passage != Passage::through) return not_through(passage, node.part.name);
    return {};
}

Result<CacheModel::Sentinel*> SimulatedCache::choose_sentinel(const std::vector<SentinelLook>& looks, Place region) {
    // The one nearest to the region is asked, as by the real driver: it reaches the replica whatever parts the regions.
    const auto distance = [&](std::size_t i) {
        const Place place = model_.sentinels()[i].part.place;
        return place == region ? 0 : place == ground_.outside() ? 1 : 2;
    };
    std::optional<std::size_t> chosen;
    std::optional<std::string> master;
    bool answered = false;
    for (std::size_t i = 0; i < looks.size(); ++i) {
        if (looks[i].reachable != Truth::yes) continue;
        answered = true;
        if (looks[i].calm != Truth::yes)
            return Error{Fault::conflict, fmt::format("Sentinel {} is failing over", looks[i].name)};
        if (master && *master != looks[i].master)
            return Error{Fault::refused, fmt::format("the Sentinels disagree: {} and {}", *master, *looks[i].master)};
        master = looks[i].master;
        if (looks[i].quorum == Truth::yes && (!chosen || distance(i) < distance(*chosen))) chosen = i;
    }
    if (!answered) return Error{Fault::unavailable, "no Sentinel answers"};
    if (!chosen) return Error{Fault::refused, "no Sentinel that answers sees a quorum"};
    if (*master == ground_.regions()[region])
        return Error{Fault::refused, fmt::format("the Sentinels name the node in {} master already", *master)};
    return &model_.sentinels()[*chosen];
}

Result<void> SimulatedCache::fail_over(const std::string& region, Moment deadline) {
    Node& node = *TRY(find(region));
    const std::vector<SentinelLook> looks = TRY(sentinels(deadline));
    CacheModel::Sentinel& leader = *TRY(choose_sentinel(looks, node.part.place));
    const Passage seen = ground_.visit(Port::cache, node.part, deadline);
    if (seen != Passage::through) return Error{Fault::unavailable, not_through(seen, node.part.name).message};
    if (node.master) return Error{Fault::refused, node.part.name + " is no replica"};
    const Passage passage = ground_.visit(Port::sentinel, leader.part, deadline);
    if (passage == Passage::silent || passage == Passage::refused) return not_through(passage, leader.part.name);
    ground_.note(EffectKind::cache_fail_over, node.part.place, model_.index());
    model_.fail_over(leader, node.part.place);
    if (passage != Passage::through) return not_through(passage, leader.part.name);
    return {};
}

Result<std::optional<Span>> SimulatedCache::since_heard(const std::string& region, Moment deadline) {
    const Node& node = *TRY(find(region));
    TRY(choose_sentinel(TRY(sentinels(deadline)), node.part.place));
    // Every ten seconds, in step with the clock: how long a failover takes here does not depend on it.
    constexpr Span every = 10s;
    return std::optional<Span>(ground_.now().time_since_epoch() % every);
}

Result<void> SimulatedCache::follow(const std::string& region, const std::string& master, Moment deadline) {
    Node& node = *TRY(find(region));
    const Node& leader = *TRY(find(master));
    if (&node == &leader) return Error{Fault::invalid_input, region + " cannot follow itself"};
    const Passage seen = ground_.visit(Port::cache, leader.part, deadline);
    if (seen != Passage::through) return Error{Fault::unavailable, not_through(seen, leader.part.name).message};
    if (!leader.master) return Error{Fault::refused, leader.part.name + " is no master: nothing follows it"};
    const Passage passage = ground_.visit(Port::cache, node.part, deadline);
    if (passage == Passage::silent || passage == Passage::refused) return not_through(passage, node.part.name);
    ground_.note(EffectKind::cache_follow, node.part.place, model_.index());
    if (node.master || node.follows != leader.part.place) model_.follow(node, leader.part.place);
    if (passage != Passage::through) return not_through(passage, node.part.name);
    return {};
}

Result<void> SimulatedCache::write_canary(const std::string& region, const std::string& key, Moment deadline) {
    Node& node = *TRY(find(region));
    const Passage passage = ground_.visit(Port::cache, node.part, deadline);
    if (passage == Passage::silent || passage == Passage::refused) return not_through(passage, node.part.name);
    if (!node.master) return Error{Fault::refused, node.part.name + " is a replica and takes no writes"};
    // While writes are paused the command waits, with its caller.
    if (node.paused_until > ground_.now()) {
        ground_.spend(node.paused_until - ground_.now(), deadline);
        if (node.paused_until > ground_.call_time())
            return Error{Fault::outcome_unknown,
                         fmt::format("{}: key {}: no answer came in time", node.part.name, key)};
    }
    model_.write(node, RecordKind::canary, 0, 1, 80);
    ground_.note(EffectKind::cache_canary, node.part.place, model_.index());
    if (passage != Passage::through) return not_through(passage, node.part.name);
    return {};
}

Result<CacheLook> SimulatedCache::look_beside(const std::string& address, Moment deadline) {
    const Node* const beside = model_.beside();
    if (beside == nullptr || address != model_.recovered_at)
        return CacheLook{.reachable = Truth::no, .says = address + ": nobody answers there"};
    return look_at(*beside, deadline);
}

Result<void> SimulatedCache::take_over(const std::string& region, const std::string& address, Moment deadline) {
    Node& node = *TRY(find(region));
    const CacheLook beside = TRY(look_beside(address, deadline));
    if (beside.reachable != Truth::yes) return Error{Fault::unavailable, beside.says};
    const Passage passage = ground_.visit(Port::cache, node.part, deadline);
    if (passage == Passage::silent || passage == Passage::refused) return not_through(passage, node.part.name);
    if (!node.master && !model_.copies_beside(node))
        return Error{Fault::conflict, fmt::format("{} is no master that could take it over: it follows {}",
                                                  node.part.name, ground_.regions()[node.follows])};
    if (node.master) {
        ground_.note(EffectKind::cache_take_over, node.part.place, model_.index());
        model_.take_over(node);
    }
    if (passage != Passage::through) return not_through(passage, node.part.name);
    return {};
}

Result<void> SimulatedCache::lead(const std::string& region, Moment deadline) {
    Node& node = *TRY(find(region));
    const CacheLook look = look_at(node, deadline);
    if (look.reachable != Truth::yes) return Error{Fault::unavailable, look.says};
    if (node.master) return {};
    if (!model_.copies_beside(node))
        return Error{Fault::refused, fmt::format("{} follows {}, a node of the group", region, *look.follows)};
    TRY(check_named_master(TRY(sentinels(deadline)), region));
    const Passage passage = ground_.visit(Port::cache, node.part, deadline);
    if (passage == Passage::silent || passage == Passage::refused) return not_through(passage, node.part.name);
    ground_.note(EffectKind::cache_lead, node.part.place, model_.index());
    model_.lead(node);
    if (passage != Passage::through) return not_through(passage, node.part.name);
    return {};
}

// All are told at the same time.
Result<void> SimulatedCache::set_down_after(const std::map<std::string, Span>& spans, Moment deadline) {
    Result<void> told;
    ground_.side_by_side(model_.sentinels().size(), [&](std::size_t i) {
        CacheModel::Sentinel& sentinel = model_.sentinels()[i];
        const auto wanted = spans.find(sentinel.part.name);
        if (wanted == spans.end()) return;
        const Passage passage = ground_.visit(Port::sentinel, sentinel.part, deadline);
        if (passage != Passage::silent && passage != Passage::refused) {
            sentinel.down_after = wanted->second;
            ground_.note(EffectKind::sentinels_told, sentinel.part.place, model_.index());
        }
        if (passage != Passage::through) told = not_through(passage, sentinel.part.name);
    });
    return told;
}

Result<void> SimulatedCache::persist(const std::string& region, Moment deadline) {
    const Node& node = *TRY(find(region));
    const Passage passage = ground_.visit(Port::cache, node.part, deadline);
    if (passage != Passage::through) return not_through(passage, node.part.name);
    return {};  // what it holds outlives it in this world, always
}

}  // namespace kedge::sim
