#include "verify/restore/base_restore.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "os/files.h"
#include "verify/figures.h"
#include "verify/restore/own_postgres.h"
#include "verify/restore/restored_rows.h"

namespace kedge::verify {
namespace {

constexpr Span recovery_limit = std::chrono::hours(24);

// Words of a server that say that this machine lacks something, not that the backup is bad.
constexpr std::array<std::string_view, 6> lacks = {
    "locale",        "could not access file",          "could not load library",
    "No space left", "could not create shared memory", "role \"postgres\" does not exist"};

class BaseRestoration {
public:
    BaseRestoration(const BaseRestore& what, Examination& examination, const RestoreOptions& options)
        : what_(what), examination_(examination), options_(options) {}

    Result<void> run() {
        step("looking through the backup");
        const std::optional<Login> owner = TRY(postgres_owner());
        const Result<BaseLook> look = look_at_base(what_.from, owner, options_.stop);
        if (!look) return tell_broken(look.error());
        const std::optional<int> major = known_major(look->version);
        if (!major) return {};
        const Workplace workplace = TRY(Workplace::open(options_.place, look->bytes, owner));
        const std::string data = workplace.path() + "/data";
        const Result<void> copied =
            copy_base_backup(what_.from, data, owner, options_.stop, options_.on_step, look->bytes);
        if (!copied) return tell_broken(copied.error());
        if (TRY(copy_makes_tablespaces(what_.from, data, owner, options_.threads, options_.stop))) {
            unproved("its log makes a tablespace, which a server on this machine would make where the original is");
            return {};
        }
        step("recovering to " + to_string(what_.to));
        const Result<OwnPostgres> postgres = OwnPostgres::start_on_copy(
            workplace.path(),
            {.major = *major, .owner = owner, .settings = recovery_settings(what_.to), .limit = recovery_limit},
            options_.stop);
        if (!postgres) return tell_refusal(postgres.error());
        return examine(*postgres, *major);
    }

private:
    void step(const std::string& says) const {
        if (options_.on_step) options_.on_step(says);
    }
    void unproved(const std::string& why) { examination_.unproved.push_back("that a server takes it: " + why); }

    std::optional<int> known_major(const std::string& version) {
        const std::optional<int> major = major_of(version);
        if (!major)
            unproved("its PG_VERSION names no version");
        else if (!has_postgres(*major))
            unproved(fmt::format("PostgreSQL {} is not on this machine", *major));
        else
            return major;
        return std::nullopt;
    }

    Result<void> tell_broken(const Error& error) {
        if (error.fault != Fault::corrupt) return error;
        examination_.findings.add(
            {Weight::damage, "restore-refused", "it cannot be unpacked: " + error.message, {}, {}});
        return {};
    }

    Result<void> tell_refusal(const Error& error) {
        if (error.fault != Fault::corrupt) return error;
        const bool lacking = std::ranges::any_of(
            lacks, [&](std::string_view word) { return error.message.find(word) != std::string::npos; });
        examination_.findings.add({lacking ? Weight::doubt : Weight::damage,
                                   lacking ? "restore-impossible" : "restore-refused",
                                   "PostgreSQL of our own did not recover from it: " + error.message,
                                   {},
                                   {}});
        return {};
    }

    Result<void> examine(const OwnPostgres& postgres, int major) {
        take_last_transaction(postgres.log());
        step("counting rows");
        std::uint64_t rows = 0, tables = 0;
        const std::string names = TRY(postgres.query(
            "postgres", "SELECT datname FROM pg_database WHERE datallowconn AND datname <> 'template1' ORDER BY 1",
            answer_limit, options_.stop));
        for (std::size_t at = 0; at < names.size();) {
            const std::size_t end = std::min(names.find('\n', at), names.size());
            const std::string database = names.substr(at, end - at);
            at = end + 1;
            for (const auto& [table, count] : TRY(count_rows(postgres, database, options_.stop))) {
                examination_.contents.push_back({"table", database + "." + table, count, {}});
                rows += count;
                ++tables;
            }
        }
        examination_.facts["restored_rows"] = rows;
        examination_.facts["restored_tables"] = tables;
        step("checking with pg_amcheck");
        TRY(check_tables_and_indexes(postgres, {"--all"}, examination_, options_));
        if (examination_.findings.any(Weight::damage)) return {};
        examination_.proofs.push_back(
            {Rung::restored,
             fmt::format("PostgreSQL {} of our own recovered from it{}: {} with {}{}", major, where_it_ended(),
                         counted(tables, "table"), counted(rows, "row"),
                         examination_.facts.contains("amcheck") ? "; pg_amcheck found nothing wrong" : "")});
        return {};
    }

    std::string where_it_ended() const {
        return what_.to.kind == RecoveryTarget::Kind::consistent ? " until it was consistent"
                                                                 : " to " + to_string(what_.to);
    }

    void take_last_transaction(const std::string& log) {
        if (const auto moment = last_transaction(log))
            examination_.facts["last_transaction_us"] = moment->time_since_epoch().count();
    }

    const BaseRestore& what_;
    Examination& examination_;
    const RestoreOptions& options_;
};

}  // namespace

Result<void> restore_base_backup(const BaseRestore& what, Examination& examination, const RestoreOptions& options) {
    return BaseRestoration(what, examination, options).run();
}

}  // namespace kedge::verify
