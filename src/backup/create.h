// Takes a backup as a policy asks for it, and puts Kedge's manifest beside it.
//
// It is written whole under a name of its own (`.kedge-new-...`), read back and judged, and given its name last: what
// bears the name of a backup is one. What a killed one left behind is removed by the next.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "estate/estate.h"

namespace kedge::backup {

struct CreateOptions {
    std::optional<std::string> region;  // of the copy to take it of; nothing: a standby or replica if one answers
    std::size_t threads = 1;
    Moment now{};
    std::stop_token stop{};
    std::function<void(const std::string& step)> on_step{};
};

struct CreatedBackup {
    std::string name, path;
    std::string from;  // in words: "the standby in us-west-2"
    std::uint64_t bytes = 0;
    std::string digest;  // of its content; empty for copies, which bring their own
};

// The caller holds the policy's lock. Of a copy, every backup that is not there yet is copied. refused for the log,
// which the server archives itself; corrupt if what was made is damaged: it is removed then.
Result<std::vector<CreatedBackup>> create_backup(const Estate& estate, const BackupPolicy& policy,
                                                 const CreateOptions& options);

}  // namespace kedge::backup
