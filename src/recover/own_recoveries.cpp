#include "recover/own_recoveries.h"

#include <fmt/format.h>

#include <array>

#include "os/files.h"
#include "recover/gate.h"
#include "recover/recovery.h"

namespace kedge::recover {
namespace {

Truth truth_of(const Json& json, std::string_view key) {
    const std::string word = get_string(json, key).value_or("");
    return word == "yes" ? Truth::yes : word == "no" ? Truth::no : Truth::unknown;
}

Arguments point_of(const RecoveryOrder& order) {
    Arguments words = {"recover", "pitr", "--to", order.to, "--target", order.database, "--name", order.name};
    if (!order.inclusive) words.push_back("--exclusive");
    if (order.timeline > 0) words.insert(words.end(), {"--timeline", std::to_string(order.timeline)});
    if (!order.policy.empty()) words.insert(words.end(), {"--policy", order.policy});
    return words;
}

}  // namespace

Result<RecoveryLook> OwnRecoveries::look(const std::string& name, Moment) {
    RecoveryLook look{.working = truth(TRY(is_worked_on(name)))};
    const auto recovery = find_recovery(settings_.state_directory, name);
    if (!recovery && recovery.error().fault == Fault::not_found) {
        look.says = "there is no recovery " + name;
        return look;
    }
    if (!recovery) return recovery.error();
    look.exists = true;
    look.key = recovery->key;
    look.says = recovery->says;
    look.choice = recovery->choice;
    look.proof = recovery->proof;
    look.comparison = recovery->comparison;
    look.prepared = truth(recovery->stage == Stage::prepared || recovery->stage == Stage::promoted);
    look.promoted = truth(recovery->stage == Stage::promoted);
    look.exchanges = is_exchanged(*recovery);
    look.address = recovery->address;
    if (const auto possible = get_bool(recovery->choice, "possible")) look.possible = truth(*possible);
    switch (recovery->stage) {
        case Stage::chosen:
        case Stage::failed: look.stands = look.usable = Truth::no; break;
        case Stage::working: break;
        case Stage::gated:
        case Stage::recovered:
            look.stands = Truth::yes;
            look.usable = truth(check_usable(*recovery).has_value());
            look.proved = truth_of(recovery->proof, "proved");
            look.answers = look_at_server(*recovery, {}).answers;
            break;
        // Made and proved, and not to be used as a copy any more.
        case Stage::prepared:
        case Stage::promoted:
            look.stands = Truth::yes;
            look.usable = look.answers = Truth::no;
            look.proved = truth_of(recovery->proof, "proved");
            break;
    }
    return look;
}

Result<bool> OwnRecoveries::is_worked_on(const std::string& name) {
    return TRY(is_recovery_locked(settings_.state_directory, name)) || making_.has_work(name) || using_.has_work(name);
}

Result<void> OwnRecoveries::start(backup::Works& works, const std::string& name, const std::string& key,
                                  Arguments words) {
    TRY(check_recovery_name(name));
    if (TRY(is_worked_on(name))) return Error{Fault::conflict, "somebody works on the recovery " + name};
    const std::string estate = TRY(backup::keep_estate(settings_.estate, settings_.state_directory));
    words.insert(words.begin(), settings_.program);
    words.insert(words.end(), {"--estate", estate, "--state", settings_.state_directory, "--quiet"});
    TRY(make_directories(settings_.state_directory + "/recoveries"));
    return works.start(key, name, words,
                       fmt::format("{}/recoveries/{}.words", settings_.state_directory, backup::as_file_name(key)));
}

Result<void> OwnRecoveries::choose(const RecoveryOrder& order, const std::string& key, Moment) {
    Arguments words = point_of(order);
    words.insert(words.end(), {"--key", key, "--dry-run"});
    return start(making_, order.name, key, std::move(words));
}

Result<void> OwnRecoveries::make(const RecoveryOrder& order, const std::string& key, Moment) {
    Arguments words = point_of(order);
    words.insert(words.end(), {"--key", key});
    if (!settings_.place.empty()) words.insert(words.end(), {"--place", settings_.place});
    return start(making_, order.name, key, std::move(words));
}

Result<void> OwnRecoveries::restore(const RestoreOrder& order, const std::string& key, Moment) {
    const bool best = !order.to.empty();
    Arguments words = {"recover", best ? "best" : "restore", "--target", order.database, "--name", order.name, "--key",
                       key};
    if (best) words.insert(words.end(), {"--to", order.to});
    if (!order.dump.empty()) words.insert(words.end(), {"--dump", order.dump});
    if (!order.policy.empty()) words.insert(words.end(), {"--policy", order.policy});
    if (!settings_.place.empty()) words.insert(words.end(), {"--place", settings_.place});
    return start(making_, order.name, key, std::move(words));
}

Result<void> OwnRecoveries::compare(const std::string& name, const std::string& region, const std::string& key,
                                    Moment) {
    return start(using_, name, key, {"recover", "compare", name, "--from", region, "--limit", "12h", "--key", key});
}

Result<void> OwnRecoveries::prepare(const std::string& name, const std::string& region, const std::string& key,
                                    Moment) {
    return start(using_, name, key, {"recover", "promote", name, "--in", region, "--prepare", "--confirm", name});
}

Result<void> OwnRecoveries::promote(const std::string& name, const std::string& region, const std::string& key,
                                    Moment) {
    return start(using_, name, key, {"recover", "promote", name, "--in", region, "--confirm", name});
}

Result<void> OwnRecoveries::load(const std::string& name, const std::string& region, const std::string& key, Moment) {
    return start(using_, name, key, {"recover", "exchange", name, "--in", region, "--load", "--confirm", name});
}

Result<void> OwnRecoveries::exchange(const std::string& name, const std::string& region, const std::string& key,
                                     Moment) {
    return start(using_, name, key, {"recover", "exchange", name, "--in", region, "--confirm", name});
}

Result<void> OwnRecoveries::put_back(const std::string& name, const std::string& region, const std::string& key,
                                     Moment) {
    return start(using_, name, key, {"recover", "put-back", name, "--in", region, "--confirm", name});
}

Result<void> OwnRecoveries::restore_snapshot(const SnapshotOrder& order, const std::string& key, Moment) {
    Arguments words = {"recover", "redis", "--target", order.cache, "--name", order.name, "--key", key};
    for (const auto& [option, value] : {std::pair("--snapshot", &order.snapshot), std::pair("--before", &order.before),
                                        std::pair("--policy", &order.policy), std::pair("--drop", &order.drop)})
        if (!value->empty()) words.insert(words.end(), {option, *value});
    if (!settings_.place.empty()) words.insert(words.end(), {"--place", settings_.place});
    return start(making_, order.name, key, std::move(words));
}

Result<void> OwnRecoveries::keep(const std::string& name, const std::string& region, const std::string& key, Moment) {
    return start(making_, name, key, {"recover", "keep", name, "--region", region, "--key", key});
}

Result<void> OwnRecoveries::discard(const std::string& name, const std::string& key, Moment) {
    return start(making_, name, key, {"recover", "discard", name, "--confirm", name});
}

Result<std::optional<std::string>> OwnRecoveries::failure(const std::string& key) {
    // Those with which `kedge recover` has left its result: done, a gate that stays shut, no, not to be told.
    constexpr std::array answered = {0, 7, 15, 16};
    constexpr std::array used = {0, 15};
    if (auto failed = making_.failure(key, answered)) return failed;
    return using_.failure(key, used);
}

}  // namespace kedge::recover
