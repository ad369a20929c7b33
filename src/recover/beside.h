// Makes a recovered database beside production: copies, replays to the point that was asked for, proves that it is
// there.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

#include "estate/estate.h"
#include "recover/choose.h"
#include "recover/recovery.h"

namespace kedge::recover {

struct MakeOptions {
    std::size_t threads = 1;
    std::stop_token stop{};
    std::function<void(const std::string& step)> on_step{};
    // Of the log, while it is replayed; PostgreSQL says where it is from version 15 on.
    std::function<void(std::uint64_t done_bytes, std::uint64_t all_bytes)> on_replay{};
};

// `choice` is possible, and `recovery` names where it goes; what an earlier attempt left there is removed. The server
// answers on its socket only, archives nothing, follows nobody, loads no library at its start and runs no subscription:
// nothing that production would do goes out of it. While the log is replayed nothing is durable; afterwards everything
// is synced and the server restarted with durability on. The server outlives this process.
//
// Fills `recovery` and writes it at every stage. `proof` holds what was seen:
//
//     proved            yes, no or unknown: whether it ended where it was asked to, as `says` explains
//     last_transaction  the last one that was replayed, by the server's own words
//     heartbeat         the newest of Kedge's own heartbeats in it, {sequence, written}; null if there is none
//     timeline, tables, took_seconds, copy_seconds, replay_seconds
//
// Errors: those of this machine; corrupt with the server's words if it did not recover.
Result<void> recover_beside(const std::string& state_directory, Recovery& recovery, const Choice& choice,
                            const Estate& estate, const MakeOptions& options);

}  // namespace kedge::recover
