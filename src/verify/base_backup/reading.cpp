#include "verify/base_backup/reading.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <numeric>
#include <set>

#include "verify/unpack/member_stream.h"
#include "verify/unpack/tar.h"
#include "verify/wal/wal_file_name.h"

namespace kedge::verify {
namespace {

constexpr std::string_view wal_directory = "pg_wal/";

bool is_segment(std::string_view path) {
    if (!path.starts_with(wal_directory)) return false;
    const WalFileKind kind = parse_wal_file_name(path).kind;
    return kind == WalFileKind::segment || kind == WalFileKind::partial;
}

// Names in a tar are only shown and compared. One that could lead outside was not put there by a server.
bool is_plain_path(std::string_view path) {
    if (path.empty() || path.front() == '/' || path.find('\0') != std::string_view::npos) return false;
    for (std::size_t at = 0; at < path.size();) {
        const auto end = std::min(path.find('/', at), path.size());
        if (path.substr(at, end - at) == "..") return false;
        at = end + 1;
    }
    return true;
}

std::string without_dot(std::string name) {
    return name.starts_with("./") ? name.substr(2) : name;
}

// One member of a tar that is opened anew and read up to it.
class TarMemberStream final : public ByteStream {
public:
    static Result<std::unique_ptr<ByteStream>> open(const Member& tar, const Limits& limits, std::string name) {
        std::unique_ptr<TarMemberStream> stream(new TarMemberStream(TRY(MemberStream::open(tar, limits))));
        for (;;) {
            const auto member = TRY(stream->reader_.next());
            if (!member) return Error{Fault::corrupt, fmt::format("{} is not in {}", name, tar.path)};
            if (without_dot(member->name) == name) return std::unique_ptr<ByteStream>(std::move(stream));
        }
    }
    Result<std::size_t> read(std::span<std::byte> into) override { return reader_.read(into); }

private:
    explicit TarMemberStream(std::unique_ptr<MemberStream> bytes) : bytes_(std::move(bytes)), reader_(*bytes_) {}

    std::unique_ptr<MemberStream> bytes_;
    TarReader reader_;
};

class BackupReader {
public:
    BackupReader(const std::vector<Member>& members, const Manifest* manifest, std::uint32_t segment_pages,
                 const Limits& limits, Effort& effort)
        : members_(members), manifest_(manifest), segment_pages_(segment_pages), limits_(limits), effort_(effort) {}

    ReadBackup read_plain();
    ReadBackup read_tars();

private:
    void read_tar(const Member& tar, const std::string& prefix, ReadBackup& into);
    void take_tar_member(const Member& tar, TarReader& reader, const TarMember& member, const std::string& prefix,
                         ReadBackup& into);
    void check_one(ByteStream& stream, std::string path, ReadBackup& into);
    ReadBackup merged(std::vector<ReadBackup> parts) const;

