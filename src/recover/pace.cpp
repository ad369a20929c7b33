#include "recover/pace.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <vector>

#include "base/json.h"
#include "os/files.h"

namespace kedge::recover {
namespace {

constexpr std::size_t remembered = 5;
constexpr Span tells_nothing = std::chrono::seconds(5);

std::string file_in(const std::string& state_directory) {
    return state_directory + "/recovery-pace.json";
}

const char* name_of(Work work) {
    switch (work) {
        case Work::copy: return "copy";
        case Work::replay: return "replay";
        case Work::dump: break;
    }
    return "dump";
}

// An object of lists of bytes a second, oldest first.
Json read_rates(const std::string& path) {
    const auto text = read_file(path);
    Json rates = text ? parse_json(*text).value_or(Json()) : Json();
    return rates.is_object() ? rates : Json::object();
}

std::optional<double> median_of(const Json& rates, Work work) {
    std::vector<double> all;
    const Json& noted = get(rates, name_of(work));
    if (!noted.is_array()) return std::nullopt;
    for (const Json& rate : noted)
        if (rate.is_number() && rate.get<double>() > 0) all.push_back(rate.get<double>());
    if (all.empty()) return std::nullopt;
    std::ranges::sort(all);
    return all[all.size() / 2];
}

}  // namespace

std::string origin(bool is_measured) {
    return is_measured ? "as fast as the last ones here" : "as fast as elsewhere: nothing large was recovered here yet";
}

Pace pace_here(const std::string& state_directory) {
    const Json rates = read_rates(file_in(state_directory));
    Pace pace;
    const auto copy = median_of(rates, Work::copy), replay = median_of(rates, Work::replay),
               dump = median_of(rates, Work::dump);
    pace.log.copy_bytes = copy.value_or(pace.log.copy_bytes);
    pace.log.replay_bytes = replay.value_or(pace.log.replay_bytes);
    pace.log.are_measured = copy && replay;
    pace.dump_bytes = dump.value_or(pace.dump_bytes);
    pace.dump_is_measured = dump.has_value();
    return pace;
}

Result<void> note_pace(const std::string& state_directory, Work work, std::uint64_t bytes, Span took) {
    if (took < tells_nothing || bytes == 0) return {};
    const std::string path = file_in(state_directory);
    Json rates = read_rates(path);
    Json& own = rates[name_of(work)];
    if (!own.is_array()) own = Json::array();
    own.push_back(static_cast<double>(bytes) / seconds(took));
    while (own.size() > remembered) own.erase(own.begin());
    return write_file_atomically(path, rates.dump(2) + "\n");
}

}  // namespace kedge::recover
