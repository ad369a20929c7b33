#include "verify/base_backup/judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <tuple>

#include "verify/crc32c.h"
#include "verify/little_endian.h"

namespace kedge::verify {
namespace {

void add(BaseBackup& backup, Weight weight, std::string code, std::string says, std::string where) {
    backup.examination.findings.add({weight, std::move(code), std::move(says), std::move(where), {}});
}

// What may be there without being listed, and may be changed: pg_verifybackup passes them by as well.
bool is_free(std::string_view path) {
    constexpr std::array<std::string_view, 5> names{"backup_manifest", "postgresql.auto.conf", "recovery.signal",
                                                    "standby.signal", "postgresql.auto.conf.tmp"};
    return path.starts_with("pg_wal/") || std::ranges::find(names, path) != names.end();
}

bool filenode_map_fits(std::string_view text) {
    const Bytes bytes = as_bytes(text);
    const std::size_t crc_at = text.size() == 512 ? 504 : text.size() == 524 ? 520 : 0;  // to version 15, from 16 on
    return crc_at != 0 && load<std::uint32_t>(bytes.data()) == 0x00592717 &&
           crc32c(bytes.first(crc_at)) == load<std::uint32_t>(bytes.data() + crc_at);
}

}  // namespace

const CheckedFile* find_file(const ReadBackup& read, std::string_view path) {
    const auto found = std::ranges::lower_bound(read.files, path, {}, &CheckedFile::path);
    return found == read.files.end() || found->path != path ? nullptr : &*found;
}

void judge_file_set(BaseBackup& backup, const ReadBackup& read) {
    if (!backup.manifest) {
        backup.examination.unproved.push_back("without a manifest nobody can say whether files are missing or changed");
        return;
    }
    for (const ManifestFile& listed : backup.manifest->files)
        if (find_file(read, listed.path) == nullptr)
            add(backup, is_free(listed.path) ? Weight::remark : Weight::damage, "file-missing",
                fmt::format("the manifest lists it with {} bytes, and it is not there", listed.bytes), listed.path);
    for (const CheckedFile& file : read.files)
        if (!file.listed && !is_free(file.path))
            add(backup, Weight::damage, "file-extra", "the manifest does not list it", file.path);
}

void judge_control(BaseBackup& backup, const ReadBackup& read) {
    const CheckedFile* file = find_file(read, "global/pg_control");
    if (file == nullptr)
        return add(backup, Weight::damage, "control-missing", "there is no control file", "global/pg_control");
    auto control = read_control_file(as_bytes(file->text));
    if (!control) return add(backup, Weight::damage, "control-damaged", control.error().message, file->path);
    backup.control = *control;
    const auto& manifest = backup.manifest;
    if (manifest && manifest->system_identifier && *manifest->system_identifier != control->system_identifier)
        add(backup, Weight::damage, "control-identifier",
            fmt::format("it is of the database system {}, the manifest of {}", control->system_identifier,
                        *manifest->system_identifier),
            file->path);
    constexpr std::uint32_t in_archive_recovery = 5, in_production = 6;
    if (control->state != in_archive_recovery && control->state != in_production)
        add(backup, Weight::doubt, "control-state",
            fmt::format("the server was {}, not running: this is a copy of a directory, not an online backup",
                        control_state(control->state)),
            file->path);
}

void judge_label(BaseBackup& backup, const ReadBackup& read) {
    const CheckedFile* file = find_file(read, "backup_label");
    if (file == nullptr)
        return add(backup, Weight::damage, "label-missing",
                   "without it a server would begin recovery at the wrong place and not notice", "backup_label");
    auto label = parse_backup_label(file->text);
    if (!label) return add(backup, Weight::damage, "label-damaged", label.error().message, file->path);
    backup.label = *label;
    const auto& control = backup.control;
    if (control && control->redo < label->start)
        add(backup, Weight::damage, "label-start",
            fmt::format("recovery begins at {}, behind the checkpoint of the control file at {}",
                        to_string(label->start), to_string(control->redo)),
            file->path);
    if (label->from_standby() && control && control->consistent_from != Lsn{})
        backup.consistent_at = control->consistent_from;
    if (!backup.manifest || backup.manifest->ranges.empty()) return;
    const WalRange &oldest = backup.manifest->ranges.back(), &newest = backup.manifest->ranges.front();
    if (oldest.start != label->start || oldest.timeline != label->start_timeline)
        add(backup, Weight::damage, "label-start",
            fmt::format("it says {} on timeline {}, the manifest {} on timeline {}", to_string(label->start),
                        label->start_timeline, to_string(oldest.start), oldest.timeline),
            file->path);
    if (backup.consistent_at && *backup.consistent_at != newest.end)
        add(backup, Weight::doubt, "backup-end",
            fmt::format("the control file says that it is consistent at {}, the manifest at {}",
                        to_string(*backup.consistent_at), to_string(newest.end)),
            "global/pg_control");
    backup.consistent_at = newest.end;
}

void judge_small_files(BaseBackup& backup, const ReadBackup& read) {
    for (const CheckedFile& file : read.files) {
        if (file.path.ends_with("/pg_filenode.map") && !filenode_map_fits(file.text))
            add(backup, Weight::damage, "filenode-map", "its checksum does not fit", file.path);
        if (!file.path.ends_with("PG_VERSION") || !backup.control || backup.control->major == 0) continue;
        if (file.text != fmt::format("{}\n", backup.control->major))
            add(backup, Weight::damage, "version-file",
                fmt::format("it does not say {}, which the control file is of", backup.control->major), file.path);
    }
    const CheckedFile* map = find_file(read, "tablespace_map");
    if (map == nullptr) return;
    const auto tablespaces = parse_tablespace_map(map->text);
    if (!tablespaces) return add(backup, Weight::damage, "tablespace-map", tablespaces.error().message, map->path);
    Json facts = Json::array();
    for (const MappedTablespace& tablespace : *tablespaces) {
        facts.push_back({{"oid", tablespace.oid}, {"path", tablespace.path}});
        const std::string prefix = fmt::format("pg_tblspc/{}/", tablespace.oid);
        const auto first = std::ranges::lower_bound(read.files, prefix, {}, &CheckedFile::path);
        const bool there = first != read.files.end() && first->path.starts_with(prefix);
        // An empty tablespace has a tar without files.
        const bool listed = backup.manifest && std::ranges::any_of(backup.manifest->files, [&](const auto& entry) {
                                return entry.path.starts_with(prefix);
                            });
        if (!there && (listed || !backup.manifest))
            add(backup, listed ? Weight::damage : Weight::doubt, "tablespace-missing",
                fmt::format("tablespace {} of {} is not there", tablespace.oid, tablespace.path), map->path);
    }
    backup.examination.facts["tablespaces"] = std::move(facts);
}

// All but the last file of a fork have full size, and none is left out.
void judge_relation_segments(BaseBackup& backup, const ReadBackup& read) {
    if (!backup.control) return;
    const std::uint64_t full = std::uint64_t{backup.control->segment_pages} * backup.control->page_bytes;
    for (const CheckedFile& file : read.files) {
        if (!file.relation || file.relation->segment == 0) continue;
        std::string before = file.path.substr(0, file.path.rfind('.'));
        if (file.relation->segment > 1) before += fmt::format(".{}", file.relation->segment - 1);
        const CheckedFile* previous = find_file(read, before);
        if (previous == nullptr)
            add(backup, Weight::damage, "relation-segment",
                fmt::format("{}, which comes before it, is not there", before), file.path);
        else if (previous->bytes != full)
            add(backup, Weight::damage, "relation-segment",
                fmt::format("{} comes before it and has {} bytes, not {}", before, previous->bytes, full), file.path);
    }
}

void report(BaseBackup& backup, const ReadBackup& read) {
    Examination& examination = backup.examination;
    Json& facts = examination.facts;
    std::uint64_t pages = 0, new_pages = 0, compared = 0, relations = 0;
    for (const CheckedFile& file : read.files) {
        pages += file.pages.pages;
        new_pages += file.pages.new_pages;
        compared += file.compared ? 1 : 0;
        relations += file.relation ? 1 : 0;
    }
    facts["form"] = backup.is_tar ? "tar" : "plain";
    facts["files"] = read.files.size();
    facts["relation_files"] = relations;
    facts["pages"] = pages;
    facts["new_pages"] = new_pages;
    if (const auto& control = backup.control) {
        facts["server_major"] = control->major;
        facts["system_identifier"] = std::to_string(control->system_identifier);
        facts["data_checksums"] = control->has_data_checksums();
        facts["state"] = control_state(control->state);
        examination.taken = control->checkpoint_time;
    }
    if (const auto& label = backup.label) {
        facts["label"] = label->label;
        facts["start_time"] = label->start_time;
        facts["from"] = label->from_standby() ? "standby" : "primary";
        facts["start"] = to_string(label->start);
        facts["timeline"] = label->start_timeline;
        if (label->incremental_from) facts["incremental_from"] = to_string(*label->incremental_from);
    }
    if (backup.consistent_at) facts["consistent_at"] = to_string(*backup.consistent_at);
    examination.contents.push_back({"pages", "relation files", pages, pages * page_bytes});
    if (read.files.empty()) return;
    examination.proofs.push_back({Rung::listed, fmt::format("{} files", read.files.size())});
    if (examination.findings.any(Weight::doubt) && examination.findings.count("file-unreadable") > 0) return;
    const bool checksums = backup.control && backup.control->has_data_checksums();
    examination.proofs.push_back(
        {Rung::decoded,
         fmt::format("{} files read, {} pages {}", read.files.size(), pages,
                     checksums ? "with their checksums" : "without checksums, their headers make sense")});
    if (!checksums) examination.unproved.push_back("pages have no checksums of their own (data checksums are off)");
    const auto& manifest = backup.manifest;
    if (!manifest || !manifest->checksum_fits) return;
    facts["manifest_version"] = manifest->version;
    const auto listed = static_cast<std::uint64_t>(
        std::ranges::count_if(read.files, [](const CheckedFile& file) { return file.listed; }));
    if (compared < listed || compared == 0) {
        examination.unproved.push_back(
            fmt::format("the manifest has no checksum that fits for {} files", listed - compared));
        return;
    }
    examination.proofs.push_back(
        {Rung::checksummed, fmt::format("{} of {} files have the {} of the manifest, whose own SHA-256 fits", compared,
                                        listed, to_string(manifest->files.front().algorithm))});
}

}  // namespace kedge::verify
