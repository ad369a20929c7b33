// What policies' backups are like, for people and for programs.
#pragma once

#include <string>

#include "backup/prune.h"
#include "backup/shelf.h"
#include "backup/verdicts.h"
#include "base/json.h"
#include "cli/look.h"

namespace kedge {

// What lies there of one policy, and what was found out about it.
struct Inventory {
    const BackupPolicy& policy;
    Result<backup::Shelf> shelf;
    const backup::Verdicts& verdicts;
    Moment now;
};

// Whether the newest is there and in time, and its last judgement, if it was judged as it is now, was good. Unknown if
// it was never judged so, or lies where nobody can look.
Truth in_time(const Inventory& inventory);

std::string rendered(const Inventory& inventory, bool everything, const Surface& surface);
Json as_json(const Inventory& inventory);

std::string rendered(const std::string& policy, const backup::Judgement& judgement, const Surface& surface);

std::string rendered(const backup::Pruning& pruning, Moment now, const Surface& surface);
enum class Removal { planned, done };
Json as_json(const backup::Pruning& pruning, Moment now, Removal removal);

// "2.3 GB"
std::string size_text(std::uint64_t bytes);

}  // namespace kedge
