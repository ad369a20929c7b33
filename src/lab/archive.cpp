#include "lab/archive.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <memory>

#include "os/files.h"

namespace kedge::lab {
namespace {

constexpr std::size_t segment_bytes_max = 64u << 20;

// Names that PostgreSQL gives: segments, .partial, .history, .backup.
Result<void> refuse_strange(const std::string& name) {
    const auto is_usual = [](char letter) {
        return (letter >= '0' && letter <= '9') || (letter >= 'A' && letter <= 'Z') ||
               (letter >= 'a' && letter <= 'z') || letter == '.';
    };
    if (name.empty() || name.size() > 64 || name.front() == '.' || !std::ranges::all_of(name, is_usual))
        return Error{Fault::invalid_input, fmt::format("archive: '{}' is no name of a segment", name)};
    return {};
}

Result<void> refuse_unreachable(const Layout& layout, Site site) {
    if (!exists(layout.store_barrier(site))) return {};
    return Error{Fault::unavailable, fmt::format("archive: the store cannot be reached from {}", to_string(site))};
}

std::uint64_t bytes_below(const std::string& directory) {
    const std::unique_ptr<DIR, int (*)(DIR*)> listing(opendir(directory.c_str()), closedir);
    std::uint64_t sum = 0;
    while (const dirent* const entry = listing ? readdir(listing.get()) : nullptr) {
        struct stat status {};
        if (stat((directory + "/" + entry->d_name).c_str(), &status) == 0 && S_ISREG(status.st_mode))
            sum += static_cast<std::uint64_t>(status.st_size);
    }
    return sum;
}

Result<void> refuse_beyond_quota(const Layout& layout, std::uint64_t more) {
    const Result<std::string> text = read_file(layout.archive_quota());
    if (!text) return {};
    std::uint64_t quota = 0;
    std::from_chars(text->data(), text->data() + text->size(), quota);
    if (bytes_below(layout.wal_store()) + more <= quota) return {};
    return Error{Fault::unavailable, fmt::format("archive: full: {} bytes would pass the quota of {}", more, quota)};
}

}  // namespace

Result<void> archive_segment(const Layout& layout, Site site, const std::string& from, const std::string& name) {
    TRY(refuse_strange(name));
    TRY(refuse_unreachable(layout, site));
    const std::string content = TRY(read_file(from, segment_bytes_max));
    const std::string target = layout.wal_store() + "/" + name;
    const Result<std::string> present = read_file(target, segment_bytes_max);
    if (present && *present == content) return {};
    if (present || present.error().fault != Fault::not_found)
        return Error{Fault::conflict, fmt::format("archive: {} is there with another content", name)};
    TRY(refuse_beyond_quota(layout, content.size()));
    return write_file_atomically(target, content);
}

Result<void> restore_segment(const Layout& layout, Site site, const std::string& name, const std::string& to) {
    TRY(refuse_strange(name));
    TRY(refuse_unreachable(layout, site));
    const std::string content = TRY(read_file(layout.wal_store() + "/" + name, segment_bytes_max));
    return write_file_atomically(to, content);
}

}  // namespace kedge::lab
