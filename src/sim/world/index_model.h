// An index that is derived from a database, and the job that builds it: how far that has come follows from the time.
//
// It stands outside of all regions, begins whole and serving, and its source has the same rows all the while. A job
// reads them whether or not somebody can reach the database just then: one that cannot dies, which a fault does.
#pragma once

#include <string>

#include "sim/world/database_model.h"
#include "targets/index.h"

namespace kedge::sim {

class IndexModel {
public:
    // Both outlive it; no database: it can never be built.
    IndexModel(Ground& ground, std::string name, std::size_t index, DatabaseModel* database)
        : part{.name = name, .place = ground.outside()},
          ground_(ground),
          name_(std::move(name)),
          index_(index),
          database_(database) {}

    const std::string& name() const { return name_; }
    std::size_t index() const { return index_; }
    const DatabaseModel* database() const { return database_; }
    std::int64_t rows() const { return rows_; }
    // Of what serves: those of rows that are gone among them.
    std::int64_t entries() const;
    std::int64_t stale() const;
    // As it is now.
    IndexJob job() const;

    // Has the job begin, or go on if it died under that name.
    void build(const std::string& name, Span takes);
    void kill_job();
    // Of what serves, this many entries are gone; or are of rows that are gone.
    void lose_entries(std::int64_t count);
    void remove_rows(std::int64_t count);
    void make_whole();

    Part part;
    IndexMode mode = IndexMode::serving;

private:
    void settle();

    Ground& ground_;
    std::string name_;
    std::size_t index_;
    DatabaseModel* database_;
    std::int64_t rows_ = 5000;
    std::int64_t missing_ = 0, stale_ = 0;  // of what the last job that had finished built
    IndexJob job_{.name = "first", .state = JobState::finished, .done = rows_, .total = rows_};  // as of `since_`
    Moment since_{};
};

}  // namespace kedge::sim
