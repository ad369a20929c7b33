#include "sim/world/simulated_backups.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace kedge::sim {
namespace {

constexpr Span old_at_first = 3h;
constexpr std::array<Span, 3> snapshots_at_first{51h, 27h, 3h};
constexpr Span judging_least = 2s, judging_most = 60s;
constexpr Span taking_least = 5s, taking_most = 40s;

// What is asked of the backups of a kind, see backup/judge.h.
std::vector<std::string_view> questions_of(BackupKind kind, Judging judging) {
    switch (kind) {
        case BackupKind::dump: return {"fresh", "intact", "proved", "tables", "filled", "production"};
        case BackupKind::base_backup:
            if (judging == Judging::recovery) return {"fresh", "intact", "proved", "recovered"};
            return {"fresh", "intact", "proved"};
        case BackupKind::log: return {"fresh", "continuous"};
        case BackupKind::snapshot: return {"fresh", "intact", "proved", "keys"};
        case BackupKind::copy: return {"fresh", "copied"};
    }
    return {};
}

}  // namespace

DatabaseModel::Server* reachable_copy(Ground& ground, DatabaseModel& database, const std::string& region) {
    const auto place = ground.place_of(region);
    if (!place) return nullptr;
    DatabaseModel::Server& server = database.at(*place);
    const bool reached = database.runs(server) && server.part.health == Health::up &&
                         ground.open_both(ground.outside(), server.part.place);
    return reached ? &server : nullptr;
}

SimulatedBackups::SimulatedBackups(Ground& ground, const Estate& estate, std::vector<DatabaseModel*> databases,
                                   std::vector<CacheModel*> caches)
    : ground_(ground),
      part_{.name = "the store of backups", .place = ground.outside()},
      databases_(std::move(databases)),
      caches_(std::move(caches)),
      work_(ground) {
    for (const BackupPolicy& policy : estate.backups) {
        // A log is never old: its newest segment was archived a moment ago.
        const Span age = policy.kind == BackupKind::log ? Span{1s} : old_at_first;
        policies_[policy.name] = {.policy = policy,
                                  .newest = ground.now() - std::min(age, policy.max_age),
                                  .judged_at = {},
                                  .answers = {},
                                  .snapshots = {}};
        Held& held = policies_[policy.name];
        if (const DatabaseModel* const database = database_of(policy); policy.kind == BackupKind::dump && database)
            held.holds = {0, database->log().position_at(0, held.newest)};
        const auto of = std::ranges::find(caches_, policy.of, [](const auto* cache) { return cache->name(); });
        if (policy.kind != BackupKind::snapshot || of == caches_.end()) continue;
        held.cache = *of;
        held.taken = 0;
        for (const Span before : snapshots_at_first) {
            const Moment taken = ground.now() - std::min(before, policy.max_age * 3);
            ++held.taken;
            add_snapshot(held, taken, {0, (*of)->log().position_at(0, taken)});
        }
    }
}

void SimulatedBackups::add_snapshot(Held& held, Moment taken, Point holds) {
    std::int64_t keys = 0;
    held.cache->log().each(holds, [&](const Record& record) {
        const bool is_key =
            record.kind == RecordKind::rows || record.kind == RecordKind::excluded || record.kind == RecordKind::canary;
        if (is_key) keys += record.count;
    });
    held.newest = taken;
    held.snapshots.insert(held.snapshots.begin(), {.name = held.name(), .taken = taken, .holds = holds, .keys = keys});
}

const std::vector<SimulatedBackups::Snapshot>* SimulatedBackups::snapshots_of(const std::string& cache,
                                                                              const std::string& policy) const {
    for (const auto& [name, held] : policies_)
        if (held.cache != nullptr && held.cache->name() == cache && (policy.empty() || policy == name))
            return &held.snapshots;
    return nullptr;
}

std::optional<SimulatedBackups::Dump> SimulatedBackups::dump_of(const std::string& database,
                                                                const std::string& policy) const {
    for (const auto& [name, held] : policies_)
        if (held.holds && held.policy.of == database && (policy.empty() || policy == name))
            return Dump{.name = held.name(), .taken = held.newest, .holds = *held.holds, .damaged = held.damaged};
    return std::nullopt;
}

DatabaseModel* SimulatedBackups::database_of(const BackupPolicy& policy) const {
    const auto of = std::ranges::find(databases_, policy.of, [](const auto* database) { return database->name(); });
    return of == databases_.end() ? nullptr : *of;
}

Result<SimulatedBackups::Held*> SimulatedBackups::find(const std::string& policy) {
    const auto found = policies_.find(policy);
    if (found == policies_.end()) return Error{Fault::not_found, "there is no policy " + policy};
    return &found->second;
}

