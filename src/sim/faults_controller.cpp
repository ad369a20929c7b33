// The controller and its journal.

#include <array>

#include "sim/faults.h"

namespace kedge::sim {
namespace {

// An append of about the whole run; later ones never come.
std::uint64_t some_append(Staging& staging) {
    return 1 + staging.random.below(80);
}

// Tells of a death that was planted, when it comes.
void tell_of_death(Staging& staging) {
    Controller& controller = staging.controller();
    const int deaths = controller.deaths();
    staging.world().ground.schedule().at(staging.to, [&controller, deaths, fired = staging.fired] {
        if (controller.deaths() > deaths) fired();
    });
}

void plant(Staging& staging, AppendFate fate) {
    staging.controller().store().plant(some_append(staging), fate);
    tell_of_death(staging);
}

void dies_before_append(Staging& staging) {
    plant(staging, AppendFate::refused);
}
void dies_after_append(Staging& staging) {
    plant(staging, AppendFate::kept);
}
void sync_fails(Staging& staging) {
    plant(staging, AppendFate::in_doubt);
}
void dies_before_answer(Staging& staging) {
    staging.controller().die_before_answer = staging.controller().answers() + 1 + staging.random.below(120);
    tell_of_death(staging);
}
void dies_twice(Staging& staging) {
    const std::uint64_t first = some_append(staging);
    staging.controller().store().plant(first, AppendFate::kept);
    staging.controller().store().plant(first + 1 + staging.random.below(3), AppendFate::refused);
    tell_of_death(staging);
}
void dies_at_some_moment(Staging& staging) {
    Controller& controller = staging.controller();
    const UnsyncedTail tail = staging.random.chance(0.5) ? UnsyncedTail::kept : UnsyncedTail::dropped;
    staging.later([&controller, tail] { controller.die(tail); });
}
void stays_dead_for_long(Staging& staging) {
    Controller& controller = staging.controller();
    controller.resumed_after = staging.random.between(10s, 90s);
    staging.later([&controller] { controller.die(); });
}
// Further off than any observation may be old: nearer errors are within what the actions allow for.
Span far_off(Staging& staging) {
    const Span by = staging.random.between(2min, 60min);
    return staging.random.chance(0.5) ? by : -by;
}
void clock_was_set(Staging& staging) {
    staging.controller().clock_error.ahead = far_off(staging);
    staging.fired();
}
void clock_of_the_next_was_set(Staging& staging) {
    Controller& controller = staging.controller();
    const Span ahead = far_off(staging);
    staging.later([&controller, ahead] {
        controller.clock_error.ahead = ahead;
        controller.die();
    });
}
// As much as a machine that is kept in time ever corrects (500 parts in a million, adjtimex(2)).
void clocks_drift(Staging& staging) {
    staging.controller().clock_error.drift_per_million = staging.random.chance(0.5) ? 500 : -500;
    staging.fired();
}
void is_taken_for_dead(Staging& staging) {
    Controller& controller = staging.controller();
    const Span stalls = staging.random.between(1s, 20s);
    staging.later([&controller, stalls] { controller.stall(stalls); });
}

}  // namespace

std::span<const FaultPiece> faults_of_controller() {
    static constexpr std::array faults{
        FaultPiece{"the controller dies before an append", "1, 6, 15", dies_before_append},
        FaultPiece{"the controller dies after an append", "2, 5, 6", dies_after_append},
        FaultPiece{"a sync of the journal fails", "16, 19", sync_fails},
        FaultPiece{"the controller dies before an answer", "3, 4", dies_before_answer},
        FaultPiece{"the controller dies, and the next one too", "7", dies_twice},
        FaultPiece{"the controller dies at some moment", "3, 4, 13, 19", dies_at_some_moment},
        FaultPiece{"the controller stays dead for long", "13, 91", stays_dead_for_long},
        FaultPiece{"the controller is taken for dead and comes back", "8, 9, 11", is_taken_for_dead},
        FaultPiece{"the controller's clock was set", "47, 49, 51", clock_was_set},
        FaultPiece{"the next controller's clock was set", "47, 49, 51", clock_of_the_next_was_set},
        FaultPiece{"the controllers' clocks drift", "48", clocks_drift},
    };
    return faults;
}

}  // namespace kedge::sim
