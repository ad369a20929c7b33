// JSON as the project uses it: nlohmann's type, read only through a door that refuses what the library
// accepts in silence (duplicate keys, unbounded depth), and through getters that never narrow or throw.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace kedge {

// Keys keep their order: what we write is read by people, and a digest needs one form.
using Json = nlohmann::ordered_json;

inline constexpr int json_depth_max = 64;

// JSON that does not change any more. Copies share it: what a journal, a run's state and a call all hold is there once.
// Reads like the Json that it was made of; any thread may. By default it is null.
class SharedJson {
public:
    SharedJson() = default;
    SharedJson(Json json) : json_(std::make_shared<const Json>(std::move(json))) {}
    SharedJson(Json::initializer_list_t list) : SharedJson(Json(list)) {}
    // An empty object, which costs nothing to make.
    static SharedJson object();
    // The member `key` of `whole`, which lives on as long as this does; null if there is none.
    static SharedJson member(const SharedJson& whole, std::string_view key);

    operator const Json&() const { return json_ ? *json_ : nothing(); }
    const Json& operator*() const { return *this; }
    const Json* operator->() const { return &**this; }

private:
    static const Json& nothing();

    std::shared_ptr<const Json> json_;
};

// invalid_input with the byte offset for anything but one well-formed document without duplicate keys
// and at most `json_depth_max` deep.
Result<Json> parse_json(std::string_view text);

// Compact, or indented by two; invalid UTF-8 is replaced, never thrown. The compact form is what journals keep and
// hash: it is the library's own, byte for byte, written faster where a value is plain.
std::string dump(const Json& json);
std::string dump_pretty(const Json& json);

// An empty object with room for so many members. The library copies all members of an object when another finds no
// room.
Json make_object(std::size_t members);

// The member `key` of an object if it is there and of that kind; nothing otherwise.
std::optional<std::string> get_string(const Json& object, std::string_view key);
std::optional<std::int64_t> get_integer(const Json& object, std::string_view key);
std::optional<double> get_number(const Json& object, std::string_view key);
std::optional<bool> get_bool(const Json& object, std::string_view key);
// The member, or a null that outlives every caller.
const Json& get(const Json& object, std::string_view key);
// The value at an RFC 6901 pointer such as /tokens/access_token, or null.
const Json& at_pointer(const Json& document, std::string_view pointer);

}  // namespace kedge
