// Every judge over one disaster: shown each entry and each effect once, and asked after every event that changed
// something.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "journal/memory/memory_journal.h"
#include "sim/judge/invariant.h"

namespace kedge::sim {

class Bench {
public:
    // All outlive it.
    Bench(const World& world, const MemoryStore& store, const BoundPlan& plan, const Estate& estate,
          std::string requester);

    // To be called after every event.
    void look();
    void end();
    const std::vector<Broken>& broken() const { return broken_; }
    const Ledger& ledger() const { return ledger_; }
    Ledger& ledger() { return ledger_; }
    // A digest of everything that was seen, in its order.
    std::uint64_t trace() const { return trace_; }

    // For tests of the judges: changes an entry before they see it.
    std::function<void(Entry&)> tamper;

private:
    void gather();
    void mix(std::uint64_t value);
    void see(const Entry& entry);

    const World& world_;
    const MemoryStore& store_;
    Ledger ledger_;
    Invariants invariants_;
    std::vector<Broken> broken_;
    RunId run_;
    std::size_t entries_ = 0, effects_ = 0;
    std::uint64_t changes_ = 0;
    std::uint64_t trace_ = 0xcbf29ce484222325;
};

}  // namespace kedge::sim
