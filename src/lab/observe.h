// Looks at the lab's servers at their direct addresses: what `up` waits for and `status` shows. Reads only.
#pragma once

#include <functional>
#include <string>

#include "lab/layout.h"
#include "os/wait.h"

namespace kedge::lab {

// Asks `holds` until it says yes, every 20 ms. unavailable at the deadline, with what was waited for and what
// `holds` said last.
Result<void> wait_for(const std::string& what, const Until& until, const std::function<Result<bool>()>& holds);

// One value from the server in `place`, as the superuser through its unix socket. unavailable if it does not answer.
Result<std::string> ask_postgres(const Layout& layout, const Place& place, const std::string& database,
                                 const std::string& query, const Until& until);
// Runs statements there, all or nothing.
Result<void> tell_postgres(const Layout& layout, const Place& place, const std::string& database,
                           const std::string& statements, const Until& until);

// The value of `field` in INFO `section` of a Redis server or Sentinel; not_found if it has none.
Result<std::string> ask_redis(const Place& place, const std::string& section, const std::string& field,
                              const Until& until);

// Whether anything accepts connections there.
bool listens(const Endpoint& at, const Until& until);

// Whether HAProxy's own checks find the server `instance` of the backend `api` fit to serve.
Result<bool> is_up_at_entrance(const Layout& layout, const std::string& instance, const Until& until);

// "primary", "standby", "master", "replica", "serving", or "unknown" if it cannot be observed now.
std::string role_of(const Layout& layout, const Place& place, const Until& until);

}  // namespace kedge::lab
