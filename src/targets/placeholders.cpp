#include "targets/placeholders.h"

#include <algorithm>
#include <functional>
#include <string_view>

namespace kedge {
namespace {

constexpr std::string_view one_of = "one of ";

// Calls `take` with every ${name} in turn and puts its answer in the name's place.
std::string replaced(const std::string& text,
                     const std::function<std::optional<std::string>(const std::string&)>& take) {
    std::string result;
    std::size_t at = 0;
    for (;;) {
        const auto start = text.find("${", at);
        const auto end = start == std::string::npos ? start : text.find('}', start);
        if (end == std::string::npos) return result + text.substr(at);
        result += text.substr(at, start - at);
        const auto value = take(text.substr(start + 2, end - start - 2));
        result += value ? *value : text.substr(start, end - start + 1);
        at = end + 1;
    }
}

}  // namespace

std::set<std::string> names_in(const std::string& text) {
    std::set<std::string> names;
    replaced(text, [&](const std::string& name) {
        names.insert(name);
        return std::nullopt;
    });
    return names;
}

std::string fill(const std::string& text, const Values& values) {
    return replaced(text, [&](const std::string& name) -> std::optional<std::string> {
        const auto found = values.find(name);
        if (found == values.end()) return std::nullopt;
        return found->second;
    });
}

Json fill_texts(const Json& json, const Values& values) {
    if (json.is_string()) return fill(json.get_ref<const std::string&>(), values);
    if (!json.is_structured()) return json;
    Json filled = json;
    for (Json& member : filled) member = fill_texts(member, values);
    return filled;
}

std::set<std::string> names_in_texts(const Json& json) {
    if (json.is_string()) return names_in(json.get_ref<const std::string&>());
    std::set<std::string> names;
    if (json.is_structured())
        for (const Json& member : json) names.merge(names_in_texts(member));
    return names;
}

std::optional<std::string> scalar_text(const Json& json) {
    if (json.is_string()) return json.get_ref<const std::string&>();
    if (json.is_null() || json.is_structured()) return std::nullopt;
    return dump(json);
}

bool matches(const std::optional<std::string>& found, const std::string& wanted) {
    if (!found) return false;
    if (wanted == "present") return true;
    if (!wanted.starts_with(one_of)) return *found == wanted;
    std::string_view rest = std::string_view(wanted).substr(one_of.size());
    while (!rest.empty()) {
        const auto end = std::min(rest.find(','), rest.size());
        std::string_view choice = rest.substr(0, end);
        while (choice.starts_with(' ')) choice.remove_prefix(1);
        while (choice.ends_with(' ')) choice.remove_suffix(1);
        if (choice == *found) return true;
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return false;
}

}  // namespace kedge
