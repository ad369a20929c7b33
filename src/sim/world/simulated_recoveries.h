// Databases that the simulated world recovers beside production, as plans reach them. A copy is a point of its
// database's log; what a promotion replaces is kept as one. Those of caches are in simulated_cache_copies.h.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/world/simulated_backups.h"
#include "sim/world/simulated_cache_copies.h"
#include "targets/recoveries.h"

namespace kedge::sim {

class SimulatedRecoveries final : public Recoveries {
public:
    enum class Stage { chosen, failed, working, recovered, prepared, promoted };
    struct Copy {
        std::string key;
        Stage stage = Stage::working;
        DatabaseModel* database = nullptr;
        Point point;
        bool possible = true, answers = true;
        bool gated = false;           // who is erased was not taken out
        bool is_of_dump = false;      // as a cluster of its own, whose log is nobody else's
        bool was_production = false;  // it was swapped in, and taken back
        bool served = false;  // as a database that was exchanged and put back: it has what was written meanwhile
        std::string asked, says, compared_by, compared_with;
        std::int64_t only_production = 0, only_copy = 0;  // rows, when it was compared last
        bool compared_with_nothing = false;               // since production had no such database
        std::optional<Point> replaced;                    // what production held before
        bool replaced_nothing = false;                    // since it had no such database
        bool replaced_was_standby = false;
        std::optional<Place> in;  // where it is prepared for, or is
        bool exchanges = false;   // as a database of the server that runs there
    };

    // `backups`, databases and caches outlive it.
    SimulatedRecoveries(Ground& ground, const SimulatedBackups& backups, std::vector<DatabaseModel*> databases,
                        std::vector<CacheModel*> caches = {});

    Result<RecoveryLook> look(const std::string& name, Moment deadline) override;
    Result<void> choose(const RecoveryOrder& order, const std::string& key, Moment deadline) override;
    Result<void> make(const RecoveryOrder& order, const std::string& key, Moment deadline) override;
    Result<void> restore(const RestoreOrder& order, const std::string& key, Moment deadline) override;
    Result<void> compare(const std::string& name, const std::string& region, const std::string& key,
                         Moment deadline) override;
    Result<void> prepare(const std::string& name, const std::string& region, const std::string& key,
                         Moment deadline) override;
    Result<void> promote(const std::string& name, const std::string& region, const std::string& key,
                         Moment deadline) override;
    Result<void> load(const std::string& name, const std::string& region, const std::string& key,
                      Moment deadline) override;
    Result<void> exchange(const std::string& name, const std::string& region, const std::string& key,
                          Moment deadline) override;
    Result<void> put_back(const std::string& name, const std::string& region, const std::string& key,
                          Moment deadline) override;
    Result<void> restore_snapshot(const SnapshotOrder& order, const std::string& key, Moment deadline) override;
    Result<void> keep(const std::string& name, const std::string& region, const std::string& key,
                      Moment deadline) override;
    Result<void> discard(const std::string& name, const std::string& key, Moment deadline) override;
    Result<std::optional<std::string>> failure(const std::string& key) override;

    // A copy as it stood at `when` is there already.
    void stand(const std::string& name, DatabaseModel& database, Moment when);
    std::map<std::string, Copy>& copies() { return copies_; }
    CacheCopies& of_caches() { return of_caches_; }
    SideWork& work() { return work_; }

    bool excluded_are_known = true;  // whom the ledger names
    bool schema_is_earlier = false;  // in the copies
    // A copy took the place of the database's tables, or they are back.
    std::function<void(const DatabaseModel&, bool is_copy)> on_tables;

private:
    Result<void> begin(const std::string& name, const std::string& key, Span least, Span most, SideWork::Finish finish,
                       Moment deadline);
    struct Origin {
        Point holds;
        bool possible = true;
        bool is_dump = false;
        std::string says;
    };
    // `to` as recoveries take it; empty: a dump.
    Origin origin_at(const DatabaseModel& database, const std::string& to) const;
    Origin dump_before(const DatabaseModel& database, const RestoreOrder& order) const;
    Origin origin_of(const DatabaseModel& database, const RestoreOrder& order) const;
    using FindOrigin = std::function<Origin(const DatabaseModel& database)>;
    std::optional<std::string> recover(const std::string& name, const std::string& key, const std::string& database,
                                       const std::string& asked, const FindOrigin& find, bool only_choose);
    Result<void> recover_to(const RecoveryOrder& order, const std::string& key, bool only_choose, Span least, Span most,
                            Moment deadline);
    std::optional<std::string> compare_now(Copy& copy, const std::string& region, const std::string& key);
    // Who was erased since is taken out, or why it may not be used.
    std::optional<std::string> pass_gate(Copy& copy) const;
    std::optional<std::string> prepare_now(Copy& copy, Place place);
    std::optional<std::string> swap_in(Copy& copy, Place place);
    std::optional<std::string> put_back_now(Copy& copy);
    std::optional<std::string> swap_out(Copy& copy);
    std::optional<std::string> exchange_back(Copy& copy);
    // The server that takes writes there, with the why if there is none.
    DatabaseModel::Server* primary_in(Copy& copy, Place place, std::string& why);
    std::optional<std::string> load_into(Copy& copy, Place place);
    void change_content(DatabaseModel& database, DatabaseModel::Server& server, Point content);
    std::optional<std::string> exchange_in(Copy& copy, Place place);
    // An order about a copy that must be there.
    Result<void> with_copy(const std::string& name, const std::string& key, Span least, Span most,
                           std::function<std::optional<std::string>(Copy&)> finish, Moment deadline);
    // One about its place in a region: that for which it was prepared, if it was.
    Result<void> in_place(const std::string& name, const std::string& region, const std::string& key, Span least,
                          Span most, std::function<std::optional<std::string>(Copy&, Place)> finish, Moment deadline);

    Ground& ground_;
    const SimulatedBackups& backups_;
    std::vector<DatabaseModel*> databases_;
    Part part_;
    std::map<std::string, Copy> copies_;
    CacheCopies of_caches_;
    SideWork work_;
};

}  // namespace kedge::sim
