#include "verify/restore/log_beside.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "verify/restore/tar_backup.h"
#include "verify/unpack/member_stream.h"
#include "verify/wal/wal_file_name.h"

namespace kedge::verify {
namespace {

namespace fs = std::filesystem;

constexpr Span look_limit = std::chrono::minutes(2);
constexpr std::uint64_t usual_segment_bytes = std::uint64_t{16} << 20;
// What stops a server may begin at the end of one segment and go on in the next, and a stop between two belongs to
// both.
constexpr std::size_t newest_copied = 3;
constexpr std::size_t names_max = 500;  // of one command

std::string name_of(const Member& member) {
    return parse_wal_file_name(member.path).stem;
}

// Whether it lies there under its own name, and bare.
Result<bool> is_as_a_server_reads(const Member& member) {
    if (member.file.empty() || fs::path(member.file).filename() != name_of(member)) return false;
    const Limits limits;
    return TRY(MemberStream::open(member, limits).within(member.path))->packing() == Packing::none;
}

// Asked by opening them as `owner`: rights of all directories above count, and more than modes can say.
Result<bool> can_read(const std::vector<const Member*>& members, const std::optional<Login>& owner,
                      const std::stop_token& stop) {
    if (!owner) return true;
    for (std::size_t at = 0; at < members.size(); at += names_max) {
        Arguments words{"head", "-q", "-c", "0", "--"};
        for (std::size_t i = at; i < std::min(members.size(), at + names_max); ++i) words.push_back(members[i]->file);
        if (!TRY(kedge::run(words, within(look_limit, stop), {.login = owner})).exit.ok()) return false;
    }
    return true;
}

}  // namespace

Result<LogBeside> LogBeside::of(const std::vector<Member>& wal, const std::optional<Login>& owner,
                                const std::stop_token& stop) {
    LogBeside log;
    std::vector<const Member*> segments;
    for (const Member& member : wal) {
        const WalFileKind kind = parse_wal_file_name(member.path).kind;
        if (kind == WalFileKind::history) log.copied_.push_back(&member);
        if (kind == WalFileKind::segment) segments.push_back(&member);
    }
    std::ranges::sort(segments, {}, [](const Member* member) { return name_of(*member); });
    const std::size_t older = segments.size() - std::min(segments.size(), newest_copied);
    for (std::size_t i = 0; i < segments.size(); ++i) {
        const bool is_linked = i < older && TRY(is_as_a_server_reads(*segments[i]));
        (is_linked ? log.linked_ : log.copied_).push_back(segments[i]);
    }
    if (!TRY(can_read(log.linked_, owner, stop)))
        std::ranges::move(std::exchange(log.linked_, {}), std::back_inserter(log.copied_));
    return log;
}

std::uint64_t LogBeside::bytes() const {
    std::uint64_t bytes = 0;
    for (const Member* member : copied_) bytes += std::max(member->bytes, usual_segment_bytes);
    return bytes;
}

Result<void> LogBeside::write(const std::string& directory, const std::stop_token& stop) const {
    const Limits limits;
    const Descriptor opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!opened.is_open()) return Error{Fault::unavailable, directory + " cannot be opened"};
    for (const Member* member : copied_) {
        const auto stream = TRY(MemberStream::open(*member, limits));
        TRY(write_file_from(*stream, opened.get(), name_of(*member), stop).within(member->path));
        if (const auto flaw = stream->flaw()) return Error{Fault::corrupt, member->path + ": " + flaw->says};
    }
    for (const Member* member : linked_) {
        std::error_code failed;
        fs::create_symlink(member->file, fs::path(directory) / name_of(*member), failed);
        if (failed)
            return Error{Fault::unavailable, fmt::format("{}/{}: {}", directory, name_of(*member), failed.message())};
    }
    return {};
}

}  // namespace kedge::verify
