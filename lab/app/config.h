// What one instance of the lab's application is told: a JSON file.
//
//   {
//     "instance": "api-us-east-1-a",          who it is, in answers, logs and metrics
//     "region": "us-east-1",
//     "listen": "127.0.11.41:21080",
//     "source": "127.0.11.41",                the local address it comes from (Redis, Sentinels); may be absent
//     "databases": [                          every server that can become primary, its own region's among them
//       {"region": "us-east-1", "conninfo": "host=127.0.11.10 port=21432 dbname=aragora user=aragora"},
//       {"region": "us-west-2", "conninfo": "host=127.0.12.210 port=21432 dbname=aragora user=aragora"}],
//     "sentinels": ["127.0.11.130:21380", "127.0.12.130:21380", "127.0.13.130:21380"],
//     "master": "aragora-master",             the name under which the Sentinels know the Redis group
//     "log": "/.../api-us-east-1-a.log",      one JSON line a request
//     "release": "1.0.0",
//     "maintenance": "off",                   off, hold or refuse: until told otherwise; default off
//     "maintenance_file": "/.../a.mode",      keeps the mode across a restart; may be absent
//     "knowledge": "/.../knowledge",          directory of the index over knowledge_nodes; absent: no index
//     "service_token_file": "/.../token",     the bearer token of the probes; absent: no token is asked for
//     "limits": {"list": 30, "read": 300, "create": 60, "login": 30},   requests a minute and client
//     "write_wait": "2s", "attempt": "400ms", "connect": "300ms"        as in database.h
//   }
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cache.h"
#include "database.h"
#include "os/socket.h"

namespace kedge::lab {

enum class Maintenance {
    off,     // writes are done
    hold,    // writes wait for the mode to end, then get 503
    refuse,  // writes get 503 at once; reads are served always
};
std::string_view to_string(Maintenance mode);
Result<Maintenance> parse_maintenance(std::string_view text);

struct RateLimits {
    int list = 30;
    int read = 300;
    int create = 60;
    int login = 30;
};

struct Config {
    std::string instance;
    std::string region;
    Endpoint listen;
    DatabaseOptions database;
    CacheOptions cache;
    std::string log;
    std::string release = "unknown";
    Maintenance maintenance = Maintenance::off;
    std::string maintenance_file;
    std::string knowledge;
    std::string service_token;  // read from service_token_file; empty if none is asked for
    RateLimits limits;
};

// Reads the file and the token file. Every mistake names the key.
Result<Config> load_config(const std::string& path);

}  // namespace kedge::lab
