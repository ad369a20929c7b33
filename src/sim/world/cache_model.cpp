#include "sim/world/cache_model.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

constexpr Lsn first_offset{100'000};
constexpr Span sentinel_period = 500ms;
// A Sentinel turns a second master round only after it called itself master for so long (4 hello periods).
constexpr Span turn_round_after = 8s;
// INFO is asked each ten seconds: so often must a master have said that it is a replica, beside the wait for a silent
// one.
constexpr Span role_is_asked_twice = 20s;
constexpr Span replication_delay = 33ms;

}  // namespace

CacheModel::CacheModel(Ground& ground, std::string name, std::size_t index, std::vector<Place> sentinels, int quorum,
                       CachePace pace)
    : ground_(ground), name_(std::move(name)), index_(index), quorum_(quorum), pace_(pace), log_(first_offset) {
    for (Place place = 0; place < ground_.regions().size(); ++place) {
        Node node;
        node.part = {.name = fmt::format("{}@{}", name_, ground_.name_of(place)), .place = place};
        node.master = place == 0;
        node.linked = place != 0;
        nodes_.push_back(std::move(node));
    }
    for (const Place place : sentinels) {
        Sentinel sentinel;
        sentinel.part = {.name = fmt::format("sentinel of {} {}", name_, ground_.name_of(place)), .place = place};
        sentinel.silent_since.resize(nodes_.size());
        sentinel.replica_since.resize(nodes_.size());
        sentinel.sentinel_silent.resize(sentinels.size());
        sentinel.down_after = pace_.down_after;
        sentinels_.push_back(std::move(sentinel));
    }
    seed();
    ground_.on_change([this] { refresh(); });
    ground_.schedule().after(sentinel_period, [this] { tick(); });
}

bool CacheModel::holds_down(const Sentinel& sentinel, Place node) const {
    const auto lasts = [&](const std::optional<Moment>& since, Span limit) {
        return since && ground_.now() - *since >= limit;
    };
    return lasts(sentinel.silent_since[node], sentinel.down_after) ||
           lasts(sentinel.replica_since[node], sentinel.down_after + role_is_asked_twice);
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

const CacheModel::Node* CacheModel::leader_of(const Node& replica) const {
    return replica.follows < nodes_.size() ? &nodes_[replica.follows] : beside();
}

// One that copies the server beside gives what it got to its own replicas.
bool CacheModel::may_link(const Node& replica) const {
    const Node* const sender = leader_of(replica);
    return !replica.master && replica.part.health == Health::up && sender != nullptr && sender != &replica &&
           (sender->master || (copies_beside(*sender) && sender->linked)) && sender->part.health == Health::up &&
           ground_.open_both(sender->part.place, replica.part.place);
}

void CacheModel::settle() {
    for (Node& node : nodes_) settle(node);
}

void CacheModel::settle(Node& node) {
    if (node.master || !node.linked) return;
    const Node& sender = *leader_of(node);
    const Lsn reached = log_.position_at(sender.held.branch, ground_.now() - replication_delay);
    if (reached <= node.held.position) return;
    node.held = {sender.held.branch, reached};
    node.keys = sender.keys;
}

void CacheModel::refresh() {
    note_restarts();
    for (Node& node : nodes_) {
        const bool possible = may_link(node);
        if (node.linked && !possible) {
            settle(node);
            node.linked = false;
        } else if (!node.linked && possible && !node.linking) {
            node.linking = true;
            const Place place = node.part.place;
            ground_.schedule().after(ground_.random().between(pace_.link_least, pace_.link_most), [this, place] {
                nodes_[place].linking = false;
                link(nodes_[place]);
            });
        }
    }
}

void CacheModel::link(Node& replica) {
    if (!may_link(replica)) return;
    const Node& sender = *leader_of(replica);
    const bool other_history = !log_.leads_to(replica.held, sender.held.branch);
    if (other_history && copies_beside(replica)) return begin_to_load(replica);
    replica.linked = true;
    // Another history: it starts over from the master's data, whatever it had.
    const Lsn reached = log_.position_at(sender.held.branch, ground_.now() - replication_delay);
    if (other_history || reached > replica.held.position)
        replica.held.position = std::max(reached, log_.begin(sender.held.branch));
    replica.held.branch = sender.held.branch;
    replica.keys = sender.keys;
    ground_.changed();
}

Lsn CacheModel::write(Node& node, RecordKind kind, std::int64_t first, std::int64_t count, std::uint64_t bytes) {
    node.held.position = log_.append(node.held.branch, kind, first, count, bytes, ground_.now());
    if (kind == RecordKind::rows || kind == RecordKind::canary) node.keys += count;
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
        if (!other.master && &other != &node && !copies_beside(other)) other.follows = target;
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
    fix_configuration();
}

void CacheModel::watch(Sentinel& sentinel) {
    const auto note = [&](std::optional<Moment>& since, bool answers) {
        if (answers)
            since.reset();
        else if (!since)
            since = ground_.now() - ground_.random().between(0ms, sentinel_period);
    };
    for (const Node& node : nodes_) {
        const Place place = node.part.place;
        const bool answers = node.part.health == Health::up && ground_.open_both(sentinel.part.place, place);
        note(sentinel.silent_since[place], answers);
        std::optional<Moment>& replica_since = sentinel.replica_since[place];
        if (answers) replica_since = node.master ? std::nullopt : std::optional(replica_since.value_or(ground_.now()));
    }
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
