#include "backup/shelf.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>

#include "base/digest.h"
#include "os/files.h"
#include "verify/base_backup/base_backup.h"
#include "verify/base_backup/recovery_base.h"
#include "verify/dump/dump.h"
#include "verify/dump/toc.h"
#include "verify/files/file_source.h"
#include "verify/files/member_files.h"
#include "verify/manifest/block_manifest.h"
#include "verify/redis/rdb.h"
#include "verify/unpack/unpack.h"
#include "verify/wal/wal_file_name.h"

namespace kedge::backup {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t entries_max = 1'000'000;  // sixteen terabytes of log
// Of a file's beginning: what a dump says of itself, and a snapshot's first fields, lie well within.
constexpr std::size_t beginning_bytes = 64u << 10;

Moment moment_of(const struct timespec& time) {
    return Moment(std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::seconds(time.tv_sec) +
                                                                        std::chrono::nanoseconds(time.tv_nsec)));
}

Result<void> take_in(const std::string& path, const std::string& name, Footprint& footprint, std::string& text) {
    struct stat status {};
    if (lstat(path.c_str(), &status) != 0)
        return Error{errno == ENOENT ? Fault::not_found : Fault::unavailable,
                     fmt::format("{}: {}", path, std::strerror(errno))};
    if (S_ISREG(status.st_mode)) footprint.bytes += static_cast<std::uint64_t>(status.st_size);
    footprint.modified = std::max(footprint.modified, moment_of(status.st_mtim));
    text += fmt::format("{}\t{}\t{}\t{}\t{}.{}\n", name, status.st_mode, status.st_size, status.st_ino,
                        status.st_ctim.tv_sec, status.st_ctim.tv_nsec);
    return {};
}

// The beginning of a file, unpacked.
Result<std::vector<std::byte>> beginning_of(const std::string& path) {
    verify::Effort effort;
    const std::unique_ptr<verify::FileSource> source = TRY(verify::FileSource::open(path, effort));
    std::vector<std::byte> front(4);
    front.resize(TRY(source->read(0, front)));
    verify::SourceStream stream(*source);
    const verify::Limits limits;
    const auto unpacked = verify::unpack(verify::packing_of(front), stream, limits);
    std::vector<std::byte> beginning(beginning_bytes);
    beginning.resize(TRY(unpacked->read(beginning)));
    return beginning;
}

// What a kind of backup says of itself. `unusable` where it is none.
struct Words {
    std::optional<Moment> taken;
    std::string unusable;
    std::string log_begins;
};

Words words_of_dump(verify::Bytes beginning) {
    constexpr std::size_t tar_block = 512;  // of a tar, toc.dat is the first member
    const bool is_tar = verify::begins_tar_dump(beginning);
    if (!is_tar && !verify::begins_custom_dump(beginning)) return {.unusable = "it does not begin as a dump does"};
    const verify::MemorySource source(is_tar ? beginning.subspan(tar_block) : beginning);
    verify::SourceStream stream(source);
    verify::Effort effort;
    verify::ArchiveReader reader(stream, effort);
    const auto header = verify::read_header(reader);
    if (!header) return {.unusable = header.error().message};
    return {.taken = header->created_local};
}

Words words_of_dump(const std::string& path) {
    std::error_code failed;
    const std::string file = fs::is_directory(path, failed) ? path + "/toc.dat" : path;
    const auto beginning = beginning_of(file);
    if (!beginning) return {.unusable = beginning.error().message};
    // A directory's table of contents has the magic of a custom archive.
    return words_of_dump(*beginning);
}

Words words_of_snapshot(const std::string& path, Moment now) {
    const auto beginning = beginning_of(path);
    if (!beginning) return {.unusable = beginning.error().message};
    if (!verify::looks_like_rdb(*beginning)) return {.unusable = "it does not begin as a snapshot does"};
    const verify::MemorySource source(*beginning);
    verify::SourceStream stream(source);
    verify::Effort effort;
    // It is cut, of course; what counts are the fields before the keys.
    const auto examination = verify::examine_rdb(stream, {.now = now}, effort);
    if (!examination) return {.unusable = examination.error().message};
    return {.taken = examination->taken};
}

Words words_of_base_backup(const std::string& path) {
    const verify::Limits limits;
    verify::Effort effort;
    const auto members = verify::members_below(path, limits.objects_max, effort);
    if (!members) return {.unusable = members.error().message};
    if (!verify::is_base_backup(*members)) return {.unusable = "it is not what pg_basebackup leaves"};
    const verify::RecoveryBase base = verify::sketch_base_backup(path, *members, limits).base;
    return {base.taken, base.unusable, base.start_segment};
}

Words words_of(BackupKind kind, const std::string& path, Moment now) {
    switch (kind) {
        case BackupKind::dump: return words_of_dump(path);
        case BackupKind::snapshot: return words_of_snapshot(path, now);
        case BackupKind::base_backup: return words_of_base_backup(path);
        case BackupKind::log:
        case BackupKind::copy: break;
    }
    return {.unusable = "it is of no kind that is listed one by one"};
}

