#include "sim/world/application_model.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

constexpr std::uint64_t row_bytes = 220, session_bytes = 90;
constexpr Span instance_start_least = 800ms, instance_start_most = 4s;

}  // namespace

ApplicationModel::ApplicationModel(Ground& ground, std::string name, std::size_t index, DatabaseModel* database,
                                   CacheModel* cache, SchemaModel* schema,
                                   const std::vector<std::vector<std::string>>& instances)
    : ground_(ground), name_(std::move(name)), index_(index), database_(database), cache_(cache), schema_(schema) {
    for (Place place = 0; place < ground_.regions().size(); ++place) {
        Site site;
        site.release = schema_ == nullptr ? "1.0" : schema_->runs_at_first();
        for (const std::string& one : instances[place]) {
            Instance instance;
            instance.part = {.name = one, .place = place};
            instance.release = site.release;
            site.instances.push_back(std::move(instance));
        }
        site.wanted = site.instances.size();
        site.last_line = ground_.now();
        sites_.push_back(std::move(site));
    }
}

DatabaseModel::Server* ApplicationModel::writable_from(Place place) {
    if (database_ == nullptr || database_->gone) return nullptr;
    for (DatabaseModel::Server& server : database_->servers())
        if (server.part.health == Health::up && database_->accepts_writes(server) &&
            ground_.open(place, server.part.place))
            return &server;
    return nullptr;
}

bool ApplicationModel::reads_from(Place place) const {
    return database_ != nullptr && !database_->gone &&
           std::any_of(database_->servers().begin(), database_->servers().end(),
                       [&](const DatabaseModel::Server& server) {
                           return server.part.health == Health::up && database_->runs(server) &&
                                  ground_.open_both(place, server.part.place);
                       });
}

CacheModel::Node* ApplicationModel::master_from(Place place) {
    if (cache_ == nullptr) return nullptr;
    const auto told = cache_->told_to(place);
    if (!told) return nullptr;
    CacheModel::Node& node = cache_->at(*told);
    return node.master && node.part.health == Health::up && ground_.open_both(place, *told) ? &node : nullptr;
}

bool ApplicationModel::is_healthy(const Instance& instance) {
    const Place place = instance.part.place;
    const DatabaseModel::Server* server = writable_from(place);
    return is_ready(instance) && (schema_ == nullptr || schema_->serves(instance.release)) &&
           (database_ == nullptr || (server != nullptr && ground_.open(server->part.place, place))) &&
           (cache_ == nullptr || master_from(place) != nullptr);
}

Written ApplicationModel::write(Place place, std::int64_t first, std::int64_t count) {
    Instance* instance = serving(place, ground_.outside());
    if (instance == nullptr || instance->writes == Writes::refused) return Written::failed;
    if (instance->writes == Writes::held) return Written::held;
    DatabaseModel::Server* server = writable_from(place);
    if (server == nullptr) return Written::failed;
    const auto bytes = row_bytes * static_cast<std::uint64_t>(count);
    database_->write(*server, RecordKind::rows, first, count, bytes);
    if (!ground_.open(server->part.place, place) || !ground_.open(place, ground_.outside())) return Written::in_doubt;
    database_->log().acknowledge(server->held.branch);
    return Written::acknowledged;
}

bool ApplicationModel::write_session(Place place, std::int64_t first, std::int64_t count) {
    CacheModel::Node* master = master_from(place);
    if (master == nullptr || !cache_->accepts_writes(*master)) return false;
    cache_->write(*master, RecordKind::rows, first, count, session_bytes * static_cast<std::uint64_t>(count));
    cache_->log().acknowledge(master->held.branch);
    return true;
}

ApplicationModel::Instance* ApplicationModel::serving(Place place, Place from) {
    if (!ground_.open(from, place)) return nullptr;
    std::deque<Instance>& all = sites_[place].instances;
    if (all.empty()) return nullptr;
    const std::size_t first = ground_.random().below(all.size());
    for (std::size_t i = 0; i < all.size(); ++i)
        if (Instance& one = all[(first + i) % all.size()]; is_ready(one)) return &one;
    return nullptr;
}

void ApplicationModel::scale(Place place, std::size_t instances) {
    Site& site = sites_[place];
    site.wanted = instances;
    while (site.instances.size() > instances) site.instances.pop_back();
    while (site.instances.size() < instances) {
        Instance instance;
        instance.part = {.name = fmt::format("{}-{}", ground_.name_of(place), site.instances.size() + 1),
                         .place = place};
        instance.release = site.release;
        instance.ready_at = ground_.now() + ground_.random().between(instance_start_least, instance_start_most);
        site.instances.push_back(std::move(instance));
    }
    ground_.changed();
}

void ApplicationModel::deploy(Place place, const std::string& release) {
    Site& site = sites_[place];
    site.release = release;
    for (Instance& instance : site.instances) {
        if (instance.release == release) continue;
        instance.release = release;
        instance.writes = Writes::accepted;
        instance.ready_at = ground_.now() + ground_.random().between(instance_start_least, instance_start_most);
    }
    ground_.changed();
}

void ApplicationModel::count(Place place, std::int64_t requests, std::int64_t errors) {
    const std::int64_t second = ground_.now().time_since_epoch() / 1s;
    Site::Second& now = sites_[place].served[static_cast<std::size_t>(second % 16)];
    if (now.second != second) now = {.second = second};
    now.requests += requests;
    now.errors += errors;
    sites_[place].last_line = ground_.now();
}

}  // namespace kedge::sim
