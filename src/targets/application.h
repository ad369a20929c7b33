// An application with instances in each region. Contracts as in database.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "base/truth.h"

namespace kedge {

enum class Writes { accepted, held, refused };

// What a look asks of each instance: whether it takes writes, whether it could serve, or all there is, health included.
// Health may write to the stores and so take long: who asks for less must not wait for it.
enum class Depth { writes, readiness, health };

struct InstanceLook {
    std::string name;
    Truth reachable = Truth::unknown;
    Truth ready = Truth::unknown;    // able to serve once the stores are
    Truth healthy = Truth::unknown;  // serving, by its own word, stores included
    std::optional<Writes> writes;
    std::optional<std::string> release;
    std::string says;
};

struct ApplicationLook {
    std::vector<InstanceLook> instances;  // every one that should be there
    std::optional<int> wanted;            // how many should run
};

// What a declared probe (login, create a debate, ...) found.
struct ProbeLook {
    Truth holds = Truth::unknown;
    std::string says;  // one sentence with ids and times
    Json evidence = Json::object();
};

class Application {
public:
    virtual ~Application() = default;

    // What `depth` does not ask for stays unknown.
    virtual Result<ApplicationLook> look(const std::string& region, Depth depth, Moment deadline) = 0;
    // Asks every instance of the region to accept, hold or refuse writes. Idempotent.
    virtual Result<void> set_writes(const std::string& region, Writes writes, Moment deadline) = 0;
    // Sets how many instances should run. Idempotent.
    virtual Result<void> scale(const std::string& region, int instances, Moment deadline) = 0;
    // Has every instance of the region run `release`; returns when that was asked for. Idempotent. refused where the
    // estate names no program for it, or by that program.
    virtual Result<void> deploy(const std::string& region, const std::string& release, Moment deadline) = 0;

    // Runs the probe that the estate declares under `name`, against the region's instances, or against the
    // public entrance when `region` is empty. `key` makes what it writes unique and repeatable.
    // not_found when the estate declares no such probe.
    virtual Result<ProbeLook> probe(const std::string& name, const std::string& region, const std::string& key,
                                    Moment deadline) = 0;
};

}  // namespace kedge
