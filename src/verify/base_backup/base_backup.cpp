#include "verify/base_backup/base_backup.h"

#include <fmt/format.h>

#include <algorithm>

#include "verify/base_backup/judge.h"
#include "verify/base_backup/reading.h"

namespace kedge::verify {
namespace {

constexpr std::uint32_t usual_segment_pages = 131072;  // 1 GiB

const Member* find_member(const std::vector<Member>& members, std::string_view path) {
    const auto found = std::ranges::find(members, path, &Member::path);
    return found == members.end() ? nullptr : &*found;
}

void read_manifest_of(BaseBackup& backup, const std::vector<Member>& members, const Limits& limits) {
    Findings& findings = backup.examination.findings;
    if (find_member(members, "backup_manifest.tmp") != nullptr)
        findings.add({Weight::damage,
                      "backup-unfinished",
                      "the manifest was never given its name: the backup failed or is still being taken",
                      "backup_manifest.tmp",
                      {}});
    const Member* member = find_member(members, "backup_manifest");
    if (member == nullptr) return;
    auto stream = member->open();
    auto manifest = stream ? read_manifest(**stream, limits) : Result<Manifest>(stream.error());
    if (!manifest) {
        const bool corrupt = manifest.error().fault == Fault::corrupt;
        findings.add(
            {corrupt ? Weight::damage : Weight::doubt, "manifest-damaged", manifest.error().message, member->path, {}});
        return;
    }
    backup.manifest = std::move(*manifest);
    if (!backup.manifest->checksum_fits)
        findings.add({Weight::damage, "manifest-checksum", "its own checksum does not fit", member->path, {}});
}

// Of a plain backup it can be known beforehand how large the files of a relation are; nearly all have the usual size.
std::uint32_t segment_pages_of(const std::vector<Member>& members) {
    const Member* member = find_member(members, "global/pg_control");
    if (member == nullptr) return usual_segment_pages;
    auto stream = member->open();
    std::vector<std::byte> bytes(control_file_bytes);
    if (!stream || (*stream)->read(bytes).value_or(0) != bytes.size()) return usual_segment_pages;
    const auto control = read_control_file(bytes);
    return control ? control->segment_pages : usual_segment_pages;
}

}  // namespace

bool is_base_backup(const std::vector<Member>& members) {
    return find_member(members, "global/pg_control") != nullptr || find_member(members, "backup_label") != nullptr ||
           find_member(members, "backup_manifest") != nullptr || is_tar_backup(members);
}

BaseBackup examine_base_backup(const std::vector<Member>& members, const Limits& limits, Effort& effort) {
    BaseBackup backup;
    backup.examination.kind = "PostgreSQL base backup";
    read_manifest_of(backup, members, limits);
    const Manifest* manifest = backup.manifest ? &*backup.manifest : nullptr;
    const ReadBackup read = read_backup(members, manifest, segment_pages_of(members), limits, effort);
    backup.is_tar = read.is_tar;
    backup.bytes = backup.examination.bytes = read.bytes;
    backup.examination.findings.merge(read.findings);
    for (const CheckedFile& file : read.files) backup.examination.findings.merge(file.findings);
    judge_file_set(backup, read);
    judge_control(backup, read);
    judge_label(backup, read);
    judge_small_files(backup, read);
    judge_relation_segments(backup, read);
    judge_pages_and_wal(backup, read, limits, effort);
    report(backup, read);
    return backup;
}

}  // namespace kedge::verify
