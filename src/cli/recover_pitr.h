// recover pitr, which others ask for as well.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/context.h"
#include "cli/progress.h"
#include "recover/beside.h"

namespace kedge {

struct Pitr {
    std::string to, name, place, key;
    std::optional<std::string> target, policy;
    std::int64_t timeline = 0;
    bool exclusive = false, dry_run = false;
    std::string tail;   // a directory with log that an old primary alone held (backup/material.h)
    std::string asked;  // how the recovery says where it should end; empty: by `to`
};
ExitCode pitr(Context& context, const Pitr& options);

// On all cores, stopped when somebody interrupts, with what is done and replayed shown by `progress`, whose effort
// `effort` is. Both outlive it.
recover::MakeOptions making(Progress& progress, verify::Effort& effort);

}  // namespace kedge
