#include "verify/restore/tar_backup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <functional>

#include "os/descriptor.h"
#include "verify/base_backup/reading.h"
#include "verify/unpack/member_stream.h"
#include "verify/unpack/tar.h"

namespace kedge::verify {
namespace {

using Parts = std::vector<std::string>;

constexpr std::size_t parts_max = 12;  // a data directory has 5
constexpr std::size_t part_bytes_max = 255;
constexpr std::size_t version_bytes_max = 64;
// What a small file takes of a disk.
constexpr std::uint64_t block_bytes = 4096;

Error tar_failed(const std::string& name, int number) {
    return {Fault::unavailable, fmt::format("{}: {}", name, std::strerror(number))};
}

bool is_plain(std::string_view part) {
    return part != ".." && part.size() <= part_bytes_max &&
           std::ranges::none_of(part, [](unsigned char letter) { return letter < 0x20 || letter == 0x7f; });
}

// "base/1/1259" -> base, 1, 1259. corrupt for a name that is none, or leads elsewhere.
Result<Parts> parts_of(std::string_view name) {
    Parts parts;
    const Error wrong{Fault::corrupt, "a member has a name that leads out of the backup"};
    if (name.starts_with('/')) return wrong;
    while (!name.empty()) {
        const std::size_t end = std::min(name.find('/'), name.size());
        const std::string_view part = name.substr(0, end);
        name.remove_prefix(std::min(end + 1, name.size()));
        if (part.empty() || part == ".") continue;
        if (!is_plain(part) || parts.size() == parts_max) return wrong;
        parts.emplace_back(part);
    }
    return parts;
}

// Hands every file and directory of the tars to `take`, with its parts below the data directory.
using Take = std::function<Result<void>(const TarMember& member, const Parts& parts, TarReader& content)>;

Result<void> walk_tar(const Member& tar, const std::string& prefix, const Limits& limits, const std::stop_token& stop,
                      const Take& take) {
    const auto bytes = TRY(MemberStream::open(tar, limits));
    TarReader reader(*bytes);
    for (std::size_t count = 0;; ++count) {
        if (stop.stop_requested()) return Error{Fault::unavailable, "stopped"};
        if (count > limits.objects_max) return Error{Fault::corrupt, "it has too many members"};
        const auto member = TRY(reader.next());
        if (!member) break;
        const Parts parts = TRY(parts_of(prefix + member->name));
        if (member->type == TarMember::Type::other)
            return Error{Fault::corrupt, "a member is no file and no directory"};
        if (member->type != TarMember::Type::link) TRY(take(*member, parts, reader));
    }
    for (const Flaw& flaw : reader.flaws())
        if (flaw.kind != Flaw::Kind::trailing) return Error{Fault::corrupt, flaw.says};
    std::array<std::byte, 4096> more{};
    while (TRY(bytes->read(more)) == more.size())
        if (stop.stop_requested()) return Error{Fault::unavailable, "stopped"};
    if (const auto flaw = bytes->flaw()) return Error{Fault::corrupt, flaw->says};
    return {};
}

Result<void> walk_tars(const std::vector<Member>& members, const Limits& limits, const std::stop_token& stop,
                       const Take& take) {
    for (const Member& member : members)
        if (const auto prefix = prefix_of_tar(member.path); prefix && member.path.find('/') == std::string::npos)
            TRY(walk_tar(member, *prefix, limits, stop, take).within(member.path));
    return {};
}

Result<Descriptor> open_directory(int at, const std::string& name) {
    Descriptor directory(openat(at, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!directory.is_open()) return tar_failed(name, errno);
    return directory;
}

// The directory of these parts below `root`, made where it is missing.
Result<Descriptor> make_directory(const std::string& root, std::span<const std::string> parts) {
    Descriptor directory = TRY(open_directory(AT_FDCWD, root));
    for (const std::string& part : parts) {
        if (mkdirat(directory.get(), part.c_str(), 0700) != 0 && errno != EEXIST) return tar_failed(part, errno);
        directory = TRY(open_directory(directory.get(), part));
    }
    return directory;
}

}  // namespace

Result<TarSurvey> survey_tars(const std::vector<Member>& members, const Limits& limits, const std::stop_token& stop) {
    TarSurvey survey;
    TRY(walk_tars(members, limits, stop,
                  [&](const TarMember& member, const Parts& parts, TarReader& content) -> Result<void> {
                      survey.bytes += block_bytes + member.bytes;
                      if (parts == Parts{"PG_VERSION"}) {
                          survey.version.resize(version_bytes_max);
                          survey.version.resize(TRY(content.read(std::as_writable_bytes(std::span(survey.version)))));
                      }
                      return {};
                  }));
    return survey;
}

Result<void> write_file_from(ByteStream& stream, int directory, const std::string& name, const std::stop_token& stop) {
    const Descriptor file(openat(directory, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file.is_open())
        return errno == EEXIST ? Error{Fault::corrupt, name + ": it is there twice"} : tar_failed(name, errno);
    std::vector<std::byte> piece(std::size_t{1} << 20);
    for (;;) {
        if (stop.stop_requested()) return Error{Fault::unavailable, "stopped"};
        const std::size_t got = TRY(stream.read(piece));
        for (std::size_t done = 0; done < got;) {
            const ssize_t count = ::write(file.get(), piece.data() + done, got - done);
            if (count < 0 && errno == EINTR) continue;
            if (count <= 0) return tar_failed(name, count < 0 ? errno : ENOSPC);
            done += static_cast<std::size_t>(count);
        }
        if (got < piece.size()) return {};
    }
}

Result<void> unpack_tars(const std::vector<Member>& members, const std::string& directory, std::uint64_t bytes_max,
                         const Limits& limits, const std::stop_token& stop) {
    std::uint64_t bytes = 0;
    const Take take = [&](const TarMember& member, const Parts& parts, TarReader& content) -> Result<void> {
        bytes += block_bytes + member.bytes;
        if (bytes > bytes_max) return Error{Fault::conflict, "it grew while it was read"};
        if (parts.empty()) return {};
        const bool is_directory = member.type == TarMember::Type::directory;
        const Descriptor made =
            TRY(make_directory(directory, std::span(parts).first(parts.size() - (is_directory ? 0 : 1))));
        if (is_directory) return {};
        return write_file_from(content, made.get(), parts.back(), stop);
    };
    return walk_tars(members, limits, stop, take);
}

}  // namespace kedge::verify
