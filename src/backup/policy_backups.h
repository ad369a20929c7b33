// The driver behind `Backups`: looks at directories itself, and has another `kedge backup verify` do the judging, so
// that parsers of what may be hostile, and servers that restore it, are not in the controller's process.
//
// A child goes on when the controller is killed, and what it finds is remembered; the policy's lock keeps a second one
// from doing the same.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "estate/estate.h"
#include "os/process.h"
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
    Result<std::optional<std::string>> failure(const std::string& policy, const std::string& key) override;

private:
    struct Work {
        std::string policy;
        Child child;
        std::string words;  // the file with what it said
    };
    Result<const BackupPolicy*> find(const std::string& policy) const;
    // Whether a child of ours works on it: from its start on, before it holds the policy's lock.
    bool has_work(const std::string& policy);
    // The estate as this run has it, as a file.
    Result<std::string> estate_file() const;

    const PolicyBackupsSettings settings_;
    std::mutex mutex_;
    std::map<std::string, Work> works_;  // by key; guarded by mutex_
};

}  // namespace kedge::backup
