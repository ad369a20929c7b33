#include "verify/files/examine.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "verify/base_backup/base_backup.h"
#include "verify/dump/dump.h"
#include "verify/files/common_findings.h"
#include "verify/files/file_source.h"
#include "verify/files/folder.h"
#include "verify/files/member_files.h"
#include "verify/files/own_manifest.h"
#include "verify/files/recognise.h"
#include "verify/redis/aof.h"
#include "verify/redis/rdb.h"
#include "verify/wal/wal_archive.h"

namespace kedge::verify {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t folders_deep_max = 8;
constexpr const char* input_name = "-";

std::string_view name_of(Shape shape) {
    switch (shape) {
        case Shape::unknown: return "unknown";
        case Shape::rdb: return "rdb";
        case Shape::aof_file: return "aof";
        case Shape::aof_directory: return "aof-directory";
        case Shape::custom_dump: return "custom-dump";
        case Shape::tar_dump: return "tar-dump";
        case Shape::directory_dump: return "directory-dump";
        case Shape::plain_dump: return "plain-dump";
        case Shape::base_backup: return "base-backup";
        case Shape::wal_archive: return "wal-archive";
    }
    return "unknown";
}

Result<std::vector<std::byte>> front_of(ByteStream& stream) {
    std::vector<std::byte> front(front_bytes);
    front.resize(TRY(stream.read(front)));
    return front;
}

// What a file is, through the compressor that may be around it.
struct Recognised {
    Packing packing = Packing::none;
    Format format = Format::unknown;
};

Result<Recognised> recognise(ByteStream& stream, const Limits& limits) {
    const std::vector<std::byte> front = TRY(front_of(stream));
    Recognised recognised{packing_of(front), Format::unknown};
    if (recognised.packing == Packing::none) {
        recognised.format = format_of(front);
        return recognised;
    }
    const MemorySource source{front};
    SourceStream packed(source);
    const std::unique_ptr<Unpacker> unpacker = unpack(recognised.packing, packed, limits);
    recognised.format = format_of(TRY(front_of(*unpacker)));
    return recognised;
}

Result<Recognised> recognise(const Member& file, const Limits& limits) {
    const std::unique_ptr<ByteStream> stream = TRY(file.open());
    return recognise(*stream, limits);
}

// What each file of a folder is, or why that cannot be told.
using Recognitions = std::vector<Result<Recognised>>;

bool has(const Recognitions& files, Format format) {
    return std::ranges::any_of(files, [&](const Result<Recognised>& file) { return file && file->format == format; });
}

Result<void> all_could_be_read(const Recognitions& files) {
    for (const Result<Recognised>& file : files)
        if (!file) return file.error();
    return {};
}

Finding unreadable(std::string says) {
    return {Weight::doubt, "file-unreadable", std::move(says), {}, {}};
}

class Examiner {
public:
    Examiner(const ExamineOptions& options, Effort& effort)
        : options_(options), effort_(effort), redis_{.now = options.now} {}

    Result<ExaminedPath> path(const std::string& path) {
        std::error_code failed;
        const std::string root = root_ = fs::canonical(path, failed);
        if (failed) {
            const Fault fault = failed == std::errc::permission_denied ? Fault::not_allowed : Fault::not_found;
            return Error{fault, fmt::format("{}: {}", path, failed.message())};
        }
        if (fs::is_directory(root, failed)) {
            TRY(directory(path, 0));
            if (found_.backups.empty() && found_.unread.empty())
                TRY(keep({Shape::unknown, false, unrecognised_folder(path, found_.passed_over.size())}, path));
        } else {
            TRY(file(path, Alone::yes));
        }
        return std::move(found_);
    }

    Result<ExaminedPath> input(int descriptor) {
        DescriptorStream stream(descriptor, "standard input", effort_);
        begin(input_name, 0);
        const std::vector<std::byte> front = TRY(front_of(stream));
        const MemorySource source{front};
        SourceStream first(source);
        const Recognised what = TRY(recognise(first, options_.limits));
        RejoinedStream whole(front, stream);
        TRY(keep(TRY(from_stream(whole, what, front, input_name)), input_name));
        return std::move(found_);
    }

private:
    enum class Alone { yes, among_others };

    void begin(const std::string& path, std::uint64_t bytes) const {
        if (options_.on_begin) options_.on_begin(path, bytes);
    }

