#include "recover/load_dump.h"

#include <fmt/format.h>

#include <chrono>

#include "backup/servers.h"
#include "erasure/ledger.h"
#include "recover/dump_restore.h"
#include "verify/dump/files.h"
#include "verify/files/file_source.h"
#include "verify/files/member_files.h"

namespace kedge::recover {
namespace {

using namespace std::chrono_literals;
using verify::DumpForm;
using verify::OwnPostgres;
using verify::TableTexts;

constexpr Span database_limit = 10min;
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
        : server_(server),
          dump_(dump),
          excluded_(excluded),
          options_(options),
          restore_({.dump = dump.path,
                    .is_for_several = dump.form != DumpForm::tar,
                    .into = reached(dump.database),
                    .lists = server.socket_directory(),
                    // Without the roles nothing could be given to them.
                    .words = dump.has_owners ? Arguments{} : Arguments{"--no-owner", "--no-privileges"},
                    .fault = Fault::corrupt,
                    .threads = options.threads,
                    .worth_building = options.worth_building,
                    .stop = options.stop}) {}

    Result<Filtered> run() {
        const auto open = TRY(open_dump(dump_));
        FilterPlan plan = TRY(make_plan(*open->texts));
        TRY(tell("making the tables"));
        // The dump makes its database; of that name there is one in every new cluster.
        if (dump_.database == "postgres")
            TRY(server_.query("template1", "DROP DATABASE postgres", database_limit, options_.stop));
        TRY(restore_.run({"--dbname=" + reached("template1").connection, "-C", "--section=pre-data"}));
        TRY(tell("loading rows"));
        LoadedRows loaded = TRY(restore_.load(*open->texts, *open->texts, plan));
        TRY(tell("building indexes and keys"));
        TRY(restore_.build_the_rest(*open->texts, loaded));
        return Filtered{plan.why_not, std::move(loaded.dropped), std::move(loaded.changed), loaded.built.size()};
    }

private:
    Result<void> tell(const std::string& step) const {
        return options_.on_step ? options_.on_step(step) : Result<void>{};
    }

    backup::PostgresServer reached(const std::string& database) const {
        return {.region = "",
                .connection =
                    backup::to_database(fmt::format("host={} user=postgres", server_.socket_directory()), database),
                .environment = {},
                .programs = server_.program("").substr(0, server_.program("").size() - 1)};
    }

    Result<FilterPlan> make_plan(const TableTexts& texts) const {
        FilterPlan plan;
        plan.why_not = excluded_.says;
        if (excluded_.map == nullptr || excluded_.subjects.empty()) return plan;
        TRY(tell("holding the erasure map against the dump"));
        TRY(server_.query("template1", fmt::format("CREATE DATABASE {} TEMPLATE template0", definitions_database),
                          database_limit, options_.stop));
        const backup::PostgresServer definitions = reached(definitions_database);
        TRY(restore_.run({"--dbname=" + definitions.connection, "-s", "--no-owner", "--no-privileges", "--no-comments",
                          "--no-publications", "--no-subscriptions", "--no-security-labels"}));
        plan = TRY(plan_filter(definitions, *excluded_.map, excluded_.subjects, texts, options_.stop));
        TRY(server_.query("template1", fmt::format("DROP DATABASE {}", definitions_database), database_limit,
                          options_.stop));
        return plan;
    }

    const OwnPostgres& server_;
    const DumpToLoad& dump_;
    const Excluded& excluded_;
    const LoadDumpOptions& options_;
    const DumpRestore restore_;
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
