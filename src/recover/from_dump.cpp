#include "recover/from_dump.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>

#include "backup/shelf.h"
#include "base/check.h"
#include "os/clock.h"
#include "os/files.h"
#include "recover/gate.h"
#include "recover/instance.h"
#include "recover/load_dump.h"
#include "verify/files/examine.h"
#include "verify/manifest/block_manifest.h"
#include "verify/restore/restored_rows.h"

namespace kedge::recover {
namespace {

using namespace std::chrono_literals;
using verify::DumpForm;
using verify::OwnPostgres;

constexpr Span analyze_limit = std::chrono::hours(24), globals_limit = 10min;
// Rows and indexes take more than the text that they come from.
constexpr std::uint64_t growth = 3;
constexpr std::uint64_t working_bytes = std::uint64_t{1} << 30;

std::optional<DumpForm> form_of(verify::Shape shape) {
    switch (shape) {
        case verify::Shape::custom_dump: return DumpForm::custom;
        case verify::Shape::tar_dump: return DumpForm::tar;
        case verify::Shape::directory_dump: return DumpForm::directory;
        default: return std::nullopt;
    }
}

// Reads the dump into `choice`; why it cannot be used, or nothing.
Result<std::optional<std::string>> examine(const std::string& path, DumpChoice& choice, const ChooseOptions& options) {
    verify::Effort effort{.threads = options.threads};
    const std::stop_callback on_stop(options.stop, [&] { effort.stop = true; });
    verify::ExaminedPath examined = TRY(verify::examine_path(path, {.now = options.now}, effort));
    if (examined.backups.size() != 1) return std::optional<std::string>("it is no dump");
    verify::ExaminedBackup& backup = examined.backups.front();
    const auto form = form_of(backup.shape);
    if (!form || backup.is_packed) return std::optional<std::string>("it is no dump that pg_restore takes as it is");
    for (const verify::Finding& finding : backup.examination.findings.kept())
        if (finding.weight == verify::Weight::damage) return std::optional(finding.says);
    const auto major = verify::major_of(get_string(backup.examination.facts, "server_version").value_or(""));
    if (!major) return std::optional<std::string>("it does not say from which version it is");
    choice.path = path;
    choice.form = *form;
    choice.major = *major;
    choice.taken = backup.examination.taken;
    choice.examination = std::move(backup.examination);
    const std::string globals = path + std::string(verify::globals_suffix);
    if (exists(globals)) choice.globals = globals;
    return std::optional<std::string>();
}

// Roles and their settings. What would make tablespaces, somewhere outside, is left out.
std::string roles_in(const std::string& globals) {
    std::string kept;
    for (std::size_t at = 0; at < globals.size();) {
        const std::size_t end = std::min(globals.find('\n', at), globals.size());
        const std::string_view line = std::string_view(globals).substr(at, end - at);
        if (line.find(" TABLESPACE ") == std::string_view::npos) kept.append(line).append("\n");
        at = end + 1;
    }
    return kept;
}

// Errors but those that say that a role is there already; empty if there are none.
std::string first_real_error(const std::string& errors) {
    for (std::size_t at = 0; at < errors.size();) {
        const std::size_t end = std::min(errors.find('\n', at), errors.size());
        std::string line = errors.substr(at, end - at);
        if (line.find("ERROR:") != std::string::npos && line.find("already exists") == std::string::npos) return line;
        if (line.find("FATAL:") != std::string::npos) return line;
        at = end + 1;
    }
    return {};
}

class Restoring {
public:
    Restoring(const std::string& state_directory, Recovery& recovery, DumpChoice& choice, const Estate& estate,
              const RestoreBesideOptions& options)
        : state_(state_directory),
          recovery_(recovery),
          choice_(choice),
          estate_(estate),
          options_(options),
          excluded_(excluded_from(estate, recovery.target)) {}

