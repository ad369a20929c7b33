#include "base/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <vector>

namespace kedge {
namespace {

const Json null_json;

// Stands for itself between quotes. Bytes above ASCII are left to the library, which knows which of them are UTF-8.
bool is_plain(char c) {
    return c >= ' ' && c != '"' && c != '\\' && c <= '~';
}

std::string as_the_library_writes(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Writes what has to be escaped; false if it is not ASCII.
bool write_escaped(std::string& out, char c) {
    static constexpr std::string_view hex = "0123456789abcdef";
    switch (c) {
        case '"': out += "\\\""; return true;
        case '\\': out += "\\\\"; return true;
        case '\b': out += "\\b"; return true;
        case '\f': out += "\\f"; return true;
        case '\n': out += "\\n"; return true;
        case '\r': out += "\\r"; return true;
        case '\t': out += "\\t"; return true;
        case '\x7f': out += c; return true;
        default: break;
    }
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80) return false;
    out += "\\u00";
    out += hex[byte >> 4];
    out += hex[byte & 15];
    return true;
}

void write_text(std::string& out, std::string_view text, const Json& json) {
    const std::size_t begin = out.size();
    out += '"';
    while (!text.empty()) {
        const auto plain = static_cast<std::size_t>(std::ranges::find_if_not(text, is_plain) - text.begin());
        out += text.substr(0, plain);
        text.remove_prefix(plain);
        if (text.empty()) break;
        if (!write_escaped(out, text.front())) {
            out.resize(begin);
            out += as_the_library_writes(json);
            return;
        }
        text.remove_prefix(1);
    }
    out += '"';
}

template <class Integer>
void write_integer(std::string& out, Integer value) {
    std::array<char, 24> digits{};
    out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
}

void write(std::string& out, const Json& json);

void write_object(std::string& out, const Json& json) {
    out += '{';
    bool first = true;
    for (const auto& [name, value] : json.get_ref<const Json::object_t&>()) {
        if (!std::exchange(first, false)) out += ',';
        if (std::ranges::all_of(name, is_plain))
            out.append(1, '"').append(name).append(1, '"');
        else
            out += as_the_library_writes(name);
        out += ':';
        write(out, value);
    }
    out += '}';
}

void write_array(std::string& out, const Json& json) {
    out += '[';
    bool first = true;
    for (const Json& value : json) {
        if (!std::exchange(first, false)) out += ',';
        write(out, value);
    }
    out += ']';
}

void write(std::string& out, const Json& json) {
    switch (json.type()) {
        case Json::value_t::null: out += "null"; break;
        case Json::value_t::boolean: out += json.get<bool>() ? "true" : "false"; break;
        case Json::value_t::number_integer: write_integer(out, json.get<std::int64_t>()); break;
        case Json::value_t::number_unsigned: write_integer(out, json.get<std::uint64_t>()); break;
        case Json::value_t::string: write_text(out, json.get_ref<const std::string&>(), json); break;
        case Json::value_t::object: write_object(out, json); break;
        case Json::value_t::array: write_array(out, json); break;
        case Json::value_t::number_float:
        case Json::value_t::binary:
        case Json::value_t::discarded: out += as_the_library_writes(json); break;
    }
}

}  // namespace

const Json& SharedJson::nothing() {
    return null_json;
}

SharedJson SharedJson::object() {
    static const Json empty = Json::object();
    SharedJson shared;
    shared.json_ = std::shared_ptr<const Json>(std::shared_ptr<void>(), &empty);
    return shared;
}

SharedJson SharedJson::member(const SharedJson& whole, std::string_view key) {
    const Json& found = get(whole, key);
    SharedJson shared;
    if (&found != &null_json) shared.json_ = std::shared_ptr<const Json>(whole.json_, &found);
    return shared;
}

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
    std::string text;
    text.reserve(256);  // of most entries of a journal
    write(text, json);
    return text;
}
std::string dump_pretty(const Json& json) {
    return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

Json make_object(std::size_t members) {
    Json object = Json::object();
    object.get_ref<Json::object_t&>().reserve(members);
    return object;
}

const Json& get(const Json& object, std::string_view key) {
    if (!object.is_object()) return null_json;
    for (const auto& [name, value] : object.get_ref<const Json::object_t&>())
        if (name == key) return value;
    return null_json;
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
