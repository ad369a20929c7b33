// recover compare, extract: what a recovered database and the live one differ in, and bringing tables or rows back.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "cli/commands.h"
#include "cli/finding.h"
#include "cli/progress.h"
#include "cli/recover_tables_view.h"
#include "recover/gate.h"
#include "recover/live_server.h"
#include "recover/recovery.h"
#include "verify/effort.h"

namespace kedge {
namespace {

struct CompareTables {
    std::string name;
    std::vector<std::string> tables;
    std::int64_t keys = 0;
    std::optional<std::string> region;
    std::string key;
    Span limit = std::chrono::hours{1};
};

struct ExtractTables {
    std::string name;
    std::vector<std::string> tables, wheres;
    std::string on_conflict = "stop", confirm;
    bool dry_run = false;
    Span lock_limit = std::chrono::seconds{5};
    Span limit = std::chrono::hours{1};
};

enum class Use { looked_at, taken_from, brought_back };

// A recovery that may be used, held while it is, and the target of the estate that it is of.
struct TablesGround {
    Estate estate;
    std::string state;
    recover::Recovery recovery;
    LockFile lock;

    const Target& target() const { return *estate.target(recovery.target); }
};

Result<TablesGround> ground_of(const Context& context, const std::string& name, Use use) {
    const std::string state = TRY(find_state_directory(context));
    TRY(recover::find_recovery(state, name));
    LockFile lock = TRY(recover::lock_recovery(state, name));
    Estate estate = TRY(find_estate(context));
    recover::Recovery recovery = TRY(recover::find_recovery(state, name));
    TablesGround ground{std::move(estate), state, std::move(recovery), std::move(lock)};
    const Target* const target = ground.estate.target(ground.recovery.target);
    if (target == nullptr)
        return Error{Fault::not_found, fmt::format("the estate has no target `{}`", ground.recovery.target)};
    if (use == Use::brought_back) TRY(ground.estate.require_armed(*target));
    TRY(recover::check_usable(ground.recovery));
    if (ground.recovery.is_cache()) return Error{Fault::refused, fmt::format("{} is a cache: it has no tables", name)};
    // The ledger may have grown since: whoever was erased meanwhile must not go back to production.
    if (use != Use::looked_at) {
        recover::pass_gate(ground.recovery, ground.estate, {});
        TRY(recover::write_recovery(state, ground.recovery));
        TRY(recover::check_usable(ground.recovery));
    }
    return ground;
}

std::string words_of(const backup::PostgresServer& server) {
    return fmt::format("the {} in {}", server.is_standby ? "standby" : "primary", server.region);
}

ExitCode compare_tables(Context& context, const CompareTables& options) {
    Console& console = context.console();
    constexpr const char* failed = "not compared";
    const auto ground = ground_of(context, options.name, Use::looked_at);
    if (!ground) return console.fail(failed, ground.error());
    context.around().catch_interrupt();
    verify::Effort effort;
    std::string with;
    const Result<recover::Comparison> comparison = [&]() -> Result<recover::Comparison> {
        Progress progress(context, effort);
        const auto live = TRY(backup::find_postgres(ground->target(), options.region, progress.stop_token()));
        with = words_of(live);
        const std::string database = recover::live_database(ground->target(), ground->recovery);
        if (!TRY(backup::has_database(live, database, progress.stop_token())))
            return recover::Comparison{.live = database, .live_is_gone = true};
        return recover::compare(ground->recovery.server(), live,
                                {.tables = options.tables,
                                 .keys_max = static_cast<std::size_t>(options.keys),
                                 .limit = options.limit,
                                 .stop = progress.stop_token(),
                                 .on_table = [&](const std::string& table) { progress.begin(table, 0); }});
    }();
    if (context.around().interrupted()) return ExitCode::interrupted;
    if (!comparison) return console.fail(failed, comparison.error());
    if (!options.key.empty()) {
        recover::Recovery recovery = ground->recovery;
        recovery.comparison = differences(*comparison, with);
        recovery.comparison["key"] = options.key;
        if (const auto kept = recover::write_recovery(ground->state, recovery); !kept)
            return console.fail(failed, kept.error());
    }
    if (console.json())
        console.print_item("TableComparison", as_json(*comparison, with));
    else
        console.print(rendered(*comparison, with, console.out()));
    return comparison->equal() ? ExitCode::ok : ExitCode::negative;
}

Result<std::vector<recover::Chosen>> chosen_of(const ExtractTables& options) {
    if (options.tables.empty()) return Error{Fault::invalid_input, "--table is missing"};
    if (!options.wheres.empty() && options.wheres.size() != options.tables.size())
        return Error{
            Fault::invalid_input,
            fmt::format("--where is given {} times for {} tables", options.wheres.size(), options.tables.size()),
            "give one for each --table, in the same order; 'true' takes all rows"};
    std::vector<recover::Chosen> chosen;
    for (std::size_t i = 0; i < options.tables.size(); ++i)
        chosen.push_back({options.tables[i], options.wheres.empty() ? "" : options.wheres[i]});
    return chosen;
}

recover::OnConflict on_conflict_of(const std::string& text) {
    if (text == "keep") return recover::OnConflict::keep;
    return text == "replace" ? recover::OnConflict::replace : recover::OnConflict::stop;
}

// Once, with the primary of that moment.
Result<recover::Extraction> extract_once(Context& context, const TablesGround& ground,
                                         recover::ExtractOptions options) {
    verify::Effort effort;
    Progress progress(context, effort);
    options.stop = progress.stop_token();
    options.on_step = [&](const std::string& step) { progress.begin(step, 0); };
    const auto live = TRY(recover::find_live_primary(ground.target(), options.stop));
    return recover::extract(ground.recovery.server(), live, options);
}

ExitCode tell(Console& console, const recover::Extraction& extraction) {
    if (console.json())
        console.print_item("Extraction", as_json(extraction));
    else
        console.print(rendered(extraction, console.out()));
    return extraction.end == recover::ExtractEnd::conflicts ? ExitCode::refused : ExitCode::ok;
}

ExitCode fail_extraction(Context& context, const Error& error) {
    if (context.around().interrupted() && error.fault != Fault::outcome_unknown) return ExitCode::interrupted;
    return context.console().fail(error.fault == Fault::outcome_unknown ? "it is not known whether it was brought back"
                                                                        : "nothing was brought back",
                                  error);
}

ExitCode extract_tables(Context& context, const ExtractTables& options) {
    Console& console = context.console();
    const auto chosen = chosen_of(options);
    if (!chosen) return console.fail_usage(chosen.error());
    const auto ground = ground_of(context, options.name, options.dry_run ? Use::taken_from : Use::brought_back);
    if (!ground) return fail_extraction(context, ground.error());
    context.around().catch_interrupt();
    recover::ExtractOptions extracting{.chosen = *chosen,
                                       .on_conflict = on_conflict_of(options.on_conflict),
                                       .dry_run = true,
                                       .lock_limit = options.lock_limit,
                                       .limit = options.limit};
    // Nobody is there who could agree to what a preview shows: production is not locked for one.
    const bool asks = options.confirm.empty() && context.may_ask();
    if (options.dry_run || asks) {
        const auto preview = extract_once(context, *ground, extracting);
        if (!preview) return fail_extraction(context, preview.error());
        if (options.dry_run || preview->end == recover::ExtractEnd::conflicts) return tell(console, *preview);
        if (!console.json()) console.print(rendered(*preview, console.out()));
        console.flush();
        extracting.expected = preview->tables;
    }
    if (const auto yes = context.confirm(options.confirm, options.name,
                                         fmt::format("Type the recovery's name, {}, to do this in the live {}:",
                                                     options.name, ground->recovery.target),
                                         "look with --dry-run, then ");
        !yes)
        return fail_extraction(context, yes.error());
    extracting.dry_run = false;
    const auto done = extract_once(context, *ground, extracting);
    if (!done) return fail_extraction(context, done.error());
    return tell(console, *done);
}

}  // namespace

std::vector<Command> recover_data_commands() {
    return {
        command("recover compare", "Show what a recovered database and the live one differ in", compare_tables)
            .argument("NAME", &CompareTables::name, "the recovery")
            .option("table", "TABLE", &CompareTables::tables, "only this one; may be given again")
            .option("keys", "NUMBER", &CompareTables::keys, "also the keys of so many rows of each kind")
            .option("from", "REGION", &CompareTables::region,
                    "compare with the copy there, else with a standby that answers")
            .option("limit", "SPAN", &CompareTables::limit, "how long one table may take; 1h if not given")
            .option("key", "KEY", &CompareTables::key, "who asks, if it is the step of a run")
            .details("By table: rows that only the recovered has, that only live has, that differ, and that are the "
                     "same, by key and by all columns that both have. Rows of tables without a key are compared by "
                     "content. Exit 15 if anything differs but what sequences have given out.")
            .example("kedge recover compare before-the-import")
            .example("kedge recover compare before-the-import --table orders --keys 20")
            .exits({ExitCode::invalid_input, ExitCode::not_found, ExitCode::conflict, ExitCode::refused,
                    ExitCode::negative}),
        command("recover extract", "Bring tables or rows of a recovered database back into the live one",
                extract_tables)
            .argument("NAME", &ExtractTables::name, "the recovery")
            .option("table", "TABLE", &ExtractTables::tables, "the table; may be given again")
            .option("where", "SQL", &ExtractTables::wheres, "which of its rows; one for each --table, in order")
            .option("on-conflict", "WAY", &ExtractTables::on_conflict, "what to do with rows that live has otherwise")
            .choices({"stop", "keep", "replace"})
            .option("lock-limit", "SPAN", &ExtractTables::lock_limit, "how long to wait for a lock; 5s if not given")
            .option("limit", "SPAN", &ExtractTables::limit, "how long all of it may take; 1h if not given")
            .flag("dry-run", &ExtractTables::dry_run, "do all of it and roll back")
            .option("confirm", "NAME", &ExtractTables::confirm, "the recovery's name again: do it")
            .details("One transaction of the live primary: rows that live lacks, the rows that they refer to, dropped "
                     "tables with all that belongs to them; triggers do not fire, sequences go on behind what was "
                     "brought. The tables are locked against writers meanwhile, in a dry run too.")
            .example("kedge recover extract before-the-import --table orders --dry-run")
            .example("kedge recover extract before-the-import --table orders --where customer=17")
            .example("kedge recover extract monday --table orders --confirm monday")
            .exits({ExitCode::invalid_input, ExitCode::not_found, ExitCode::not_allowed, ExitCode::conflict,
                    ExitCode::refused, ExitCode::outcome_unknown}),
    };
}

}  // namespace kedge
