// Which release the lab's application runs as: a word of its configuration, which it reads when it starts.
#pragma once

#include <string>

#include "base/result.h"
#include "lab/layout.h"
#include "lab/topology.h"
#include "os/wait.h"

namespace kedge::lab {

// Every instance in `site` runs `release`, one restarted after the other; one that runs it already is left alone.
// Returns when each takes connections again. invalid_input for what is no name of a release.
Result<void> deploy_release(const Layout& layout, Site site, const std::string& release, const Until& until);

}  // namespace kedge::lab
