#include "verify/files/own_manifest.h"

#include <algorithm>
#include <filesystem>

#include "os/files.h"
#include "verify/files/member_files.h"

namespace kedge::verify {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t digest_bytes_max = 4096;

std::string beside(const std::string& path, std::string_view suffix) {
    return path + std::string(suffix);
}

Result<std::uint64_t> size_of(const std::string& path) {
    std::error_code failed;
    const std::uintmax_t bytes = fs::file_size(path, failed);
    if (failed) return Error{Fault::unavailable, path + ": " + failed.message()};
    return std::uint64_t{bytes};
}

}  // namespace

bool is_companion(const Folder& folder, std::string_view name) {
    const std::string backup(backup_of_companion(name));
    return !backup.empty() && (std::ranges::find(folder.files, backup, &Member::path) != folder.files.end() ||
                               std::ranges::find(folder.folders, backup) != folder.folders.end());
}

bool has_own_manifest(const std::string& path) {
    return exists(beside(path, manifest_suffix));
}

Result<std::vector<Member>> manifested_members(const std::string& path, const Limits& limits, Effort& effort) {
    std::vector<Member> members;
    std::error_code failed;
    if (fs::is_directory(path, failed)) {
        members = TRY(members_below(path, limits.objects_max, effort));
        for (Member& member : members) member.path = data_path(member.path);
    } else {
        members.push_back(file_member(path, TRY(size_of(path)), data_path({}), effort));
    }
    if (const std::string globals = beside(path, globals_suffix); exists(globals))
        members.push_back(file_member(globals, TRY(size_of(globals)), std::string(globals_path), effort));
    return members;
}

Result<std::string> content_digest(const std::string& path, const Limits& limits, Effort& effort) {
    const BlockManifest content{.files = TRY(digest_blocks(TRY(manifested_members(path, limits, effort)), effort))};
    return content.digest();
}

Result<void> hold_against_own_manifest(const std::string& path, Examination& examination, const Limits& limits,
                                       Effort& effort) {
    const Result<std::string> text = read_file(beside(path, manifest_suffix), manifest_bytes_max);
    if (!text) {
        examination.findings.add({Weight::doubt, "manifest-unreadable", text.error().message, "the manifest", {}});
        return {};
    }
    const Result<std::string> digest = read_file(beside(path, manifest_digest_suffix), digest_bytes_max);
    if (!digest) {
        examination.findings.add({Weight::damage,
                                  "manifest-altered",
                                  "the digest that belongs beside it cannot be read: " + digest.error().message,
                                  "the manifest",
                                  {}});
        return {};
    }
    return check_manifest(*text, *digest, TRY(manifested_members(path, limits, effort)), examination, effort);
}

}  // namespace kedge::verify
