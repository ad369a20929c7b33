#include "verify/files/folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "verify/files/member_files.h"

namespace kedge::verify {
namespace {

namespace fs = std::filesystem;

Error error_of(const std::string& path, const std::error_code& code) {
    const Fault fault = code == std::errc::no_such_file_or_directory ? Fault::not_found
                        : code == std::errc::permission_denied       ? Fault::not_allowed
                                                                     : Fault::unavailable;
    return {fault, fmt::format("{}: {}", path, code.message())};
}

bool is_below(const std::string& path, const std::string& root) {
    std::error_code failed;
    const std::string true_path = fs::canonical(path, failed);
    return !failed && true_path.starts_with(root == "/" ? root : root + "/");
}

}  // namespace

Result<Folder> read_folder(const std::string& path, const std::string& root, std::size_t entries_max, Effort& effort) {
    Folder folder{.path = path, .files = {}, .folders = {}, .left_out = {}};
    std::error_code failed;
    fs::directory_iterator entry(path, failed);
    if (failed) return error_of(path, failed);
    for (std::size_t count = 0; entry != fs::directory_iterator(); entry.increment(failed)) {
        if (++count > entries_max)
            return Error{Fault::refused,
                         fmt::format("{}: more than {} entries are not looked into", path, entries_max)};
        const std::string name = entry->path().filename();
        const std::string whole = entry->path();
        if (entry->is_symlink(failed) && !is_below(whole, root)) {
            folder.left_out.push_back(name);
            continue;
        }
        const fs::file_status status = entry->status(failed);
        if (fs::is_directory(status)) {
            folder.folders.push_back(name);
        } else if (fs::is_regular_file(status) || status.type() == fs::file_type::none) {
            // What it is cannot be told where the directory may not be searched: opening says so.
            std::error_code gone;  // it may go between the two looks: then it is empty, and opening says more
            const std::uintmax_t bytes = entry->file_size(gone);
            folder.files.push_back(file_member(whole, gone ? 0 : bytes, name, effort));
        } else {
            folder.left_out.push_back(name);
        }
    }
    if (failed) return error_of(path, failed);
    std::ranges::sort(folder.files, {}, &Member::path);
    std::ranges::sort(folder.folders);
    std::ranges::sort(folder.left_out);
    return folder;
}

}  // namespace kedge::verify
