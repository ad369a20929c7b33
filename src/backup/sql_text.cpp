#include "backup/sql_text.h"

namespace kedge {
namespace {

std::string doubled(std::string_view text, std::string_view special) {
    std::string out;
    for (const char letter : text) {
        if (special.find(letter) != std::string_view::npos) out += letter;
        out += letter;
    }
    return out;
}

}  // namespace

std::string sql_name(std::string_view name) {
    return '"' + doubled(name, "\"") + '"';
}

std::string sql_literal(std::string_view text) {
    return "E'" + doubled(text, "'\\") + "'";
}

std::string sql_table(std::string_view name) {
    const std::size_t point = name.find('.');
    return sql_name(name.substr(0, point)) + "." + sql_name(name.substr(point + 1));
}

}  // namespace kedge