Result<BackupsLook> SimulatedBackups::look(const std::string& policy, Moment deadline) {
    Held& held = *TRY(find(policy));
    BackupsLook look{.max_age = held.policy.max_age, .working = truth(work_.goes_on(policy))};
    const Passage passage = ground_.visit(Port::backups, part_, deadline);
    if (passage != Passage::through) {
        look.says = not_through(passage, part_.name).message;
        return look;
    }
    look.reachable = Truth::yes;
    look.newest = held.name();
    look.taken = held.policy.kind == BackupKind::log ? ground_.now() - 1s : held.newest;
    look.judged = truth(held.judged_at.has_value());
    look.judged_at = held.judged_at;
    look.answers = held.answers;
    look.says = fmt::format("{} was taken {} ago", held.name(), readable(ground_.now() - *look.taken));
    return look;
}

Result<void> SimulatedBackups::begin(Held& held, const std::string& key, Span least, Span most, SideWork::Finish finish,
                                     Moment deadline) {
    const Passage passage = ground_.visit(Port::backups, part_, deadline);
    if (passage == Passage::silent || passage == Passage::refused) return not_through(passage, part_.name);
    if (work_.goes_on(held.policy.name))
        return Error{Fault::conflict, "somebody works on the backups of " + held.policy.name};
    ground_.note(EffectKind::backups, part_.place, 0);
    work_.begin(held.policy.name, key, least, most, std::move(finish));
    if (passage != Passage::through) return not_through(passage, part_.name);
    return {};
}

Result<void> SimulatedBackups::judge(const std::string& policy, Judging judging, const std::string& key,
                                     Moment deadline) {
    Held& held = *TRY(find(policy));
    return begin(
        held, key, judging_least, judging_most,
        [this, &held, judging, key]() -> std::optional<std::string> {
            if (part_.health != Health::up) return part_.name + " does not answer";
            answer(held, judging, key);
            return std::nullopt;
        },
        deadline);
}

void SimulatedBackups::answer(Held& held, Judging judging, const std::string& key) {
    held.judged_at = ground_.now();
    held.answers.clear();
    for (const std::string_view question : questions_of(held.policy.kind, judging)) {
        BackupAnswer answer{.holds = Truth::yes, .evidence = {{"key", key}}};
        if (held.damaged && question != "fresh") answer.holds = Truth::no;
        if (has_gap && (question == "continuous" || question == "recovered")) answer.holds = Truth::no;
        answer.says = fmt::format("{} of {}: {}", question, held.name(), to_string(answer.holds));
        held.answers[std::string(question)] = std::move(answer);
    }
}

Result<void> SimulatedBackups::create(const std::string& policy, const std::string& region, const std::string& key,
                                      Moment deadline) {
    Held& held = *TRY(find(policy));
    return begin(
        held, key, taking_least, taking_most, [this, &held, region] { return take(held, region); }, deadline);
}

std::optional<std::string> SimulatedBackups::take(Held& held, const std::string& region) {
    if (part_.health != Health::up) return part_.name + " does not answer";
    if (held.cache != nullptr) {
        const auto place = ground_.place_of(region);
        return place ? take_snapshot(held, *place) : "there is no region " + region;
    }
    DatabaseModel* const database = database_of(held.policy);
    if (database == nullptr) return held.policy.of + " is no database";
    const DatabaseModel::Server* const server = reachable_copy(ground_, *database, region);
    if (server == nullptr) return fmt::format("{}@{} does not answer", held.policy.of, region);
    if (held.policy.kind == BackupKind::dump && database->gone)
        return fmt::format("{}@{}: its database is not there", held.policy.of, region);
    note_taken(held);
    if (held.policy.kind == BackupKind::dump) held.holds = server->held;
    return std::nullopt;
}

std::optional<std::string> SimulatedBackups::take_snapshot(Held& held, Place place) {
    held.cache->settle();
    const CacheModel::Node& node = held.cache->at(place);
    if (node.part.health != Health::up || !ground_.open_both(ground_.outside(), place))
        return node.part.name + " does not answer";
    note_taken(held);
    add_snapshot(held, ground_.now(), node.held);
    return std::nullopt;
}

void SimulatedBackups::note_taken(Held& held) {
    ++held.taken;
    held.newest = ground_.now();
    held.damaged = false;
    held.judged_at.reset();
}

void SimulatedBackups::take_snapshots() {
    for (auto& [name, held] : policies_)
        for (Place place = 0; held.cache != nullptr && place < ground_.regions().size(); ++place)
            if (held.cache->at(place).master && !take_snapshot(held, place)) break;
}

Result<std::optional<std::string>> SimulatedBackups::failure(const std::string&, const std::string& key) {
    return work_.failure(key);
}

void SimulatedBackups::damage_newest() {
    for (auto& [name, held] : policies_) {
        held.damaged = true;
        if (!held.snapshots.empty()) held.snapshots.front().damaged = true;
    }
}

void SimulatedBackups::damage_snapshots() {
    for (auto& [name, held] : policies_) {
        held.damaged = held.damaged || held.cache != nullptr;
        for (Snapshot& snapshot : held.snapshots) snapshot.damaged = true;
    }
}

void SimulatedBackups::mend() {
    part_.health = Health::up;
    has_gap = false;
    for (auto& [name, held] : policies_) {
        held.damaged = false;
        for (Snapshot& snapshot : held.snapshots) snapshot.damaged = false;
    }
}

}  // namespace kedge::sim
