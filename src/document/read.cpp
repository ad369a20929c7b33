#include "document/read.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>

#include "base/time.h"

namespace kedge {
namespace {

constexpr std::size_t name_length_max = 63;

std::string found(const Node& node) {
    switch (node.kind) {
        case NodeKind::nothing: return "nothing";
        case NodeKind::list: return "a list";
        case NodeKind::map: return "a map";
        case NodeKind::text: break;
    }
    constexpr std::size_t shown = 40;
    const std::size_t end = std::min(node.text.find('\n'), std::size_t{shown});
    return fmt::format("{}`{}{}`", node.quoted ? "the text " : "", node.text.substr(0, end),
                       node.text.size() > end ? "..." : "");
}

std::optional<std::int64_t> to_integer(const std::string& text) {
    std::int64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stop != end) return std::nullopt;
    // 014 is eight or twelve or fourteen, depending on who reads it.
    const std::size_t digits = text.starts_with('-') ? 1 : 0;
    if (text.size() > digits + 1 && text[digits] == '0') return std::nullopt;
    return value;
}

std::optional<double> to_number(const std::string& text) {
    double value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stop != end || !std::isfinite(value)) return std::nullopt;
    const std::size_t first = text.starts_with('-') ? 1 : 0;
    const bool leading_zero = text.size() > first + 1 && text[first] == '0' && text[first + 1] != '.';
    return leading_zero ? std::nullopt : std::optional{value};
}

bool is_date(const std::string& text) {
    if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
    const auto year = to_integer(text.substr(0, 4));
    const auto part = [&](std::size_t at) -> unsigned {
        unsigned value = 0;
        const char* end = text.data() + at + 2;
        const auto [stop, error] = std::from_chars(text.data() + at, end, value);
        return error == std::errc{} && stop == end ? value : 0;
    };
    if (!year) return false;
    return std::chrono::year_month_day{std::chrono::year{static_cast<int>(*year)}, std::chrono::month{part(5)},
                                       std::chrono::day{part(8)}}
        .ok();
}

bool is_secret(const std::string& text) {
    // An estate may begin the path with a variable of its own.
    if (text.starts_with("file:/") || text.starts_with("file:${")) return text.size() > 7;
    if (!text.starts_with("env:") || text.size() == 4) return false;
    return std::all_of(text.begin() + 4, text.end(),
                       [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; });
}

bool is_variable(const std::string& text) {
    return text.starts_with("${") && text.find('}') == text.size() - 1;
}

bool has_control_character(const std::string& text) {
    return std::ranges::any_of(text, [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte < 0x20 && c != '\n') || byte == 0x7F;
    });
}

class Reader {
public:
    Reader(Mistakes& mistakes, Places& places) : mistakes_(mistakes), places_(places) {}

    Json read(const Node& node, const Shape& shape, const std::string& pointer) {
        switch (shape.kind) {
            case ShapeKind::list: return read_list(node, shape, pointer);
            case ShapeKind::map: return read_map(node, shape, pointer);
            case ShapeKind::record: return read_fields(node, shape, shape.fields, true, pointer);
            case ShapeKind::variant: return read_variant(node, shape, pointer);
            case ShapeKind::json:
            case ShapeKind::any: return read_any(node, shape, pointer);
            case ShapeKind::text:
            case ShapeKind::name:
            case ShapeKind::integer:
            case ShapeKind::number:
            case ShapeKind::span:
            case ShapeKind::open_span:
            case ShapeKind::flag:
            case ShapeKind::date:
            case ShapeKind::secret:
            case ShapeKind::choice: break;
        }
        return read_scalar(node, shape);
    }

private:
    Json refuse(const Node& node, const Shape& shape, std::string hint = {}) {
        mistakes_.add(node.place, fmt::format("expected {}, found {}", expectation(shape), found(node)),
                      std::move(hint));
        return nullptr;
    }

