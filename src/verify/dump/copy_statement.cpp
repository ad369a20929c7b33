#include "verify/dump/copy_statement.h"

namespace kedge::verify {
namespace {

bool take(std::string_view& text, std::string_view expected) {
    if (!text.starts_with(expected)) return false;
    text.remove_prefix(expected.size());
    return true;
}

// Letters of any alphabet: pg_dump quotes all but lower case ASCII, but an encoding may do as it likes.
bool continues_identifier(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '$' || (c & '\x80') != 0;
}

}  // namespace

std::string unquoted_identifier(std::string_view written) {
    if (!written.starts_with('"')) return std::string(written);
    std::string name;
    for (std::size_t i = 1; i + 1 < written.size(); ++i) {
        if (written[i] == '"') ++i;  // doubled
        name += written[i];
    }
    return name;
}

std::string_view leading_identifier(std::string_view text) {
    std::size_t end = 0;
    if (text.starts_with('"')) {
        for (end = 1; end < text.size(); ++end) {
            if (text[end] != '"') continue;
            if (end + 1 < text.size() && text[end + 1] == '"') {
                ++end;
                continue;
            }
            return text.substr(0, end + 1);
        }
        return {};
    }
    while (end < text.size() && continues_identifier(text[end])) ++end;
    return text.substr(0, end);
}

std::optional<CopyStatement> read_copy_statement(std::string_view text) {
    CopyStatement statement;
    if (!take(text, "COPY ")) return std::nullopt;
    do {
        const std::string_view part = leading_identifier(text);
        if (part.empty()) return std::nullopt;
        statement.table.push_back(unquoted_identifier(part));
        text.remove_prefix(part.size());
    } while (take(text, "."));
    if (!take(text, " ")) return std::nullopt;
    if (take(text, "(")) {
        do {
            const std::string_view column = leading_identifier(text);
            if (column.empty()) return std::nullopt;
            statement.columns.push_back(column);
            text.remove_prefix(column.size());
        } while (take(text, ", "));
        if (!take(text, ")")) return std::nullopt;
    }
    return text == " FROM stdin;\n" ? std::optional(std::move(statement)) : std::nullopt;
}

}  // namespace kedge::verify
