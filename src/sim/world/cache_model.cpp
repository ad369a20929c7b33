#include "sim/world/cache_model.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

constexpr Lsn first_offset{100'000};
constexpr Span sentinel_period = 500ms;
// A Sentinel turns a second master round only after it called itself master for so long (4 hello periods).
constexpr Span turn_round_after = 8s;
constexpr Span replication_delay = 33ms;
constexpr std::int64_t seed_keys = 40;

}  // namespace

CacheModel::CacheModel(Ground& ground, std::string name, std::size_t index, std::vector<Place> sentinels, int quorum,
                       CachePace pace)
    : ground_(ground), name_(std::move(name)), index_(index), quorum_(quorum), pace_(pace), log_(first_offset) {
    for (Place place = 0; place < ground_.regions().size(); ++place) {
        Node node;
        node.part = {.name = fmt::format("{}@{}", name_, ground_.name_of(place)), .place = place};
        node.master = place == 0;
        node.held = {0, first_offset};
        node.linked = place != 0;
        node.keys = seed_keys;
        nodes_.push_back(std::move(node));
    }
    for (const Place place : sentinels) {
        Sentinel sentinel;
        sentinel.part = {.name = fmt::format("sentinel of {} {}", name_, ground_.name_of(place)), .place = place};
        sentinel.silent_since.resize(nodes_.size());
        sentinel.sentinel_silent.resize(sentinels.size());
        sentinel.down_after = pace_.down_after;
        sentinels_.push_back(std::move(sentinel));
    }
    ground_.on_change([this] { refresh(); });
    ground_.schedule().after(sentinel_period, [this] { tick(); });
}

bool CacheModel::holds_down(const Sentinel& sentinel, Place node) const {
    return sentinel.silent_since[node] && ground_.now() - *sentinel.silent_since[node] >= sentinel.down_after;
}

// CKQUORUM: enough Sentinels that it does not take for down, to agree and to elect.
bool CacheModel::sees_quorum(const Sentinel& sentinel) const {
    int usable = 1;
    for (std::size_t i = 0; i < sentinels_.size(); ++i)
        if (&sentinels_[i] != &sentinel)
            usable += !sentinel.sentinel_silent[i] || ground_.now() - *sentinel.sentinel_silent[i] < pace_.down_after;
    return usable >= quorum_ && usable * 2 > static_cast<int>(sentinels_.size());
}

bool CacheModel::any_failing_over() const {
    return std::any_of(sentinels_.begin(), sentinels_.end(), [](const Sentinel& one) { return one.failing_over; });
}

std::optional<Place> CacheModel::told_to(Place place) const {
    const Sentinel* best = nullptr;
    for (const Sentinel& one : sentinels_)
        if (one.part.health == Health::up && ground_.open_both(place, one.part.place))
            if (best == nullptr || one.epoch > best->epoch) best = &one;
    return best == nullptr ? std::nullopt : std::optional{best->master};
}

std::optional<Point> CacheModel::final_point() const {
    for (const Node& node : nodes_)
        if (node.master && node.part.health != Health::dead) return node.held;
    return std::nullopt;
}

bool CacheModel::may_link(const Node& replica) const {
    const Node& sender = nodes_[replica.follows];
    return !replica.master && replica.part.health == Health::up && &sender != &replica && sender.master &&
           sender.part.health == Health::up && ground_.open_both(sender.part.place, replica.part.place);
}

void CacheModel::settle() {
    for (Node& node : nodes_) settle(node);
}

void CacheModel::settle(Node& node) {
    if (node.master || !node.linked) return;
    const Node& sender = nodes_[node.follows];
    const Lsn reached = log_.position_at(sender.held.branch, ground_.now() - replication_delay);
    if (reached <= node.held.position) return;
    node.held = {sender.held.branch, reached};
    node.keys = sender.keys;
}

void CacheModel::refresh() {
    for (Node& node : nodes_) {
        const bool possible = may_link(node);
        if (node.linked && !possible) {
            settle(node);
            node.linked = false;
        } else if (!node.linked && possible && !node.linking) {
            node.linking = true;
            const Place place = node.part.place;
            ground_.schedule().after(ground_.random().between(pace_.link_least, pace_.link_most), [this, place] {
                Node& replica = nodes_[place];
                replica.linking = false;
                if (!may_link(replica)) return;
                const Node& sender = nodes_[replica.follows];
                replica.linked = true;
                // Another history: it starts over from the master's data, whatever it had.
                const Lsn reached = log_.position_at(sender.held.branch, ground_.now() - replication_delay);
                if (!log_.leads_to(replica.held, sender.held.branch) || reached > replica.held.position)
                    replica.held.position = std::max(reached, log_.begin(sender.held.branch));
                replica.held.branch = sender.held.branch;
                replica.keys = sender.keys;
                ground_.changed();
            });
        }
    }
}

Lsn CacheModel::write(Node& node, RecordKind kind, std::int64_t first, std::int64_t count, std::uint64_t bytes) {
    node.held.position = log_.append(node.held.branch, kind, first, count, bytes, ground_.now());
    if (kind == RecordKind::canary) node.keys = seed_keys + 1;
    return node.held.position;
}

