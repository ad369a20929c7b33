#include "sim/world/simulated_recoveries.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace kedge::sim {
namespace {

constexpr Span choosing_least = 1s, choosing_most = 20s;
constexpr Span making_least = 5s, making_most = 2min;
constexpr Span comparing_least = 1s, comparing_most = 30s;
constexpr Span keeping_least = 300ms, keeping_most = 30s;
constexpr Span moving_least = 200ms, moving_most = 4s;
// What the archive has not received yet.
constexpr Span archive_behind = 5s;
constexpr std::uint64_t renaming_bytes = 800;

using Stage = SimulatedRecoveries::Stage;

bool stands(Stage stage) {
    return stage == Stage::recovered || stage == Stage::prepared || stage == Stage::promoted;
}

// The copy that was written furthest: production, wherever it is.
const DatabaseModel::Server& production(const DatabaseModel& database) {
    const auto furthest = std::ranges::max_element(database.servers(), {}, [&](const DatabaseModel::Server& server) {
        return std::pair(!server.standby, database.log().timeline(server.held));
    });
    return *furthest;
}

Point point_at(const DatabaseModel& database, Moment when) {
    const BranchId branch = production(database).held.branch;
    return {branch, database.log().position_at(branch, when)};
}

}  // namespace

SimulatedRecoveries::SimulatedRecoveries(Ground& ground, const SimulatedBackups& backups,
                                         std::vector<DatabaseModel*> databases, std::vector<CacheModel*> caches)
    : ground_(ground),
      backups_(backups),
      databases_(std::move(databases)),
      part_{.name = "the place of recoveries", .place = ground.outside()},
      of_caches_(ground, backups, std::move(caches)),
      work_(ground) {}

void SimulatedRecoveries::stand(const std::string& name, DatabaseModel& database, Moment when) {
    copies_[name] = {.key = "before",
                     .stage = Stage::recovered,
                     .database = &database,
                     .point = point_at(database, when),
                     .says = "it stands at its point"};
}

Result<RecoveryLook> SimulatedRecoveries::look(const std::string& name, Moment deadline) {
    const Passage passage = ground_.visit(Port::recoveries, part_, deadline);
    if (passage != Passage::through) return Error{Fault::unavailable, not_through(passage, part_.name).message};
    RecoveryLook look{.working = truth(work_.goes_on(name))};
    if (of_caches_.fill(name, look)) return look;
    const auto found = copies_.find(name);
    if (found == copies_.end()) {
        look.says = "there is no recovery " + name;
        return look;
    }
    const Copy& copy = found->second;
    look.exists = true;
    look.key = copy.key;
    look.says = copy.says;
    look.possible = truth(copy.possible);
    look.choice = {{"possible", copy.possible}, {"says", copy.says}, {"takes_seconds", 60}};
    look.prepared = truth(copy.stage == Stage::prepared || copy.stage == Stage::promoted);
    look.promoted = truth(copy.stage == Stage::promoted);
    look.exchanges = copy.exchanges;
    if (!copy.compared_by.empty()) {
        Json tables = Json::object();
        if (copy.only_production > 0)
            tables["lab_heartbeat"] = {{"only_production", copy.only_production}, {"only_copy", 0}, {"changed", 0}};
        look.comparison = {{"key", copy.compared_by},
                           {"with", copy.compared_with},
                           {"equal", copy.only_production == 0},
                           {"tables", std::move(tables)}};
    }
    if (copy.stage == Stage::working) return look;
    look.stands = look.proved = truth(stands(copy.stage));
    const bool in_use = copy.stage == Stage::recovered;
    look.usable = truth(in_use && excluded_are_known);
    look.answers = truth(in_use && copy.answers);
    return look;
}