    Result<void> run() {
        const Moment begun = SystemClock{}.now();
        recovery_.stage = Stage::working;
        recovery_.major = choice_.major;
        if (const auto named = get_string(choice_.examination.facts, "database")) recovery_.database = *named;
        const Instance instance = TRY(Instance::of(recovery_, choice_.major, options_.stop));
        TRY(tell("preparing"));
        TRY(instance.make_directory(recovery_, bytes_needed()));
        const OwnPostgres loading = TRY(OwnPostgres::start(recovery_.directory, choice_.major, instance.owner(),
                                                           options_.stop, Instance::loading_settings()));
        TRY(restore_globals(loading));
        filtered_ = TRY(load_dump(
            loading,
            {.path = choice_.path,
             .form = choice_.form,
             .database = recovery_.database,
             .has_owners = !choice_.globals.empty()},
            excluded_, {.threads = options_.threads, .stop = options_.stop, .on_step = [this](const std::string& step) {
                            return tell(step);
                        }}));
        const Moment loaded = SystemClock{}.now();
        TRY(tell("counting rows"));
        TRY(add_up(loading));
        TRY(tell("analyzing"));
        TRY(analyze(loading));
        TRY(tell("syncing"));
        TRY(instance.stop_server());
        const OwnPostgres postgres = TRY(instance.start_durable(""));
        prove(TRY(instance.heartbeat(postgres, recovery_, estate_)));
        const Span took = SystemClock{}.now() - begun;
        TRY(note_pace(state_, Work::dump, data_bytes(), took));
        recovery_.proof["took_seconds"] = seconds(took);
        recovery_.proof["load_seconds"] = seconds(loaded - begun);
        return {};
    }

private:
    Result<void> tell(const std::string& step) {
        if (options_.on_step) options_.on_step(step);
        recovery_.says = step;
        return write_recovery(state_, recovery_);
    }

    std::uint64_t data_bytes() const {
        return static_cast<std::uint64_t>(get_integer(choice_.examination.facts, "data_bytes").value_or(0));
    }
    std::uint64_t bytes_needed() const { return data_bytes() * growth + working_bytes; }

    Result<void> restore_globals(const OwnPostgres& postgres) {
        if (choice_.globals.empty()) return {};
        TRY(tell("restoring roles"));
        const std::string roles = roles_in(TRY(read_file(choice_.globals)));
        const RunOutput output = TRY(kedge::run({postgres.program("psql"), "-X", "-q", "-h",
                                                 postgres.socket_directory(), "-U", "postgres", "-d", "postgres"},
                                                within(globals_limit, options_.stop), {.input = roles}));
        if (const std::string error = first_real_error(output.err); !error.empty())
            return Error{Fault::corrupt, fmt::format("{}: {}", choice_.globals, error)};
        if (!output.exit.ok()) return Error{Fault::unavailable, verify::first_error(output.err)};
        return {};
    }

    // Every row of the dump is there or was filtered. Where rows were, what does not add up is no recovery.
    Result<void> add_up(const OwnPostgres& postgres) {
        const verify::TableRows counts = TRY(verify::count_rows(postgres, recovery_.database, options_.stop));
        all_rows_are_there_ = verify::compare_rows(counts, choice_.examination, filtered_.rows);
        if (all_rows_are_there_ || !filtered_.says.empty()) return {};
        return Error{Fault::corrupt, choice_.examination.findings.kept().back().says + "; the others were filtered"};
    }

    // A dump brings no statistics: without them the first queries are as slow as an outage.
    Result<void> analyze(const OwnPostgres& postgres) const {
        TRY(run_or_fail({postgres.program("vacuumdb"), "-h", postgres.socket_directory(), "-U", "postgres", "-Z", "-q",
                         "-j", std::to_string(options_.threads), "-d", recovery_.database},
                        within(analyze_limit, options_.stop)));
        return {};
    }

    // Counts, and who: nobody's id.
    Json filtered_as_json() const {
        if (!filtered_.says.empty()) return {{"says", filtered_.says}};
        return {{"ledger_head", excluded_.ledger_head},
                {"subjects", excluded_.subjects.size()},
                {"rows", filtered_.rows},
                {"changed", filtered_.changed}};
    }

