#include "verify/files/common_findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "verify/figures.h"
#include "verify/unpack/tar.h"
#include "verify/wal/wal_file_name.h"

namespace kedge::verify {
namespace {

using namespace std::chrono_literals;

// Clocks of machines differ a little; a backup's time has whole seconds.
constexpr Span clocks_differ = 5min;

Moment moment_of(const struct timespec& time) {
    return Moment(std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_nsec / 1000));
}

Finding doubt(const char* code, std::string says) {
    return {Weight::doubt, code, std::move(says), {}, {}};
}

Error stopped() {
    return {Fault::unavailable, "stopped"};
}

}  // namespace

void find_future(Examination& examination, Moment now) {
    if (examination.taken && *examination.taken > now + clocks_differ)
        examination.findings.add(
            doubt("future", fmt::format("it says that it was taken at {}, {} ahead of this machine's clock",
                                        kedge::to_string(*examination.taken), readable(*examination.taken - now))));
}

Result<void> find_changes(Examination& examination, const FileSource& source) {
    const struct stat now = TRY(source.now());
    const struct stat& then = source.opened_as();
    if (now.st_size > then.st_size)
        examination.findings.add(
            doubt("growing", fmt::format("the file grew by {} while it was read: it is still "
                                         "being written",
                                         counted(static_cast<std::uint64_t>(now.st_size - then.st_size), "byte"))));
    else if (now.st_size < then.st_size)
        examination.findings.add(doubt("shrinking", "the file became shorter while it was read"));
    else if (moment_of(now.st_mtim) != moment_of(then.st_mtim))
        examination.findings.add(doubt("changing", "the file was written while it was read"));
    if (examination.taken && moment_of(then.st_mtim) + 1h < *examination.taken)
        examination.findings.add({Weight::remark,
                                  "older-file",
                                  fmt::format("the file was last written at {}, before what it holds was taken",
                                              kedge::to_string(moment_of(then.st_mtim))),
                                  {},
                                  {}});
    return {};
}

void find_changes(Examination& examination, const std::vector<Member>& before, const std::vector<Member>& after) {
    std::map<std::string_view, std::uint64_t> now;
    for (const Member& member : after) now[member.path] = member.bytes;
    for (const Member& member : before) {
        const auto found = now.find(member.path);
        if (found == now.end() || found->second == member.bytes) continue;
        const bool grew = found->second > member.bytes;
        examination.findings.add({Weight::doubt,
                                  grew ? "growing" : "shrinking",
                                  grew ? "the file grew while the backup was read: it is still being written"
                                       : "the file became shorter while the backup was read",
                                  member.path,
                                  {}});
    }
}

Result<void> read_out(ByteStream& stream, Effort& effort) {
    std::vector<std::byte> dropped(std::size_t{1} << 16);
    while (TRY(stream.read(dropped)) == dropped.size())
        if (effort.stop) return stopped();
    return {};
}

void tell_packing(Examination& examination, Packing packing, const Unpacker& unpacker) {
    examination.facts["packing"] = std::string(to_string(packing));
    examination.facts["unpacked_bytes"] = unpacker.bytes_out();
    examination.bytes = unpacker.bytes_in();
    if (!examination.kind.empty()) examination.kind += fmt::format(", packed with {}", to_string(packing));
    if (const auto& flaw = unpacker.flaw()) {
        const bool is_limit = flaw->kind == Flaw::Kind::limit;
        examination.findings.add({is_limit ? Weight::doubt : Weight::damage,
                                  is_limit                              ? "limit"
                                  : flaw->kind == Flaw::Kind::truncated ? "truncated"
                                  : flaw->kind == Flaw::Kind::checksum  ? "checksum"
                                  : flaw->kind == Flaw::Kind::trailing  ? "trailing"
                                                                        : "packing",
                                  flaw->says,
                                  {},
                                  flaw->offset});
        return;
    }
    if (unpacker.checksummed() && examination.rung() == Rung::decoded)
        examination.proofs.push_back(
            {Rung::checksummed, fmt::format("the checksum of the {} stream around it fits all {} bytes",
                                            to_string(packing), counted(unpacker.bytes_out()))});
}

Examination unrecognised(Bytes front) {
    Examination examination;
    examination.bytes = front.size();
    std::string begins;
    for (const std::byte byte : front.first(std::min<std::size_t>(front.size(), 8)))
        begins += fmt::format(" {:02x}", std::to_integer<unsigned>(byte));
    examination.findings.add(doubt(
        "unrecognised", front.empty() ? "it is empty" : "it begins as no backup does that Kedge knows:" + begins));
    return examination;
}

Examination unrecognised_folder(const std::string& path, std::size_t files) {
    Examination examination;
    examination.path = path;
    examination.findings.add(doubt("unrecognised", files == 0 ? "the directory is empty"
                                                              : fmt::format("none of its {} is a backup that Kedge "
                                                                            "knows",
                                                                            counted(files, "entry", "entries"))));
    return examination;
}

Examination part_of_directory(Format format) {
    const char* part = format == Format::dump_toc       ? "the table of contents"
                       : format == Format::aof_manifest ? "the manifest"
                                                        : "one tar";
    Examination examination;
    examination.findings.add(
        doubt("part", fmt::format("this is only {} of a backup in a directory: name the directory", part)));
    return examination;
}

Result<Examination> lone_tar(ByteStream& stream, Bytes front) {
    TarReader reader(stream);
    const std::optional<TarMember> first = TRY(reader.next());
    if (!first) return unrecognised(front);
    const std::string_view name = std::string_view(first->name).substr(first->name.starts_with("./") ? 2 : 0);
    // base.tar, a tablespace's, pg_wal.tar (basebackup.c).
    const bool is_part =
        name == "backup_label" || name.starts_with("PG_") || parse_wal_file_name(name).kind != WalFileKind::foreign;
    return is_part ? part_of_directory(Format::tar) : unrecognised(front);
}

Examination plain_dump() {
    Examination examination;
    examination.kind = "PostgreSQL dump, plain SQL";
    examination.findings.add(
        doubt("plain-sql",
              "a dump in plain SQL is a program: it has no structure to check, and running it to see is "
              "dangerous; take dumps in custom or directory format"));
    return examination;
}

}  // namespace kedge::verify
