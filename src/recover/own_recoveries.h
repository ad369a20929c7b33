// The driver behind `Recoveries`: reads what is known of them itself, and has `kedge recover` do the work (works.h).
#pragma once

#include <string>

#include "backup/works.h"
#include "estate/estate.h"
#include "targets/recoveries.h"

namespace kedge::recover {

struct OwnRecoveriesSettings {
    Estate estate;
    std::string state_directory;
    std::string program;  // the path of kedge
    std::string place{};  // where they lie; empty: the usual place
};

class OwnRecoveries final : public Recoveries {
public:
    explicit OwnRecoveries(OwnRecoveriesSettings settings) : settings_(std::move(settings)) {}

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

private:
    Result<void> start(const std::string& name, const std::string& key, Arguments words);
    Result<bool> has_result_of(const std::string& key);
    Result<bool> is_worked_on(const std::string& name);
    // conflict if somebody works on it.
    Result<void> check_free(const std::string& name);
    // refused unless it is prepared or loaded, or has production's place.
    Result<void> check_ready(const std::string& name);
    Arguments at_place(Arguments words) const;

    const OwnRecoveriesSettings settings_;
    backup::Works works_;  // their subject is the recovery
};

}  // namespace kedge::recover