    Result<void> keep(ExaminedBackup backup, const std::string& path) {
        backup.examination.path = path;
        backup.examination.facts["format"] = std::string(name_of(backup.shape));
        find_future(backup.examination, options_.now);
        if (path != input_name && has_own_manifest(path)) {
            const Result<void> held = hold_against_own_manifest(path, backup.examination, options_.limits, effort_);
            if (!held && !goes_on()) return held;
            if (!held) backup.examination.findings.add(unreadable(held.error().message));
        }
        found_.backups.push_back(std::move(backup));
        return {};
    }

    // Whether what cannot be read is told, and all else is examined.
    bool goes_on() const { return options_.unreadable == Unreadable::is_listed && !effort_.stop; }

    // Of something in a folder with several backups.
    Result<void> or_listed(Result<void> examined, const std::string& path) {
        if (examined || !goes_on()) return examined;
        found_.unread.push_back({path, std::move(examined).error()});
        return {};
    }

    Result<void> file(const std::string& path, Alone alone) {
        const std::unique_ptr<FileSource> source = TRY(FileSource::open(path, effort_));
        SourceStream beginning(*source);
        const std::vector<std::byte> front = TRY(front_of(beginning));
        SourceStream again(*source);
        const Recognised what = TRY(recognise(again, options_.limits));
        if (what.format == Format::unknown && alone == Alone::among_others) {
            found_.passed_over.push_back(path);
            return {};
        }
        begin(path, source->size());
        ExaminedBackup backup;
        if (what.format == Format::wal_segment) {
            backup = log_of({file_member(path, source->size(), fs::path(path).filename().string(), effort_)});
        } else if (what.packing == Packing::none && what.format == Format::custom_dump) {
            backup = {Shape::custom_dump, false, TRY(verify_custom_dump(*source, effort_, options_.limits))};
        } else if (what.packing == Packing::none && what.format == Format::tar_dump) {
            backup = {Shape::tar_dump, false, TRY(verify_tar_dump(*source, effort_, options_.limits))};
        } else {
            SourceStream stream(*source);
            backup = TRY(from_stream(stream, what, front, path));
        }
        TRY(find_changes(backup.examination, *source));
        return keep(std::move(backup), path);
    }

    Result<ExaminedBackup> from_stream(ByteStream& stream, const Recognised& what, Bytes front,
                                       const std::string& path) {
        if (what.packing == Packing::none) return plain_stream(stream, what.format, front, path);
        const std::unique_ptr<Unpacker> unpacker = unpack(what.packing, stream, options_.limits);
        ExaminedBackup backup = TRY(plain_stream(*unpacker, what.format, front, path));
        backup.is_packed = true;
        TRY(read_out(*unpacker, effort_));
        tell_packing(backup.examination, what.packing, *unpacker);
        return backup;
    }

    Result<ExaminedBackup> plain_stream(ByteStream& stream, Format format, Bytes front, const std::string& path) {
        switch (format) {
            case Format::rdb: return ExaminedBackup{Shape::rdb, false, TRY(examine_rdb(stream, redis_, effort_))};
            case Format::aof: return ExaminedBackup{Shape::aof_file, false, TRY(examine_aof(stream, effort_))};
            case Format::custom_dump:
                return ExaminedBackup{Shape::custom_dump, false,
                                      TRY(verify_custom_dump(stream, path, effort_, options_.limits))};
            case Format::tar_dump:
                return ExaminedBackup{Shape::tar_dump, false,
                                      TRY(verify_tar_dump(stream, path, effort_, options_.limits))};
            case Format::plain_dump: return ExaminedBackup{Shape::plain_dump, false, plain_dump()};
            case Format::dump_toc:
            case Format::aof_manifest: return ExaminedBackup{Shape::unknown, false, part_of_directory(format)};
            case Format::tar: return ExaminedBackup{Shape::unknown, false, TRY(lone_tar(stream, front))};
            case Format::wal_segment:
            case Format::unknown: return ExaminedBackup{Shape::unknown, false, unrecognised(front)};
        }
        return ExaminedBackup{Shape::unknown, false, unrecognised(front)};
    }

