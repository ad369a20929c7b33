// The database of the simulated world, as plans reach it. It answers as the `host` driver does.
#pragma once

#include "sim/world/database_model.h"
#include "targets/database.h"

namespace kedge::sim {

class SimulatedDatabase final : public Database {
public:
    SimulatedDatabase(Ground& ground, DatabaseModel& model) : ground_(ground), model_(model) {}

    Result<DatabaseLook> look(const std::string& region, Moment deadline) override;
    Result<void> promote(const std::string& region, Moment deadline) override;
    Result<void> switch_over(const std::string& region, Moment deadline) override;
    Result<void> shut_down(const std::string& region, Moment deadline) override;
    Result<void> start(const std::string& region, Moment deadline) override;
    Result<std::optional<Lsn>> stopped_at(const std::string& region, Moment deadline) override;
    Result<FenceLook> look_at_fence(const std::string& region, Moment deadline) override;
    Result<void> raise_fence(const std::string& region, Moment deadline) override;
    Result<void> lower_fence(const std::string& region, Moment deadline) override;
    Result<Canary> write_canary(const std::string& region, const std::string& key, Moment deadline) override;
    Result<Heartbeat> write_heartbeat(const std::string& region, std::int64_t sequence, Moment deadline) override;
    Result<void> checkpoint(const std::string& region, Moment deadline) override;
    Result<Lsn> create_restore_point(const std::string& region, const std::string& name, Moment deadline) override;
    Result<StrandedTail> export_stranded(const std::string& region, const std::string& primary,
                                         const std::string& keep_under, Moment deadline) override;
    Result<void> rejoin(const std::string& region, const std::string& primary, RejoinBy by, Moment deadline) override;

private:
    using Server = DatabaseModel::Server;
    Result<Server*> find(const std::string& region);
    // Reaches the server by SQL, or says why not.
    Passage reach(Server& server, Moment deadline);
    // And gets into the database.
    Passage enter(Server& server, Moment deadline);
    Result<void> write_row(Server& server, RecordKind kind, std::int64_t number, Moment deadline);

    Ground& ground_;
    DatabaseModel& model_;
};

// What one copy shows of itself, without the way to it. Brings it up to now first.
DatabaseLook look_at(DatabaseModel& model, const DatabaseModel::Server& server, Moment now);

}  // namespace kedge::sim
