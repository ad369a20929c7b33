#include "cli/surroundings.h"

#include <algorithm>
#include <cctype>

namespace kedge {
namespace {

std::string value_of(const Variables& environment, const std::string& name) {
    const auto found = environment.find(name);
    return found == environment.end() ? "" : found->second;
}

bool is_utf8(const Variables& environment) {
    for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
        std::string locale = value_of(environment, name);
        if (locale.empty()) continue;
        std::transform(locale.begin(), locale.end(), locale.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        return locale.find("utf-8") != std::string::npos || locale.find("utf8") != std::string::npos;
    }
    return false;
}

bool wants_colour(const Variables& environment, bool is_terminal, ColourChoice choice) {
    if (choice != ColourChoice::automatic) return choice == ColourChoice::always;
    if (!value_of(environment, "NO_COLOR").empty()) return false;
    const std::string force = value_of(environment, "CLICOLOR_FORCE");
    if (!force.empty() && force != "0") return true;
    return is_terminal && value_of(environment, "TERM") != "dumb" && value_of(environment, "CLICOLOR") != "0";
}

}  // namespace

Surface surface_of(const Surroundings& surroundings, bool is_terminal, ColourChoice choice) {
    Surface surface;
    surface.interactive = is_terminal && value_of(surroundings.environment, "TERM") != "dumb";
    surface.colour = wants_colour(surroundings.environment, is_terminal, choice);
    surface.charset = is_utf8(surroundings.environment) ? Charset::utf8 : Charset::ascii;
    if (is_terminal) {
        const WindowSize size = surroundings.window();
        surface.columns = size.columns;
        surface.rows = size.rows;
    }
    return surface;
}

}  // namespace kedge