    Json read_scalar(const Node& node, const Shape& shape) {
        if (node.kind != NodeKind::text) return refuse(node, shape);
        const std::string& text = node.text;
        if (has_control_character(text)) {
            mistakes_.add(node.place, "a text with a control character", "remove it");
            return nullptr;
        }
        switch (shape.kind) {
            case ShapeKind::text:
                if (text.empty()) return refuse(node, shape, "leave the field out instead");
                return text;
            case ShapeKind::name: return is_name(text) ? Json(text) : refuse(node, shape);
            case ShapeKind::integer: {
                const auto value = node.quoted ? std::nullopt : to_integer(text);
                if (!value || *value < shape.least || *value > shape.most) return refuse(node, shape);
                return *value;
            }
            case ShapeKind::number: {
                const auto value = node.quoted ? std::nullopt : to_number(text);
                return value ? Json(*value) : refuse(node, shape);
            }
            case ShapeKind::span: return parse_span(text) ? Json(text) : refuse(node, shape);
            case ShapeKind::open_span: return is_variable(text) || parse_span(text) ? Json(text) : refuse(node, shape);
            case ShapeKind::flag:
                if (node.quoted || (text != "true" && text != "false")) return refuse(node, shape);
                return text == "true";
            case ShapeKind::date: return is_date(text) ? Json(text) : refuse(node, shape);
            case ShapeKind::secret:
                // What stands here instead may be the secret itself: it is not repeated.
                if (is_secret(text)) return text;
                mistakes_.add(node.place, fmt::format("expected {}", expectation(shape)),
                              "a secret itself never stands in a file");
                return nullptr;
            case ShapeKind::choice:
                if (std::ranges::find(shape.choices, text) != shape.choices.end()) return text;
                return refuse(node, shape, near(text, shape.choices));
            case ShapeKind::list:
            case ShapeKind::map:
            case ShapeKind::record:
            case ShapeKind::variant:
            case ShapeKind::json:
            case ShapeKind::any: break;
        }
        check(false, "only scalars come here");
        return nullptr;
    }

    // A suggestion only where one is near: the expectation has named them all.
    static std::string near(const std::string& name, const std::vector<std::string>& known) {
        const std::string hint = suggestion(name, known);
        return hint.starts_with("did") ? hint : std::string{};
    }

    Json read_list(const Node& node, const Shape& shape, const std::string& pointer) {
        if (node.kind != NodeKind::list) return refuse(node, shape, "write it as `[a, b]` or one `- a` a line");
        const auto size = static_cast<std::int64_t>(node.items.size());
        if (size < shape.least || size > shape.most)
            mistakes_.add(node.place, size < shape.least ? fmt::format("at least {} must be listed", shape.least)
                                                         : fmt::format("more than {} are listed", shape.most));
        Json list = Json::array();
        for (std::size_t i = 0; i < node.items.size(); ++i) {
            const std::string item = below(pointer, i);
            places_.note(item, node.items[i].place, node.items[i].place);
            list.push_back(read(node.items[i], shape.inner.front(), item));
        }
        return list;
    }

    Json read_map(const Node& node, const Shape& shape, const std::string& pointer) {
        if (node.kind != NodeKind::map) return refuse(node, shape, "write it as `key: value` lines");
        Json map = Json::object();
        for (const Member& member : node.members) {
            if (shape.keys == ShapeKind::name ? !is_name(member.key)
                                              : member.key.empty() || has_control_character(member.key))
                mistakes_.add(member.place, fmt::format("`{}` is no name", member.key),
                              "names have lower-case letters, digits and `-`");
            map[member.key] = read_member(member, shape.inner.front(), pointer);
        }
        return map;
    }

    Json read_member(const Member& member, const Shape& shape, const std::string& pointer) {
        const std::string here = below(pointer, member.key);
        places_.note(here, member.place, member.value.place);
        return read(member.value, shape, here);
    }

    // `complete`: whether `fields` are all that may stand there.
    Json read_fields(const Node& node, const Shape& shape, const std::vector<Field>& fields, bool complete,
                     const std::string& pointer) {
        if (node.kind != NodeKind::map) return refuse(node, shape);
        Json record = Json::object();
        for (const Member& member : node.members) {
            const auto field = std::ranges::find(fields, member.key, &Field::name);
            if (field != fields.end())
                record[member.key] = read_member(member, field->shape, pointer);
            else if (complete)
                refuse_field(member, shape, fields);
        }
        for (const Field& field : fields) {
            if (node.find(field.name) != nullptr) continue;
            if (field.required)
                mistakes_.add(node.place, fmt::format("{} lacks `{}`", shape.title, field.name), field.says);
            else if (!field.fallback.empty())
                record[field.name] = read(fallback_of(field, node.place), field.shape, below(pointer, field.name));
        }
        return record;
    }

