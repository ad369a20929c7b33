#include "backup/material.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <thread>

#include "verify/base_backup/base_backup.h"
#include "verify/base_backup/recovery_base.h"
#include "verify/files/member_files.h"

namespace kedge::backup {
namespace {

// What is there already stands.
void add_log(Material& material, std::vector<verify::Member> members) {
    std::set<std::string> known;
    for (const verify::Member& member : material.wal) known.insert(verify::parse_wal_file_name(member.path).stem);
    for (verify::Member& member : members)
        if (!known.contains(verify::parse_wal_file_name(member.path).stem)) material.wal.push_back(std::move(member));
}

void take_backup(Material& material, const std::string& name, std::vector<verify::Member> members) {
    auto& kept = *material.backups.emplace_back(std::make_unique<std::vector<verify::Member>>(std::move(members)));
    verify::SketchedBackup sketch = verify::sketch_base_backup(name, kept, material.limits);
    material.bases.push_back(std::move(sketch.base));
    // The archive's files come first: a server asks the archive before it looks at what the backup brought.
    add_log(material, std::move(sketch.wal));
}

// `path` is a base backup, or a directory of them.
Result<void> take_backups(Material& material, const std::string& path) {
    const auto members = TRY(verify::members_below(path, material.limits.objects_max, material.effort));
    if (verify::is_base_backup(members)) {
        take_backup(material, path, members);
        return {};
    }
    std::map<std::string, std::vector<verify::Member>> below;
    for (const verify::Member& member : members)
        if (const auto slash = member.path.find('/'); slash != std::string::npos)
            below[member.path.substr(0, slash)].push_back(
                {member.path.substr(slash + 1), member.bytes, member.open, member.file});
    for (auto& [name, files] : below)
        if (verify::is_base_backup(files)) take_backup(material, path + "/" + name, std::move(files));
    return {};
}

}  // namespace

Result<void> gather(Material& material, const std::vector<std::string>& bases, const std::vector<std::string>& logs,
                    const std::string& tail) {
    if (material.effort.threads <= 1) material.effort.threads = std::max(1u, std::thread::hardware_concurrency());
    const std::size_t most = material.limits.objects_max;
    if (!tail.empty()) {
        material.wal = TRY(verify::members_below(tail, most, material.effort));
        std::erase_if(material.wal, [](const verify::Member& member) {
            return verify::parse_wal_file_name(member.path).kind == verify::WalFileKind::foreign;
        });
    }
    for (const std::string& log : logs) add_log(material, TRY(verify::members_below(log, most, material.effort)));
    for (const std::string& path : bases) TRY(take_backups(material, path));
    if (material.bases.empty() && !bases.empty())
        return Error{Fault::not_found, fmt::format("{}: there is no base backup", fmt::join(bases, ", "))};
    material.archive = verify::examine_wal(material.wal, material.limits, material.effort,
                                           {.may_end_open = true, .observer = &material.tablespaces});
    return {};
}

std::vector<verify::Member> log_on(const Material& material, const verify::Reach& reach, Lsn stop) {
    std::vector<verify::Member> log;
    for (const std::size_t index : reach.path.segments) {
        const verify::WalSegment& segment = material.archive.segments[index];
        // What stops the server may begin at the end of one segment and go on in the next.
        const std::uint64_t begin = segment.number * material.archive.segment_bytes;
        if (begin <= stop.value + material.archive.segment_bytes) log.push_back(material.wal[segment.member]);
    }
    for (const verify::Member& member : material.wal)
        if (verify::parse_wal_file_name(member.path).kind == verify::WalFileKind::history) log.push_back(member);
    return log;
}

}  // namespace kedge::backup
