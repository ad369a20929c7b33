#include "cli/reports.h"

#include <algorithm>
#include <filesystem>

#include "cli/finding.h"
#include "os/files.h"

namespace kedge {

Result<std::string> reports_directory(const Context& context) {
    return TRY(find_lasting_directory(context)) + "/reports";
}

Result<std::vector<Json>> read_reports(Context& context) {
    std::vector<Json> reports;
    std::error_code absent;
    for (const auto& entry : std::filesystem::directory_iterator(TRY(reports_directory(context)), absent)) {
        const std::string path = entry.path().string();
        if (!entry.path().filename().string().starts_with("d-") || !path.ends_with(".json")) continue;
        const Result<std::string> text = read_file(path);
        Result<Json> report = text ? parse_json(*text) : Result<Json>(text.error());
        if (report)
            reports.push_back(std::move(*report));
        else
            context.console().warn(report.error().within(path).message);
    }
    std::ranges::sort(reports,
                      [](const Json& a, const Json& b) { return get_string(a, "began") > get_string(b, "began"); });
    return reports;
}

}  // namespace kedge
