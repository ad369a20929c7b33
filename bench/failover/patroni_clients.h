// A Patroni cluster with a client that writes numbered rows to whichever member is primary: the lab's own writer, with
// the interval and deadline that it has in drills.
#pragma once

#include <memory>
#include <string>

#include "os/process.h"
#include "response/drill.h"
#include "targets/patroni/scratch_patroni.h"

namespace kedge::bench {

// Belongs to one thread.
class PatroniClients {
public:
    static constexpr const char* stream = "postgres";

    // Starts the writer. `cluster` outlives it.
    static Result<std::unique_ptr<PatroniClients>> start(const ScratchPatroni& cluster);

    // Waits until writes that were sent after `from` have been acknowledged for `span` without a break.
    Result<void> await_unbroken(Moment from, Span span, Span limit) const;
    // Ends the writer and reads the rows back; the loss is counted from `fault` on.
    Result<LoadRecord> stop(Moment fault);

private:
    explicit PatroniClients(const ScratchPatroni& cluster) : cluster_(cluster) {}
    std::string path(const char* name) const { return cluster_.directory().path() + "/" + name; }
    Result<std::vector<Attempt>> attempts() const;

    const ScratchPatroni& cluster_;
    std::unique_ptr<Child> writer_;
};

}  // namespace kedge::bench
