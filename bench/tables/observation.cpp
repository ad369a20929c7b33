#include "tables/observation.h"

#include <algorithm>
#include <fstream>

#include "os/files.h"

namespace kedge::bench {
namespace {

constexpr std::size_t file_max = 64u << 20;

std::string file_in(const std::string& directory) {
    return directory + "/observations.jsonl";
}

}  // namespace

Result<void> note(const std::string& directory, const std::string& subject, const Json& figures) {
    TRY(make_directories(directory, 0755));
    std::ofstream file(file_in(directory), std::ios::app);
    file << dump(Json{{"subject", subject}, {"figures", figures}}) << '\n' << std::flush;
    if (!file) return Error{Fault::unavailable, "cannot write " + file_in(directory)};
    return {};
}

Result<std::map<std::string, std::vector<Json>>> read_observations(const std::string& directory) {
    std::map<std::string, std::vector<Json>> found;
    if (!exists(file_in(directory))) return found;
    const std::string text = TRY(read_file(file_in(directory), file_max));
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        const Json line = TRY(parse_json(std::string_view(text).substr(begin, end - begin)).within(file_in(directory)));
        const auto subject = get_string(line, "subject");
        if (!subject) return Error{Fault::corrupt, file_in(directory) + ": a line without a subject"};
        found[*subject].push_back(get(line, "figures"));
        begin = end + 1;
    }
    return found;
}

Json seconds_or_null(const std::optional<Span>& span) {
    return span ? Json(seconds(*span)) : Json();
}

Spread spread_of(const std::vector<Json>& observations, const std::string& figure) {
    Spread spread;
    std::vector<double> values;
    for (const Json& one : observations) {
        if (const auto value = get_number(one, figure))
            values.push_back(*value);
        else
            ++spread.unknown;
    }
    spread.count = values.size();
    if (values.empty()) return spread;
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    spread.median = values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
    spread.least = values.front();
    spread.most = values.back();
    for (const double value : values) spread.sum += value;
    return spread;
}

}  // namespace kedge::bench
