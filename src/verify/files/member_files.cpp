#include "verify/files/member_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "os/descriptor.h"

namespace kedge::verify {
namespace {

namespace fs = std::filesystem;

Error failed(const std::string& path, int number) {
    const Fault fault = number == ENOENT   ? Fault::not_found
                        : number == EACCES ? Fault::not_allowed
                                           : Fault::unavailable;
    return Error{fault, fmt::format("{}: {}", path, std::generic_category().message(number))};
}

class FileStream final : public ByteStream {
public:
    FileStream(Descriptor file, std::string path, Effort& effort)
        : file_(std::move(file)), path_(std::move(path)), effort_(effort) {}

    Result<std::size_t> read(std::span<std::byte> into) override {
        std::size_t count = 0;
        while (count < into.size()) {
            const ssize_t got = ::read(file_.get(), into.data() + count, into.size() - count);
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) return failed(path_, errno);
            if (got == 0) break;
            count += static_cast<std::size_t>(got);
        }
        effort_.bytes_read += count;
        return count;
    }

private:
    Descriptor file_;
    std::string path_;
    Effort& effort_;
};

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
    return {std::move(name), bytes, [path = std::move(path), &effort]() -> Result<std::unique_ptr<ByteStream>> {
                Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
                if (!file.is_open()) return failed(path, errno);
                return std::unique_ptr<ByteStream>(std::make_unique<FileStream>(std::move(file), path, effort));
            }};
}

Result<std::vector<Member>> members_below(const std::string& directory, std::size_t count_max, Effort& effort) {
    Walk walk(count_max, effort);
    TRY(walk.below(directory, "", 0));
    std::ranges::sort(walk.members, {}, &Member::path);
    return std::move(walk.members);
}

}  // namespace kedge::verify
