#include "document/shape.h"

#include <fmt/format.h>

namespace kedge {
namespace shape {
namespace {

Shape of_kind(ShapeKind kind) {
    Shape shape;
    shape.kind = kind;
    return shape;
}

Shape around(ShapeKind kind, Shape inner) {
    Shape shape = of_kind(kind);
    shape.inner.push_back(std::move(inner));
    return shape;
}

}  // namespace

Shape text() {
    return of_kind(ShapeKind::text);
}
Shape name() {
    return of_kind(ShapeKind::name);
}
Shape number() {
    return of_kind(ShapeKind::number);
}
Shape span() {
    return of_kind(ShapeKind::span);
}
Shape open_span() {
    return of_kind(ShapeKind::open_span);
}
Shape flag() {
    return of_kind(ShapeKind::flag);
}
Shape date() {
    return of_kind(ShapeKind::date);
}
Shape secret() {
    return of_kind(ShapeKind::secret);
}
Shape json() {
    return of_kind(ShapeKind::json);
}
Shape any() {
    return of_kind(ShapeKind::any);
}

Shape integer(std::int64_t least, std::int64_t most) {
    Shape shape = of_kind(ShapeKind::integer);
    shape.least = least;
    shape.most = most;
    return shape;
}

Shape choice(std::vector<std::string> choices) {
    Shape shape = of_kind(ShapeKind::choice);
    shape.choices = std::move(choices);
    return shape;
}

Shape list(Shape item, std::int64_t least, std::int64_t most) {
    Shape shape = around(ShapeKind::list, std::move(item));
    shape.least = least;
    shape.most = most;
    return shape;
}

Shape map(Shape value) {
    return around(ShapeKind::map, std::move(value));
}

Shape map_of_texts(Shape value) {
    Shape shape = around(ShapeKind::map, std::move(value));
    shape.keys = ShapeKind::text;
    return shape;
}

Shape record(std::string title, std::vector<Field> fields) {
    Shape shape = of_kind(ShapeKind::record);
    shape.title = std::move(title);
    shape.fields = std::move(fields);
    return shape;
}

Shape variant(std::string title, std::vector<std::string> tags, std::vector<Field> fields, std::vector<Case> cases) {
    Shape shape = record(std::move(title), std::move(fields));
    shape.kind = ShapeKind::variant;
    shape.tags = std::move(tags);
    shape.cases = std::move(cases);
    return shape;
}

}  // namespace shape

Field required(std::string name, Shape shape, std::string says) {
    return Field{std::move(name), std::move(shape), true, {}, std::move(says)};
}

Field optional(std::string name, Shape shape, std::string says) {
    return Field{std::move(name), std::move(shape), false, {}, std::move(says)};
}

Field defaulted(std::string name, Shape shape, std::string fallback, std::string says) {
    return Field{std::move(name), std::move(shape), false, std::move(fallback), std::move(says)};
}

std::string expectation(const Shape& shape) {
    switch (shape.kind) {
        case ShapeKind::text: return "a text";
        case ShapeKind::name: return "a name (lower-case letters, digits, `-`)";
        case ShapeKind::integer: return fmt::format("a whole number from {} to {}", shape.least, shape.most);
        case ShapeKind::number: return "a number";
        case ShapeKind::span: return "a span with its unit, such as 30s or 5m";
        case ShapeKind::open_span: return "a span with its unit, such as 30s or 5m, or the `${name}` of one";
        case ShapeKind::flag: return "true or false";
        case ShapeKind::date: return "a date, yyyy-mm-dd";
        case ShapeKind::secret: return "where a secret is found, env:NAME or file:/PATH";
        case ShapeKind::choice: return fmt::format("one of {}", fmt::join(shape.choices, ", "));
        case ShapeKind::list: return "a list";
        case ShapeKind::map: return "a map";
        case ShapeKind::record:
        case ShapeKind::variant: return fmt::format("the fields of {}", shape.title);
        case ShapeKind::json: return "a value that is sent as JSON";
        case ShapeKind::any: return "a value";
    }
    return {};
}

}  // namespace kedge
