#include "journal/sqlite/claim_file.h"

#include <fmt/format.h>

#include <filesystem>
#include <sstream>
#include <system_error>

#include "base/digest.h"

namespace kedge {
namespace {

constexpr std::string_view heading = "kedge-claim-1";

std::string check_digits(std::string_view fields) {
    return sha256_hex(fields).substr(0, 16);
}

std::string to_note(const Remembered& known) {
    const std::string fields = fmt::format("{} {} {} {} {}", heading, known.run, known.epoch, known.last, known.digest);
    return fmt::format("{} {}\n", fields, check_digits(fields));
}

std::optional<Remembered> from_note(const std::string& note) {
    const std::size_t end = note.find('\n');
    const std::size_t last_space = note.rfind(' ', end);
    if (end == std::string::npos || last_space == std::string::npos) return std::nullopt;
    const std::string fields = note.substr(0, last_space);
    if (note.substr(last_space + 1, end - last_space - 1) != check_digits(fields)) return std::nullopt;
    std::istringstream words(fields);
    std::string first;
    Remembered known;
    words >> first >> known.run >> known.epoch >> known.last >> known.digest;
    if (!words || first != heading) return std::nullopt;
    return known;
}

std::string path_of(const std::string& directory, const RunId& run) {
    return claims_directory(directory) + "/" + run;
}

}  // namespace

std::string claims_directory(const std::string& directory) {
    return directory + "/claims";
}

Result<std::optional<ClaimFile>> ClaimFile::acquire(const std::string& directory, const RunId& run) {
    std::optional<LockFile> lock = TRY(LockFile::try_acquire(path_of(directory, run)));
    if (!lock) return std::optional<ClaimFile>();
    return std::optional<ClaimFile>(ClaimFile(std::move(*lock)));
}

Result<bool> ClaimFile::is_held(const std::string& directory, const RunId& run) {
    return LockFile::is_held(path_of(directory, run));
}

Result<std::vector<Remembered>> ClaimFile::remembered(const std::string& directory) {
    std::vector<Remembered> all;
    std::error_code failure;
    std::filesystem::directory_iterator file(claims_directory(directory), failure);
    if (failure == std::errc::no_such_file_or_directory) return all;
    for (const std::filesystem::directory_iterator end; !failure && file != end; file.increment(failure)) {
        const std::optional<std::string> note = TRY(LockFile::read_note(file->path().string()));
        std::optional<Remembered> known = note ? from_note(*note) : std::nullopt;
        if (known && known->run == file->path().filename().string()) all.push_back(std::move(*known));
    }
    if (failure)
        return Error{Fault::unavailable,
                     fmt::format("{}: cannot list: {}", claims_directory(directory), failure.message())};
    return all;
}

void ClaimFile::remember(const Remembered& known) {
    static_cast<void>(lock_.write_note(to_note(known)));
}

}  // namespace kedge