Result<void> SimulatedRecoveries::begin(const std::string& name, const std::string& key, Span least, Span most,
                                        SideWork::Finish finish, Moment deadline) {
    const Passage passage = ground_.visit(Port::recoveries, part_, deadline);
    if (passage == Passage::silent || passage == Passage::refused) return not_through(passage, part_.name);
    if (work_.goes_on(name)) return Error{Fault::conflict, "somebody works on the recovery " + name};
    ground_.note(EffectKind::recoveries, part_.place, 0);
    work_.begin(name, key, least, most, std::move(finish));
    if (passage != Passage::through) return not_through(passage, part_.name);
    return {};
}

Result<void> SimulatedRecoveries::with_copy(const std::string& name, const std::string& key, Span least, Span most,
                                            std::function<std::optional<std::string>(Copy&)> finish, Moment deadline) {
    return begin(
        name, key, least, most,
        [this, name, finish = std::move(finish)]() -> std::optional<std::string> {
            const auto copy = copies_.find(name);
            if (copy == copies_.end()) return "there is no recovery " + name;
            return finish(copy->second);
        },
        deadline);
}

Result<void> SimulatedRecoveries::choose(const RecoveryOrder& order, const std::string& key, Moment deadline) {
    return begin(
        order.name, key, choosing_least, choosing_most,
        [this, order, key] { return recover(order.name, key, order.database, order.to, true); }, deadline);
}

Result<void> SimulatedRecoveries::make(const RecoveryOrder& order, const std::string& key, Moment deadline) {
    return begin(
        order.name, key, making_least, making_most,
        [this, order, key] { return recover(order.name, key, order.database, order.to, false); }, deadline);
}

Result<void> SimulatedRecoveries::restore(const RestoreOrder& order, const std::string& key, Moment deadline) {
    return begin(
        order.name, key, making_least, making_most,
        [this, order, key] {
            return recover(order.name, key, order.database, order.to.empty() ? "latest" : order.to, false);
        },
        deadline);
}

std::optional<std::string> SimulatedRecoveries::recover(const std::string& name, const std::string& key,
                                                        const std::string& database, const std::string& to,
                                                        bool only_choose) {
    const auto of = std::ranges::find(databases_, database, [](const auto* one) { return one->name(); });
    if (of == databases_.end()) return database + " is no database";
    if (backups_.part().health != Health::up) return backups_.part().name + " does not answer";
    const auto there = copies_.find(name);
    if (there != copies_.end() && stands(there->second.stage) && there->second.key != key)
        return "there is a recovery " + name + " already";
    const auto moment = parse_moment(to);
    const Moment end = ground_.now() - archive_behind;
    Copy copy{.key = key, .stage = Stage::chosen, .database = *of};
    copy.point = point_at(**of, moment ? std::min(*moment, end) : end);
    copy.possible = !backups_.has_gap && !(moment && *moment > ground_.now());
    copy.says = copy.possible ? "from the newest base backup" : "the log has a gap before it, or does not reach so far";
    if (!only_choose) {
        copy.stage = copy.possible ? Stage::recovered : Stage::failed;
        if (copy.possible) copy.says = "it stands at its point";
    }
    copies_[name] = std::move(copy);
    return std::nullopt;
}

Result<void> SimulatedRecoveries::compare(const std::string& name, const std::string& region, const std::string& key,
                                          Moment deadline) {
    return with_copy(
        name, key, comparing_least, comparing_most,
        [this, region, key](Copy& copy) { return compare_now(copy, region, key); }, deadline);
}

std::optional<std::string> SimulatedRecoveries::compare_now(Copy& copy, const std::string& region,
                                                            const std::string& key) {
    if (copy.stage != Stage::recovered || !copy.answers) return "the copy does not answer";
    const DatabaseModel::Server* const server = reachable_copy(ground_, *copy.database, region);
    if (server == nullptr) return fmt::format("{}@{} does not answer", copy.database->name(), region);
    copy.only_production = 0;
    const Log& log = copy.database->log();
    const Lsn shared = log.leads_to(copy.point, server->held.branch) ? copy.point.position
                                                                     : log.fork_of(server->held, copy.point.branch);
    log.each(server->held, [&](const Record& record) {
        if (record.end > shared && record.kind == RecordKind::rows) copy.only_production += record.count;
    });
    copy.compared_by = key;
    copy.compared_with = region;
    return std::nullopt;
}

