// The schema of a database and the releases of the application that live with it.
//
// One version for every copy: a migration is in the log like any write. A recovered copy that takes production's place
// may bring an earlier one. It begins with the newest version that a release knows, and runs the release that lives
// with the most versions, that one among them, so that there is something to go back to both for the application and
// for the schema.
#pragma once

#include <algorithm>
#include <optional>
#include <set>
#include <string>

#include "sim/world/database_model.h"
#include "targets/migration.h"

namespace kedge::sim {

class SchemaModel {
public:
    // `database` outlives it; null: it can never be moved.
    SchemaModel(std::string name, std::size_t index, DatabaseModel* database, ReleaseRanges releases)
        : name_(std::move(name)), index_(index), database_(database), releases_(std::move(releases)) {
        for (const auto& [release, range] : releases_) version = std::max(version, range.most);
        std::int64_t widest = -1;
        for (const auto& [release, range] : releases_) {
            if (!range.holds(version) || range.most - range.least < widest) continue;
            widest = range.most - range.least;
            runs_at_first_ = release;
        }
    }

    const std::string& name() const { return name_; }
    std::size_t index() const { return index_; }
    DatabaseModel* database() const { return database_; }
    const ReleaseRanges& releases() const { return releases_; }
    const std::string& runs_at_first() const { return runs_at_first_; }

    // A release that nobody named demands nothing.
    bool lives(const std::string& release) const {
        const auto range = releases_.find(release);
        return range == releases_.end() || range->second.holds(version);
    }
    bool serves(const std::string& release) const { return lives(release) && !faulty.contains(release); }

    // The tables are those of a copy with an earlier version now, if there is one that a release knows; or again those
    // from before.
    void change_tables(bool to_earlier) {
        const auto known = [&](const auto& one) { return one.second.holds(version - 1); };
        if (to_earlier && std::ranges::any_of(releases_, known)) {
            before_ = version--;
        } else if (before_ && !to_earlier) {
            version = *before_;
            before_.reset();
        }
    }

    std::int64_t version = 0;
    bool sound = true;             // it is what its version says
    Moment locked_until{};         // somebody's transaction holds a lock on a table that has to change
    std::set<std::string> faulty;  // releases that start and are never healthy

private:
    std::string name_;
    std::size_t index_;
    DatabaseModel* database_;
    ReleaseRanges releases_;
    std::string runs_at_first_;
    std::optional<std::int64_t> before_;
};

}  // namespace kedge::sim
