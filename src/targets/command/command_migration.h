// The driver `command`: a schema that the platform's own migration programs move.
//
// They are called as the estate lists them, without a shell. `PGOPTIONS` carries the bound on waits for locks, which
// every client on libpq passes to the server. A program that ends at its deadline, or with Kedge, leaves a transaction
// that the server rolls back.
#pragma once

#include <string>

#include "os/process.h"
#include "targets/migration.h"

namespace kedge {

struct CommandMigrationSettings {
    std::string name;
    Arguments version;   // prints it
    Arguments migrate;   // `${version}` in it
    Arguments validate;  // exits with 0: sound, 1: not; anything else: unknown
    ReleaseRanges releases;
};

// Any thread may call.
class CommandMigration final : public Migration {
public:
    explicit CommandMigration(CommandMigrationSettings settings) : settings_(std::move(settings)) {}

    Result<MigrationLook> look(Moment deadline) override;
    // outcome_unknown too when the program did not end by itself.
    Result<void> migrate(std::int64_t version, Span lock_timeout, Moment deadline) override;
    const ReleaseRanges& releases() const override { return settings_.releases; }

private:
    const CommandMigrationSettings settings_;
};

}  // namespace kedge
