#include "recover/exchange.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>

#include "backup/sql_text.h"
#include "os/clock.h"
#include "os/files.h"
#include "recover/copy_database.h"
#include "recover/gate.h"
#include "recover/live_server.h"
#include "recover/sequences.h"
#include "verify/restore/own_postgres.h"
#include "verify/restore/restored_rows.h"
#include "verify/restore/workplace.h"

namespace kedge::recover {
namespace {

using namespace std::chrono_literals;

constexpr Span look_limit = 60s, loading_limit = std::chrono::hours(24);
constexpr std::int64_t given_out_meanwhile = 1000;  // between asking for the numbers and closing LIVE

}  // namespace

std::string loaded_name(const std::string& live, const std::string& recovery) {
    return fmt::format("{}_from_{}", live, recovery);
}

std::string replaced_name(const std::string& live, const std::string& recovery) {
    return fmt::format("{}_before_{}", live, recovery);
}

Result<void> leave_databases(const std::string& state_directory, Recovery& recovery) {
    recovery.says = get_string(get(recovery.proof, "promotion"), "proof").value_or("");
    recovery.proof.erase("promotion");
    recovery.stage = Stage::recovered;
    return write_recovery(state_directory, recovery);
}

Exchange::Exchange(std::string state_directory, const Estate& estate, Recovery& recovery, const Target& target,
                   ExchangeOptions options)
    : state_(std::move(state_directory)),
      estate_(estate),
      recovery_(recovery),
      target_(target),
      options_(std::move(options)),
      live_(live_database(target, recovery)),
      from_(loaded_name(live_, recovery.name)),
      before_(replaced_name(live_, recovery.name)),
      loading_(fmt::format("{}_loading_{}", live_, recovery.name)) {}

void Exchange::tell(const std::string& step) const {
    if (options_.on_step) options_.on_step(step);
}

Result<void> Exchange::note(Stage stage, const std::string& says) {
    recovery_.stage = stage;
    recovery_.says = says;
    return write_recovery(state_, recovery_);
}

Result<void> Exchange::find_server() {
    if (server_) return {};
    backup::PostgresServer server = TRY(find_live_primary(target_, options_.stop));
    if (options_.region && *options_.region != server.region)
        return Error{Fault::refused,
                     fmt::format("{} takes writes in {}, not in {}", target_.name, server.region, *options_.region)};
    region_ = server.region;
    server_.emplace(std::move(server), live_, options_.stop);
    return {};
}

bool Exchange::replaces() const {
    return get_bool(get(recovery_.proof, "promotion"), "replaces").value_or(true);
}

Result<Exchange::Whereabouts> Exchange::whereabouts() {
    const std::set<std::string> there = TRY(server_->names());
    const bool live = there.contains(live_), from = there.contains(from_), before = there.contains(before_);
    const bool loads = get_bool(get(recovery_.proof, "promotion"), "loads").value_or(false);
    if (from && !before && live == replaces()) return Whereabouts::beside;
    if (live && !from && before == replaces() && is_exchanged(recovery_) && !loads) return Whereabouts::in_place;
    if (!from && !before) return Whereabouts::not_loaded;
    const auto is = [](bool exists) { return exists ? "there" : "not there"; };
    return Error{Fault::conflict,
                 fmt::format("which databases of {} are what is not clear: {} is {}, {} is {}, {} is {}", target_.name,
                             live_, is(live), from_, is(from), before_, is(before)),
                 "nothing was touched; a person has to look"};
}

Result<void> Exchange::require_free_names(const std::set<std::string>& there) const {
    for (const std::string& name : {loading_, before_, from_}) TRY(check_database_name(name));
    for (const std::string& name : {before_, from_})
        if (there.contains(name))
            return Error{Fault::refused, fmt::format("there is a database {} already, of an earlier recovery", name),
                         "recover under another name, or drop it"};
    return {};
}

Result<void> Exchange::check() {
    TRY(check_proved(recovery_));
    TRY(find_server());
    TRY(require_free_names(TRY(server_->names())));
    if (const std::int64_t major = TRY(server_->major()); major < recovery_.major)
        return Error{Fault::refused,
                     fmt::format("{} is of PostgreSQL {}, {} of {}: no older version takes what a newer "
                                 "one wrote",
                                 target_.name, major, recovery_.name, recovery_.major)};
    TRY(check_open());
    if (const std::string bound = TRY(server_->bound_by(live_)); !bound.empty())
        return Error{Fault::refused, fmt::format("{} cannot change its name: {} is bound to it", live_, bound),
                     "end what uses it, and begin it anew afterwards; or take tables back with kedge recover extract"};
    return {};
}

Result<std::string> Exchange::place() {
    TRY(find_server());
    const std::string what = fmt::format("{} of {}@{}", live_, target_.name, region_);
    if (TRY(server_->names()).contains(live_)) return fmt::format("{}, which would be kept as {}", what, before_);
    return what + ", where there is no database of that name now: nothing would be kept";
}

std::string Exchange::moving() const {
    return recovery_.directory + "/moving";
}

// For what is between the two servers, and, if production lies on this machine, for the rows in it.
Result<void> Exchange::check_space(const backup::PostgresServer& copy) const {
    const std::string sizes = TRY(
        backup::ask_postgres(copy,
                             "SELECT pg_database_size(current_database()), coalesce(sum(pg_total_relation_size(c.oid)) "
                             "FILTER (WHERE relkind = 'r' AND nspname !~ '^pg_' AND nspname <> 'information_schema'), "
                             "0) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace",
                             look_limit, options_.stop));
    const std::string data =
        TRY(backup::ask_postgres(server_->reached(loading_), "SHOW data_directory", look_limit, options_.stop));
    const char* const end = sizes.data() + sizes.size();
    std::uint64_t bytes = 0, of_tables = 0;
    const char* const tab = std::from_chars(sizes.data(), end, bytes).ptr;
    if (tab != end) std::from_chars(tab + 1, end, of_tables);
    TRY(verify::need_space(recovery_.directory, 2 * (bytes - std::min(of_tables, bytes))));
    return exists(data) ? verify::need_space(data, 2 * bytes) : Result<void>{};
}

// What the server sets aside for a foreign key's first check is meant for many sessions. Here a few check all of them:
// each may have an eighth of its buffers. lz4 packs long values much quicker than pglz, and a little larger; which of
// them it was, each value says itself.
Result<std::string> Exchange::to_load_by() const {
    const std::string kilobytes =
        TRY(backup::ask_postgres(server_->reached(loading_),
                                 "SELECT greatest(pg_size_bytes(current_setting('maintenance_work_mem')), "
                                 "pg_size_bytes(current_setting('shared_buffers')) / 8) / 1024",
                                 look_limit, options_.stop));
    return fmt::format("-c maintenance_work_mem={}kB{}", kilobytes.substr(0, kilobytes.find('\n')),
                       all_read_lz4(target_, options_.stop) ? " -c default_toast_compression=lz4" : "");
}

// The copy's own directory takes what is between the two servers.
Result<CopiedDatabase> Exchange::copy_over() const {
    const backup::PostgresServer copy = recovery_.server(), loading = server_->reached(loading_);
    TRY(remove_tree(moving()));
    TRY(check_space(copy));
    TRY(make_directories(moving()));
    const std::string settings = TRY(to_load_by());
    CopiedDatabase copied = TRY(copy_database(copy, loading,
                                              {.place = moving(),
                                               .settings = settings,
                                               .threads = options_.threads,
                                               .stop = options_.stop,
                                               .on_step = options_.on_step}));
    tell("analyzing");
    TRY(run_or_fail({loading.program("vacuumdb"), "-w", "--analyze-only", "--quiet",
                     fmt::format("--jobs={}", options_.threads), "--dbname=" + loading.connection},
                    within(loading_limit, options_.stop), {.environment = loading.environment}));
    return copied;
}

// Of the copy they were counted as they were read.
Result<void> Exchange::compare_counts(const CopiedDatabase& copied) const {
    tell("counting rows");
    const verify::TableRows loaded = verify::parse_counts(
        TRY(backup::ask_postgres(server_->reached(loading_), verify::count_queries, loading_limit, options_.stop)));
    for (const auto& [table, rows] : copied.rows)
        if (const auto found = loaded.find(table); found == loaded.end() || found->second != rows)
            return Error{Fault::corrupt,
                         fmt::format("{} has {} rows in the copy and {} in {}", table, rows,
                                     found == loaded.end() ? "none" : std::to_string(found->second), loading_)};
    return {};
}

Result<void> Exchange::load() {
    if (is_exchanged(recovery_)) {
        TRY(find_server());
        if (TRY(whereabouts()) != Whereabouts::not_loaded)
            return recovery_.stage == Stage::recovered ? note_loaded() : Result<void>{};
        if (recovery_.stage == Stage::promoted)
            return Error{Fault::conflict, recovery_.name + " was exchanged, and what was there before is gone"};
        TRY(reopen());
        recovery_.stage = Stage::recovered;
        recovery_.proof.erase("promotion");
    }
    TRY(check());
    // The ledger may have grown since.
    pass_gate(recovery_, estate_, options_.stop);
    TRY(write_recovery(state_, recovery_));
    TRY(check_usable(recovery_));
    const bool replaces = TRY(server_->names()).contains(live_);
    // Written down before there is anything of it in the server: whatever ends this, it is found and removed.
    Json& promotion = recovery_.proof["promotion"];
    promotion = {{"exchanges", live_}, {"replaces", replaces}, {"region", region_},        {"loaded", from_},
                 {"of", target_.name}, {"loads", true},        {"kept_database", before_}, {"proof", recovery_.says}};
    TRY(write_recovery(state_, recovery_));
    const auto copied = [&]() -> Result<CopiedDatabase> {
        TRY(server_->drop(loading_));
        TRY(server_->create(loading_, recovery_.server()));
        return copy_over();
    }();
    Result<void> loaded = copied ? compare_counts(*copied) : Result<void>(copied.error());
    TRY(remove_tree(moving()));
    if (!loaded) {
        // Why it failed is worth more than that something stayed behind, which the next attempt removes, or put_back.
        if (const auto gone = drop_loading(); !gone)
            return Error{loaded.error().fault, fmt::format("{}; {} stays behind: {}", loaded.error().message, loading_,
                                                           gone.error().message)};
        recovery_.proof.erase("promotion");
        TRY(write_recovery(state_, recovery_));
        return loaded;
    }
    if (replaces) TRY(move_sequences(loading_));
    // Written down before the name says so: what has that name later is known to be this one's.
    promotion.erase("loads");
    TRY(write_recovery(state_, recovery_));
    TRY(rename({{loading_, from_}}, ""));
    return note_loaded();
}

// Also where whoever loads was told to stop.
Result<void> Exchange::drop_loading() {
    return TRY(server_->after_failure()).drop(loading_);
}

Result<void> Exchange::note_loaded() {
    return note(Stage::prepared, fmt::format("it is loaded into {}@{} as {}; nothing has changed names yet",
                                             target_.name, region_, from_));
}

// refused if LIVE was closed by others: which numbers its sequences have given out could not be asked.
Result<void> Exchange::check_open() {
    if (was_closed() || !TRY(server_->names()).contains(live_) || TRY(server_->is_open(live_))) return {};
    return Error{Fault::refused,
                 fmt::format("{} lets nobody in, so which numbers its sequences have given out cannot be asked", live_),
                 fmt::format("with writes held: ALTER DATABASE {} ALLOW_CONNECTIONS true", sql_name(live_))};
}

// Behind what LIVE has given out. One that an earlier attempt has closed has given out none since that moved them.
Result<void> Exchange::move_sequences(const std::string& behind) {
    TRY(check_open());
    if (!TRY(server_->is_open(live_))) return {};
    const std::string answer = TRY(
        backup::ask_postgres(server_->reached(live_), sequences_query(given_out_meanwhile), look_limit, options_.stop));
    std::vector<SequenceNumber> numbers;
    for (std::size_t at = 0; at < answer.size();) {
        const std::size_t end = std::min(answer.find('\n', at), answer.size());
        const std::size_t tab = answer.rfind('\t', end);
        if (tab == std::string::npos || tab < at)
            return Error{Fault::corrupt, "where production's sequences stand cannot be read: " + answer};
        numbers.push_back({answer.substr(at, tab - at), answer.substr(tab + 1, end - tab - 1)});
        at = end + 1;
    }
    recovery_.proof["promotion"]["sequences"] =
        TRY(move_sequences_on(server_->reached(behind), behind, numbers, within(look_limit, options_.stop)));
    return {};
}

// The gate of the recovery was passed when it was loaded, which may be long ago.
Result<void> Exchange::take_out_erased_since() {
    if (!TRY(is_gate_outdated(recovery_, estate_))) return {};
    tell("taking out who was erased since");
    note_erased(recovery_, TRY(take_out_erased(server_->reached(from_), recovery_, estate_, options_.stop)));
    return {};
}

// What LIVE was before has stood still since. It serves again only without those who were erased meanwhile, and without
// giving out once more the numbers that LIVE has given out.
Result<void> Exchange::bring_up_to_date() {
    TRY(server_->open(before_));
    tell("taking out who was erased since");
    recovery_.proof["promotion"]["erasure"] =
        TRY(take_out_erased(server_->reached(before_), recovery_, estate_, options_.stop));
    return move_sequences(before_);
}

// After what was to serve again does not.
Error Exchange::keep_closed(Error error) {
    if (!replaces() || error.fault == Fault::outcome_unknown) return error;
    auto after = server_->after_failure();
    const Result<void> closed = after ? after->close(before_) : Result<void>(after.error());
    if (!closed) error.message += fmt::format("; and {} stays open: {}", before_, closed.error().message);
    return error;
}

// A lost answer says nothing of what became of them: the server is asked once more.
Result<void> Exchange::rename(const std::vector<Renaming>& renamings, const std::string& like) {
    auto renamed = server_->rename(renamings, like);
    if (renamed) return renamed;
    auto after = server_->after_failure();
    const auto there = after ? after->names() : Result<std::set<std::string>>(after.error());
    if (!there)
        return Error{Fault::outcome_unknown,
                     fmt::format("{}; whether the names have changed is not known: {}", renamed.error().message,
                                 there.error().message),
                     "the same command looks, and goes on"};
    return there->contains(renamings.front().to) ? Result<void>() : renamed;
}

bool Exchange::was_closed() const {
    return get_bool(get(recovery_.proof, "promotion"), "closed").value_or(false);
}

// Whoever looks into one of them is put out. If they cannot change, production is as it was. That LIVE is closed is
// written down first: whoever goes on, or takes it back, opens it.
Result<void> Exchange::change_names(const std::vector<Renaming>& renamings, const std::string& like) {
    recovery_.proof["promotion"]["closed"] = true;
    TRY(write_recovery(state_, recovery_));
    auto changed = [&]() -> Result<void> {
        TRY(server_->close(live_));
        TRY(server_->put_out(from_));
        return rename(renamings, like);
    }();
    if (changed) {
        recovery_.proof["promotion"].erase("closed");
        return changed;
    }
    if (changed.error().fault == Fault::outcome_unknown) return changed;
    const auto opened = [&]() -> Result<void> {
        TRY(TRY(server_->after_failure()).open(live_));
        recovery_.proof["promotion"].erase("closed");
        return write_recovery(state_, recovery_);
    }();
    if (!opened)
        return Error{changed.error().fault,
                     fmt::format("{}; and {} stays closed: {}", changed.error().message, live_, opened.error().message),
                     "the same command goes on; kedge recover put-back opens it"};
    return changed;
}

// LIVE, if an earlier attempt has closed it and did not come to open it.
Result<void> Exchange::reopen() {
    if (!was_closed()) return {};
    if (TRY(server_->names()).contains(live_)) TRY(server_->open(live_));
    recovery_.proof["promotion"].erase("closed");
    return write_recovery(state_, recovery_);
}

Result<void> Exchange::swap() {
    if (!is_exchanged(recovery_))
        return Error{Fault::refused,
                     fmt::format("{} is not loaded into the running server: it is {}", recovery_.name,
                                 to_string(recovery_.stage)),
                     fmt::format("kedge recover exchange {} --load", recovery_.name)};
    TRY(find_server());
    const Whereabouts where = TRY(whereabouts());
    if (where == Whereabouts::not_loaded)
        return Error{Fault::conflict, fmt::format("there is no database {}, into which it was loaded", from_)};
    if (where == Whereabouts::beside) {
        if (recovery_.stage == Stage::promoted)
            return Error{Fault::conflict, recovery_.name + " was exchanged, and is not where it was put"};
        TRY(take_out_erased_since());
        if (replaces()) {
            if (const std::string bound = TRY(server_->bound_by(live_)); !bound.empty())
                return Error{Fault::refused, fmt::format("{} cannot change its name: {} is bound to it", live_, bound)};
            TRY(move_sequences(from_));
            TRY(change_names({{live_, before_, false}, {from_, live_}}, before_));
        } else {
            TRY(rename({{from_, live_}}, ""));
        }
    }
    TRY(reopen());
    recovery_.proof["promotion"]["at"] = kedge::to_string(SystemClock{}.now());
    return note(Stage::promoted,
                replaces() ? fmt::format("it is {} of {}@{} now; what that was is kept as {}", live_, target_.name,
                                         region_, before_)
                           : fmt::format("it is {} of {}@{} now; there was none", live_, target_.name, region_));
}

Result<void> Exchange::put_back() {
    if (!is_exchanged(recovery_))
        return Error{Fault::refused, fmt::format("{} stands beside production", recovery_.name)};
    TRY(find_server());
    const Whereabouts where = TRY(whereabouts());
    if (where == Whereabouts::in_place) {
        // Written down first: what has served is not dropped by a second call.
        if (Json& promotion = recovery_.proof["promotion"]; !promotion.contains("at")) {
            promotion["at"] = kedge::to_string(SystemClock{}.now());
            recovery_.stage = Stage::promoted;
            TRY(write_recovery(state_, recovery_));
        }
        std::vector<Renaming> renamings{{live_, from_}};
        if (replaces()) renamings.push_back({before_, live_});
        const auto back = [&]() -> Result<void> {
            if (replaces()) TRY(bring_up_to_date());
            return change_names(renamings, "");
        }();
        if (!back) return keep_closed(back.error());
        return note(Stage::prepared,
                    fmt::format("{} is what it was before; {} has what was written meanwhile", live_, from_));
    }
    if (recovery_.proof["promotion"].contains("at"))
        return Error{Fault::refused, fmt::format("{} served as {}, and has what was written meanwhile", from_, live_),
                     fmt::format("take from it what is worth it; kedge recover discard {} removes it", recovery_.name)};
    TRY(reopen());
    TRY(server_->drop(loading_));
    if (where == Whereabouts::beside) TRY(server_->drop(from_));
    return leave_databases(state_, recovery_);
}

Result<void> Exchange::remove_databases() {
    if (!is_exchanged(recovery_)) return {};
    TRY(find_server());
    const Whereabouts where = TRY(whereabouts());
    // It is the only copy of what was written since the point.
    if (where == Whereabouts::in_place && recovery_.stage != Stage::promoted)
        return Error{Fault::conflict,
                     fmt::format("{} has the name {} already, and that was not written down", recovery_.name, live_),
                     fmt::format("kedge recover exchange {0}, or kedge recover put-back {0}", recovery_.name)};
    TRY(reopen());
    TRY(server_->drop(loading_));
    if (where == Whereabouts::beside) TRY(server_->drop(from_));
    if (where == Whereabouts::in_place && replaces()) TRY(server_->drop(before_));
    return leave_databases(state_, recovery_);
}

}  // namespace kedge::recover