    const std::vector<Member>& members_;
    const Manifest* manifest_;
    const std::uint32_t segment_pages_;
    const Limits& limits_;
    Effort& effort_;
    std::atomic<std::size_t> count_ = 0;
};

void BackupReader::check_one(ByteStream& stream, std::string path, ReadBackup& into) {
    const ManifestFile* listed = manifest_ == nullptr ? nullptr : manifest_->find(path);
    auto checked = check_file(stream, path, listed, segment_pages_);
    if (!checked) {
        into.findings.add({checked.error().fault == Fault::corrupt ? Weight::damage : Weight::doubt,
                           "file-unreadable",
                           checked.error().message,
                           path,
                           {}});
        return;
    }
    into.bytes += checked->bytes;
    into.files.push_back(std::move(*checked));
}

ReadBackup BackupReader::merged(std::vector<ReadBackup> parts) const {
    ReadBackup whole;
    for (ReadBackup& part : parts) {
        std::ranges::move(part.files, std::back_inserter(whole.files));
        std::ranges::move(part.wal, std::back_inserter(whole.wal));
        std::ranges::move(part.links, std::back_inserter(whole.links));
        whole.findings.merge(part.findings);
        whole.bytes += part.bytes;
    }
    std::ranges::sort(whole.files, {}, &CheckedFile::path);
    return whole;
}

// Large files first, so that no thread is left alone with one at the end.
ReadBackup BackupReader::read_plain() {
    std::vector<std::size_t> order;
    ReadBackup wal;
    for (std::size_t i = 0; i < members_.size(); ++i) {
        const Member& member = members_[i];
        if (member.path.starts_with(wal_directory))
            wal.wal.push_back({member.path.substr(wal_directory.size()), member.bytes, member.open, member.file});
        if (!is_segment(member.path) && member.path != "backup_manifest") order.push_back(i);
    }
    std::ranges::stable_sort(order, std::greater{}, [this](std::size_t i) { return members_[i].bytes; });
    std::vector<ReadBackup> parts(order.size() + 1);
    parts.back() = std::move(wal);
    in_parallel(order.size(), effort_.threads, [&](std::size_t i) {
        const Member& member = members_[order[i]];
        if (effort_.stop) return;
        const auto stream = member.open();
        if (stream)
            check_one(**stream, member.path, parts[i]);
        else
            parts[i].findings.add({Weight::doubt, "file-unreadable", stream.error().message, member.path, {}});
    });
    return merged(std::move(parts));
}

void BackupReader::take_tar_member(const Member& tar, TarReader& reader, const TarMember& member,
                                   const std::string& prefix, ReadBackup& into) {
    const std::string name = without_dot(member.name), path = prefix + name;
    if (!is_plain_path(path)) {
        into.findings.add(
            {Weight::damage, "tar-name", "a member has a name that leads out of the backup", tar.path, member.offset});
        return;
    }
    if (member.type == TarMember::Type::link) into.links.push_back(path);
    if (member.type == TarMember::Type::other)
        into.findings.add({Weight::damage, "tar-type", "a member is no file, link or directory", path, member.offset});
    if (member.type != TarMember::Type::file) return;
    if (path.starts_with(wal_directory))
        into.wal.push_back({path.substr(wal_directory.size()), member.bytes,
                            [&tar, name, &limits = limits_] { return TarMemberStream::open(tar, limits, name); }});
    if (!is_segment(path)) check_one(reader, path, into);
}

void BackupReader::read_tar(const Member& tar, const std::string& prefix, ReadBackup& into) {
    const auto failed = [&](const Error& error) {
        into.findings.add({error.fault == Fault::corrupt ? Weight::damage : Weight::doubt,
                           "file-unreadable",
                           error.message,
                           tar.path,
                           {}});
    };
    auto bytes = MemberStream::open(tar, limits_);
    if (!bytes) return failed(bytes.error());
    TarReader reader(**bytes);
    while (!effort_.stop) {
        const auto member = reader.next();
        if (!member) return failed(member.error());
        if (!*member) break;
        if (++count_ > limits_.objects_max) return failed({Fault::corrupt, "it has too many members"});
        take_tar_member(tar, reader, **member, prefix, into);
    }
    for (const Flaw& flaw : reader.flaws())
        into.findings.add({Weight::damage, "tar-damaged", flaw.says, tar.path, flaw.offset});
    if (const auto flaw = (*bytes)->flaw())
        into.findings.add({Weight::damage, "tar-unpack", flaw->says, tar.path, flaw->offset});
}

ReadBackup BackupReader::read_tars() {
    std::vector<ReadBackup> parts(members_.size());
    in_parallel(members_.size(), effort_.threads, [&](std::size_t i) {
        const auto prefix = prefix_of_tar(members_[i].path);
        if (prefix)
            read_tar(members_[i], *prefix, parts[i]);
        else if (!members_[i].path.starts_with("backup_manifest"))
            parts[i].findings.add(
                {Weight::remark, "file-foreign", "nothing that belongs to a tar backup", members_[i].path, {}});
    });
    ReadBackup whole = merged(std::move(parts));
    whole.is_tar = true;
    const auto twice = std::ranges::adjacent_find(whole.files, {}, &CheckedFile::path);
    if (twice != whole.files.end())
        whole.findings.add({Weight::damage, "tar-twice", "a tar holds a file twice", twice->path, {}});
    return whole;
}

}  // namespace

bool is_tar_backup(const std::vector<Member>& members) {
    return std::ranges::any_of(members, [](const Member& member) {
        return member.path.find('/') == std::string::npos && prefix_of_tar(member.path) == "";
    });
}

std::optional<std::string> prefix_of_tar(std::string_view path) {
    std::string_view name = path.substr(path.rfind('/') + 1);
    const auto dot = name.find(".tar");
    if (dot == std::string_view::npos) return std::nullopt;
    const std::string_view suffix = name.substr(dot + 4), stem = name.substr(0, dot);
    if (!suffix.empty() && suffix != ".gz" && suffix != ".lz4" && suffix != ".zst") return std::nullopt;
    if (stem == "base") return "";
    if (stem == "pg_wal") return "pg_wal/";
    if (stem.empty() || stem.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
    return fmt::format("pg_tblspc/{}/", stem);
}

std::vector<Member> wal_members(const std::vector<Member>& members, const Limits& limits) {
    std::vector<Member> wal;
    for (const Member& member : members) {
        if (member.path.starts_with(wal_directory))
            wal.push_back({member.path.substr(wal_directory.size()), member.bytes, member.open, member.file});
        if (prefix_of_tar(member.path) != wal_directory) continue;
        const auto bytes = MemberStream::open(member, limits);
        if (!bytes) continue;
        TarReader reader(**bytes);
        for (auto next = reader.next(); next && *next; next = reader.next())
            if ((*next)->type == TarMember::Type::file && wal.size() < limits.objects_max)
                wal.push_back(
                    {without_dot((*next)->name), (*next)->bytes, [&member, &limits, name = without_dot((*next)->name)] {
                         return TarMemberStream::open(member, limits, name);
                     }});
    }
    return wal;
}

ReadBackup read_backup(const std::vector<Member>& members, const Manifest* manifest, std::uint32_t segment_pages,
                       const Limits& limits, Effort& effort) {
    BackupReader reader(members, manifest, segment_pages, limits, effort);
    return is_tar_backup(members) ? reader.read_tars() : reader.read_plain();
}

}  // namespace kedge::verify
