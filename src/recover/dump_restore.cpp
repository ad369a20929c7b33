#include "recover/dump_restore.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <thread>

#include "os/files.h"
#include "os/process.h"
#include "verify/restore/own_postgres.h"

namespace kedge::recover {
namespace {

constexpr Span section_limit = std::chrono::hours(24);

// For whoever builds an index. Little is quick: pieces that fit a processor's cache are sorted in half the time that
// one of gigabytes takes (measured: 16 MB to 2 GB), as long as all of them are merged at once, each through a buffer of
// 256 kB (tuplesort.c). By one process: the rows that are loaded meanwhile are what everybody waits for.
std::string settings_to_build_by(const std::vector<verify::TableText>& tables) {
    std::uint64_t largest = 0;
    for (const verify::TableText& table : tables) largest = std::max(largest, table.bytes);
    constexpr double merged_through = 264 << 10, least = 16 << 20, most = 256 << 20;
    const double bytes = std::clamp(std::sqrt(static_cast<double>(largest) * merged_through), least, most);
    return fmt::format(" -c max_parallel_maintenance_workers=0 -c maintenance_work_mem={}kB",
                       static_cast<std::uint64_t>(bytes) >> 10);
}

}  // namespace

Result<void> DumpRestore::run(const Arguments& words, const std::string& settings, const std::stop_token& stop) const {
    Arguments command = {options_.into.program("pg_restore"), "-w", "-e", "--no-tablespaces"};
    command.insert(command.end(), options_.words.begin(), options_.words.end());
    command.insert(command.end(), words.begin(), words.end());
    command.push_back(options_.dump);
    Environment environment = options_.into.environment;
    if (!settings.empty()) environment.push_back("PGOPTIONS=" + settings);
    const RunOutput output =
        TRY(kedge::run(command, within(section_limit, stop), {.environment = std::move(environment)}));
    if (output.exit.ok()) return {};
    return Error{options_.fault, "pg_restore stopped: " + verify::first_error(output.err)};
}

Result<void> DumpRestore::run_into(Arguments words, const std::string& settings, const std::stop_token& stop) const {
    words.push_back("--dbname=" + options_.into.connection);
    return run(words, settings, stop);
}

Result<void> DumpRestore::make_tables() const {
    return run_into({"--section=pre-data"}, options_.settings, options_.stop);
}

// The first that fails ends the other.
Result<LoadedRows> DumpRestore::load(const verify::TableTexts& dump, const verify::RowTexts& rows,
                                     FilterPlan& plan) const {
    std::stop_source stop;
    const std::stop_callback on_stop(options_.stop, [&] { stop.request_stop(); });
    Result<void> others;
    std::jthread beside([&] {
        others = load_others(dump, stop.get_token());
        if (!others) stop.request_stop();
    });
    const std::string settings = options_.settings + settings_to_build_by(rows.tables());
    // Whoever loads waits now for one side and now for the other: one more than there are processors keeps them busy.
    auto loaded = load_rows(
        {.conninfo = options_.into.connection, .password = options_.into.password()}, rows, plan,
        {.threads = options_.threads + 1,
         .until = within(section_limit, stop.get_token()),
         .settings = options_.settings,
         .build = [&](std::int64_t key, const std::stop_token& called_off) { return build(key, settings, called_off); },
         .worth_building = options_.worth_building});
    if (!loaded) stop.request_stop();
    beside.join();
    const bool was_ended = loaded.has_value() || loaded.error().fault == Fault::unavailable ||
                           loaded.error().fault == Fault::outcome_unknown;
    if (!others && was_ended) return others.error();
    return loaded;
}

Result<void> DumpRestore::load_others(const verify::TableTexts& dump, const std::stop_token& stop) const {
    if (dump.others().empty()) return {};
    const std::string list = TRY(write_list("other-data", dump.others()));
    return run_into({"--section=data", "-L", list}, options_.settings, stop);
}

Result<void> DumpRestore::build(std::int64_t key, const std::string& settings, const std::stop_token& stop) const {
    const std::string list = TRY(write_list(fmt::format("key-{}", key), {key}));
    TRY(run_into({"--section=post-data", "-L", list}, settings, stop));
    std::error_code failed;
    std::filesystem::remove(list, failed);
    if (failed) return Error{Fault::unavailable, fmt::format("{}: {}", list, failed.message())};
    return {};
}

Result<void> DumpRestore::build_the_rest(const verify::TableTexts& dump, const LoadedRows& loaded) const {
    Arguments words = {"--section=post-data"};
    if (!loaded.built.empty()) {
        std::vector<std::int64_t> left;
        for (const std::int64_t id : dump.behind())
            if (!loaded.built.contains(id)) left.push_back(id);
        words.insert(words.end(), {"-L", TRY(write_list("left", left))});
    }
    if (options_.is_for_several && options_.threads > 1)
        words.insert(words.end(), {"-j", std::to_string(options_.threads)});
    return run_into(std::move(words), options_.settings, options_.stop);
}

Result<std::string> DumpRestore::write_list(const std::string& name, const std::vector<std::int64_t>& entries) const {
    std::string list;
    for (const std::int64_t id : entries) list += std::to_string(id) + ";\n";
    std::string path = fmt::format("{}/{}", options_.lists, name);
    TRY(write_file_atomically(path, list));
    return path;
}

}  // namespace kedge::recover
