// A declared probe: HTTP requests one after the other, what each answer must be, what is kept of it for the
// next, and at the end perhaps a WebSocket. The declaration comes from the estate (docs/formats/estate.md).
//
// Secrets are read when a probe runs and appear in no text that it returns; neither does what a later header
// is made of (a session's token).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "targets/application.h"

namespace kedge {

// What one answer must be. Pointers and headers to `present`, `one of A, B`, or the text to be equal to.
struct Expectation {
    std::optional<int> status;
    std::vector<std::pair<std::string, std::string>> json;
    std::vector<std::pair<std::string, std::string>> headers;
};

struct ProbeExchange {
    std::string method;
    std::string target;  // these and all texts below with ${name}
    std::vector<std::pair<std::string, std::string>> headers;
    Json body;  // null = none
    std::optional<Expectation> expect;
    std::vector<std::pair<std::string, std::string>> capture;  // name, JSON pointer
    std::optional<Span> until;
    int times = 1;
    std::optional<Expectation> some;
};

struct ProbeWebSocket {
    std::string path;
    std::string url;  // instead of the base's
    std::string greeting;
    Json send;
    std::string answer;
};

struct Probe {
    std::string name;
    std::string says;
    std::map<std::string, std::string> secrets;  // name to reference
    std::vector<ProbeExchange> exchanges;
    std::optional<ProbeWebSocket> websocket;
};

// invalid_input for a declaration that is malformed, empty, or uses a ${name} that nothing before it sets.
Result<Probe> parse_probe(const std::string& name, const Json& declared);

// Runs it against `base` (http://HOST:PORT). `unique` is what ${unique} stands for. Never an error: what went
// wrong is in the answer, no for a wrong answer or a refusal, unknown for silence.
ProbeLook run_probe(const Probe& probe, const std::string& base, const std::string& unique, Moment deadline);

}  // namespace kedge
