#include "recover/gate.h"

#include <fmt/format.h>

#include "erasure/ledger.h"
#include "os/clock.h"
#include "recover/cached_keys.h"
#include "recover/erase.h"

namespace kedge::recover {
namespace {

// People are the same in every store: a cache has no map of its own.
bool has_gate(const Recovery& recovery, const Estate& estate) {
    return estate.erasure.is_declared() && (recovery.is_cache() || estate.erasure.of == recovery.target);
}

Json nobody_taken_out() {
    return {{"says", "the estate has no erasure map of it: nobody was taken out"}};
}

Result<Json> take_out(const Recovery& recovery, const Estate& estate, const std::stop_token& stop) {
    if (!recovery.is_cache()) return take_out_erased(recovery.server(), recovery, estate, stop);
    const ErasureLedger ledger = TRY(read_ledger(estate.erasure.ledger));
    const Target* const cache = estate.target(recovery.target);
    if (cache == nullptr) return Error{Fault::not_found, "the estate has no cache " + recovery.target};
    return as_json(TRY(erase_keys(recovery.directory, databases_in(recovery.proof), *cache, ledger, stop)));
}

}  // namespace

Result<Json> take_out_erased(const backup::PostgresServer& database, const Recovery& recovery, const Estate& estate,
                             const std::stop_token& stop) {
    if (!has_gate(recovery, estate)) return nobody_taken_out();
    const ErasureLedger ledger = TRY(read_ledger(estate.erasure.ledger));
    return as_json(TRY(erase_people(database, estate.erasure, ledger, stop)));
}

void note_erased(Recovery& recovery, Json evidence) {
    const Json before = get(get(recovery.proof, "erasure"), "rows");
    if (before.is_object() && evidence.contains("rows"))
        for (auto& [table, rows] : evidence["rows"].items())
            rows = get_integer(before, table).value_or(0) + rows.get<std::int64_t>();
    recovery.proof["erasure"] = std::move(evidence);
}

void pass_gate(Recovery& recovery, const Estate& estate, const std::stop_token& stop) {
    const Result<Json> erased = has_gate(recovery, estate) ? take_out(recovery, estate, stop) : nobody_taken_out();
    // What it said of where it stands is kept while it says why the gate is shut.
    constexpr const char* said = "said_before_gate";
    if (erased) {
        if (const auto before = get_string(recovery.proof, said)) recovery.says = *before;
        recovery.proof.erase(said);
        recovery.stage = Stage::recovered;
        note_erased(recovery, *erased);
        return;
    }
    if (!recovery.proof.contains(said)) recovery.proof[said] = recovery.says;
    recovery.stage = Stage::gated;
    recovery.says = erased.error().message;
    if (!erased.error().hint.empty()) recovery.says += "; " + erased.error().hint;
}

Result<std::optional<std::string>> ledger_head(const Recovery& recovery, const Estate& estate) {
    if (!has_gate(recovery, estate)) return std::optional<std::string>();
    return std::optional(std::string(TRY(read_ledger(estate.erasure.ledger)).head()));
}

Result<bool> is_gate_outdated(const Recovery& recovery, const Estate& estate) {
    const auto head = TRY(ledger_head(recovery, estate));
    if (!head) return false;
    const Json& passed = get(recovery.proof, "erasure");
    if (get_string(passed, "ledger_head") != *head) return true;
    return !recovery.is_cache() && get_string(passed, "map") != digest_of(estate.erasure);
}

Result<void> conclude(const std::string& state_directory, Recovery& recovery, Result<void> made) {
    recovery.ended = SystemClock{}.now();
    if (!made) {
        recovery.stage = Stage::failed;
        recovery.says = made.error().message;
        // The room is needed, and a half made database is of no use.
        if (const auto cleared = clear_directory(recovery, {}); !cleared)
            recovery.says += "; " + cleared.error().message;
    }
    TRY(write_recovery(state_directory, recovery));
    return made;
}

Result<void> finish(const std::string& state_directory, Recovery& recovery, Result<void> made, const Estate& estate,
                    const std::stop_token& stop) {
    if (made) pass_gate(recovery, estate, stop);
    if (!made && stop.stop_requested())
        made = Error{made.error().fault, "it was interrupted: the same command makes it anew"};
    return conclude(state_directory, recovery, std::move(made));
}

Result<void> check_usable(const Recovery& recovery) {
    switch (recovery.stage) {
        case Stage::recovered: return {};
        case Stage::gated:
            return Error{Fault::refused,
                         fmt::format("{} may hold people who must stay erased: {}", recovery.name, recovery.says),
                         fmt::format("set that right, then kedge recover erase {}", recovery.name)};
        case Stage::working:
            return Error{Fault::refused, fmt::format("{} is not made yet: {}", recovery.name, recovery.says),
                         "if `kedge recover list` calls it interrupted, the same command makes it anew"};
        case Stage::prepared:
        case Stage::promoted:
        case Stage::chosen:
        case Stage::failed: break;
    }
    return Error{Fault::refused,
                 fmt::format("{} is {}, not recovered: {}", recovery.name, to_string(recovery.stage), recovery.says)};
}

Result<void> check_proved(const Recovery& recovery) {
    TRY(check_usable(recovery));
    if (get_string(recovery.proof, "proved").value_or("unknown") == "yes") return {};
    return Error{Fault::refused,
                 fmt::format("{} is not proved to be where it was asked to be: {}", recovery.name, recovery.says)};
}

}  // namespace kedge::recover
