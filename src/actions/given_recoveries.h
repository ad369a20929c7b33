// For tests.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "targets/recoveries.h"

namespace kedge {

// One recovery, as the test says that it stands.
class GivenRecoveries final : public Recoveries {
public:
    RecoveryLook recovery;
    std::optional<std::string> failed;

    Result<RecoveryLook> look(const std::string&, Moment) override { return recovery; }
    Result<void> choose(const RecoveryOrder&, const std::string&, Moment) override { return {}; }
    Result<void> make(const RecoveryOrder&, const std::string&, Moment) override { return {}; }
    Result<void> restore(const RestoreOrder&, const std::string&, Moment) override { return {}; }
    Result<void> compare(const std::string&, const std::string&, const std::string&, Moment) override { return {}; }
    Result<void> prepare(const std::string&, const std::string&, const std::string&, Moment) override { return {}; }
    Result<void> promote(const std::string&, const std::string&, const std::string&, Moment) override { return {}; }
    Result<void> load(const std::string&, const std::string&, const std::string&, Moment) override { return {}; }
    Result<void> exchange(const std::string&, const std::string&, const std::string&, Moment) override { return {}; }
    Result<void> put_back(const std::string&, const std::string&, const std::string&, Moment) override { return {}; }
    Result<void> restore_snapshot(const SnapshotOrder&, const std::string&, Moment) override { return {}; }
    Result<void> keep(const std::string&, const std::string&, const std::string&, Moment) override { return {}; }
    Result<void> discard(const std::string&, const std::string&, Moment) override { return {}; }
    Result<std::optional<std::string>> failure(const std::string&) override { return failed; }
};

}  // namespace kedge
