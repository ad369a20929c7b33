// Throw-away Redis servers and Sentinels for tests: real ones, on free ports of 127.0.0.1, in a scratch
// directory, gone with their object. Not thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "os/process.h"
#include "os/socket.h"
#include "targets/postgres/scratch_cluster.h"

namespace kedge::lab {

class ScratchRedis {
public:
    // Starts a server with its append-only file on; a replica of `master` if one is given. Stops the
    // process when it does not come up.
    static std::unique_ptr<ScratchRedis> start(const ScratchDirectory& directory,
                                               const std::optional<Endpoint>& master = std::nullopt);
    // Starts a Sentinel that alone decides about `master`, called `name`, after a second of silence.
    static std::unique_ptr<ScratchRedis> start_sentinel(const ScratchDirectory& directory, const Endpoint& master,
                                                        const std::string& name);
    ~ScratchRedis();

    const Endpoint& endpoint() const { return endpoint_; }
    // Ends the server by SIGKILL.
    void kill();
    // Starts it again on the same port, with what its files hold.
    void start_again();

private:
    ScratchRedis(const ScratchDirectory& directory, Endpoint endpoint)
        : directory_(directory), endpoint_(std::move(endpoint)) {}
    void run(Arguments arguments);

    Arguments arguments_;
    const ScratchDirectory& directory_;
    const Endpoint endpoint_;
    std::optional<Child> child_;
};

}  // namespace kedge::lab
