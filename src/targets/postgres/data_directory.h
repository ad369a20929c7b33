// What lies at the top of a data directory, and whose it is: when one server's data takes the place of another's, the
// operator's own files stay with the place.
#pragma once

#include <string_view>

namespace kedge {

// PostgreSQL's own affair. All else is the operator's: settings, certificates, included directories, logs, and how the
// server was last started.
bool is_servers_own(std::string_view name);
bool is_log(std::string_view name);

}  // namespace kedge