Result<void> SimulatedRecoveries::prepare(const std::string& name, const std::string&, const std::string& key,
                                          Moment deadline) {
    return with_copy(
        name, key, moving_least, moving_most,
        [this](Copy& copy) -> std::optional<std::string> {
            if (copy.exchanges) return "it is loaded into the running server";
            if (copy.stage == Stage::prepared || copy.stage == Stage::promoted) return std::nullopt;
            if (copy.stage != Stage::recovered) return "it does not stand";
            if (!excluded_are_known) return "who is excluded is not known";
            copy.stage = Stage::prepared;
            copy.says = "it is ready to be swapped in";
            return std::nullopt;
        },
        deadline);
}

Result<void> SimulatedRecoveries::promote(const std::string& name, const std::string& region, const std::string& key,
                                          Moment deadline) {
    return with_copy(
        name, key, moving_least, moving_most, [this, region](Copy& copy) { return swap_in(copy, region); }, deadline);
}

std::optional<std::string> SimulatedRecoveries::swap_in(Copy& copy, const std::string& region) {
    if (copy.stage == Stage::promoted) return std::nullopt;
    if (copy.stage != Stage::prepared || copy.exchanges) return "it is not prepared";
    const auto place = ground_.place_of(region);
    if (!place) return "there is no region " + region;
    DatabaseModel& database = *copy.database;
    DatabaseModel::Server& server = database.at(*place);
    if (server.part.health != Health::dead || server.starting) return server.part.name + " runs";
    if (server.fenced != Truth::yes) return "the fence of " + server.part.name + " is not up";
    copy.replaced = server.held;
    copy.replaced_was_standby = server.standby;
    copy.in = place;
    copy.stage = Stage::promoted;
    copy.says = "it took the place of " + server.part.name;
    ++server.life;
    // It opened when it was recovered, on a timeline that nobody had used.
    server.held.branch = database.log().fork(copy.point, ground_.now(), database.log().newest_timeline());
    server.held.position = copy.point.position;
    server.standby = false;
    server.stopped_clean = true;
    if (on_tables) on_tables(database, true);
    ground_.note(EffectKind::swap_in, *place, database.index());
    return std::nullopt;
}

Result<void> SimulatedRecoveries::put_back(const std::string& name, const std::string&, const std::string& key,
                                           Moment deadline) {
    return with_copy(
        name, key, moving_least, moving_most, [this](Copy& copy) { return swap_out(copy); }, deadline);
}

std::optional<std::string> SimulatedRecoveries::swap_out(Copy& copy) {
    if (copy.stage != Stage::prepared && copy.stage != Stage::promoted) return std::nullopt;
    if (copy.exchanges && copy.stage == Stage::promoted) {
        std::string why;
        DatabaseModel::Server* const server = primary_in(copy, std::string(ground_.name_of(*copy.in)), why);
        if (server == nullptr) return why;
        change_content(*copy.database, *server, *std::exchange(copy.replaced, std::nullopt));
    } else if (copy.stage == Stage::promoted) {
        DatabaseModel::Server& server = copy.database->at(*copy.in);
        if (server.part.health != Health::dead || server.starting) return server.part.name + " runs";
        if (server.fenced != Truth::yes) return "the fence of " + server.part.name + " is not up";
        ++server.life;
        server.held = *copy.replaced;
        server.standby = copy.replaced_was_standby;
        copy.replaced.reset();
    }
    if (copy.stage == Stage::promoted && on_tables) on_tables(*copy.database, false);
    copy.stage = Stage::recovered;
    copy.exchanges = false;
    copy.says = "it stands at its point";
    return std::nullopt;
}

