// The network side of one instance: HTTP/1.1 with kept connections, and WebSocket on /ws.
//
// A thread for each connection, as the calls below block; connections are bounded, and each waits for its
// next request for a minute at most.
#pragma once

#include <stop_token>

#include "api.h"
#include "os/socket.h"

namespace kedge::lab {

// Serves until the stop is requested; returns when every connection has ended (within some seconds).
void serve(Listener& listener, Api& api, const std::stop_token& stop);

}  // namespace kedge::lab
