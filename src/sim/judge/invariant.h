// What must never happen, judged from outside: each invariant looks at the world and the journal after every event
// that changed one of them, and says when it was broken, in the operator's words.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/judge/ledger.h"

namespace kedge::sim {

struct Broken {
    std::string invariant;
    Moment at{};
    std::string story;
};

// A look and the order that it allows: within the limits of both, somebody can promote by hand and nobody can know.
inline constexpr Span look_and_order = 10s;

class Invariant {
public:
    virtual ~Invariant() = default;
    virtual std::string_view name() const = 0;  // a sentence: "one writer"

    // Before the ledger has taken the move in.
    virtual void moved(const Ledger&, const Move&) {}
    virtual void judged(const Ledger&, const Verdict&) {}
    virtual void effect(const Ledger&, const Effect&) {}
    virtual void instant(const Ledger&) {}
    // After the world was healed and everything had its time.
    virtual void end(const Ledger&) {}

    std::vector<Broken> take_broken() { return std::exchange(broken_, {}); }

protected:
    // Only the first time counts: what follows is the same story.
    void broken(const Ledger& ledger, std::string story) {
        if (said_) return;
        said_ = true;
        broken_.push_back({std::string(name()), ledger.now(), std::move(story)});
    }

private:
    bool said_ = false;
    std::vector<Broken> broken_;
};

using Invariants = std::vector<std::unique_ptr<Invariant>>;
// Every one that applies to what exists. Each in a file of its own.
Invariants all_invariants();

std::unique_ptr<Invariant> one_writer();
std::unique_ptr<Invariant> fence_before_promote();
std::unique_ptr<Invariant> no_blind_promotion();
std::unique_ptr<Invariant> loss_is_announced();
std::unique_ptr<Invariant> stranded_tail_is_kept();
std::unique_ptr<Invariant> traffic_follows_proof();
std::unique_ptr<Invariant> no_traffic_to_the_fenced();
std::unique_ptr<Invariant> failback_needs_catch_up();
std::unique_ptr<Invariant> intent_first();
std::unique_ptr<Invariant> legal_transitions();
std::unique_ptr<Invariant> done_stays_done();
std::unique_ptr<Invariant> compensation_order();
std::unique_ptr<Invariant> point_of_no_return();
std::unique_ptr<Invariant> needs_hold();
std::unique_ptr<Invariant> no_effect_after_the_end();
std::unique_ptr<Invariant> retry_limits();
std::unique_ptr<Invariant> rehearsal_is_dry();
std::unique_ptr<Invariant> one_advancer();
std::unique_ptr<Invariant> quorum_first();
std::unique_ptr<Invariant> approval_binds();
std::unique_ptr<Invariant> writes_are_released();
std::unique_ptr<Invariant> people_are_told();
std::unique_ptr<Invariant> everything_settles();
std::unique_ptr<Invariant> one_master_in_the_end();
std::unique_ptr<Invariant> releases_live_with_the_schema();
std::unique_ptr<Invariant> restore_point_first();
std::unique_ptr<Invariant> swap_is_fenced();
std::unique_ptr<Invariant> swap_tells_its_loss();
std::unique_ptr<Invariant> checked_before_it_serves();
std::unique_ptr<Invariant> degraded_mode_ends();
std::unique_ptr<Invariant> snapshot_is_there();
std::unique_ptr<Invariant> kept_before_it_is_replaced();
std::unique_ptr<Invariant> excluded_stay_out();
std::unique_ptr<Invariant> cache_is_put_back();

}  // namespace kedge::sim
