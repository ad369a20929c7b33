#include "targets/files/file_logs.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <optional>

#include "base/json.h"
#include "os/line_file.h"

namespace kedge {
namespace {

namespace fs = std::filesystem;

// How much is read from the end of a file: first a little, then four times as much until it is enough.
constexpr std::size_t first_bytes = 64u << 10, most_bytes = 16u << 20;

// The files that a path with at most one `*` in its last component names.
std::vector<fs::path> expand(const std::string& pattern) {
    const fs::path path(pattern);
    const std::string last = path.filename().string();
    const std::size_t star = last.find('*');
    if (star == std::string::npos) return {path};
    const std::string before = last.substr(0, star), after = last.substr(star + 1);
    std::vector<fs::path> files;
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(path.parent_path(), error)) {
        const std::string name = entry.path().filename().string();
        if (name.size() >= before.size() + after.size() && name.starts_with(before) && name.ends_with(after))
            files.push_back(entry.path());
    }
    return files;
}

std::optional<LogLine> read_line(std::string_view text, const std::string& region) {
    const Result<Json> record = parse_json(text);
    if (!record || get_string(*record, "region").value_or(region) != region) return std::nullopt;
    const Result<Moment> time = parse_moment(get_string(*record, "ts").value_or(""));
    if (!time) return std::nullopt;
    return LogLine{*time, region, std::string(text)};
}

// The last `count` lines of `region` in `lines`, the last first.
std::vector<LogLine> last_of(std::string_view lines, const std::string& region, std::size_t count) {
    std::vector<LogLine> found;
    while (!lines.empty() && found.size() < count) {
        lines.remove_suffix(1);  // the end of the last line
        const std::size_t start = lines.rfind('\n') + 1;
        if (auto line = read_line(lines.substr(start), region)) found.push_back(std::move(*line));
        lines = lines.substr(0, start);
    }
    return found;
}

Result<std::vector<LogLine>> newest_in(const std::string& path, const std::string& region, std::size_t count) {
    for (std::size_t bytes = first_bytes;; bytes *= 4) {
        const Result<LastLines> lines = read_last_lines(path, bytes);
        if (!lines && lines.error().fault == Fault::not_found) return std::vector<LogLine>{};
        if (!lines) return lines.error();
        std::vector<LogLine> found = last_of(lines->text, region, count);
        if (found.size() >= count || lines->from_the_start || bytes >= most_bytes) return found;
    }
}

}  // namespace

Result<std::unique_ptr<FileLogs>> FileLogs::create(std::string name,
                                                   std::map<std::string, std::vector<std::string>> paths) {
    for (const auto& [region, files] : paths)
        for (const std::string& path : files)
            if (!path.starts_with("/"))
                return Error{Fault::invalid_input,
                             fmt::format("logs {}: {}: '{}' is not an absolute path", name, region, path)};
    return std::unique_ptr<FileLogs>(new FileLogs(std::move(name), std::move(paths)));
}

Result<std::vector<LogLine>> FileLogs::newest(const std::string& region, int count, Moment) {
    const auto found = paths_.find(region);
    if (found == paths_.end())
        return Error{Fault::not_found, fmt::format("logs {}: nothing is collected from region {}", name_, region)};
    const auto wanted = static_cast<std::size_t>(std::max(0, count));
    std::vector<LogLine> lines;
    for (const std::string& pattern : found->second)
        for (const fs::path& path : expand(pattern)) {
            std::vector<LogLine> some = TRY(newest_in(path.string(), region, wanted).within("logs " + name_));
            std::ranges::move(some, std::back_inserter(lines));
        }
    std::ranges::stable_sort(lines, std::ranges::greater{}, &LogLine::time);
    if (lines.size() > wanted) lines.resize(wanted);
    return lines;
}

}  // namespace kedge
