#include "sim/world/simulated_recoveries.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
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

// By number and how many.
std::set<std::pair<std::int64_t, std::int64_t>> rows_at(const Log& log, Point point) {
    std::set<std::pair<std::int64_t, std::int64_t>> rows;
    log.each(point, [&](const Record& record) {
        if (record.kind == RecordKind::rows) rows.emplace(record.first, record.count);
    });
    return rows;
}

// So many rows of the one are not in the other.
std::int64_t count_missing(const std::set<std::pair<std::int64_t, std::int64_t>>& one,
                           const std::set<std::pair<std::int64_t, std::int64_t>>& other) {
    std::int64_t count = 0;
    for (const auto& rows : one)
        if (!other.contains(rows)) count += rows.second;
    return count;
}

// Why it may not be used.
std::optional<std::string> unusable(const SimulatedRecoveries::Copy& copy) {
    if (!stands(copy.stage)) return "it does not stand";
    if (copy.stage != Stage::recovered) return "it does not stand beside production any more";
    if (copy.gated) return "who is excluded may be in it";
    return std::nullopt;
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
    look.served = copy.served;
    if (!copy.compared_by.empty()) {
        Json tables = Json::object();
        if (copy.only_production + copy.only_copy > 0)
            tables["lab_heartbeat"] = {
                {"only_production", copy.only_production}, {"only_copy", copy.only_copy}, {"changed", 0}};
        look.comparison = {{"key", copy.compared_by},
                           {"with", copy.compared_with},
                           {"equal", tables.empty() && !copy.compared_with_nothing},
                           {"live_is_gone", copy.compared_with_nothing},
                           {"tables", std::move(tables)}};
    }
    if (copy.stage == Stage::working) return look;
    look.stands = look.proved = truth(stands(copy.stage));
    const bool in_use = copy.stage == Stage::recovered;
    look.usable = truth(in_use && !copy.gated);
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

Result<void> SimulatedRecoveries::in_place(const std::string& name, const std::string& region, const std::string& key,
                                           Span least, Span most,
                                           std::function<std::optional<std::string>(Copy&, Place)> finish,
                                           Moment deadline) {
    return with_copy(
        name, key, least, most,
        [this, region, finish = std::move(finish)](Copy& copy) -> std::optional<std::string> {
            const auto place = ground_.place_of(region);
            if (!place) return "there is no region " + region;
            if (copy.in && *copy.in != *place) return fmt::format("it was prepared for {}", ground_.name_of(*copy.in));
            return finish(copy, *place);
        },
        deadline);
}

Result<void> SimulatedRecoveries::choose(const RecoveryOrder& order, const std::string& key, Moment deadline) {
    return recover_to(order, key, true, choosing_least, choosing_most, deadline);
}

Result<void> SimulatedRecoveries::make(const RecoveryOrder& order, const std::string& key, Moment deadline) {
    return recover_to(order, key, false, making_least, making_most, deadline);
}

Result<void> SimulatedRecoveries::recover_to(const RecoveryOrder& order, const std::string& key, bool only_choose,
                                             Span least, Span most, Moment deadline) {
    return begin(
        order.name, key, least, most,
        [this, order, key, only_choose] {
            return recover(
                order.name, key, order.database, order.to,
                [&](const DatabaseModel& database) { return origin_at(database, order.to); }, only_choose);
        },
        deadline);
}

Result<void> SimulatedRecoveries::restore(const RestoreOrder& order, const std::string& key, Moment deadline) {
    return begin(
        order.name, key, making_least, making_most,
        [this, order, key] {
            return recover(
                order.name, key, order.database, "what serves best for " + order.to,
                [&](const DatabaseModel& database) { return origin_of(database, order); }, false);
        },
        deadline);
}

SimulatedRecoveries::Origin SimulatedRecoveries::origin_at(const DatabaseModel& database, const std::string& to) const {
    const auto moment = parse_moment(to);
    const Moment end = ground_.now() - archive_behind;
    const bool possible = !backups_.has_gap && !(moment && *moment > ground_.now());
    return {.holds = point_at(database, moment ? std::min(*moment, end) : end),
            .possible = possible,
            .says = possible ? "from the newest base backup" : "the log has a gap before it, or does not reach so far"};
}

SimulatedRecoveries::Origin SimulatedRecoveries::dump_before(const DatabaseModel& database,
                                                             const RestoreOrder& order) const {
    const auto dump = backups_.dump_of(database.name(), order.policy);
    const auto moment = parse_moment(order.to);
    if (!dump || (!order.dump.empty() && order.dump != dump->name) || (moment && dump->taken > *moment))
        return {.possible = false, .is_dump = true, .says = "there is no such dump"};
    return {.holds = dump->holds,
            .possible = !dump->damaged,
            .is_dump = true,
            .says = dump->damaged ? dump->name + " is damaged" : "from " + dump->name};
}

// What the log reaches is later than any dump.
SimulatedRecoveries::Origin SimulatedRecoveries::origin_of(const DatabaseModel& database,
                                                           const RestoreOrder& order) const {
    if (order.to.empty()) return dump_before(database, order);
    Origin origin = origin_at(database, order.to);
    if (origin.possible) return origin;
    const Origin dump = dump_before(database, order);
    return dump.possible ? dump : origin;
}

std::optional<std::string> SimulatedRecoveries::recover(const std::string& name, const std::string& key,
                                                        const std::string& database, const std::string& asked,
                                                        const FindOrigin& find, bool only_choose) {
    const auto of = std::ranges::find(databases_, database, [](const auto* one) { return one->name(); });
    if (of == databases_.end()) return database + " is no database";
    if (backups_.part().health != Health::up) return backups_.part().name + " does not answer";
    const auto there = copies_.find(name);
    if (there != copies_.end() && (stands(there->second.stage) || there->second.asked != asked))
        return "there is a recovery " + name + " already";
    const Origin origin = find(**of);
    Copy copy{.key = key, .stage = Stage::chosen, .database = *of, .point = origin.holds};
    copy.asked = asked;
    copy.possible = origin.possible;
    copy.is_of_dump = origin.is_dump;
    copy.says = origin.says;
    if (!only_choose) {
        copy.stage = copy.possible ? Stage::recovered : Stage::failed;
        copy.gated = !excluded_are_known;
        if (copy.possible) copy.says = copy.gated ? "who is excluded is not known" : "it stands at its point";
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

std::optional<std::string> SimulatedRecoveries::pass_gate(Copy& copy) const {
    if (auto why = unusable(copy)) return why;
    copy.gated = !excluded_are_known;
    return unusable(copy);
}

std::optional<std::string> SimulatedRecoveries::compare_now(Copy& copy, const std::string& region,
                                                            const std::string& key) {
    if (auto why = unusable(copy)) return why;
    if (!copy.answers) return "the copy does not answer";
    const DatabaseModel::Server* const server = reachable_copy(ground_, *copy.database, region);
    if (server == nullptr) return fmt::format("{}@{} does not answer", copy.database->name(), region);
    const auto here = rows_at(copy.database->log(), copy.point), there = rows_at(copy.database->log(), server->held);
    copy.only_production = count_missing(there, here);
    copy.only_copy = count_missing(here, there);
    copy.compared_with_nothing = copy.database->gone;
    if (copy.compared_with_nothing) copy.only_production = copy.only_copy = 0;
    copy.compared_by = key;
    copy.compared_with = region;
    return std::nullopt;
}

Result<void> SimulatedRecoveries::prepare(const std::string& name, const std::string& region, const std::string& key,
                                          Moment deadline) {
    return in_place(
        name, region, key, moving_least, moving_most,
        [this](Copy& copy, Place place) { return prepare_now(copy, place); }, deadline);
}

std::optional<std::string> SimulatedRecoveries::prepare_now(Copy& copy, Place place) {
    if (copy.exchanges) return "it is loaded into the running server";
    if (copy.stage == Stage::prepared || copy.stage == Stage::promoted) return std::nullopt;
    if (copy.is_of_dump) return "it is of a dump: neither archive nor standbys of production could go on with it";
    if (copy.was_production) return "production's archive knows its timeline already: recover once more";
    if (auto why = pass_gate(copy)) return why;
    copy.stage = Stage::prepared;
    copy.in = place;
    copy.says = "it is ready to be swapped in";
    return std::nullopt;
}

Result<void> SimulatedRecoveries::promote(const std::string& name, const std::string& region, const std::string& key,
                                          Moment deadline) {
    return in_place(
        name, region, key, moving_least, moving_most, [this](Copy& copy, Place place) { return swap_in(copy, place); },
        deadline);
}

std::optional<std::string> SimulatedRecoveries::swap_in(Copy& copy, Place place) {
    if (copy.exchanges) return "it is loaded into the running server";
    if (copy.stage == Stage::promoted) return std::nullopt;
    if (copy.stage != Stage::prepared) return "it is not prepared";
    DatabaseModel& database = *copy.database;
    DatabaseModel::Server& server = database.at(place);
    if (server.part.health != Health::dead || server.starting) return server.part.name + " runs";
    if (server.fenced != Truth::yes) return "the fence of " + server.part.name + " is not up";
    if (!excluded_are_known) return "who is excluded is not known";
    copy.replaced = server.held;
    copy.replaced_nothing = std::exchange(database.gone, false);
    copy.replaced_was_standby = server.standby;
    copy.stage = Stage::promoted;
    copy.says = "it took the place of " + server.part.name;
    ++server.life;
    // It opened when it was recovered, on a timeline that nobody had used.
    server.held.branch = database.log().fork(copy.point, ground_.now(), database.log().newest_timeline());
    server.held.position = copy.point.position;
    server.standby = false;
    server.stopped_clean = true;
    if (on_tables) on_tables(database, true);
    ground_.note(EffectKind::swap_in, place, database.index());
    return std::nullopt;
}

Result<void> SimulatedRecoveries::put_back(const std::string& name, const std::string& region, const std::string& key,
                                           Moment deadline) {
    return in_place(
        name, region, key, moving_least, moving_most, [this](Copy& copy, Place) { return put_back_now(copy); },
        deadline);
}

std::optional<std::string> SimulatedRecoveries::put_back_now(Copy& copy) {
    if (copy.stage != Stage::prepared && copy.stage != Stage::promoted) return "it stands beside production";
    if (copy.stage == Stage::promoted && copy.exchanges) return exchange_back(copy);
    if (copy.served) return "it served, and has what was written meanwhile";
    std::string why;
    if (copy.exchanges && primary_in(copy, *copy.in, why) == nullptr) return why;
    if (copy.stage == Stage::promoted)
        if (auto runs = swap_out(copy)) return runs;
    copy.stage = Stage::recovered;
    // Its server was stopped only to take another's place.
    if (!copy.exchanges) copy.answers = true;
    copy.exchanges = false;
    copy.in.reset();
    copy.says = "it stands at its point";
    return std::nullopt;
}

std::optional<std::string> SimulatedRecoveries::swap_out(Copy& copy) {
    DatabaseModel::Server& server = copy.database->at(*copy.in);
    if (server.part.health != Health::dead || server.starting) return server.part.name + " runs";
    if (server.fenced != Truth::yes) return "the fence of " + server.part.name + " is not up";
    if (!excluded_are_known) return "who was excluded since is not known";
    ++server.life;
    copy.point = server.held;
    copy.was_production = true;
    server.held = *std::exchange(copy.replaced, std::nullopt);
    copy.database->gone = copy.replaced_nothing;
    server.standby = copy.replaced_was_standby;
    if (on_tables) on_tables(*copy.database, false);
    return std::nullopt;
}

std::optional<std::string> SimulatedRecoveries::exchange_back(Copy& copy) {
    std::string why;
    DatabaseModel::Server* const server = primary_in(copy, *copy.in, why);
    if (server == nullptr) return why;
    if (!copy.replaced_nothing && !excluded_are_known) return "who was excluded since is not known";
    copy.point = server->held;
    change_content(*copy.database, *server, *std::exchange(copy.replaced, std::nullopt));
    copy.database->gone = copy.replaced_nothing;
    if (on_tables) on_tables(*copy.database, false);
    copy.stage = Stage::prepared;
    copy.served = true;
    copy.says = server->part.name + " has again what it had before";
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
    return in_place(
        name, region, key, making_least, making_most,
        [this](Copy& copy, Place place) { return load_into(copy, place); }, deadline);
}

Result<void> SimulatedRecoveries::exchange(const std::string& name, const std::string& region, const std::string& key,
                                           Moment deadline) {
    return in_place(
        name, region, key, moving_least, moving_most,
        [this](Copy& copy, Place place) { return exchange_in(copy, place); }, deadline);
}

DatabaseModel::Server* SimulatedRecoveries::primary_in(Copy& copy, Place place, std::string& why) {
    DatabaseModel::Server& server = copy.database->at(place);
    if (server.part.health == Health::up && copy.database->accepts_writes(server) &&
        ground_.open(ground_.outside(), place))
        return &server;
    why = server.part.name + " takes no writes";
    return nullptr;
}

std::optional<std::string> SimulatedRecoveries::load_into(Copy& copy, Place place) {
    if (copy.exchanges) return std::nullopt;
    if (auto why = unusable(copy)) return why;
    if (!copy.answers) return "the copy does not answer";
    std::string why;
    const DatabaseModel::Server* const server = primary_in(copy, place, why);
    if (server == nullptr) return why;
    if (auto shut = pass_gate(copy)) return shut;
    copy.exchanges = true;
    copy.stage = Stage::prepared;
    copy.in = place;
    copy.says = "it is loaded into " + server->part.name;
    return std::nullopt;
}

std::optional<std::string> SimulatedRecoveries::exchange_in(Copy& copy, Place place) {
    if (!copy.exchanges) return "it is not loaded";
    if (copy.stage == Stage::promoted) return std::nullopt;
    std::string why;
    DatabaseModel::Server* const server = primary_in(copy, place, why);
    if (server == nullptr) return why;
    if (!excluded_are_known) return "who is excluded is not known";
    copy.replaced = server->held;
    copy.replaced_nothing = std::exchange(copy.database->gone, false);
    copy.served = false;
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
