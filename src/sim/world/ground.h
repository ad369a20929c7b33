// What every simulated thing stands on: time, chance, places, the network between them, and the calls that Kedge
// makes.
//
// A call on a target happens at one instant of virtual time; what it takes is added up while it lasts and its answer
// comes that much later (see executor.h). Outside of a controller's call, in a contract suite say, time passes at
// once. Belongs to one thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "sim/world/schedule.h"

namespace kedge::sim {

using namespace std::chrono_literals;

using Place = std::size_t;  // a region, in the estate's order; after the last one, the outside

enum class Health { up, dead, frozen };

// Something that runs at a place: dead, its address refuses; frozen, it is silent.
struct Part {
    std::string name;
    Place place = 0;
    Health health = Health::up;
};

// The interface through which Kedge reaches a part; calls are counted by it.
enum class Port {
    database,
    fence,
    cache,
    sentinel,
    application,
    traffic,
    channel,
    metrics,
    logs,
    store,
    samples,
    migration,
    backups,
    recoveries,
    index
};
inline constexpr std::size_t port_count = 15;
std::string_view to_string(Port port);

// What becomes of one message to a part and of its answer.
enum class Passage {
    through,
    refused,      // nobody listens: nothing happened
    silent,       // it never arrived; the caller waited until its deadline
    answer_lost,  // it arrived and did what it does; the caller waited until its deadline
};

enum class EffectKind {
    promote,
    shut_down,
    start,
    raise_fence,
    lower_fence,
    canary,
    checkpoint,
    restore_point,
    export_stranded,
    rejoin,
    cache_pause,
    cache_resume,
    cache_fail_over,
    cache_follow,
    cache_canary,
    cache_take_over,  // a master began to copy a recovered data set in place of its own
    cache_lead,       // and is master again
    sentinels_told,   // for how long a node must be silent
    set_writes,
    scale,
    deploy,
    migrate,
    degrade_index,
    serve_index,
    rebuild_index,
    shift,
    cut_sessions,
    announce,
    backups,     // work on backups was begun
    recoveries,  // work on a recovery was begun
    swap_in,     // a recovered copy took the place of a server
    exchange,    // a recovered copy took the place of a database within a server
};
std::string_view to_string(EffectKind kind);

// For whom a call is made: the step of the run, and which try.
struct Errand {
    std::size_t step = 0;
    int attempt = 0;
    std::uint64_t epoch = 0;
    bool undo = false;
};

// Something that a target did because Kedge asked.
struct Effect {
    Moment at{};
    EffectKind kind{};
    Place place = 0;
    std::size_t of = 0;       // which target of its kind
    std::int64_t detail = 0;  // writes, weight: the figure that was set
    std::optional<Errand> errand;
};

class Ground {
public:
    Ground(std::vector<std::string> regions, std::uint64_t seed);

    Schedule& schedule() { return schedule_; }
    const Schedule& schedule() const { return schedule_; }
    Random& random() { return random_; }
    Moment now() const { return schedule_.now(); }

    const std::vector<std::string>& regions() const { return regions_; }
    std::optional<Place> place_of(std::string_view region) const;
    Place outside() const { return regions_.size(); }
    // The name of a place for people.
    std::string_view name_of(Place place) const;

    // The network, one way at a time. A message on a cut way is lost without a word.
    bool open(Place from, Place to) const { return ways_[from * (regions_.size() + 1) + to].cuts == 0; }
    bool open_both(Place a, Place b) const { return open(a, b) && open(b, a); }
    void cut(Place from, Place to);
    void mend(Place from, Place to);
    void mend_all();
    // Every message on this way takes so much longer.
    void slow_down(Place from, Place to, Span by);
    Span delay(Place from, Place to);  // of one message, drawn

    // Is told after anything changed that decides who hears whom: the network, the health of a part, a role.
    void on_change(std::function<void()> told) { told_.push_back(std::move(told)); }
    void changed();
    void set_health(Part& part, Health health);
    std::uint64_t changes() const { return changes_; }

    // Calls. `visit` says what becomes of one exchange with `part` and lets its time pass.
    Passage visit(Port port, const Part& part, Moment deadline);
    void spend(Span span, Moment deadline);
    // When it is, for a call that has already taken time; and what the clock of its caller shows, by which its deadline
    // was set.
    Moment call_time() const { return schedule_.now() + spent_; }
    Moment caller_time() const { return call_time() + caller_ahead_; }
    // `ahead`: of the caller's clock.
    void begin_call(const Errand& errand, Span ahead = {});
    Span end_call();  // what it took
    void side_by_side(std::size_t count, const std::function<void(std::size_t)>& call);

    // Decides the fate of the n-th exchange through a port, from 1; nothing = as the world has it. For tests and
    // faults.
    using Meddle = std::function<std::optional<Passage>(Port port, std::uint64_t nth)>;
    void meddle(Meddle meddle) { meddle_ = std::move(meddle); }
    std::uint64_t visits(Port port) const { return visits_[static_cast<std::size_t>(port)]; }

    void note(EffectKind kind, Place place, std::size_t of, std::int64_t detail = 0);
    const std::vector<Effect>& effects() const { return effects_; }

private:
    struct Way {
        int cuts = 0;
        Span slower{};
    };

    std::vector<std::string> regions_;
    Random random_;
    Schedule schedule_;
    std::vector<Way> ways_;
    std::vector<std::function<void()>> told_;
    std::uint64_t changes_ = 0;
    std::array<std::uint64_t, port_count> visits_{};
    Meddle meddle_;
    std::optional<Errand> errand_;
    Span spent_{}, caller_ahead_{};
    std::vector<Effect> effects_;
};

// What an effect answers when it did not get through; `name` for the message.
Error not_through(Passage passage, const std::string& name);

}  // namespace kedge::sim
