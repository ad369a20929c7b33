#include "verify/redis/aof_tell.h"

#include <fmt/format.h>

#include "verify/figures.h"

namespace kedge::verify {
namespace {

void tell_fault(const AofSummary& summary, Tail tail, std::uint64_t bytes, Examination& examination) {
    const WalkFault& fault = *summary.fault;
    if (fault.kind != WalkFault::Kind::ended) {
        examination.findings.add({Weight::damage,
                                  "structure",
                                  fmt::format("the commands cannot be read on: {}; {} before it are sound", fault.says,
                                              counted(summary.commands, "command")),
                                  {},
                                  fault.offset});
        return;
    }
    const std::string cut = fmt::format("the file ends inside a command: its last {} are the beginning of one",
                                        counted(bytes - summary.end, "byte"));
    if (tail == Tail::whole)
        examination.findings.add(
            {Weight::damage, "truncated", cut + ", and it is not the last file", {}, fault.offset});
    else
        examination.findings.add({Weight::doubt,
                                  "truncated-tail",
                                  cut + "; a server drops them when it loads the file (aof-load-truncated), and "
                                        "whether more is missing cannot be known",
                                  {},
                                  fault.offset});
}

}  // namespace

void tell_aof(const AofSummary& summary, Tail tail, Examination& examination) {
    examination.facts["commands"] = summary.commands;
    Json names = Json::object();
    for (const auto& [name, count] : summary.by_name) names[name] = count;
    examination.facts["commands_by_name"] = std::move(names);
    if (summary.last_time) {
        examination.taken = summary.last_time;
        examination.facts["first_command_at"] = kedge::to_string(*summary.first_time);
        examination.facts["last_command_at"] = kedge::to_string(*summary.last_time);
    }
    if (summary.fault) {
        tell_fault(summary, tail, examination.bytes, examination);
    } else if (summary.open_transaction) {
        examination.findings.add({tail == Tail::whole ? Weight::damage : Weight::doubt,
                                  "open-transaction",
                                  "a transaction begins here and nothing ends it: a server drops it when it loads the "
                                  "file",
                                  {},
                                  *summary.open_transaction});
    }
    examination.unproved.push_back("that no byte of the commands changed: append-only files have no checksum");
    if (!summary.last_time && summary.commands > 0)
        examination.unproved.push_back(
            "when the last command was written: the file has no times in it "
            "(aof-timestamp-enabled no)");
}

Result<Examination> examine_commands(ByteStream& stream, Tail tail, Effort& effort) {
    Intake intake(stream, effort);
    intake.uncover();
    const AofSummary summary = walk_aof(intake);
    if (!summary.fault || summary.fault->kind == WalkFault::Kind::wrong) intake.skip_all();
    if (intake.error()) return *intake.error();
    Examination examination;
    examination.kind = "Redis append-only file";
    examination.bytes = intake.bytes();
    examination.contents.push_back({"commands", "", summary.commands, examination.bytes});
    tell_aof(summary, tail, examination);
    if (summary.commands > 0)
        examination.proofs.push_back({Rung::listed, "the file begins with commands of the append-only format"});
    if (!examination.findings.any(Weight::damage))
        examination.proofs.push_back(
            {Rung::decoded, fmt::format("{} read, each to its end", counted(summary.commands, "command"))});
    return examination;
}

}  // namespace kedge::verify
