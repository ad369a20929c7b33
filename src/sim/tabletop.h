// The tabletop exercise: one simulated disaster told step by step, which stops wherever people must decide.
#pragma once

#include <functional>
#include <string>

#include "response/drill_report.h"
#include "sim/trial.h"

namespace kedge::sim {

enum class Decision { agree, reject };

struct Table {
    // One line of the story, as it happens in virtual time.
    std::function<void(const std::string& line)> tell;
    // What is asked, in words; the table's answer.
    std::function<Decision(const std::string& step, const std::string& asks)> decide;
};

// Plays the disaster of `seed` to its end, or until nothing moves any more, and returns the record for the report.
Result<DrillRecord> play_tabletop(const Programme& programme, std::uint64_t seed, const Table& table);

}  // namespace kedge::sim
