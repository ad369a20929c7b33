// bench-tables DIRECTORY: prints what was measured there, and writes it as DIRECTORY/tables.json.
#include <fmt/format.h>

#include <cstdio>

#include "cli/table.h"
#include "os/files.h"
#include "os/terminal.h"
#include "tables/observation.h"
#include "tables/tables.h"

namespace kedge::bench {
namespace {

void print(const BenchTable& table, const Surface& surface) {
    fmt::print("\n{}\n\n", table.title);
    std::vector<Column> columns = {
        {"WHAT"}, {"N", Align::right}, {"MEDIAN", Align::right}, {"WORST", Align::right}, {"AIM"}};
    if (table.guarantees) columns.insert(columns.end(), {{"DECIDED BY"}, {"FENCE"}, {"SEEN BY"}});
    Table shown(std::move(columns));
    for (const Row& row : table.rows) {
        std::vector<Cell> cells = {row.what, row.count > 0 ? std::to_string(row.count) : "", row.median, row.worst,
                                   row.aim};
        if (table.guarantees)
            cells.insert(cells.end(), {row.guarantee.decided, row.guarantee.fence, row.guarantee.observers});
        shown.add(std::move(cells));
    }
    fmt::print("{}", shown.rendered(surface));
    for (const std::string& note : table.notes)
        for (bool first = true; const std::string& line : wrapped(note, 116)) {
            fmt::print("{}{}\n", first ? "  - " : "    ", line);
            first = false;
        }
}

Json to_json(const BenchTable& table) {
    Json rows = Json::array();
    for (const Row& row : table.rows) {
        Json one = {{"what", row.what},
                    {"repetitions", row.count},
                    {"median", row.median},
                    {"worst", row.worst},
                    {"aim", row.aim}};
        one.update(row.figures);
        if (table.guarantees)
            one["guarantee"] = {{"decided_by", row.guarantee.decided},
                                {"fence", row.guarantee.fence},
                                {"observers", row.guarantee.observers}};
        rows.push_back(std::move(one));
    }
    return {{"name", table.name}, {"title", table.title}, {"rows", rows}, {"notes", table.notes}};
}

Result<void> run(const std::string& directory) {
    const Observations seen = TRY(read_observations(directory));
    const Surface surface{};
    Json all = Json::array();
    for (const BenchTable& table : make_tables(seen)) {
        print(table, surface);
        all.push_back(to_json(table));
    }
    TRY(make_directories(directory, 0755));
    TRY(write_file_atomically(directory + "/tables.json", dump_pretty(Json{{"tables", all}}) + "\n", 0644));
    fmt::print("\nThe same for programs: {0}/tables.json; every repetition: {0}/observations.jsonl\n", directory);
    return {};
}

}  // namespace
}  // namespace kedge::bench

int main(int argc, char** argv) {
    if (argc != 2) {
        fmt::print(stderr, "usage: bench-tables DIRECTORY\n");
        return 2;
    }
    kedge::know_widths();
    const kedge::Result<void> done = kedge::bench::run(argv[1]);
    if (done) return 0;
    fmt::print(stderr, "bench-tables: {}\n", done.error().message);
    return 1;
}