    void prove(Json heartbeat) {
        const verify::Examination& examination = choice_.examination;
        const bool fits = all_rows_are_there_;
        const auto rows = get_integer(examination.facts, "restored_rows").value_or(0);
        const auto tables = get_integer(examination.facts, "restored_tables").value_or(0);
        recovery_.proof = {{"proved", kedge::to_string(truth(fits))},
                           {"rows", rows},
                           {"tables", tables},
                           {"taken", choice_.taken ? Json(kedge::to_string(*choice_.taken)) : Json()},
                           {"heartbeat", std::move(heartbeat)},
                           {"filtered", filtered_as_json()}};
        std::uint64_t left_out = 0;
        for (const auto& [table, count] : filtered_.rows) left_out += count;
        if (fits)
            recovery_.says = fmt::format(
                "{} rows in {} tables, as many as were counted in the dump{}; nothing that was "
                "written after {} is in it",
                rows, tables, left_out > 0 ? fmt::format(" without {} of erased people", left_out) : "",
                choice_.taken ? kedge::to_string(*choice_.taken) : "it was taken");
        else
            recovery_.says = examination.findings.kept().back().says;
    }

    const std::string& state_;
    Recovery& recovery_;
    DumpChoice& choice_;
    const Estate& estate_;
    const RestoreBesideOptions& options_;
    const Excluded excluded_;
    Filtered filtered_;
    bool all_rows_are_there_ = false;
};

}  // namespace

Json as_json(const DumpChoice& choice) {
    Json json{{"possible", !choice.path.empty()}, {"says", choice.says}, {"passed_over", as_json(choice.passed_over)}};
    if (choice.path.empty()) return json;
    json["dump"] = choice.path;
    json["taken"] = choice.taken ? Json(kedge::to_string(*choice.taken)) : Json();
    json["globals"] = !choice.globals.empty();
    json["rows"] = get(choice.examination.facts, "rows");
    return json;
}

Result<const BackupPolicy*> dump_policy(const Estate& estate, const std::string& target,
                                        const std::optional<std::string>& name) {
    return only_policy(estate, BackupKind::dump, target, name);
}

Result<DumpChoice> choose_dump(const Estate& estate, const BackupPolicy& policy, const DumpWanted& wanted,
                               const ChooseOptions& options) {
    const backup::Shelves dumps = TRY(backup::look_at_shelves(estate, policy, options.now));
    DumpChoice choice;
    for (const backup::StoredBackup& stored : dumps.backups) {
        if (wanted.name && stored.name != *wanted.name) continue;
        if (wanted.before && (!stored.taken || *stored.taken > *wanted.before)) continue;
        if (options.on_step) options.on_step("reading " + stored.name);
        const auto why_not = TRY(examine(stored.path, choice, options));
        if (!why_not) {
            choice.says = "from " + stored.path;
            return choice;
        }
        choice.passed_over.push_back({stored.path, *why_not});
    }
    if (wanted.name && choice.passed_over.empty())
        return Error{Fault::not_found, fmt::format("{} has no dump called `{}`", policy.name, *wanted.name)};
    const std::string when = wanted.before ? " of no later than " + kedge::to_string(*wanted.before) : "";
    choice.says = choice.passed_over.empty() ? fmt::format("there is no dump{} in {}", when, dumps.where)
                                             : "no dump is sound; the newest: " + choice.passed_over.front().why;
    return choice;
}

Result<void> restore_beside(const std::string& state_directory, Recovery& recovery, DumpChoice& choice,
                            const Estate& estate, const RestoreBesideOptions& options) {
    check(!choice.path.empty(), "only a dump that was chosen is restored");
    const Result<void> made = Restoring(state_directory, recovery, choice, estate, options).run();
    return finish(state_directory, recovery, made, estate, options.stop);
}

}  // namespace kedge::recover
