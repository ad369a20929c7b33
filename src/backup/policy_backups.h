// The driver behind `Backups`: looks at directories itself, and has another `kedge backup verify` do the judging
// (works.h). What it finds is remembered; the policy's lock keeps a second one from doing the same.
#pragma once

#include <string>

#include "backup/works.h"
#include "estate/estate.h"
#include "targets/backups.h"

namespace kedge::backup {

struct PolicyBackupsSettings {
    Estate estate;
    std::string state_directory;
    std::string program;  // the path of kedge
};

class PolicyBackups final : public Backups {
public:
    explicit PolicyBackups(PolicyBackupsSettings settings) : settings_(std::move(settings)) {}

    Result<BackupsLook> look(const std::string& policy, Moment deadline) override;
    Result<void> judge(const std::string& policy, Judging judging, const std::string& key, Moment deadline) override;
    Result<void> create(const std::string& policy, const std::string& region, const std::string& key,
                        Moment deadline) override;
    Result<std::optional<std::string>> failure(const std::string& policy, const std::string& key) override;

private:
    Result<bool> is_worked_on(const std::string& policy);
    Result<const BackupPolicy*> find(const std::string& policy) const;
    Result<void> start(Works& works, const std::string& policy, const std::string& verb, const std::string& key,
                       const Arguments& more);

    const PolicyBackupsSettings settings_;
    // By the step that asked; their subject is the policy. A no is an answer of what judges, and a failure of what
    // makes.
    Works making_, judging_;
};

}  // namespace kedge::backup
