#include "sim/world/world.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

std::vector<std::string> names_of(const std::vector<Region>& regions) {
    std::vector<std::string> names;
    for (const Region& region : regions) names.push_back(region.name);
    return names;
}

// What the requests of a declared probe need, by where they go.
ProbeNeeds needs_of(const Json& probe) {
    ProbeNeeds needs;
    for (const Json& exchange : get(probe, "exchanges")) {
        const std::string request = get_string(exchange, "request").value_or("");
        if (request.find("health") != std::string::npos) needs.health = true;
        if (request.find("login") != std::string::npos) needs.sessions = needs.reads = true;
        if (request.starts_with("POST") && request.find("login") == std::string::npos) needs.writes = true;
        if (request.starts_with("GET")) needs.reads = needs.reads || !needs.health;
    }
    return needs;
}

template <class Model>
Model* stands_on(const Target& target, const std::vector<std::unique_ptr<Model>>& models) {
    for (const std::unique_ptr<Model>& model : models)
        for (const std::string& name : target.stands_on)
            if (model->name() == name) return model.get();
    return models.empty() ? nullptr : models.front().get();
}

// The one that the setting names, or null.
template <class Model>
Model* named(const std::vector<std::unique_ptr<Model>>& models, const Target& target, std::string_view setting) {
    const auto found = std::ranges::find(models, target.settings.text(setting).value_or(""),
                                         [](const auto& model) { return model->name(); });
    return found == models.end() ? nullptr : found->get();
}

}  // namespace

World::World(const Estate& estate, std::uint64_t seed) : ground(names_of(estate.regions), seed) {
    for (const Target& target : estate.targets) {
        if (target.kind == TargetKind::database) add_database(target);
        if (target.kind == TargetKind::cache) add_cache(target);
    }
    for (const Target& target : estate.targets) {
        if (target.kind == TargetKind::migration) add_schema(target);
        if (target.kind == TargetKind::index) add_index(target);
    }
    for (const Target& target : estate.targets)
        if (target.kind == TargetKind::application) add_application(target);
    for (const Target& target : estate.targets) {
        if (target.kind != TargetKind::traffic) continue;
        ApplicationModel* behind = applications.empty() ? nullptr : applications.front().get();
        entrances.push_back(std::make_unique<EntranceModel>(ground, target.name, entrances.size(), behind));
        targets.traffic[target.name] = std::make_unique<SimulatedTraffic>(ground, *entrances.back());
        if (behind != nullptr) clients.push_back(std::make_unique<Clients>(ground, *behind, *entrances.back()));
    }
    for (const Target& target : estate.targets) {
        if (target.kind != TargetKind::application) continue;
        const auto model = std::find_if(applications.begin(), applications.end(),
                                        [&](const auto& one) { return one->name() == target.name; });
        std::map<std::string, ProbeNeeds> probes;
        const Settings declared = target.settings.section("probes");
        for (const auto& [name, probe] : declared.json().items()) probes[name] = needs_of(probe);
        targets.applications[target.name] = std::make_unique<SimulatedApplication>(
            ground, **model, entrances.empty() ? nullptr : entrances.front().get(), std::move(probes));
    }
    add_observers(estate);
    targets.side_by_side = [this](std::size_t count, const std::function<void(std::size_t)>& call) {
        ground.side_by_side(count, call);
    };
}

void World::add_database(const Target& target) {
    DatabasePace pace;
    pace.retrieve_retry = target.settings.section("limits").span("retrieve-retry").value_or(pace.retrieve_retry);
    pace.connect_most = std::max(pace.connect_least, pace.retrieve_retry);
    databases.push_back(std::make_unique<DatabaseModel>(ground, target.name, databases.size(), pace));
    targets.databases[target.name] = std::make_unique<SimulatedDatabase>(ground, *databases.back());
}

void World::add_cache(const Target& target) {
    CachePace pace;
    const Settings limits = target.settings.section("limits");
    pace.down_after = limits.span("down-after").value_or(pace.down_after);
    pace.failover_timeout = limits.span("failover-timeout").value_or(pace.failover_timeout);
    std::vector<Place> places;
    for (const Settings& sentinel : target.settings.sections("sentinels"))
        places.push_back(ground.place_of(sentinel.text("region").value_or("")).value_or(ground.outside()));
    if (places.empty())
        for (Place place = 0; place <= ground.outside(); ++place) places.push_back(place);
    const auto quorum =
        static_cast<int>(target.settings.integer("quorum").value_or(static_cast<std::int64_t>(places.size() / 2 + 1)));
    caches.push_back(std::make_unique<CacheModel>(ground, target.name, caches.size(), places, quorum, pace));
    caches.back()->recovered_at = target.settings.text("recovered-at").value_or("");
    targets.caches[target.name] = std::make_unique<SimulatedCache>(ground, *caches.back());
}

void World::add_schema(const Target& target) {
    schemas.push_back(std::make_unique<SchemaModel>(target.name, schemas.size(), named(databases, target, "of"),
                                                    release_ranges(get(target.settings.json(), "releases"))));
    targets.migrations[target.name] = std::make_unique<SimulatedMigration>(ground, *schemas.back());
}

void World::add_index(const Target& target) {
    indexes.push_back(
        std::make_unique<IndexModel>(ground, target.name, indexes.size(), named(databases, target, "of")));
    targets.indexes[target.name] = std::make_unique<SimulatedIndex>(ground, *indexes.back());
}

