// The driver `command`: an index that the platform's own programs build, serve and ask.
//
// They are called as the estate lists them, without a shell, and end soon: the one that starts a job leaves it behind.
// What they print is read strictly; an answer that is not of this form is none.
//
//   look    {"mode": "serving" or "degraded", "entries": N or null, "position": "...",
//            "job": null or {"name": "...", "state": "running", "died" or "finished", "done": N, "total": N,
//            "per_second": X}}
//   sample  {"rows": N, "entries": N, "asked": N, "found": N, "looked_up": N, "stale": N}
//
// Any other key may stand beside these. `position`, `job` and `per_second` may be absent.
#pragma once

#include <string>

#include "base/json.h"
#include "os/process.h"
#include "targets/index.h"

namespace kedge {

struct CommandIndexSettings {
    std::string name;
    Arguments look, degrade, serve;
    Arguments rebuild;  // `${job}` in it
    Arguments sample;   // `${size}` in it
};

// corrupt with what is wrong with it.
Result<IndexLook> parse_index_look(const std::string& answer);
Result<IndexSample> parse_index_sample(const std::string& answer);

// Any thread may call. A program that ends with 1 has refused; one that does not end with 0 or 1 has left it open what
// it did.
class CommandIndex final : public Index {
public:
    explicit CommandIndex(CommandIndexSettings settings) : settings_(std::move(settings)) {}

    Result<IndexLook> look(Moment deadline) override;
    Result<void> set_mode(IndexMode mode, Moment deadline) override;
    Result<void> rebuild(const std::string& job, Moment deadline) override;
    Result<IndexSample> sample(std::int64_t size, Moment deadline) override;

private:
    Result<void> order(const Arguments& words, Moment deadline) const;

    const CommandIndexSettings settings_;
};

}  // namespace kedge
