#include "sim/judge/bench.h"

#include <utility>

namespace kedge::sim {

Bench::Bench(const World& world, const MemoryStore& store, const BoundPlan& plan, const Estate& estate,
             std::string requester)
    : world_(world), store_(store), ledger_(world, plan, estate, std::move(requester)), invariants_(all_invariants()) {}

// FNV-1a, a word at a time: it only has to tell two traces apart.
void Bench::mix(std::uint64_t value) {
    trace_ = (trace_ ^ value) * 0x100000001b3;
}

void Bench::see(const Entry& entry) {
    if (run_.empty()) run_ = entry.run;  // others may begin in the same store
    if (entry.run != run_) return;
    for (const char c : entry.digest) mix(static_cast<std::uint64_t>(c));
    ledger_.take(
        entry,
        [&](const Move& move) {
            for (const auto& one : invariants_) one->moved(ledger_, move);
        },
        [&](const Verdict& verdict) {
            for (const auto& one : invariants_) one->judged(ledger_, verdict);
        });
}

void Bench::look() {
    const std::vector<Entry>& entries = store_.entries();
    const std::vector<Effect>& effects = world_.ground.effects();
    if (entries_ == entries.size() && changes_ == world_.ground.changes()) return;
    changes_ = world_.ground.changes();
    for (; entries_ < entries.size(); ++entries_) {
        if (!tamper) {
            see(entries[entries_]);
            continue;
        }
        Entry copy = entries[entries_];
        tamper(copy);
        see(copy);
    }
    for (; effects_ < effects.size(); ++effects_) {
        const Effect& effect = effects[effects_];
        mix(static_cast<std::uint64_t>(effect.at.time_since_epoch().count()));
        mix(static_cast<std::uint64_t>(effect.kind));
        for (const auto& one : invariants_) one->effect(ledger_, effect);
    }
    for (const auto& one : invariants_) one->instant(ledger_);
    gather();
}

void Bench::end() {
    look();
    for (const auto& one : invariants_) one->end(ledger_);
    gather();
}

void Bench::gather() {
    for (const auto& one : invariants_)
        for (Broken& broken : one->take_broken()) broken_.push_back(std::move(broken));
}

}  // namespace kedge::sim