void CacheModel::fail_over(Sentinel& leader, Place target) {
    leader.failing_over = true;
    ++epoch_;
    const std::size_t index = static_cast<std::size_t>(&leader - sentinels_.data());
    ground_.schedule().after(ground_.random().between(pace_.promote_least, pace_.promote_most),
                             [this, index, target] { finish(index, target); });
}

void CacheModel::finish(std::size_t index, Place target) {
    Sentinel& leader = sentinels_[index];
    Node& node = nodes_[target];
    if (!leader.failing_over) return;
    if (leader.part.health != Health::up) {  // what it was about is gone with it
        leader.failing_over = false;
        return;
    }
    if (node.part.health != Health::up || !ground_.open_both(leader.part.place, target)) {
        // -failover-abort-slave-timeout: until then it says INPROG.
        ground_.schedule().after(pace_.failover_timeout, [this, index] { sentinels_[index].failing_over = false; });
        return;
    }
    settle(node);
    if (!node.master) {
        node.master = true;
        node.linked = false;
        node.held.branch = log_.fork(node.held, ground_.now());
        node.paused_until = {};
    }
    leader.master = target;
    leader.epoch = epoch_;
    leader.failing_over = false;
    for (Node& other : nodes_)
        if (!other.master && &other != &node) other.follows = target;
    ground_.changed();
}

void CacheModel::follow(Node& node, Place master) {
    if (node.master) settle();
    node.master = false;
    node.follows = master;
    node.linked = false;
    node.master_since.reset();
    ground_.changed();
}

void CacheModel::restart(Node& node) {
    node.paused_until = {};
    ground_.set_health(node.part, Health::up);
}

// Every Sentinel, each half second: who answers, what the others say, what is to be done.
void CacheModel::tick() {
    ground_.schedule().after(sentinel_period, [this] { tick(); });
    for (Sentinel& sentinel : sentinels_) {
        if (sentinel.part.health != Health::up) continue;
        watch(sentinel);
        learn(sentinel);
    }
    fail_over_by_itself();
    turn_round();
}

void CacheModel::watch(Sentinel& sentinel) {
    const auto note = [&](std::optional<Moment>& since, bool answers) {
        if (answers)
            since.reset();
        else if (!since)
            since = ground_.now() - ground_.random().between(0ms, sentinel_period);
    };
    for (const Node& node : nodes_)
        note(sentinel.silent_since[node.part.place],
             node.part.health == Health::up && ground_.open_both(sentinel.part.place, node.part.place));
    for (std::size_t i = 0; i < sentinels_.size(); ++i)
        note(sentinel.sentinel_silent[i], sentinels_[i].part.health == Health::up &&
                                              ground_.open_both(sentinel.part.place, sentinels_[i].part.place));
}

void CacheModel::learn(Sentinel& sentinel) {
    for (const Sentinel& other : sentinels_) {
        if (other.part.health != Health::up || other.epoch <= sentinel.epoch) continue;
        if (!ground_.open_both(sentinel.part.place, other.part.place)) continue;
        sentinel.master = other.master;
        sentinel.epoch = other.epoch;
        ground_.changed();
    }
}

void CacheModel::fail_over_by_itself() {
    for (Sentinel& sentinel : sentinels_) {
        if (sentinel.part.health != Health::up || sentinel.failing_over || any_failing_over()) continue;
        if (!holds_down(sentinel, sentinel.master) || !sees_quorum(sentinel) || sentinel.next_try > ground_.now())
            continue;
        int agree = 0;
        for (const Sentinel& other : sentinels_)
            agree += other.part.health == Health::up && other.master == sentinel.master &&
                     ground_.open_both(sentinel.part.place, other.part.place) && holds_down(other, sentinel.master);
        if (agree < quorum_) continue;
        sentinel.next_try = ground_.now() + 2 * pace_.failover_timeout;
        for (const Node& node : nodes_) {
            const Place place = node.part.place;
            if (node.master || sentinel.silent_since[place] || place == sentinel.master) continue;
            fail_over(sentinel, place);
            break;
        }
    }
}

// A node that calls itself master beside the one that a Sentinel knows becomes its replica, in the end:
// +convert-to-slave. No epoch is compared for it; the wait is what lets a newer configuration arrive first.
void CacheModel::turn_round() {
    for (Node& node : nodes_) {
        const Place place = node.part.place;
        const auto watcher = std::find_if(sentinels_.begin(), sentinels_.end(), [&](const Sentinel& sentinel) {
            return sentinel.part.health == Health::up && sentinel.master != place && nodes_[sentinel.master].master &&
                   !sentinel.silent_since[sentinel.master] && !sentinel.silent_since[place];
        });
        if (!node.master || node.part.health != Health::up || watcher == sentinels_.end()) {
            node.master_since.reset();
        } else if (!node.master_since) {
            node.master_since = ground_.now();
        } else if (ground_.now() - *node.master_since >= turn_round_after && node.paused_until <= ground_.now()) {
            follow(node, watcher->master);
        }
    }
}

}  // namespace kedge::sim
