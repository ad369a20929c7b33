// `kedge` as people start it: the program that was built, on the lab's estate, with a state directory of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "journal/journal.h"
#include "os/process.h"

namespace kedge::bench {

struct KedgeRun {
    Exit exit;
    Json answer;  // the item that it printed with --json; null for a run, which prints a stream of records
    RunId run;    // that it controlled; empty if none
    std::string errors;
    Span took{};
    std::optional<std::int64_t> peak_kib;  // VmHWM of /proc/PID/status, last seen before it ended
};

class KedgeProgram {
public:
    // Writes below `scratch`, an absolute path: the state and what the program prints.
    explicit KedgeProgram(std::string scratch) : scratch_(std::move(scratch)) {}

    std::string state() const { return scratch_ + "/state"; }
    // Ends when it ends; killed after `limit`.
    Result<KedgeRun> run(const Arguments& words, Span limit) const;
    // One that goes on until the child is destroyed: `kedge watch`.
    Result<Child> start(const Arguments& words) const;
    // Every step of run `id`: {"promote": {"began_s", "ended_s"}, ...}, counted from `since`; those that were skipped
    // are left out. `lab_root` is where labs lie.
    Result<Json> steps(const RunId& id, const std::string& lab_root, Moment since) const;

private:
    Arguments command(const Arguments& words) const;
    const std::string scratch_;
};

}  // namespace kedge::bench
