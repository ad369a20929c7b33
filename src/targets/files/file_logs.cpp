#include "targets/files/file_logs.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/json.h"

namespace kedge {
namespace {

namespace fs = std::filesystem;

constexpr std::streamoff tail_bytes = 64 * 1024;

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

// The whole lines in the last part of the file.
std::vector<std::string> last_lines(const fs::path& path) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    if (!file) return {};
    const std::streamoff size = file.tellg();
    const std::streamoff from = std::max<std::streamoff>(0, size - tail_bytes);
    file.seekg(from);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);)
        if (!file.eof()) lines.push_back(std::move(line));  // a last line without its end is still being written
    if (from > 0 && !lines.empty()) lines.erase(lines.begin());
    return lines;
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
    std::vector<LogLine> lines;
    for (const std::string& pattern : found->second)
        for (const fs::path& path : expand(pattern))
            for (const std::string& text : last_lines(path)) {
                const Result<Json> record = parse_json(text);
                if (!record) continue;
                const Result<Moment> time = parse_moment(get_string(*record, "ts").value_or(""));
                if (time) lines.push_back({*time, get_string(*record, "region").value_or(region), text});
            }
    std::erase_if(lines, [&](const LogLine& line) { return line.region != region; });
    std::stable_sort(lines.begin(), lines.end(), [](const LogLine& a, const LogLine& b) { return a.time > b.time; });
    if (lines.size() > static_cast<std::size_t>(std::max(0, count)))
        lines.resize(static_cast<std::size_t>(std::max(0, count)));
    return lines;
}

}  // namespace kedge