Result<void> SimulatedRecoveries::discard(const std::string& name, const std::string& key, Moment deadline) {
    return begin(
        name, key, moving_least, moving_most,
        [this, name]() -> std::optional<std::string> {
            copies_.erase(name);
            of_caches_.remove(name);
            return std::nullopt;
        },
        deadline);
}

Result<void> SimulatedRecoveries::load(const std::string& name, const std::string& region, const std::string& key,
                                       Moment deadline) {
    return with_copy(
        name, key, making_least, making_most, [this, region](Copy& copy) { return load_into(copy, region); }, deadline);
}

Result<void> SimulatedRecoveries::exchange(const std::string& name, const std::string& region, const std::string& key,
                                           Moment deadline) {
    return with_copy(
        name, key, moving_least, moving_most, [this, region](Copy& copy) { return exchange_in(copy, region); },
        deadline);
}

DatabaseModel::Server* SimulatedRecoveries::primary_in(Copy& copy, const std::string& region, std::string& why) {
    const auto place = ground_.place_of(region);
    DatabaseModel::Server* const server = place ? &copy.database->at(*place) : nullptr;
    if (server == nullptr)
        why = "there is no region " + region;
    else if (server->part.health != Health::up || !copy.database->accepts_writes(*server) ||
             !ground_.open(ground_.outside(), *place))
        why = server->part.name + " takes no writes";
    return why.empty() ? server : nullptr;
}

std::optional<std::string> SimulatedRecoveries::load_into(Copy& copy, const std::string& region) {
    if (copy.exchanges) return std::nullopt;
    if (copy.stage != Stage::recovered || !copy.answers) return "it does not stand";
    if (!excluded_are_known) return "who is excluded is not known";
    std::string why;
    const DatabaseModel::Server* const server = primary_in(copy, region, why);
    if (server == nullptr) return why;
    copy.exchanges = true;
    copy.stage = Stage::prepared;
    copy.says = "it is loaded into " + server->part.name;
    return std::nullopt;
}

std::optional<std::string> SimulatedRecoveries::exchange_in(Copy& copy, const std::string& region) {
    if (copy.stage == Stage::promoted) return std::nullopt;
    if (copy.stage != Stage::prepared || !copy.exchanges) return "it is not loaded";
    std::string why;
    DatabaseModel::Server* const server = primary_in(copy, region, why);
    if (server == nullptr) return why;
    copy.replaced = server->held;
    copy.in = server->part.place;
    copy.stage = Stage::promoted;
    copy.says = "it has the name of the database of " + server->part.name;
    change_content(*copy.database, *server, copy.point);
    if (on_tables) on_tables(*copy.database, true);
    ground_.note(EffectKind::exchange, server->part.place, copy.database->index());
    return std::nullopt;
}

// The log and the timeline go on, and standbys follow.
void SimulatedRecoveries::change_content(DatabaseModel& database, DatabaseModel::Server& server, Point content) {
    server.held.branch = database.log().exchange(server.held.branch, content, ground_.now());
    database.write(server, RecordKind::housekeeping, 0, 0, renaming_bytes);
    ground_.changed();
}

Result<void> SimulatedRecoveries::restore_snapshot(const SnapshotOrder& order, const std::string& key,
                                                   Moment deadline) {
    return begin(
        order.name, key, making_least, making_most,
        [this, order, key]() -> std::optional<std::string> {
            if (copies_.contains(order.name)) return "there is a recovery " + order.name + " already";
            return of_caches_.restore(order, key, excluded_are_known);
        },
        deadline);
}

Result<void> SimulatedRecoveries::keep(const std::string& name, const std::string& region, const std::string& key,
                                       Moment deadline) {
    return begin(
        name, key, keeping_least, keeping_most,
        [this, name, region, key] { return of_caches_.keep(name, region, key); }, deadline);
}

Result<std::optional<std::string>> SimulatedRecoveries::failure(const std::string& key) {
    return work_.failure(key);
}

}  // namespace kedge::sim
