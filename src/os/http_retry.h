// One HTTP request, repeated until the server has answered for good.
//
// Repeated are: no answer at all, 408, 429 and 5xx. The server's `Retry-After` in seconds (RFC 9110, 10.2.3) is kept
// to; without one the pauses double, and chance takes up to half of each, so that many who failed together do not
// come back together. Any other answer, a refusal above all, is final and never asked for twice.
#pragma once

#include "os/http.h"

namespace kedge {

struct Retries {
    int tries_max = 6;
    Span first_pause = std::chrono::milliseconds{500};
    Span pause_max = std::chrono::seconds{30};
    Span try_limit = std::chrono::seconds{10};  // so that one silent connection does not use up the whole deadline
};

struct FinalAnswer {
    HttpResponse response;
    int tries = 1;
};

// By calling it the caller says that the request does no harm when it arrives twice. unavailable when the tries or
// the time ran out, which includes a server that asks to wait longer than is left; other faults as http_request.
Result<FinalAnswer> http_request_until_answered(HttpRequest request, const Until& until, const Retries& retries = {},
                                                const HttpOptions& options = {});

}  // namespace kedge
