#include "plan/parameters.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "document/mistake.h"

namespace kedge {
namespace {

template <class T>
Result<Json> parsed_number(const std::string& text, const char* what) {
    T value{};
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    bool ok = error == std::errc{} && stop == end;
    if constexpr (std::is_floating_point_v<T>) ok = ok && std::isfinite(value);
    if (!ok) return Error{Fault::invalid_input, fmt::format("expected {}, found `{}`", what, text)};
    return Json(value);
}

template <class T>
Result<Json> known_name(const std::string& text, const char* what, const std::vector<T>& list) {
    std::vector<std::string> names;
    for (const T& one : list) {
        if (one.name == text) return Json(text);
        names.push_back(one.name);
    }
    return Error{Fault::invalid_input, fmt::format("there is no {} `{}`", what, text), suggestion(text, names)};
}

Result<Json> typed_texts(const Json& written) {
    if (written.is_string()) return Json::array({written});
    if (!written.is_array() || written.empty()) return Error{Fault::invalid_input, "expected a list of texts"};
    for (const Json& item : written)
        if (!item.is_string() || item.get<std::string>().empty())
            return Error{Fault::invalid_input, "expected a list of texts"};
    return written;
}

}  // namespace

Result<Json> typed(const Json& written, ParameterType type, const Estate* estate) {
    if (type == ParameterType::texts) return typed_texts(written);
    if (!written.is_string() || written.get<std::string>().empty())
        return Error{Fault::invalid_input, fmt::format("expected one {}", to_string(type))};
    const auto text = written.get<std::string>();
    switch (type) {
        case ParameterType::text:
        case ParameterType::step: return written;
        case ParameterType::integer: return parsed_number<std::int64_t>(text, "a whole number");
        case ParameterType::number: return parsed_number<double>(text, "a number");
        case ParameterType::span: {
            if (!parse_span(text))
                return Error{Fault::invalid_input,
                             fmt::format("expected a span with its unit, such as 30s or 5m, found `{}`", text)};
            return written;
        }
        case ParameterType::flag:
            if (text != "true" && text != "false")
                return Error{Fault::invalid_input, fmt::format("expected true or false, found `{}`", text)};
            return Json(text == "true");
        case ParameterType::region:
            return estate != nullptr ? known_name(text, "region", estate->regions) : Result<Json>{written};
        case ParameterType::target:
            return estate != nullptr ? known_name(text, "target", estate->targets) : Result<Json>{written};
        case ParameterType::texts: break;
    }
    return written;
}

}  // namespace kedge
