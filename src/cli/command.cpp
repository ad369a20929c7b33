#include "cli/command.h"

#include <fmt/format.h>

#include <charconv>

namespace kedge::written {

Result<void> read(const std::string& text, std::string& field) {
    if (text.empty()) return Error{Fault::invalid_input, "an empty text is no value"};
    field = text;
    return {};
}

Result<void> read(const std::string& text, std::optional<std::string>& field) {
    return read(text, field.emplace());
}

Result<void> read(const std::string& text, std::vector<std::string>& field) {
    return read(text, field.emplace_back());
}

Result<void> read(const std::string& text, std::map<std::string, std::string>& field) {
    const std::size_t sign = text.find('=');
    if (sign == std::string::npos || sign == 0)
        return Error{Fault::invalid_input, fmt::format("'{}' is not of the form NAME=VALUE", text)};
    if (!field.emplace(text.substr(0, sign), text.substr(sign + 1)).second)
        return Error{Fault::invalid_input, fmt::format("'{}' is given twice", text.substr(0, sign))};
    return {};
}

Result<void> read(const std::string& text, Span& field) {
    field = TRY(parse_span(text));
    return {};
}

Result<void> read(const std::string& text, std::optional<Span>& field) {
    return read(text, field.emplace());
}

Result<void> read(const std::string& text, std::int64_t& field) {
    const char* end = text.data() + text.size();
    std::int64_t number = 0;
    const auto [stop, fault] = std::from_chars(text.data(), end, number);
    if (fault != std::errc{} || stop != end || number < 0)
        return Error{Fault::invalid_input, fmt::format("'{}' is no number from 0 up", text)};
    field = number;
    return {};
}

Result<void> fill(void* options, const std::vector<Written>& values) {
    for (const Written& value : values) TRY((*value.set)(options, value.text).within(value.name));
    return {};
}

}  // namespace kedge::written
