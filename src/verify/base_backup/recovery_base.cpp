#include "verify/base_backup/recovery_base.h"

#include <fmt/format.h>

#include <algorithm>

#include "verify/base_backup/base_backup.h"
#include "verify/base_backup/reading.h"
#include "verify/unpack/tar.h"

namespace kedge::verify {
namespace {

const Member* find(const std::vector<Member>& members, std::string_view path) {
    const auto found = std::ranges::find(members, path, &Member::path);
    return found == members.end() ? nullptr : &*found;
}

const Member* base_tar(const std::vector<Member>& members) {
    const auto found =
        std::ranges::find_if(members, [](const Member& member) { return prefix_of_tar(member.path) == ""; });
    return found == members.end() ? nullptr : &*found;
}

Result<std::string> text_of(ByteStream& stream, std::size_t bytes_max) {
    std::string text(bytes_max + 1, '\0');
    text.resize(TRY(stream.read(std::as_writable_bytes(std::span(text)))));
    if (text.size() > bytes_max) return Error{Fault::corrupt, "it is larger than any such file"};
    return text;
}

// The server puts the label first; a few members are allowed before it.
Result<std::string> label_from_tar(const Member& tar, const Limits& limits) {
    constexpr int members_max = 16;
    const auto bytes = TRY(MemberStream::open(tar, limits));
    TarReader reader(*bytes);
    for (int i = 0; i < members_max; ++i) {
        const auto member = TRY(reader.next());
        if (!member) break;
        if (member->name == "backup_label") return text_of(reader, backup_label_bytes_max);
    }
    return Error{Fault::corrupt, "it does not begin with a backup label"};
}

Result<BackupLabel> label_of(const std::vector<Member>& members, const Limits& limits) {
    if (const Member* tar = base_tar(members)) return parse_backup_label(TRY(label_from_tar(*tar, limits)));
    const Member* member = find(members, "backup_label");
    if (member == nullptr) return Error{Fault::corrupt, "there is no backup label"};
    const auto stream = TRY(member->open());
    return parse_backup_label(TRY(text_of(*stream, backup_label_bytes_max)));
}

Result<void> take_control(RecoveryBase& base, const BackupLabel& label, const Member& member) {
    const auto stream = TRY(member.open());
    const ControlFile control = TRY(read_control_file(as_bytes(TRY(text_of(*stream, control_file_bytes)))));
    base.system_identifier = control.system_identifier;
    base.taken = control.checkpoint_time;
    if (label.from_standby() && control.consistent_from != Lsn{}) base.consistent_at = control.consistent_from;
    return {};
}

Result<void> take_manifest(RecoveryBase& base, const Member& member, const Limits& limits) {
    const auto stream = TRY(member.open());
    const Manifest manifest = TRY(read_manifest(*stream, limits));
    if (!manifest.checksum_fits) return Error{Fault::corrupt, "its own checksum does not fit"};
    if (manifest.system_identifier) base.system_identifier = *manifest.system_identifier;
    base.bytes = 0;
    for (const ManifestFile& file : manifest.files) base.bytes += file.bytes;
    if (!manifest.ranges.empty()) base.consistent_at = manifest.ranges.front().end;
    return {};
}

// "2026-11-25 18:53:16 UTC"; other zones are abbreviations that nobody can read for sure.
std::optional<Moment> moment_of_label(std::string text) {
    if (!text.ends_with(" UTC") && !text.ends_with(" GMT")) return std::nullopt;
    text.resize(text.size() - 4);
    if (text.size() != 19) return std::nullopt;
    text[10] = 'T';
    const auto moment = parse_moment(text + "Z");
    return moment ? std::optional(*moment) : std::nullopt;
}

Result<void> take_all(RecoveryBase& base, const std::vector<Member>& members, const Limits& limits) {
    const BackupLabel label = TRY(label_of(members, limits).within("backup_label"));
    base.start = label.start;
    base.timeline = label.start_timeline;
    base.start_segment = label.start_segment;
    base.taken = moment_of_label(label.start_time);
    if (label.incremental_from)
        return Error{Fault::refused, "it is incremental and has to be combined with the backups before it"};
    if (const Member* control = find(members, "global/pg_control"))
        TRY(take_control(base, label, *control).within(control->path));
    if (const Member* manifest = find(members, "backup_manifest"))
        TRY(take_manifest(base, *manifest, limits).within(manifest->path));
    if (find(members, "backup_manifest.tmp") != nullptr)
        return Error{Fault::corrupt,
                     "the backup failed or is still being taken: its manifest was never given its name"};
    return {};
}

}  // namespace

SketchedBackup sketch_base_backup(const std::string& name, const std::vector<Member>& members, const Limits& limits) {
    SketchedBackup sketch{.base = {.name = name}};
    for (const Member& member : members) sketch.base.bytes += member.bytes;
    if (const auto taken = take_all(sketch.base, members, limits); !taken) sketch.base.unusable = taken.error().message;
    sketch.wal = wal_members(members, limits);
    return sketch;
}

}  // namespace kedge::verify
