// Reads a YAML tree against a shape: all that is wrong at once, and what was meant as JSON.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/json.h"
#include "document/mistake.h"
#include "document/shape.h"
#include "document/yaml.h"

namespace kedge {

// Where each part of a file stands, by RFC 6901 pointer, for mistakes that are found later.
class Places {
public:
    // The value's place; the nearest enclosing one that is known if the value itself stands nowhere.
    Place value(std::string_view pointer) const;
    // The place of the key under which it stands; for list items and the root that of the value.
    Place key(std::string_view pointer) const;

    void note(std::string pointer, Place key, Place value);

private:
    struct Both {
        Place key, value;
    };
    std::map<std::string, Both, std::less<>> places_;
};

// What stands in the file, in the kinds of the shape: integers, numbers and flags as such, everything else
// as text; fallbacks are filled in. Parts that were refused are null.
struct Reading {
    Json value;
    Places places;
};

// Adds every mistake to `mistakes`; the reading is of use only if there are none.
Reading read(const Node& root, const Shape& shape, Mistakes& mistakes);

// One step down: `pointer` + "/" + `key`, escaped.
std::string below(std::string_view pointer, std::string_view key);
std::string below(std::string_view pointer, std::size_t index);

// How a name must look (ShapeKind::name).
bool is_name(std::string_view text);

}  // namespace kedge