Result<std::vector<std::string>> names_in(const std::string& directory) {
    std::vector<std::string> names;
    std::error_code failed;
    fs::directory_iterator entry(directory, failed);
    if (failed)
        return Error{failed == std::errc::no_such_file_or_directory ? Fault::not_found : Fault::unavailable,
                     fmt::format("{}: {}", directory, failed.message())};
    for (; entry != fs::directory_iterator(); entry.increment(failed)) {
        if (failed) return Error{Fault::unavailable, fmt::format("{}: {}", directory, failed.message())};
        if (names.size() == entries_max)
            return Error{Fault::refused, fmt::format("{}: more than {} entries", directory, entries_max)};
        names.push_back(entry->path().filename());
    }
    std::ranges::sort(names);
    return names;
}

// Companions get their names before the backup gets its own, and lose them after it: what is alone is left over.
// Globals are ours only beside a manifest; people have files of that name, too.
bool is_left_over(const std::vector<std::string>& names, std::string_view name) {
    constexpr std::string_view being_written = ".new.";  // os/files.h: write_file_atomically
    const bool is_half = name.rfind(being_written) != std::string_view::npos;
    if (is_half) name = name.substr(0, name.rfind(being_written));
    const std::string of(verify::backup_of_companion(name));
    if (of.empty()) return false;
    if (is_half) return true;
    return !name.ends_with(verify::globals_suffix) ||
           std::ranges::binary_search(names, of + std::string(verify::manifest_suffix));
}

Result<void> take_backups(Shelf& shelf, BackupKind kind, const std::vector<std::string>& names, Moment now) {
    for (const std::string& name : names) {
        if (name.starts_with(unfinished_prefix)) {
            shelf.unfinished.push_back(name);
            continue;
        }
        const std::string_view companion_of = verify::backup_of_companion(name);
        if (!companion_of.empty() && std::ranges::binary_search(names, companion_of)) continue;
        if (is_left_over(names, name)) {
            shelf.unfinished.push_back(name);
            continue;
        }
        StoredBackup backup{.name = name, .path = shelf.directory + "/" + name};
        const Result<Footprint> footprint = footprint_of(backup.path);
        if (!footprint && footprint.error().fault == Fault::not_found) continue;  // it went between the two looks
        if (!footprint) return footprint.error();
        backup.bytes = footprint->bytes;
        backup.modified = footprint->modified;
        backup.fingerprint = footprint->fingerprint;
        backup.has_manifest = exists(backup.path + std::string(verify::manifest_suffix));
        Words words = words_of(kind, backup.path, now);
        backup.taken = words.taken;
        backup.unusable = std::move(words.unusable);
        backup.log_begins = std::move(words.log_begins);
        shelf.backups.push_back(std::move(backup));
    }
    // What they hold may be no finer than a second: of two of the same one the later name is the newer.
    std::ranges::sort(shelf.backups, [](const StoredBackup& a, const StoredBackup& b) {
        return std::pair(a.taken, std::string_view(a.name)) > std::pair(b.taken, std::string_view(b.name));
    });
    return {};
}

struct NumberedSegment {
    std::string_view name;
    std::uint64_t number = 0;
};

// A gap inside a timeline. Where one timeline follows another is decided by what the log holds: `backup verify` does.
void find_gaps(StoredLog& log, const std::map<std::uint32_t, std::vector<NumberedSegment>>& timelines) {
    for (const auto& [timeline, segments] : timelines)
        for (std::size_t i = 1; i < segments.size(); ++i) {
            const std::uint64_t missing = segments[i].number - segments[i - 1].number;
            if (missing <= 1) continue;
            log.missing += missing - 1;
            log.gaps.push_back(
                fmt::format("{} between {} and {}", missing - 1, segments[i - 1].name, segments[i].name));
        }
}

