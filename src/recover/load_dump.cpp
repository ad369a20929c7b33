#include "recover/load_dump.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>

#include "backup/servers.h"
#include "erasure/ledger.h"
#include "os/files.h"
#include "os/process.h"
#include "recover/load_rows.h"
#include "verify/dump/files.h"
#include "verify/files/file_source.h"
#include "verify/files/member_files.h"

namespace kedge::recover {
namespace {

using namespace std::chrono_literals;
using verify::DumpForm;
using verify::OwnPostgres;
using verify::TableTexts;

constexpr Span load_limit = std::chrono::hours(24), database_limit = 10min;
// Beside the dump's own: all that it defines, and no rows, to find out what refers to what. Gone before rows are
// loaded.
constexpr const char* definitions_database = "kedge_definitions";

// A dump that is open for as long as its texts are read.
struct OpenDump {
    verify::Effort effort;
    std::unique_ptr<verify::FileSource> file;
    std::optional<TableTexts> texts;
};

Result<std::unique_ptr<OpenDump>> open_dump(const DumpToLoad& dump) {
    auto open = std::make_unique<OpenDump>();
    const std::size_t files_max = verify::Limits{}.objects_max;
    if (dump.form == DumpForm::directory) {
        open->texts =
            TRY(TableTexts::of_files(TRY(verify::members_below(dump.path, files_max, open->effort)), open->effort));
        return open;
    }
    open->file = TRY(verify::FileSource::open(dump.path, open->effort));
    if (dump.form == DumpForm::custom) {
        open->texts = TRY(TableTexts::of_custom(*open->file, open->effort));
        return open;
    }
    const verify::TarIndex index = TRY(verify::index_tar(*open->file, files_max));
    open->texts = TRY(TableTexts::of_files(verify::tar_members(index, *open->file), open->effort));
    return open;
}

class DumpLoading {
public:
    DumpLoading(const OwnPostgres& server, const DumpToLoad& dump, const Excluded& excluded,
                const LoadDumpOptions& options)
        : server_(server), dump_(dump), excluded_(excluded), options_(options) {}

    Result<Filtered> run() {
        const auto open = TRY(open_dump(dump_));
        FilterPlan plan = TRY(make_plan(*open->texts));
        TRY(tell("making the tables"));
        // The dump makes its database; of that name there is one in every new cluster.
        if (dump_.database == "postgres")
            TRY(server_.query("template1", "DROP DATABASE postgres", database_limit, options_.stop));
        TRY(pg_restore({"-d", "template1", "-C", "--section=pre-data"}));
        TRY(tell("loading rows"));
        LoadedRows loaded = TRY(load(*open->texts, plan));
        TRY(tell("building indexes and keys"));
        Arguments words = {"-d", dump_.database, "--section=post-data"};
        if (!loaded.built.empty()) {
            std::vector<std::int64_t> left;
            for (const std::int64_t id : open->texts->behind())
                if (!loaded.built.contains(id)) left.push_back(id);
            words.insert(words.end(), {"-L", TRY(write_list("left", left))});
        }
        // A tar cannot be read by several at once.
        if (dump_.form != DumpForm::tar && options_.threads > 1)
            words.insert(words.end(), {"-j", std::to_string(options_.threads)});
        TRY(pg_restore(words));
        return Filtered{plan.why_not, std::move(loaded.dropped), std::move(loaded.changed), loaded.built.size()};
    }

private:
    Result<void> tell(const std::string& step) const {
        return options_.on_step ? options_.on_step(step) : Result<void>{};
    }

    Result<void> pg_restore(const Arguments& what) const { return pg_restore(what, options_.stop); }
    Result<void> pg_restore(const Arguments& what, const std::stop_token& stop,
                            const Environment& environment = {}) const {
        Arguments words = {server_.program("pg_restore"),
                           "-h",
                           server_.socket_directory(),
                           "-U",
                           "postgres",
                           "-e",
                           "--no-tablespaces"};
        // Without the roles nothing could be given to them.
        if (!dump_.has_owners) words.insert(words.end(), {"--no-owner", "--no-privileges"});
        words.insert(words.end(), what.begin(), what.end());
        words.push_back(dump_.path);
        const RunOutput output = TRY(kedge::run(words, within(load_limit, stop), {.environment = environment}));
        if (output.exit.ok()) return {};
        return Error{Fault::corrupt, "pg_restore stopped: " + verify::first_error(output.err)};
    }

