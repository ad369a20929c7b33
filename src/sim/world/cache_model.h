// A Redis group with its Sentinels, as far as recovery has to do with it.
//
// Modelled, as measured with Redis 7.0: a Sentinel that is asked to fail over needs no agreement of the others; the
// old master takes writes for up to ten seconds more, until a Sentinel turns it round or somebody else does; a
// replica of another history starts over from its master's data; Sentinels learn of a new master from each other
// within two seconds, by the higher epoch, and can disagree until then. A master that says for long that it is a
// replica counts as down; one that was replaced while it copied a server of no group is turned round.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/world/ground.h"
#include "sim/world/log.h"

namespace kedge::sim {

struct CachePace {
    Span down_after = 4s;
    Span failover_timeout = 10s;
    Span promote_least = 300ms, promote_most = 1300ms;
    Span link_least = 100ms, link_most = 1s;
    Span load_least = 100ms, load_most = 5s;  // of a recovered data set
};

class CacheModel {
public:
    struct Node {
        Part part;
        bool master = false;
        Place follows = 0;  // the outside: the server beside the group
        Point held;
        bool linked = false, linking = false, down = false;
        Moment paused_until{};
        std::optional<Moment> master_since;  // since when a Sentinel could see a second master here
        std::optional<Moment> astray_since;  // since when one could see that it follows nobody of the group
        std::int64_t keys = 0;
    };
    struct Sentinel {
        Part part;
        Place master = 0;
        std::uint64_t epoch = 0;
        std::vector<std::optional<Moment>> silent_since;     // of each node
        std::vector<std::optional<Moment>> replica_since;    // of each: since when it says that it is a replica
        std::vector<std::optional<Moment>> sentinel_silent;  // of each other Sentinel
        bool failing_over = false;
        Span down_after{};  // so long a node is silent before it takes it for down
        Moment next_try{};  // not before: the last automatic try is too near
    };

    CacheModel(Ground& ground, std::string name, std::size_t index, std::vector<Place> sentinels, int quorum,
               CachePace pace = {});

    const std::string& name() const { return name_; }
    std::size_t index() const { return index_; }
    std::vector<Node>& nodes() { return nodes_; }
    const std::vector<Node>& nodes() const { return nodes_; }
    Node& at(Place place) { return nodes_[place]; }
    const Node& at(Place place) const { return nodes_[place]; }
    std::vector<Sentinel>& sentinels() { return sentinels_; }
    const std::vector<Sentinel>& sentinels() const { return sentinels_; }
    const CachePace& pace() const { return pace_; }
    int quorum() const { return quorum_; }
    Log& log() { return log_; }
    const Log& log() const { return log_; }

    bool accepts_writes(const Node& node) const {
        return node.master && node.part.health == Health::up && node.paused_until <= ground_.now();
    }
    bool sees_quorum(const Sentinel& sentinel) const;
    bool any_failing_over() const;
    // The master that a client at `place` is told of by the Sentinels that it reaches.
    std::optional<Place> told_to(Place place) const;
    std::optional<Point> final_point() const;

    void settle();
    void refresh();
    Lsn write(Node& node, RecordKind kind, std::int64_t first, std::int64_t count, std::uint64_t bytes);
    // A Sentinel begins to make the node at `target` master.
    void fail_over(Sentinel& leader, Place target);
    void follow(Node& node, Place master);
    void restart(Node& node);

    // FLUSHALL on the master, and whoever replicates from it.
    void flush();
    // Every node was killed, lost its files and was started.
    void start_empty();
    // How many of the keys of `point` must not come back.
    std::int64_t excluded_in(Point point) const;

    // A server of no group at `recovered_at`, whose data set nodes can copy; null: nobody is there.
    Node* beside() { return beside_ ? &*beside_ : nullptr; }
    const Node* beside() const { return beside_ ? &*beside_ : nullptr; }
    Point nothing() const;  // what a server holds that was started with no file
    void publish(Point held, std::int64_t keys);
    void withdraw();
    std::string history_of(const Node& node) const;  // its replication id
    bool copies_beside(const Node& node) const { return !node.master && node.follows == ground_.outside(); }
    void take_over(Node& node);
    void lead(Node& node);

    std::string recovered_at;

private:
    void seed();
    void tick();
    void watch(Sentinel& sentinel);
    void learn(Sentinel& sentinel);
    void fail_over_by_itself();
    void turn_round();
    void finish(std::size_t leader, Place target);
    bool holds_down(const Sentinel& sentinel, Place node) const;
    bool may_link(const Node& replica) const;
    const Node* leader_of(const Node& replica) const;
    void settle(Node& node);
    void link(Node& replica);
    void begin_to_load(Node& replica);
    void note_restarts();
    void fix_configuration();

    Ground& ground_;
    std::string name_;
    std::size_t index_;
    int quorum_;
    CachePace pace_;
    std::vector<Node> nodes_;
    std::optional<Node> beside_;
    std::vector<Sentinel> sentinels_;
    Log log_;
    std::uint64_t epoch_ = 0;
};

}  // namespace kedge::sim
