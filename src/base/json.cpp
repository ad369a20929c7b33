#include "base/json.h"

#include <fmt/format.h>

#include <set>
#include <vector>

namespace kedge {
namespace {

const Json null_json;

}  // namespace

Result<Json> parse_json(std::string_view text) {
    std::string refusal;
    std::vector<std::set<std::string>> keys;  // one set for each object that is open
    const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
        if (!refusal.empty()) return false;
        if (depth > json_depth_max) refusal = fmt::format("nested deeper than {}", json_depth_max);
        if (event == Json::parse_event_t::object_start) keys.emplace_back();
        if (event == Json::parse_event_t::object_end && !keys.empty()) keys.pop_back();
        if (event == Json::parse_event_t::key && !keys.empty()) {
            const auto& key = parsed.get_ref<const std::string&>();
            if (!keys.back().insert(key).second) refusal = fmt::format("the key '{}' stands twice", key);
        }
        return refusal.empty();
    };
    try {
        Json json = Json::parse(text.begin(), text.end(), watch);
        if (!refusal.empty()) return Error{Fault::invalid_input, "not acceptable JSON: " + refusal};
        return json;
    } catch (const Json::parse_error& error) {
        if (!refusal.empty()) return Error{Fault::invalid_input, "not acceptable JSON: " + refusal};
        return Error{Fault::invalid_input, fmt::format("not JSON, at byte {}", error.byte)};
    }
}

std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}
std::string dump_pretty(const Json& json) {
    return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

const Json& get(const Json& object, std::string_view key) {
    if (!object.is_object()) return null_json;
    const auto found = object.find(std::string(key));
    return found == object.end() ? null_json : *found;
}

std::optional<std::string> get_string(const Json& object, std::string_view key) {
    const Json& member = get(object, key);
    if (!member.is_string()) return std::nullopt;
    return member.get_ref<const std::string&>();
}

std::optional<std::int64_t> get_integer(const Json& object, std::string_view key) {
    const Json& member = get(object, key);
    if (!member.is_number_integer()) return std::nullopt;
    if (member.is_number_unsigned() && member.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX))
        return std::nullopt;
    return member.get<std::int64_t>();
}

std::optional<double> get_number(const Json& object, std::string_view key) {
    const Json& member = get(object, key);
    if (!member.is_number()) return std::nullopt;
    return member.get<double>();
}

std::optional<bool> get_bool(const Json& object, std::string_view key) {
    const Json& member = get(object, key);
    if (!member.is_boolean()) return std::nullopt;
    return member.get<bool>();
}

const Json& at_pointer(const Json& document, std::string_view pointer) {
    try {
        const Json::json_pointer path{std::string(pointer)};
        return document.contains(path) ? document.at(path) : null_json;
    } catch (const Json::exception&) {
        return null_json;  // a malformed pointer finds nothing
    }
}

}  // namespace kedge
