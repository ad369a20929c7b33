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
            look.served = recovery->stage == Stage::prepared && get(recovery->proof, "promotion").contains("at");
            look.proved = truth_of(recovery->proof, "proved");
            break;
    }
    return look;
}

Result<bool> OwnRecoveries::is_worked_on(const std::string& name) {
    return TRY(is_recovery_locked(settings_.state_directory, name)) || works_.has_work(name);
}

Result<void> OwnRecoveries::check_free(const std::string& name) {
    TRY(check_recovery_name(name));
    if (TRY(is_worked_on(name))) return Error{Fault::conflict, "somebody works on the recovery " + name};
    return {};
}

Result<void> OwnRecoveries::start(const std::string& name, const std::string& key, Arguments words) {
    TRY(check_free(name));
    const std::string estate = TRY(backup::keep_estate(settings_.estate, settings_.state_directory));
    words.insert(words.begin(), settings_.program);
    words.insert(words.end(), {"--estate", estate, "--state", settings_.state_directory, "--quiet"});
    TRY(make_directories(settings_.state_directory + "/recoveries"));
    return works_.start(key, name, words,
                        fmt::format("{}/recoveries/{}.words", settings_.state_directory, backup::as_file_name(key)));
}

Arguments OwnRecoveries::at_place(Arguments words) const {
    if (!settings_.place.empty()) words.insert(words.end(), {"--place", settings_.place});
    return words;
}

// Where it would lie is known from its choice on: it is made there.
Result<void> OwnRecoveries::choose(const RecoveryOrder& order, const std::string& key, Moment) {
    Arguments words = at_place(point_of(order));
    words.insert(words.end(), {"--key", key, "--dry-run"});
    return start(order.name, key, std::move(words));
}

Result<void> OwnRecoveries::make(const RecoveryOrder& order, const std::string& key, Moment) {
    Arguments words = at_place(point_of(order));
    words.insert(words.end(), {"--key", key});
    return start(order.name, key, std::move(words));
}

Result<void> OwnRecoveries::restore(const RestoreOrder& order, const std::string& key, Moment) {
    const bool best = !order.to.empty();
    Arguments words = {"recover", best ? "best" : "restore", "--target", order.database, "--name", order.name, "--key",
                       key};
    if (best) words.insert(words.end(), {"--to", order.to});
    if (!order.dump.empty()) words.insert(words.end(), {"--dump", order.dump});
    if (!order.policy.empty()) words.insert(words.end(), {"--policy", order.policy});
    return start(order.name, key, at_place(std::move(words)));
}

Result<void> OwnRecoveries::compare(const std::string& name, const std::string& region, const std::string& key,
                                    Moment) {
    return start(name, key, {"recover", "compare", name, "--from", region, "--limit", "12h", "--key", key});
}

Result<void> OwnRecoveries::prepare(const std::string& name, const std::string& region, const std::string& key,
                                    Moment) {
    return start(name, key, {"recover", "promote", name, "--in", region, "--prepare", "--confirm", name});
}

// The program makes ready what is not, for people who say it in one line. Here that is an order of its own.
Result<void> OwnRecoveries::check_ready(const std::string& name) {
    TRY(check_free(name));
    const Recovery recovery = TRY(find_recovery(settings_.state_directory, name));
    if (recovery.stage == Stage::prepared || recovery.stage == Stage::promoted) return {};
    return Error{Fault::refused,
                 fmt::format("{} is not ready to take production's place: it is {}", name, to_string(recovery.stage))};
}

Result<void> OwnRecoveries::promote(const std::string& name, const std::string& region, const std::string& key,
                                    Moment) {
    TRY(check_ready(name));
    return start(name, key, {"recover", "promote", name, "--in", region, "--confirm", name});
}

Result<void> OwnRecoveries::load(const std::string& name, const std::string& region, const std::string& key, Moment) {
    return start(name, key, {"recover", "exchange", name, "--in", region, "--load", "--confirm", name});
}

Result<void> OwnRecoveries::exchange(const std::string& name, const std::string& region, const std::string& key,
                                     Moment) {
    TRY(check_ready(name));
    return start(name, key, {"recover", "exchange", name, "--in", region, "--confirm", name});
}

Result<void> OwnRecoveries::put_back(const std::string& name, const std::string& region, const std::string& key,
                                     Moment) {
    return start(name, key, {"recover", "put-back", name, "--in", region, "--confirm", name});
}

Result<void> OwnRecoveries::restore_snapshot(const SnapshotOrder& order, const std::string& key, Moment) {
    Arguments words = {"recover", "redis", "--target", order.cache, "--name", order.name, "--key", key};
    for (const auto& [option, value] : {std::pair("--snapshot", &order.snapshot), std::pair("--before", &order.before),
                                        std::pair("--policy", &order.policy), std::pair("--drop", &order.drop)})
        if (!value->empty()) words.insert(words.end(), {option, *value});
    return start(order.name, key, at_place(std::move(words)));
}

Result<void> OwnRecoveries::keep(const std::string& name, const std::string& region, const std::string& key, Moment) {
    return start(name, key, {"recover", "keep", name, "--region", region, "--key", key});
}

Result<void> OwnRecoveries::discard(const std::string& name, const std::string& key, Moment) {
    return start(name, key, {"recover", "discard", name, "--confirm", name});
}

// Whether what is known of it says how the work for `key` ended. One that could not be made says only why.
Result<bool> OwnRecoveries::has_result_of(const std::string& key) {
    const auto recovery = find_recovery(settings_.state_directory, works_.subject(key));
    if (!recovery && recovery.error().fault == Fault::not_found) return false;
    if (!recovery) return recovery.error();
    if (get_string(recovery->comparison, "key") == key) return true;
    return recovery->key == key && recovery->stage != Stage::working && recovery->stage != Stage::failed;
}

Result<std::optional<std::string>> OwnRecoveries::failure(const std::string& key) {
    constexpr std::array done = {0};
    // Those with which `kedge recover` may have left a result: a gate that stays shut, no, not to be told. It ends with
    // them for errors, too.
    constexpr std::array perhaps_answered = {0, 7, 15, 16};
    auto failed = works_.failure(key, done);
    if (!failed || works_.failure(key, perhaps_answered)) return failed;
    if (TRY(has_result_of(key))) return std::optional<std::string>{};
    return failed;
}

}  // namespace kedge::recover
