// What the writer is told: a JSON file.
//
//   {
//     "log": "/.../writer/attempts.jsonl",    every attempt, one JSON line (response/heartbeats.h); kept across runs
//     "entrance": "http://127.0.13.60:21000", for streams of kind http
//     "service_token_file": "/.../token",     for the entrance; may be absent
//     "source": "127.0.13.70",                the local address it comes from; may be absent
//     "databases": [{"region": "us-east-1", "conninfo": "..."}, ...],   for kind postgres, and to read back
//     "sentinels": ["127.0.11.130:21380", ...], "master": "aragora-master",   for kind redis
//     "redis_follows": "250ms",               how often the Sentinels are asked (stores/cache.h); may be absent
//     "streams": [
//       {"name": "probe",    "kind": "http",     "interval": "100ms", "deadline": "250ms"},
//       {"name": "counter",  "kind": "http",     "interval": "20ms",  "deadline": "2500ms"},
//       {"name": "postgres", "kind": "postgres", "interval": "20ms",  "deadline": "300ms"},
//       {"name": "redis",    "kind": "redis",    "interval": "20ms",  "deadline": "300ms"}]
//   }
//
// A deadline must exceed two round trips between the sites. Attempts in flight are bounded by deadline and
// interval together: there are never more than the deadline has room for, and one.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "cache.h"
#include "database.h"

namespace kedge::lab {

enum class StreamKind { http, postgres, redis };
std::string_view to_string(StreamKind kind);

struct StreamOptions {
    std::string name;
    StreamKind kind{};
    Span interval{};
    Span deadline{};

    // Enough that a tick never finds all of them busy while attempts keep their deadline.
    int in_flight_max() const { return static_cast<int>(deadline / interval) + 2; }
};

struct WriterConfig {
    std::string log;
    std::string entrance;
    std::string service_token;
    std::string source;
    DatabaseOptions database;
    CacheOptions cache;
    std::vector<StreamOptions> streams;
};

// Reads the file and the token file. Every mistake names the key.
Result<WriterConfig> load_writer_config(const std::string& path);

}  // namespace kedge::lab
