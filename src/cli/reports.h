// The reports of drills, as files that outlive journals and labs.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "cli/context.h"

namespace kedge {

// Where they are: `reports` below the lasting directory. Not created.
Result<std::string> reports_directory(const Context& context);
// Every report that was kept, newest first; none if there is no directory. A file that cannot be read is left out,
// with a warning.
Result<std::vector<Json>> read_reports(Context& context);

}  // namespace kedge
