#include "verify/files/member_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "verify/files/file_source.h"

namespace kedge::verify {
namespace {

namespace fs = std::filesystem;

Error failed(const std::string& path, int number) {
    const Fault fault = number == ENOENT   ? Fault::not_found
                        : number == EACCES ? Fault::not_allowed
                                           : Fault::unavailable;
    return Error{fault, fmt::format("{}: {}", path, std::generic_category().message(number))};
}

class Walk {
public:
    Walk(std::size_t count_max, Effort& effort) : count_max_(count_max), effort_(effort) {}

    Result<void> below(const fs::path& directory, const std::string& prefix, int depth);
    std::vector<Member> members;

private:
    static constexpr int depth_max = 12;  // a data directory has 5

    const std::size_t count_max_;
    Effort& effort_;
};

Result<void> Walk::below(const fs::path& directory, const std::string& prefix, int depth) {
    std::error_code error;
    if (depth > depth_max) return Error{Fault::refused, directory.string() + ": too many directories in each other"};
    for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
        const std::string name = prefix + at->path().filename().string();
        const bool followed = name == "pg_wal" || prefix == "pg_tblspc/";
        const fs::file_status status = followed ? at->status(error) : at->symlink_status(error);
        if (error) break;
        if (fs::is_directory(status)) TRY(below(at->path(), name + "/", depth + 1));
        if (!fs::is_regular_file(status)) continue;
        if (members.size() == count_max_)
            return Error{Fault::refused, fmt::format("{}: more than {} files", directory.string(), count_max_)};
        const auto bytes = at->file_size(error);
        if (error) break;
        members.push_back(file_member(at->path().string(), bytes, name, effort_));
    }
    if (error) return failed(directory.string(), error.value());
    return {};
}

}  // namespace

Member file_member(std::string path, std::uint64_t bytes, std::string name, Effort& effort) {
    std::string file = fs::absolute(path);
    return {std::move(name), bytes, [path = std::move(path), &effort] { return FileStream::open(path, effort); },
            std::move(file)};
}

Result<std::vector<Member>> members_below(const std::string& directory, std::size_t count_max, Effort& effort) {
    Walk walk(count_max, effort);
    TRY(walk.below(directory, "", 0));
    std::ranges::sort(walk.members, {}, &Member::path);
    return std::move(walk.members);
}

}  // namespace kedge::verify
