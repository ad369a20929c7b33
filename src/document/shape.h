// What a file may contain: one declaration from which come the checks (read.h), the JSON Schema for editors
// (schema.h) and the tables of the documentation (tables.h).
//
// A shape is a value: build it once with the functions in namespace `shape`, keep it constant.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace kedge {

enum class ShapeKind {
    text,     // not empty, no control characters but line breaks
    name,     // lower-case letters, digits and `-`: what other places refer to
    integer,  // in `least` ... `most`
    number,
    span,       // "30s", "5m": always with its unit
    open_span,  // a span, or `${name}` of something that becomes one
    flag,       // true or false, nothing else
    date,       // yyyy-mm-dd
    secret,     // where a secret is found, never the secret: env:NAME or file:PATH
    choice,     // one of `choices`
    list,       // of `inner[0]`, `least` ... `most` of them
    map,        // texts (`keys`) to `inner[0]`
    record,     // named fields
    variant,    // a record whose further fields depend on the values of `tags`
    json,       // anything that is sent as JSON: plain numbers, true, false and null as such, what is quoted as text
    any,        // anything: texts, lists and maps of them; its meaning is checked elsewhere
};

struct Field;
struct Case;

struct Shape {
    ShapeKind kind = ShapeKind::any;
    std::string title{};  // of a record or variant: "step", "target"; heading of its table
    std::int64_t least = std::numeric_limits<std::int64_t>::min();
    std::int64_t most = std::numeric_limits<std::int64_t>::max();
    std::vector<std::string> choices{};
    std::vector<Shape> inner;
    ShapeKind keys = ShapeKind::name;  // of a map: name or text
    std::vector<Field> fields;         // of a record; of a variant those that every case has
    std::vector<std::string> tags{};   // of a variant: fields (choices) whose values select the case
    std::vector<Case> cases;
};

struct Case {
    std::vector<std::string> values;  // one for each tag
    std::string says;
    std::vector<Field> fields;
};

struct Field {
    std::string name;
    Shape shape{};
    bool required = false;
    std::string fallback{};  // as it would be written; empty = none
    std::string says{};
};

namespace shape {

Shape text();
Shape name();
Shape integer(std::int64_t least, std::int64_t most);
Shape number();
Shape span();
Shape open_span();
Shape flag();
Shape date();
Shape secret();
Shape choice(std::vector<std::string> choices);
Shape list(Shape item, std::int64_t least = 0, std::int64_t most = 1000);
Shape map(Shape value);           // keys are names
Shape map_of_texts(Shape value);  // keys are any texts
Shape record(std::string title, std::vector<Field> fields);
Shape variant(std::string title, std::vector<std::string> tags, std::vector<Field> fields, std::vector<Case> cases);
Shape json();
Shape any();

}  // namespace shape

Field required(std::string name, Shape shape, std::string says);
Field optional(std::string name, Shape shape, std::string says);
// Optional, and as if `fallback` were written when it is not.
Field defaulted(std::string name, Shape shape, std::string fallback, std::string says);

// "a span with its unit, such as 30s": what a message says was expected, and the tables call it.
std::string expectation(const Shape& shape);

}  // namespace kedge