    static Node fallback_of(const Field& field, Place place) {
        Node node;
        node.kind = NodeKind::text;
        node.place = place;
        node.text = field.fallback;
        return node;
    }

    void refuse_field(const Member& member, const Shape& shape, const std::vector<Field>& fields) {
        std::vector<std::string> known;
        for (const Field& field : fields) known.push_back(field.name);
        mistakes_.add(member.place, fmt::format("{} has no field `{}`", shape.title, member.key),
                      suggestion(member.key, known));
    }

    Json read_variant(const Node& node, const Shape& shape, const std::string& pointer) {
        if (node.kind != NodeKind::map) return refuse(node, shape);
        std::vector<std::string> values;
        for (const std::string& tag : shape.tags) {
            const Node* value = node.find(tag);
            values.push_back(value != nullptr ? value->text : std::string{});
        }
        const auto chosen = std::ranges::find(shape.cases, values, &Case::values);
        if (chosen == shape.cases.end()) {
            // The common fields say what is wrong with each tag; if each alone is right, no case joins them.
            const std::size_t before = mistakes_.list().size() + mistakes_.dropped();
            read_fields(node, shape, shape.fields, false, pointer);
            if (mistakes_.list().size() + mistakes_.dropped() == before) refuse_case(node, shape, values);
            return nullptr;
        }
        std::vector<Field> fields = shape.fields;
        fields.insert(fields.end(), chosen->fields.begin(), chosen->fields.end());
        return read_fields(node, shape, fields, true, pointer);
    }

    void refuse_case(const Node& node, const Shape& shape, const std::vector<std::string>& values) {
        std::vector<std::string> known;
        for (const Case& one : shape.cases)
            if (std::equal(values.begin(), values.end() - 1, one.values.begin())) known.push_back(one.values.back());
        const Node* last = node.find(shape.tags.back());
        mistakes_.add(last != nullptr ? last->place : node.place,
                      fmt::format("`{}` has no {} `{}`", values.front(), shape.tags.back(), values.back()),
                      suggestion(values.back(), known));
    }

    Json read_any(const Node& node, const Shape& shape, const std::string& pointer) {
        switch (node.kind) {
            case NodeKind::nothing: return nullptr;
            case NodeKind::text: return read_scalar_as_it_is(node, shape);
            case NodeKind::list: return read_list(node, shape::list(shape), pointer);
            case NodeKind::map: return read_map(node, shape::map_of_texts(shape), pointer);
        }
        return nullptr;
    }

    Json read_scalar_as_it_is(const Node& node, const Shape& shape) {
        if (has_control_character(node.text)) mistakes_.add(node.place, "a text with a control character", "remove it");
        if (shape.kind == ShapeKind::any || node.quoted) return node.text;
        if (node.text == "true" || node.text == "false") return node.text == "true";
        if (const auto integer = to_integer(node.text)) return *integer;
        if (const auto number = to_number(node.text)) return *number;
        return node.text;
    }

    Mistakes& mistakes_;
    Places& places_;
};

}  // namespace

Place Places::value(std::string_view pointer) const {
    for (;;) {
        if (const auto found = places_.find(pointer); found != places_.end()) return found->second.value;
        if (pointer.empty()) return {};
        pointer = pointer.substr(0, pointer.rfind('/'));
    }
}

Place Places::key(std::string_view pointer) const {
    const auto found = places_.find(pointer);
    return found != places_.end() ? found->second.key : value(pointer);
}

void Places::note(std::string pointer, Place key, Place value) {
    places_.insert_or_assign(std::move(pointer), Both{key, value});
}

Reading read(const Node& root, const Shape& shape, Mistakes& mistakes) {
    Reading reading;
    reading.places.note("", root.place, root.place);
    reading.value = Reader{mistakes, reading.places}.read(root, shape, "");
    return reading;
}

std::string below(std::string_view pointer, std::string_view key) {
    std::string result{pointer};
    result += '/';
    for (const char c : key) {
        if (c == '~')
            result += "~0";
        else if (c == '/')
            result += "~1";
        else
            result += c;
    }
    return result;
}

std::string below(std::string_view pointer, std::size_t index) {
    return fmt::format("{}/{}", pointer, index);
}

bool is_name(std::string_view text) {
    if (text.empty() || text.size() > name_length_max || text.front() == '-' || text.back() == '-') return false;
    return std::ranges::all_of(text,
                               [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

}  // namespace kedge
