// What can go wrong beside the disaster itself: small pieces with a name, each by itself or with any others.
//
// A piece arranges that something happens at a moment of its own drawing, from a source of chance of its own, so that
// leaving another piece out moves nothing. It says when it fired: a fault that never fires in a night of disasters
// tests nothing and fails that night. The numbers are those of the list of faults in
// docs/design/0004-simulated-world.md.
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "sim/disaster.h"

namespace kedge::sim {

struct Staging {
    Disaster& disaster;
    Random random;
    Moment from{}, to{};          // when it may strike
    std::function<void()> fired;  // to be called when it did

    World& world() const { return disaster.world(); }
    Controller& controller() const { return disaster.controller(); }
    Place home() const { return disaster.home(); }
    Place other() const { return disaster.home() == 0 ? 1 : 0; }
    Moment when() { return from + random.between(Span{0}, std::max<Span>(to - from, Span{1})); }
    // Does `strike` at a moment of its own and, if `mend` is given, that after a span of its own.
    void later(std::function<void()> strike, std::function<void()> mend = {}, Span least = 200ms, Span most = 15s);
};

struct FaultPiece {
    std::string_view name;
    std::string_view numbers;
    void (*arrange)(Staging& staging);
    bool hides_truth = false;  // promises about people being told cannot hold then
};

std::span<const FaultPiece> faults_of_controller();
std::span<const FaultPiece> faults_of_network();
std::span<const FaultPiece> faults_of_targets();
std::span<const FaultPiece> faults_of_people();
std::span<const FaultPiece> faults_of_releases();
std::span<const FaultPiece> faults_of_recoveries();
std::span<const FaultPiece> faults_of_indexes();
// Every one, in a fixed order.
const std::vector<FaultPiece>& all_faults();

// Ends whatever is still wrong: everything runs, hears and answers again, people are back. Databases that are fenced
// stay so: that is the plans' own doing.
void heal(Disaster& disaster);

}  // namespace kedge::sim