std::vector<LogFile> log_files(const std::string& directory, const std::vector<std::string>& names) {
    std::vector<LogFile> files;
    for (const std::string& name : names) {
        verify::WalFileName parts = verify::parse_wal_file_name(name);
        if (parts.kind == verify::WalFileKind::foreign) continue;
        struct stat status {};
        if (lstat((directory + "/" + name).c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
        files.push_back(
            {std::move(parts), name, static_cast<std::uint64_t>(status.st_size), moment_of(status.st_mtim)});
    }
    return files;
}

void take_log(Shelf& shelf, const std::vector<std::string>& names) {
    constexpr std::uint64_t usual_segment_bytes = std::uint64_t{16} << 20;
    StoredLog& log = shelf.log;
    log.files = log_files(shelf.directory, names);
    std::uint64_t segment_bytes = 0;
    for (const LogFile& file : log.files) {
        log.bytes += file.bytes;
        if (file.parts.kind != verify::WalFileKind::segment) {
            ++log.others;
            continue;
        }
        if (log.segments == 0 || file.modified < log.oldest_modified) {
            log.oldest_modified = file.modified;
            log.oldest = file.name;
        }
        if (log.segments == 0 || file.modified >= log.newest_modified) {
            log.newest_modified = file.modified;
            log.newest = file.name;
        }
        ++log.segments;
        // A packed one does not show how long it is.
        if (file.parts.stem == file.name) segment_bytes = std::max(segment_bytes, file.bytes);
    }
    const bool is_size = segment_bytes >= (1u << 20) && (segment_bytes & (segment_bytes - 1)) == 0;
    std::map<std::uint32_t, std::vector<NumberedSegment>> timelines;
    for (const LogFile& file : log.files)
        if (file.parts.kind == verify::WalFileKind::segment)
            timelines[file.parts.timeline].push_back(
                {file.name, file.parts.number(is_size ? segment_bytes : usual_segment_bytes)});
    for (auto& [timeline, own] : timelines) std::ranges::sort(own, {}, &NumberedSegment::number);
    find_gaps(log, timelines);
}

}  // namespace

const StoredBackup* Shelf::newest() const {
    const auto found = std::ranges::find_if(
        backups, [](const StoredBackup& backup) { return backup.taken && backup.unusable.empty(); });
    return found == backups.end() ? nullptr : &*found;
}

Result<std::string> directory_of(const Estate& estate, const BackupPolicy& policy) {
    const Target* store = estate.target(policy.in);
    check(store != nullptr, "the estate was checked when it was read");
    if (store->driver != "file")
        return Error{Fault::invalid_input, fmt::format("{}: {} is not a store of files", policy.name, policy.in)};
    return store->settings.text("path").value_or("") + "/" + policy.below;
}

Result<std::string> make_directory_of(const Estate& estate, const BackupPolicy& policy) {
    std::string directory = TRY(directory_of(estate, policy));
    const std::string store = estate.target(policy.in)->settings.text("path").value_or("");
    std::error_code failed;
    if (fs::status(store, failed).type() == fs::file_type::not_found)
        return Error{Fault::not_found,
                     fmt::format("{}: {}, the directory of the store {}, is not there", policy.name, store, policy.in),
                     fmt::format("mount it, or mend its path in the estate; only if it is new: mkdir -p {}", store)};
    TRY(make_directories(directory));
    return directory;
}

std::vector<const BackupPolicy*> with_copies(const Estate& estate, const BackupPolicy& policy) {
    std::vector<const BackupPolicy*> all{&policy};
    for (const BackupPolicy& other : estate.backups)
        if (other.kind == BackupKind::copy && other.of == policy.name) all.push_back(&other);
    return all;
}

Result<std::vector<std::string>> directories_of(const Estate& estate, const BackupPolicy& policy) {
    std::vector<std::string> there, all;
    for (const BackupPolicy* one : with_copies(estate, policy)) {
        all.push_back(TRY(directory_of(estate, *one)));
        if (exists(all.back())) there.push_back(all.back());
    }
    if (there.empty()) return Error{Fault::not_found, fmt::format("{}: not there", fmt::join(all, ", "))};
    return there;
}

Result<Footprint> footprint_of(const std::string& path) {
    Footprint footprint;
    std::string text;
    TRY(take_in(path, ".", footprint, text));
    std::error_code failed;
    if (fs::is_directory(fs::symlink_status(path, failed))) {
        std::vector<std::string> below;
        fs::recursive_directory_iterator entry(path, failed);
        for (; !failed && entry != fs::recursive_directory_iterator(); entry.increment(failed))
            below.push_back(entry->path());
        if (failed) return Error{Fault::unavailable, fmt::format("{}: {}", path, failed.message())};
        std::ranges::sort(below);
        for (const std::string& file : below) TRY(take_in(file, file.substr(path.size()), footprint, text));
    }
    footprint.fingerprint = sha256_hex(text);
    return footprint;
}

Result<void> remove_stored(const std::string& path) {
    if (unlink(path.c_str()) == 0 || errno == ENOENT) return {};
    if (errno != EISDIR) return Error{Fault::unavailable, fmt::format("{}: {}", path, std::strerror(errno))};
    return remove_tree(path);
}

Result<Shelf> look_at_shelf(const Estate& estate, const BackupPolicy& policy, Moment now) {
    Shelf shelf{.directory = TRY(directory_of(estate, policy))};
    const std::vector<std::string> names = TRY(names_in(shelf.directory));
    BackupKind kind = policy.kind;
    if (kind == BackupKind::copy) kind = estate.backup(policy.of)->kind;
    if (kind == BackupKind::log)
        take_log(shelf, names);
    else
        TRY(take_backups(shelf, kind, names, now));
    return shelf;
}

Result<Shelves> look_at_shelves(const Estate& estate, const BackupPolicy& policy, Moment now) {
    Shelves shelves;
    std::optional<Error> first;
    for (const BackupPolicy* one : with_copies(estate, policy)) {
        auto shelf = look_at_shelf(estate, *one, now);
        if (!shelf) {
            if (!first) first = std::move(shelf).error();
            continue;
        }
        shelves.where += (shelves.where.empty() ? "" : ", ") + shelf->directory;
        std::ranges::move(shelf->backups, std::back_inserter(shelves.backups));
    }
    if (shelves.where.empty()) return *std::move(first);
    std::ranges::stable_sort(shelves.backups, std::greater(), &StoredBackup::taken);
    return shelves;
}

}  // namespace kedge::backup
