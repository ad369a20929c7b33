// Restores a dump beside production, into a server of its own: globals first, all cores, without durability while it
// loads; then its rows are held against those that were counted in the dump.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "estate/estate.h"
#include "recover/choose.h"
#include "recover/recovery.h"
#include "verify/restore/restore.h"

namespace kedge::recover {

struct DumpChoice {
    std::string path;  // empty: there is no sound dump, and `says` why
    std::string says;
    std::optional<Moment> taken;  // what was written after it is not in it
    verify::DumpForm form{};
    int major = 0;
    std::string globals;              // the file with roles beside it; empty: there is none
    verify::Examination examination;  // all of it was read
    std::vector<PassedOver> passed_over;
};
Json as_json(const DumpChoice& choice);

// The policy of dumps of `target`: `name`, or the only one. not_found.
Result<const BackupPolicy*> dump_policy(const Estate& estate, const std::string& target,
                                        const std::optional<std::string>& name);

struct DumpWanted {
    std::optional<std::string> name{};  // nothing: the newest
    std::optional<Moment> before{};     // taken no later than that; nothing: whenever
};

// Reads the newest dump of the policy that is wanted whole, from where it lies or from a policy that copies it. A
// damaged one is passed over for its copy, and then for the next one, unless that one was asked for by name.
Result<DumpChoice> choose_dump(const Estate& estate, const BackupPolicy& policy, const DumpWanted& wanted,
                               const ChooseOptions& options);

struct RestoreBesideOptions {
    std::size_t threads = 1;
    std::stop_token stop{};
    std::function<void(const std::string& step)> on_step{};
};

// Makes what `recovery` names from a dump that was chosen; the rest as recover_beside (beside.h). Stops at the first
// error of pg_restore. Tablespaces are not made: all lies in the recovery's directory. `proof` holds
//
//     proved            yes if every table has as many rows as were counted in the dump
//     rows, tables, taken, heartbeat, took_seconds, load_seconds
Result<void> restore_beside(const std::string& state_directory, Recovery& recovery, DumpChoice& choice,
                            const Estate& estate, const RestoreBesideOptions& options);

}  // namespace kedge::recover
