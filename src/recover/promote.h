// A recovered copy swapped in for production, and put back again.
//
// The two data directories change places by renames on one file system, so that the estate, its addresses and its
// commands stay what they are: the server that starts there afterwards is the recovered one, with production's own
// settings, on a timeline that nobody has used. What was production is kept beside it, below the name
// DATA.kedge-before-NAME, until the recovery is discarded.
//
// Every step looks at what is there before it acts, so that the same call goes on after a crash anywhere. Whoever calls
// holds the recovery's lock.
#pragma once

#include <stop_token>
#include <string>

#include "estate/estate.h"
#include "recover/recovery.h"
#include "targets/postgres/host_server.h"

namespace kedge::recover {

// The server whose place is taken.
struct Production {
    std::string name;  // "aragora-postgres@us-east-1": what errors call it
    std::string region;
    HostSite site;
    std::string database, probe_schema;
};

class Promotion {
public:
    // All outlive this; `recovery` is written down as it changes.
    Promotion(std::string state_directory, const Estate& estate, Recovery& recovery, const Production& production,
              std::stop_token stop);

    // Whether it could be, by looking only, while production runs. refused with the reason:
    // - the copy may not be used, did not end where it was asked to, or is of another cluster (of a dump);
    // - its timeline is no newer than what production or the archive have: a failover or recovery came between;
    // - the directories are on two file systems or machines, of two owners, or reach out of themselves (tablespaces, a
    //   log elsewhere);
    // - another manager runs production, or it has no fence.
    Result<void> check();
    // `check`, then: erased people are taken out once more, sequences move on behind what production has given out and
    // up to a million further (sequences.h), the copy's server is stopped in order, what the archive has already is
    // marked so, and production's own files (settings, access, certificates) take the place of the copy's. Production
    // is read and not changed.
    Result<void> prepare();
    // Of one that is prepared. refused unless production's fence is up, and no server runs in its directory. Who was
    // erased since it was prepared is taken out first, by its own server.
    Result<void> swap();
    // The way back from wherever it is: the copy stands and answers beside production again. Of one that was swapped in
    // refused like `swap`, and if people were erased since: what was production still holds them, and is started by
    // others. With `though_erased` somebody sees to that. What was written to the copy meanwhile stays in it.
    Result<void> put_back(bool though_erased = false);

private:
    // Where the two are, by looking. conflict if what is there fits nothing that this does.
    enum class Whereabouts { beside, aside, in_place };
    Result<Whereabouts> whereabouts() const;

    Result<void> check_not_exchanged() const;
    Result<void> check_production();
    Result<void> check_directories() const;
    Result<void> check_identity();
    Result<std::uint32_t> newest_timeline() const;
    Result<ControlData> control_of(const std::string& data) const;
    Result<void> require_fenced();
    Result<void> ensure_copy_runs() const;
    // In words. What production gives out beyond that until it is stopped is given out again.
    Result<std::string> move_sequences();
    Result<void> mark_archived(std::uint32_t timeline) const;
    Result<void> take_own_files() const;
    Result<void> take_out_erased();
    // Its server is stopped in order, and its files are as production's.
    Result<ControlData> lay_out() const;
    Result<void> check_nobody_erased_since() const;
    Result<void> note(Stage stage, const std::string& says);

    const std::string state_;
    const Estate& estate_;
    Recovery& recovery_;
    const Production& production_;
    const std::stop_token stop_;
    HostServer server_;
    const std::string copy_, data_, kept_;
};

// Of a recovery that was prepared or swapped in: where what was production is kept. Empty if nothing is.
std::string kept_directory(const Recovery& recovery);

}  // namespace kedge::recover
