#include "plan/variables.h"

namespace kedge {

std::vector<std::string> variables_in(std::string_view text) {
    std::vector<std::string> names;
    substitute(text, [&](const std::string& name) {
        names.push_back(name);
        return std::string{};
    });
    return names;
}

std::string substitute(std::string_view text, const std::function<std::string(const std::string&)>& value_of) {
    std::string result;
    for (;;) {
        const std::size_t begin = text.find("${");
        result += text.substr(0, begin);
        if (begin == std::string_view::npos) return result;
        text.remove_prefix(begin + 2);
        const std::size_t end = text.find('}');
        result += value_of(std::string{text.substr(0, end)});
        if (end == std::string_view::npos) return result;
        text.remove_prefix(end + 1);
    }
}

}  // namespace kedge
