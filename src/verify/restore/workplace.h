// A directory for one restore, in which everything that it makes lies, and which goes with it.
//
// It is held by a lock that the kernel frees however we end; servers started in it are killed when we end. What a
// killed process left is removed by the next one that opens a workplace at the same place.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "os/lock_file.h"
#include "os/process.h"

namespace kedge::verify {

class Workplace {
public:
    // Below `place`, which is made if it is absent. As root it belongs to `owner`, whom servers run as.
    // unavailable if less than `bytes_needed` are free there.
    static Result<Workplace> open(const std::string& place, std::uint64_t bytes_needed,
                                  const std::optional<Login>& owner);
    Workplace(Workplace&& other) noexcept = default;
    Workplace& operator=(Workplace&&) = delete;
    ~Workplace();

    const std::string& path() const { return path_; }

private:
    Workplace(std::string path, LockFile lock) : path_(std::move(path)), lock_(std::move(lock)) {}

    std::string path_;
    std::optional<LockFile> lock_;
};

// unavailable if less than `bytes` are free on the file system of `place`.
Result<void> need_space(const std::string& place, std::uint64_t bytes);

// Makes the directory `place`, through which others may go but in which nobody else may write. unavailable if less than
// `bytes_needed` are free there, refused if it is somebody else's.
Result<void> prepare_place(const std::string& place, std::uint64_t bytes_needed);

// Removes what dead processes left at `place`; how many workplaces that were.
Result<std::size_t> clear_left_workplaces(const std::string& place);

// "/var/tmp/kedge-verify-0": one for each user.
std::string usual_workplace();

}  // namespace kedge::verify
