// An application with instances in each region: it finds the writable database and the master by itself, holds or
// refuses writes when asked to, and serves whoever comes.
#pragma once

#include <array>
#include <deque>
#include <string>
#include <vector>

#include "sim/world/cache_model.h"
#include "sim/world/database_model.h"
#include "sim/world/schema_model.h"
#include "targets/application.h"

namespace kedge::sim {

// What became of one write.
enum class Written { acknowledged, failed, held, in_doubt };

class ApplicationModel {
public:
    struct Instance {
        Part part;
        Writes writes = Writes::accepted;
        Moment ready_at{};  // it starts until then
        std::string release;
    };
    struct Site {
        std::deque<Instance> instances;  // others hold on to one while more are started
        std::size_t wanted = 0;
        std::string release;  // of an instance that is started
        // How it was served of late, second by second: for metrics.
        struct Second {
            std::int64_t second = 0, requests = 0, errors = 0;
        };
        std::array<Second, 16> served{};
        Moment last_line{};  // of its log
    };

    // Database and cache that it stands on, and the schema that its releases need; any may be null. All outlive it.
    ApplicationModel(Ground& ground, std::string name, std::size_t index, DatabaseModel* database, CacheModel* cache,
                     SchemaModel* schema, const std::vector<std::vector<std::string>>& instances);

    const std::string& name() const { return name_; }
    std::size_t index() const { return index_; }
    std::vector<Site>& sites() { return sites_; }
    const std::vector<Site>& sites() const { return sites_; }
    DatabaseModel* database() { return database_; }
    CacheModel* cache() { return cache_; }
    SchemaModel* schema() const { return schema_; }

    bool is_ready(const Instance& instance) const {
        return instance.part.health == Health::up && instance.ready_at <= ground_.now();
    }
    // The database that an instance at `place` would write to: the one that it reaches and that takes writes.
    DatabaseModel::Server* writable_from(Place place);
    bool reads_from(Place place) const;  // some copy of the data
    CacheModel::Node* master_from(Place place);
    bool is_healthy(const Instance& instance);

    // One of the clients' writes through an instance of the region; `instance` is the one it came to.
    Written write(Place place, std::int64_t first, std::int64_t count);
    bool write_session(Place place, std::int64_t first, std::int64_t count);
    // What the entrance finds: a ready instance that it reaches.
    Instance* serving(Place place, Place from);

    void scale(Place place, std::size_t instances);
    // Every instance is restarted as `release`, writes accepted; one that runs it already is left alone.
    void deploy(Place place, const std::string& release);
    void count(Place place, std::int64_t requests, std::int64_t errors);

private:
    Ground& ground_;
    std::string name_;
    std::size_t index_;
    DatabaseModel* database_;
    CacheModel* cache_;
    SchemaModel* schema_;
    std::vector<Site> sites_;
};

}  // namespace kedge::sim
