// What a Redis group holds: what it begins with, how it loses that, and how it gets another data set from a server
// beside.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sim/world/cache_model.h"

namespace kedge::sim {
namespace {

constexpr std::uint64_t key_bytes = 90, command_bytes = 18;
constexpr Lsn copied_offset{1'000};

}  // namespace

// Keys of days, and some of a person who was erased yesterday: gone from here, not from older snapshots.
void CacheModel::seed() {
    constexpr std::int64_t many = 20, excluded = 3;
    const auto write_at = [&](RecordKind kind, std::int64_t first, std::int64_t count, Span ago) {
        log_.append(0, kind, first, count, key_bytes * static_cast<std::uint64_t>(count), ground_.now() - ago);
        log_.acknowledge(0);
    };
    write_at(RecordKind::rows, -2 * many, many, 60h);
    write_at(RecordKind::excluded, 0, excluded, 55h);
    write_at(RecordKind::rows, -many, many, 10h);
    const Point all{0, log_.end(0)};
    const BranchId since = log_.exchange(0, all, ground_.now() - 2h, Kept::without_excluded);
    const Lsn end = log_.append(since, RecordKind::housekeeping, 0, 0, command_bytes, ground_.now() - 2h);
    for (Node& node : nodes_) {
        node.held = {since, end};
        node.keys = 2 * many;
    }
}

std::int64_t CacheModel::excluded_in(Point point) const {
    std::int64_t count = 0;
    log_.each(point, [&](const Record& record) {
        if (record.kind == RecordKind::excluded) count += record.count;
    });
    return count;
}

// The command stands in the log, which goes on.
void CacheModel::flush() {
    settle();
    for (Node& node : nodes_) {
        if (!node.master || node.part.health != Health::up) continue;
        node.held.branch = log_.exchange(node.held.branch, nothing(), ground_.now());
        node.held.position =
            log_.append(node.held.branch, RecordKind::housekeeping, 0, 0, command_bytes, ground_.now());
        node.keys = 0;
    }
    ground_.changed();
}

void CacheModel::start_empty() {
    for (Node& node : nodes_) {
        node.linked = false;
        node.held = {log_.restore(nothing(), copied_offset, ground_.now()), copied_offset};
        node.keys = 0;
    }
    ground_.changed();
}

Point CacheModel::nothing() const {
    return {0, log_.begin(0)};
}

std::string CacheModel::history_of(const Node& node) const {
    return fmt::format("history-{}", log_.history(node.held.branch));
}

void CacheModel::publish(Point held, std::int64_t keys) {
    withdraw();
    beside_.emplace();
    beside_->part = {.name = "the recovered " + name_, .place = ground_.outside()};
    beside_->master = true;
    beside_->held = held;
    beside_->keys = keys;
    ground_.changed();
}

void CacheModel::withdraw() {
    if (!beside_) return;
    for (Node& node : nodes_)
        if (copies_beside(node)) node.linked = false;
    beside_.reset();
    ground_.changed();
}

void CacheModel::take_over(Node& node) {
    if (node.master) settle();
    node.master = false;
    node.follows = ground_.outside();
    node.linked = false;
    node.master_since.reset();
    ground_.changed();
}

// Its replicas come anew, to learn what the history is called now.
void CacheModel::lead(Node& node) {
    settle(node);
    node.master = true;
    node.linked = false;
    node.held.branch = log_.fork(node.held, ground_.now());
    for (Node& other : nodes_)
        if (!other.master && other.follows == node.part.place) other.linked = false;
    ground_.changed();
}

// What it copies arrives in a file and is loaded when all of it is there: until then it holds what it held.
void CacheModel::begin_to_load(Node& replica) {
    replica.linking = true;
    const Place place = replica.part.place;
    const BranchId source = beside_->held.branch;
    ground_.schedule().after(ground_.random().between(pace_.load_least, pace_.load_most), [this, place, source] {
        Node& node = nodes_[place];
        node.linking = false;
        if (may_link(node) && copies_beside(node) && beside_->held.branch == source) {
            node.held = beside_->held;
            node.keys = beside_->keys;
            node.linked = true;
        }
        ground_.changed();
    });
}

// A master that starts again takes up what it wrote to its disk, under another replication id.
void CacheModel::note_restarts() {
    for (Node& node : nodes_) {
        const bool was_down = std::exchange(node.down, node.part.health == Health::dead);
        if (was_down && node.part.health == Health::up && node.master) {
            node.held.branch = log_.fork(node.held, ground_.now());
            node.paused_until = {};
        }
    }
}

// A replica that follows nobody of the group, beside a master that the Sentinels know, becomes that one's:
// +fix-slave-config.
void CacheModel::fix_configuration() {
    for (Node& node : nodes_) {
        const Place place = node.part.place;
        const auto watcher = std::ranges::find_if(sentinels_, [&](const Sentinel& sentinel) {
            return sentinel.part.health == Health::up && sentinel.master != place && nodes_[sentinel.master].master &&
                   !sentinel.silent_since[sentinel.master] && !sentinel.silent_since[place];
        });
        if (!copies_beside(node) || watcher == sentinels_.end()) {
            node.astray_since.reset();
        } else if (!node.astray_since) {
            node.astray_since = ground_.now();
        } else if (ground_.now() - *node.astray_since >= pace_.failover_timeout) {
            follow(node, watcher->master);
        }
    }
}

}  // namespace kedge::sim
