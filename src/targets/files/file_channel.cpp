#include "targets/files/file_channel.h"

#include <fmt/format.h>

#include <filesystem>
#include <sstream>

#include "base/json.h"
#include "os/files.h"
#include "os/line_file.h"

namespace kedge {
namespace {

constexpr std::size_t file_max = 64u << 20;  // a channel of a file is for drills and small places

bool holds(const std::string& content, const std::string& key) {
    std::istringstream lines(content);
    for (std::string line; std::getline(lines, line);)
        if (const Result<Json> notice = parse_json(line); notice && get_string(*notice, "key") == key) return true;
    return false;
}

}  // namespace

Result<std::unique_ptr<FileChannel>> FileChannel::create(std::string name, std::string path) {
    if (!path.starts_with("/"))
        return Error{Fault::invalid_input, fmt::format("channel {}: '{}' is not an absolute path", name, path)};
    return std::unique_ptr<FileChannel>(new FileChannel(std::move(name), std::move(path)));
}

Result<Truth> FileChannel::delivered(const std::string& key, Moment) {
    const Result<std::string> content = read_file(path_, file_max);
    if (content) return truth(holds(*content, key));
    if (content.error().fault == Fault::not_found) return Truth::no;
    return content.error().within("channel " + name_);
}

Result<Receipt> FileChannel::send(const Notice& notice, Moment deadline) {
    const std::string where = "channel " + name_;
    TRY(make_directories(std::filesystem::path(path_).parent_path().string()).within(where));
    // Looking for the key and appending are one act among all who send here.
    LineFile file = TRY(LineFile::open(path_, deadline).within(where));
    if (holds(TRY(file.content(file_max).within(where)), notice.key)) return Receipt{Truth::yes, "written before", 1};
    Json line = {{"key", notice.key},
                 {"at", to_string(notice.at)},
                 {"severity", notice.severity},
                 {"title", notice.title},
                 {"text", notice.text}};
    if (!notice.about.empty()) line["about"] = notice.about;
    if (notice.is_over) line["over"] = true;
    TRY(file.append(dump(line)).within(where));
    return Receipt{Truth::yes, "written", 1};
}

}  // namespace kedge