void World::add_application(const Target& target) {
    std::vector<std::vector<std::string>> instances(ground.regions().size());
    for (const Site& site : target.sites) {
        std::vector<std::string>& own = instances[*ground.place_of(site.region)];
        for (const Settings& one : site.settings.sections("instances"))
            own.push_back(one.text("name").value_or(fmt::format("{}-{}", site.region, own.size() + 1)));
        if (own.empty()) own = {site.region + "-1", site.region + "-2"};
    }
    DatabaseModel* const database = stands_on(target, databases);
    const auto schema = std::ranges::find(schemas, database, [](const auto& one) { return one->database(); });
    applications.push_back(std::make_unique<ApplicationModel>(
        ground, target.name, applications.size(), database, stands_on(target, caches),
        schema == schemas.end() ? nullptr : schema->get(), instances));
}

void World::add_observers(const Estate& estate) {
    ApplicationModel* application = applications.empty() ? nullptr : applications.front().get();
    for (const Target& target : estate.targets) {
        switch (target.kind) {
            case TargetKind::metrics: {
                auto made = std::make_unique<SimulatedMetrics>(ground, application);
                metrics = made.get();
                targets.metrics[target.name] = std::move(made);
                break;
            }
            case TargetKind::logs: {
                auto made = std::make_unique<SimulatedLogs>(ground, application);
                logs = made.get();
                targets.logs[target.name] = std::move(made);
                break;
            }
            case TargetKind::channel: {
                auto made = std::make_unique<SimulatedChannel>(ground, target.name, channels.size());
                channels.push_back(made.get());
                targets.channels[target.name] = std::move(made);
                break;
            }
            case TargetKind::store:
                targets.stores[target.name] = std::make_unique<SimulatedStore>(ground, target.name);
                break;
            case TargetKind::database:
            case TargetKind::cache:
            case TargetKind::application:
            case TargetKind::traffic:
            case TargetKind::migration:
            case TargetKind::index: break;
        }
    }
    std::vector<DatabaseModel*> watched;
    for (const auto& database : databases) watched.push_back(database.get());
    std::vector<CacheModel*> held;
    for (const auto& cache : caches) held.push_back(cache.get());
    auto shelves = std::make_unique<SimulatedBackups>(ground, estate, watched, held);
    backups = shelves.get();
    targets.backups = std::move(shelves);
    auto beside = std::make_unique<SimulatedRecoveries>(ground, *backups, watched, std::move(held));
    recoveries = beside.get();
    recoveries->on_tables = [this](const DatabaseModel& database, bool is_copy) {
        for (const auto& schema : schemas)
            if (schema->database() == &database) schema->change_tables(is_copy && recoveries->schema_is_earlier);
    };
    targets.recoveries = std::move(beside);
    auto observer = std::make_unique<SimulatedSamples>(ground, std::move(watched));
    samples = observer.get();
    targets.samples = std::move(observer);
}

std::vector<Part*> World::parts_at(Place place) {
    std::vector<Part*> parts;
    const auto take = [&](Part& part) {
        if (part.place == place) parts.push_back(&part);
    };
    for (const auto& database : databases)
        for (DatabaseModel::Server& server : database->servers()) take(server.part);
    for (const auto& cache : caches) {
        for (CacheModel::Node& node : cache->nodes()) take(node.part);
        for (CacheModel::Sentinel& sentinel : cache->sentinels()) take(sentinel.part);
    }
    for (const auto& application : applications)
        for (ApplicationModel::Site& site : application->sites())
            for (ApplicationModel::Instance& instance : site.instances) take(instance.part);
    for (const auto& entrance : entrances) take(entrance->part());
    for (const auto& index : indexes) take(index->part);
    return parts;
}

void World::kill_region(Place place) {
    for (const auto& database : databases) database->kill(database->at(place));
    for (Part* part : parts_at(place)) part->health = Health::dead;
    ground.changed();
}

void World::silence_region(Place place) {
    for (Place other = 0; other <= ground.outside(); ++other)
        if (other != place) {
            ground.cut(place, other);
            ground.cut(other, place);
        }
}

void World::hear_region(Place place) {
    for (Place other = 0; other <= ground.outside(); ++other)
        if (other != place) {
            ground.mend(place, other);
            ground.mend(other, place);
        }
}

void World::part(Place a, Place b) {
    ground.cut(a, b);
    ground.cut(b, a);
}

void World::restart_region(Place place) {
    std::vector<const Part*> databases_parts;
    for (const auto& database : databases) databases_parts.push_back(&database->at(place).part);
    for (Part* part : parts_at(place))
        if (std::find(databases_parts.begin(), databases_parts.end(), part) == databases_parts.end())
            part->health = Health::up;
    ground.changed();
}

void World::lose_and_take_over(Place from, Place to) {
    kill_region(from);
    for (const auto& database : databases) {
        database->raise_fence(database->at(from));
        database->promote(database->at(to));
    }
    for (const auto& cache : caches)
        for (CacheModel::Sentinel& sentinel : cache->sentinels())
            if (sentinel.part.health == Health::up && !cache->any_failing_over()) cache->fail_over(sentinel, to);
    for (const auto& entrance : entrances) {
        entrance->shift({{from, 0}, {to, 100}});
        entrance->cut_sessions(from);
    }
    ground.schedule().run_until(ground.now() + 5s);
    restart_region(from);
    for (const auto& cache : caches) cache->follow(cache->at(from), to);
    ground.schedule().run_until(ground.now() + 20s);
}

void World::move_to(Place place) {
    if (place == 0) return;
    lose_and_take_over(0, place);
    for (const auto& database : databases) {
        database->rejoin(database->at(0), database->at(place), RejoinBy::rewind);
    }
    ground.schedule().run_until(ground.now() + 20s);
}

}  // namespace kedge::sim
