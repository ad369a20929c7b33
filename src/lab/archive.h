// The lab's WAL archive: what PostgreSQL runs as its archive and restore commands.
//
// A segment is there whole or not at all, and is never replaced by another content. Faults of the lab reach in here:
// a quota that is full, a site that cannot reach the store.
#pragma once

#include <string>

#include "lab/layout.h"

namespace kedge::lab {

// Copies the file `from` into the archive as `name`. Success if the same content is there already; conflict if
// another is; unavailable if the quota is used up or the store cannot be reached.
Result<void> archive_segment(const Layout& layout, Site site, const std::string& from, const std::string& name);

// Copies `name` out of the archive to `to`. not_found if it is not there.
Result<void> restore_segment(const Layout& layout, Site site, const std::string& name, const std::string& to);

}  // namespace kedge::lab