    Result<void> directory(const std::string& path, std::size_t depth) {
        if (effort_.stop) return Error{Fault::unavailable, "stopped"};
        const Folder folder = TRY(look_into(path));
        for (const std::string& name : folder.left_out) found_.passed_over.push_back(path + "/" + name);
        Recognitions formats;
        for (const Member& file : folder.files) formats.push_back(recognise(file, options_.limits));
        const bool is_one = has(formats, Format::dump_toc) || has(formats, Format::aof_manifest);
        if (is_one || !goes_on()) TRY(all_could_be_read(formats));
        if (has(formats, Format::dump_toc)) return dump_directory(folder);
        if (has(formats, Format::aof_manifest)) return aof_directory(folder);
        if (TRY(base_backup(folder, formats))) return {};
        TRY(log_and_files(folder, formats));
        for (const std::string& name : folder.folders) {
            const std::string below = path + "/" + name;
            if (depth == folders_deep_max)
                found_.passed_over.push_back(below);
            else
                TRY(or_listed(directory(below, depth + 1), below));
        }
        return {};
    }

    // The files of a folder: each by itself, but those of the log together.
    Result<void> log_and_files(const Folder& folder, const Recognitions& formats) {
        const bool has_log = has(formats, Format::wal_segment);
        std::vector<Member> log;
        for (std::size_t i = 0; i < folder.files.size(); ++i) {
            const Member& member = folder.files[i];
            if (is_companion(folder, member.path)) continue;
            const bool is_segment = formats[i] && formats[i]->format == Format::wal_segment;
            if (is_segment || (has_log && parse_wal_file_name(member.path).kind != WalFileKind::foreign)) {
                log.push_back(member);
                continue;
            }
            const std::string path = folder.path + "/" + member.path;
            TRY(or_listed(formats[i] ? file(path, Alone::among_others) : formats[i].error(), path));
        }
        if (log.empty()) return {};
        begin(folder.path, bytes_of(log));
        ExaminedBackup backup = log_of(log);
        find_changes(backup.examination, log, TRY(look_into(folder.path)).files);
        return keep(std::move(backup), folder.path);
    }

    Result<void> dump_directory(const Folder& folder) {
        begin(folder.path, bytes_of(folder.files));
        return keep_folder(
            {Shape::directory_dump, false, TRY(verify_directory_dump(folder.files, effort_, options_.limits))}, folder);
    }

    // Whether it was one. No file of a base backup says by its content that it is of one: names do.
    Result<bool> base_backup(const Folder& folder, const Recognitions& formats) {
        if (std::ranges::none_of(folder.files, [](const Member& file) {
                return file.path == "PG_VERSION" || file.path.starts_with("base.tar");
            }))
            return false;
        const std::vector<Member> members = TRY(members_below(folder.path, options_.limits.objects_max, effort_));
        if (!is_base_backup(members)) return false;
        TRY(all_could_be_read(formats));
        begin(folder.path, bytes_of(members));
        ExaminedBackup backup{Shape::base_backup, false,
                              examine_base_backup(members, options_.limits, effort_).examination};
        find_changes(backup.examination, members,
                     TRY(members_below(folder.path, options_.limits.objects_max, effort_)));
        TRY(keep(std::move(backup), folder.path));
        return true;
    }

    ExaminedBackup log_of(const std::vector<Member>& files) {
        return {Shape::wal_archive, false, examine_wal(files, options_.limits, effort_).examination};
    }

    Result<void> aof_directory(const Folder& folder) {
        begin(folder.path, bytes_of(folder.files));
        return keep_folder({Shape::aof_directory, false, TRY(examine_aof_directory(folder.files, redis_, effort_))},
                           folder);
    }

    Result<Folder> look_into(const std::string& path) const {
        return read_folder(path, root_, options_.limits.objects_max, effort_);
    }

    Result<void> keep_folder(ExaminedBackup backup, const Folder& folder) {
        find_changes(backup.examination, folder.files, TRY(look_into(folder.path)).files);
        return keep(std::move(backup), folder.path);
    }

    static std::uint64_t bytes_of(const std::vector<Member>& files) {
        std::uint64_t bytes = 0;
        for (const Member& file : files) bytes += file.bytes;
        return bytes;
    }

    const ExamineOptions& options_;
    Effort& effort_;
    const RdbOptions redis_;
    std::string root_;  // of the path that was named, without links
    ExaminedPath found_;
};

}  // namespace

Examination UnreadPath::examination() const {
    const bool named = error.message.starts_with(path + ": ");
    Examination examination;
    examination.path = path;
    examination.findings.add(unreadable(named ? error.message.substr(path.size() + 2) : error.message));
    return examination;
}

Result<ExaminedPath> examine_path(const std::string& path, const ExamineOptions& options, Effort& effort) {
    return Examiner(options, effort).path(path);
}

Result<ExaminedPath> examine_input(int descriptor, const ExamineOptions& options, Effort& effort) {
    return Examiner(options, effort).input(descriptor);
}

}  // namespace kedge::verify
