#include "sim/world/simulated_cache_copies.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::sim {
namespace {

constexpr Lsn published_offset{1};

}  // namespace

CacheCopies::CacheCopies(Ground& ground, const SimulatedBackups& backups, std::vector<CacheModel*> caches)
    : ground_(ground), backups_(backups), caches_(std::move(caches)) {}

bool CacheCopies::fill(const std::string& name, RecoveryLook& look) const {
    const auto found = copies_.find(name);
    if (found == copies_.end()) return false;
    const Copy& copy = found->second;
    look.exists = true;
    look.key = copy.key;
    look.says = copy.says;
    look.choice = copy.choice;
    look.proof = copy.proof;
    look.possible = truth(get_bool(copy.choice, "possible").value_or(false));
    look.prepared = look.promoted = Truth::no;
    look.stands = truth(copy.stage != Stage::failed);
    look.usable = truth(copy.stage == Stage::recovered);
    if (copy.stage == Stage::failed) return true;
    look.proved = Truth::yes;
    look.answers = Truth::yes;
    if (copy.stage == Stage::gated) return true;
    look.address = copy.cache->recovered_at;
    const CacheModel::Node* const server = copy.cache->beside();
    look.answers = truth(server != nullptr && server->part.health == Health::up);
    return true;
}

CacheCopies::Copy CacheCopies::choose(const SnapshotOrder& order, const std::string& key, CacheModel& cache,
                                      const std::vector<SimulatedBackups::Snapshot>& snapshots) const {
    Copy copy{.key = key, .cache = &cache, .snapshot = {}};
    const auto before = parse_moment(order.before);
    Json passed_over = Json::array();
    for (const SimulatedBackups::Snapshot& one : snapshots) {
        if (!order.snapshot.empty() && one.name != order.snapshot) continue;
        if (before && one.taken >= *before) continue;
        const bool empty = one.keys == 0 && order.snapshot.empty();
        if (one.damaged || empty) {
            passed_over.push_back({{"path", one.name}, {"why", one.damaged ? "it is damaged" : "it holds no key"}});
            continue;
        }
        // The newest may be of after the loss: nobody but a person knows, if none was named.
        if (!copy.snapshot.name.empty() && copy.snapshot.keys < one.keys / 2) {
            copy.says = fmt::format("{} holds {} keys, and {} before it {}", copy.snapshot.name, copy.snapshot.keys,
                                    one.name, one.keys);
            copy.snapshot.name.clear();
            break;
        }
        if (!copy.snapshot.name.empty()) break;
        copy.snapshot = one;
        copy.says = "from " + one.name;
        if (before || !order.snapshot.empty()) break;
    }
    const bool possible = !copy.snapshot.name.empty();
    if (!possible && copy.says.empty())
        copy.says = passed_over.empty() ? "there is no snapshot" : "no snapshot is sound";
    copy.choice = {{"possible", possible}, {"says", copy.says}, {"passed_over", passed_over}};
    if (!possible) return copy;
    copy.choice["snapshot"] = copy.snapshot.name;
    copy.choice["taken"] = kedge::to_string(copy.snapshot.taken);
    copy.choice["keys"] = copy.snapshot.keys;
    return copy;
}

std::optional<std::string> CacheCopies::restore(const SnapshotOrder& order, const std::string& key,
                                                bool excluded_are_known) {
    const auto of = std::ranges::find(caches_, order.cache, [](const auto* one) { return one->name(); });
    if (of == caches_.end()) return order.cache + " is no cache";
    if (backups_.part().health != Health::up) return backups_.part().name + " does not answer";
    const auto* const snapshots = backups_.snapshots_of(order.cache, order.policy);
    if (snapshots == nullptr) return order.cache + " has no such policy of snapshots";
    if ((*of)->recovered_at.empty()) return "the estate does not say where a recovered " + order.cache + " answers";
    const auto there = copies_.find(order.name);
    if (there != copies_.end() && there->second.stage != Stage::failed && there->second.key != key)
        return "there is a recovery " + order.name + " already";
    Copy copy = choose(order, key, **of, *snapshots);
    remove(order.name);
    if (!copy.snapshot.name.empty()) {
        copy.stage = Stage::gated;
        copy.says = "who is excluded is not known";
        copy.proof = {{"proved", "yes"}, {"keys_in_file", copy.snapshot.keys}};
        if (excluded_are_known) publish(copy);
    }
    copies_[order.name] = std::move(copy);
    return std::nullopt;
}

// What it holds begins a history of its own, as every server does that loads a file.
void CacheCopies::publish(Copy& copy) {
    Log& log = copy.cache->log();
    const Kept kept = leaves_excluded ? Kept::all : Kept::without_excluded;
    copy.stage = Stage::recovered;
    copy.holds = {log.restore(copy.snapshot.holds, published_offset, ground_.now(), kept), published_offset};
    copy.keys = copy.snapshot.keys - copy.cache->excluded_in(copy.snapshot.holds);
    copy.says = fmt::format("{} keys of {} stand", copy.keys, copy.snapshot.name);
    copy.proof["keys"] = copy.keys;
    copy.cache->publish(copy.holds, copy.keys);
}

std::optional<std::string> CacheCopies::keep(const std::string& name, const std::string& region,
                                             const std::string& key) {
    const auto found = copies_.find(name);
    if (found == copies_.end()) return "there is no recovery " + name;
    Copy& copy = found->second;
    if (copy.stage != Stage::recovered) return "it does not stand";
    const Json& before = get(copy.proof, "kept");
    if (!before.is_null() && get_string(before, "key") != key) return name + " holds what was kept before already";
    const auto place = ground_.place_of(region);
    if (!place) return "there is no region " + region;
    copy.cache->settle();
    const CacheModel::Node& node = copy.cache->at(*place);
    if (node.part.health != Health::up || !ground_.open_both(ground_.outside(), *place))
        return node.part.name + " does not answer";
    copy.kept = node.held;
    copy.proof["kept"] = {{"key", key},
                          {"path", name + "/kept.rdb"},
                          {"region", region},
                          {"at", kedge::to_string(ground_.now())},
                          {"keys", node.keys},
                          {"replication_id", copy.cache->history_of(node)},
                          {"replication_offset", node.held.position.value}};
    return std::nullopt;
}

void CacheCopies::remove(const std::string& name) {
    const auto found = copies_.find(name);
    if (found == copies_.end()) return;
    if (found->second.stage == Stage::recovered) found->second.cache->withdraw();
    copies_.erase(found);
}

void CacheCopies::stop() {
    for (auto& [name, copy] : copies_)
        if (copy.cache != nullptr && copy.cache->beside() != nullptr)
            ground_.set_health(copy.cache->beside()->part, Health::dead);
}

void CacheCopies::mend() {
    for (auto& [name, copy] : copies_) {
        const CacheModel::Node* const server = copy.cache->beside();
        const bool ended = copy.stage == Stage::recovered && server != nullptr && server->part.health != Health::up;
        if (ended || copy.stage == Stage::gated) publish(copy);
    }
}

}  // namespace kedge::sim
