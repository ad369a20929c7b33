// What recovery needs to know of a base backup, without reading it whole: its label, its manifest, its control file.
#pragma once

#include <vector>

#include "verify/wal/window.h"

namespace kedge::verify {

struct SketchedBackup {
    RecoveryBase base;
    std::vector<Member> wal;  // what it brings along of the log; valid as long as the members
};

// `members` as for examine_base_backup. What is missing or cannot be true makes the base unusable and is said there.
// Of a tar backup the control file is not read, since it is the last thing in it.
SketchedBackup sketch_base_backup(const std::string& name, const std::vector<Member>& members, const Limits& limits);

}  // namespace kedge::verify
