// The backups of the simulated world, as plans reach them: one newest backup for each policy, sound or damaged, and the
// log that goes with them, whole or with a gap. Of caches older snapshots lie there as well, and each is a point of its
// cache's log.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "estate/estate.h"
#include "sim/world/cache_model.h"
#include "sim/world/database_model.h"
#include "sim/world/side_work.h"
#include "targets/backups.h"

namespace kedge::sim {

class SimulatedBackups final : public Backups {
public:
    struct Snapshot {
        std::string name;
        Moment taken{};
        Point holds;
        std::int64_t keys = 0;
        bool damaged = false;
    };

    // Databases and caches outlive it.
    SimulatedBackups(Ground& ground, const Estate& estate, std::vector<DatabaseModel*> databases,
                     std::vector<CacheModel*> caches = {});

    Result<BackupsLook> look(const std::string& policy, Moment deadline) override;
    Result<void> judge(const std::string& policy, Judging judging, const std::string& key, Moment deadline) override;
    Result<void> create(const std::string& policy, const std::string& region, const std::string& key,
                        Moment deadline) override;
    Result<std::optional<std::string>> failure(const std::string& policy, const std::string& key) override;

    Part& part() { return part_; }
    const Part& part() const { return part_; }
    SideWork& work() { return work_; }
    // Of a cache, newest first; `policy` may be empty if it has one. Null: it has none such.
    const std::vector<Snapshot>* snapshots_of(const std::string& cache, const std::string& policy) const;
    struct Dump {
        std::string name;
        Moment taken{};
        Point holds;
        bool damaged = false;
    };
    // Of the database, by that policy, or the first if it is empty. Nothing: it has none.
    std::optional<Dump> dump_of(const std::string& database, const std::string& policy) const;
    // Of every cache that has a policy, now.
    void take_snapshots();
    void damage_newest();
    void damage_snapshots();  // all of them
    void mend();

    bool has_gap = false;  // in the archived log

private:
    struct Held {
        BackupPolicy policy;
        int taken = 1;  // so many so far
        Moment newest{};
        bool damaged = false;
        std::optional<Moment> judged_at;
        std::map<std::string, BackupAnswer> answers;
        std::optional<Point> holds;       // of a dump
        CacheModel* cache = nullptr;      // of which `snapshots` are
        std::vector<Snapshot> snapshots;  // newest first

        std::string name() const { return policy.name + "-" + std::to_string(taken); }
    };
    Result<Held*> find(const std::string& policy);
    DatabaseModel* database_of(const BackupPolicy& policy) const;  // null: it is none
    // The way to the store and the begin of work there.
    Result<void> begin(Held& held, const std::string& key, Span least, Span most, SideWork::Finish finish,
                       Moment deadline);
    void answer(Held& held, Judging judging, const std::string& key);
    std::optional<std::string> take(Held& held, const std::string& region);
    std::optional<std::string> take_snapshot(Held& held, Place place);
    void note_taken(Held& held);
    static void add_snapshot(Held& held, Moment taken, Point holds);

    Ground& ground_;
    Part part_;
    std::vector<DatabaseModel*> databases_;
    std::vector<CacheModel*> caches_;
    std::map<std::string, Held> policies_;
    SideWork work_;
};

// A server of the database in that region that runs and that Kedge, outside, reaches; null if none does.
DatabaseModel::Server* reachable_copy(Ground& ground, DatabaseModel& database, const std::string& region);

}  // namespace kedge::sim
