// Proves a backup by having a real server take it: one of our own, in a directory of its own, without a network, that
// is gone afterwards. What the server then holds is held against what the parser counted.
//
// Each function adds to an examination: a proof of the rung `restored`, or a finding, or a sentence in `unproved` where
// this machine lacks what is needed. Errors are those of the machine (no space, cannot start, interrupted).
#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "verify/examination.h"
#include "verify/restore/workplace.h"

namespace kedge::verify {

struct RestoreOptions {
    std::string place = usual_workplace();
    std::size_t threads = 1;
    std::stop_token stop{};
    std::function<void(const std::string& step)> on_step{};  // "loading into redis-server"
};

// A snapshot at `path` (a file that is not packed).
Result<void> restore_rdb(const std::string& path, Examination& examination, const RestoreOptions& options);
// An append-only directory; it is copied, because a server writes to its own.
Result<void> restore_aof_directory(const std::string& path, Examination& examination, const RestoreOptions& options);

enum class DumpForm { custom, tar, directory };
// A dump of PostgreSQL, by pg_restore and a server of the major version that it was taken from.
Result<void> restore_dump(const std::string& path, DumpForm form, Examination& examination,
                          const RestoreOptions& options);

}  // namespace kedge::verify
