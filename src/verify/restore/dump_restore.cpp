#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "os/files.h"
#include "verify/figures.h"
#include "verify/restore/own_postgres.h"
#include "verify/restore/restore.h"
#include "verify/restore/restored_rows.h"
#include "verify/restore/workplace.h"

namespace kedge::verify {
namespace {

using namespace std::chrono_literals;

constexpr Span restore_limit = std::chrono::hours(24);
constexpr const char* database = "restored";

// Rows and indexes take more than the dump that they come from, packed as it may be.
constexpr std::uint64_t growth = 8;

Arguments restore_command(const OwnPostgres& postgres, const std::string& path, DumpForm form, std::size_t threads) {
    Arguments arguments = {postgres.program("pg_restore"),
                           "-h",
                           postgres.socket_directory(),
                           "-U",
                           "postgres",
                           "-d",
                           database,
                           "-e",
                           "--no-owner",
                           "--no-privileges"};
    // A tar cannot be read by several at once.
    if (form != DumpForm::tar && threads > 1) arguments.insert(arguments.end(), {"-j", std::to_string(threads)});
    arguments.push_back(path);
    return arguments;
}

}  // namespace

Result<void> restore_dump(const std::string& path, DumpForm form, Examination& examination,
                          const RestoreOptions& options) {
    const std::optional<int> major = major_of(get_string(examination.facts, "server_version").value_or(""));
    if (!major) {
        examination.unproved.push_back("that a server takes it: the dump does not say from which version it is");
        return {};
    }
    if (!has_postgres(*major)) {
        examination.unproved.push_back(
            fmt::format("that a server takes it: PostgreSQL {} is not on this machine", *major));
        return {};
    }
    const auto step = [&](const std::string& says) {
        if (options.on_step) options.on_step(says);
    };
    step(fmt::format("starting PostgreSQL {}", *major));
    const std::optional<Login> owner = TRY(postgres_owner());
    const Workplace workplace = TRY(Workplace::open(options.place, examination.bytes * growth, owner));
    const OwnPostgres postgres = TRY(OwnPostgres::start(workplace.path(), *major, owner, options.stop));
    TRY(postgres.query("postgres", fmt::format("CREATE DATABASE {} TEMPLATE template0", database), answer_limit,
                       options.stop));
    step("restoring with pg_restore");
    const RunOutput restored =
        TRY(run(restore_command(postgres, std::filesystem::absolute(path), form, options.threads),
                within(restore_limit, options.stop)));
    if (restored.err.find("could not open") != std::string::npos)  // says nothing about the dump
        return Error{Fault::unavailable, first_error(restored.err)};
    if (!restored.exit.ok()) {
        examination.findings.add(
            {Weight::damage,
             "restore-refused",
             fmt::format("pg_restore into PostgreSQL {} of our own stopped: {}", *major, first_error(restored.err)),
             {},
             {}});
        return {};
    }
    step("counting rows");
    const TableRows counts = TRY(count_rows(postgres, database, options.stop));
    const bool all_fit = compare_rows(counts, examination);
    step("checking with pg_amcheck");
    TRY(check_tables_and_indexes(postgres, {"-d", database}, examination, options));
    if (all_fit && !examination.findings.any(Weight::damage))
        examination.proofs.push_back(
            {Rung::restored,
             fmt::format(
                 "PostgreSQL {} of our own took all of it: {} with {}, as many as were counted{}", *major,
                 counted(static_cast<std::uint64_t>(*get_integer(examination.facts, "restored_tables")), "table"),
                 counted(static_cast<std::uint64_t>(*get_integer(examination.facts, "restored_rows")), "row"),
                 examination.facts.contains("amcheck") ? "; pg_amcheck found nothing wrong" : "")});
    return {};
}

}  // namespace kedge::verify