    Result<FilterPlan> make_plan(const TableTexts& texts) const {
        FilterPlan plan;
        plan.why_not = excluded_.says;
        if (excluded_.map == nullptr || excluded_.subjects.empty()) return plan;
        TRY(tell("holding the erasure map against the dump"));
        TRY(server_.query("template1", fmt::format("CREATE DATABASE {} TEMPLATE template0", definitions_database),
                          database_limit, options_.stop));
        TRY(pg_restore({"-d", definitions_database, "-s", "--no-owner", "--no-privileges", "--no-comments",
                        "--no-publications", "--no-subscriptions", "--no-security-labels"}));
        const backup::PostgresServer definitions{
            .region = "",
            .connection =
                fmt::format("host={} user=postgres dbname={}", server_.socket_directory(), definitions_database),
            .environment = {},
            .programs = server_.program("").substr(0, server_.program("").size() - 1)};
        plan = TRY(plan_filter(definitions, *excluded_.map, excluded_.subjects, texts, options_.stop));
        TRY(server_.query("template1", fmt::format("DROP DATABASE {}", definitions_database), database_limit,
                          options_.stop));
        return plan;
    }

    // The rows, and beside them what else the dump's section of data holds. The first that fails ends the other.
    Result<LoadedRows> load(const TableTexts& texts, FilterPlan& plan) const {
        std::stop_source stop;
        const std::stop_callback on_stop(options_.stop, [&] { stop.request_stop(); });
        Result<void> others;
        std::jthread beside([&] {
            others = load_others(texts, stop.get_token());
            if (!others) stop.request_stop();
        });
        auto loaded = load_rows(
            fmt::format("host={} user=postgres dbname={}", server_.socket_directory(), dump_.database), texts, plan,
            {.threads = options_.threads,
             .until = within(load_limit, stop.get_token()),
             .build = [&](std::int64_t key, const std::stop_token& called_off) { return build(key, called_off); },
             .worth_building = options_.worth_building});
        if (!loaded) stop.request_stop();
        beside.join();
        const bool was_ended = loaded.has_value() || loaded.error().fault == Fault::unavailable ||
                               loaded.error().fault == Fault::outcome_unknown;
        if (!others && was_ended) return others.error();
        return loaded;
    }

    Result<void> load_others(const TableTexts& texts, const std::stop_token& stop) const {
        if (texts.others().empty()) return {};
        const std::string list = TRY(write_list("other-data", texts.others()));
        return pg_restore({"-d", dump_.database, "--section=data", "-L", list}, stop);
    }

    // By one process: the rows that are loaded meanwhile are what everybody waits for.
    Result<void> build(std::int64_t key, const std::stop_token& stop) const {
        const std::string list = TRY(write_list(fmt::format("key-{}", key), {key}));
        TRY(pg_restore({"-d", dump_.database, "--section=post-data", "-L", list}, stop,
                       {"PGOPTIONS=-c max_parallel_maintenance_workers=0"}));
        std::error_code failed;
        std::filesystem::remove(list, failed);
        if (failed) return Error{Fault::unavailable, fmt::format("{}: {}", list, failed.message())};
        return {};
    }

    // Entries of the dump as `pg_restore -L` reads them.
    Result<std::string> write_list(const std::string& name, const std::vector<std::int64_t>& entries) const {
        std::string list;
        for (const std::int64_t id : entries) list += std::to_string(id) + ";\n";
        std::string path = fmt::format("{}/{}", server_.socket_directory(), name);
        TRY(write_file_atomically(path, list));
        return path;
    }

    const OwnPostgres& server_;
    const DumpToLoad& dump_;
    const Excluded& excluded_;
    const LoadDumpOptions& options_;
};

}  // namespace

Excluded excluded_from(const Estate& estate, const std::string& target) {
    Excluded excluded;
    if (!estate.erasure.is_declared() || estate.erasure.of != target) {
        excluded.says = "the estate has no erasure map of it";
        return excluded;
    }
    const auto ledger = read_ledger(estate.erasure.ledger);
    if (!ledger || !ledger->open_findings().empty()) {
        excluded.says = "nobody knows who is excluded: " +
                        (ledger ? "a finding of the erasure ledger is open" : ledger.error().message);
        return excluded;
    }
    excluded.map = &estate.erasure;
    excluded.subjects = ledger->erased();
    excluded.ledger_head = ledger->head();
    return excluded;
}

Result<Filtered> load_dump(const OwnPostgres& server, const DumpToLoad& dump, const Excluded& excluded,
                           const LoadDumpOptions& options) {
    return DumpLoading(server, dump, excluded, options).run();
}

}  // namespace kedge::recover
