#include "document/schema.h"

namespace kedge {
namespace {

Json of(const Shape& shape);

Json with_fields(const std::vector<Field>& fields) {
    Json properties = Json::object();
    for (const Field& field : fields) {
        Json property = of(field.shape);
        if (!field.says.empty()) property["description"] = field.says;
        if (!field.fallback.empty()) {
            const Json typed = Json::parse(field.fallback, nullptr, false);
            const bool is_text = field.shape.kind != ShapeKind::integer && field.shape.kind != ShapeKind::number &&
                                 field.shape.kind != ShapeKind::flag;
            property["default"] = is_text ? Json(field.fallback) : typed;
        }
        properties[field.name] = std::move(property);
    }
    return properties;
}

Json required_of(const std::vector<Field>& fields) {
    Json names = Json::array();
    for (const Field& field : fields)
        if (field.required) names.push_back(field.name);
    return names;
}

Json record(const std::vector<Field>& fields) {
    Json schema{{"type", "object"}, {"additionalProperties", false}, {"properties", with_fields(fields)}};
    if (Json names = required_of(fields); !names.empty()) schema["required"] = std::move(names);
    return schema;
}

// Draft 7 cannot close an object over several parts, so that each case lists all of its fields.
Json variant(const Shape& shape) {
    Json all = Json::array();
    for (const Case& one : shape.cases) {
        Json tags = Json::object();
        Json names = Json::array();
        for (std::size_t i = 0; i < shape.tags.size(); ++i) {
            tags[shape.tags[i]] = Json{{"const", one.values[i]}};
            names.push_back(shape.tags[i]);
        }
        std::vector<Field> fields = shape.fields;
        fields.insert(fields.end(), one.fields.begin(), one.fields.end());
        all.push_back(Json{{"if", Json{{"properties", tags}, {"required", names}}}, {"then", record(fields)}});
    }
    Json schema{{"type", "object"}, {"properties", with_fields(shape.fields)}};
    schema["required"] = required_of(shape.fields);
    schema["allOf"] = std::move(all);
    return schema;
}

Json of(const Shape& shape) {
    switch (shape.kind) {
        // An editor types a plain scalar by its looks; for us it is the text that stands there.
        case ShapeKind::text: return Json{{"type", {"string", "number", "boolean"}}};
        case ShapeKind::name: return Json{{"type", "string"}, {"pattern", "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"}};
        case ShapeKind::integer: return Json{{"type", "integer"}, {"minimum", shape.least}, {"maximum", shape.most}};
        case ShapeKind::number: return Json{{"type", "number"}};
        case ShapeKind::span: return Json{{"type", "string"}, {"pattern", "^[0-9]+(\\.[0-9]+)?(us|ms|s|m|h|d)$"}};
        case ShapeKind::open_span:
            return Json{{"type", "string"}, {"pattern", "^([0-9]+(\\.[0-9]+)?(us|ms|s|m|h|d)|\\$\\{[a-z0-9-]+\\})$"}};
        case ShapeKind::flag: return Json{{"type", "boolean"}};
        case ShapeKind::date: return Json{{"type", "string"}, {"format", "date"}};
        case ShapeKind::secret: return Json{{"type", "string"}, {"pattern", "^(env:[A-Z0-9_]+|file:(/|\\$\\{).+)$"}};
        case ShapeKind::choice: return Json{{"type", "string"}, {"enum", shape.choices}};
        case ShapeKind::list: {
            Json schema{{"type", "array"}, {"items", of(shape.inner.front())}};
            if (shape.least > 0) schema["minItems"] = shape.least;
            return schema;
        }
        case ShapeKind::map: {
            Json schema{{"type", "object"}, {"additionalProperties", of(shape.inner.front())}};
            if (shape.keys == ShapeKind::name) schema["propertyNames"] = of(shape::name());
            return schema;
        }
        case ShapeKind::record: return record(shape.fields);
        case ShapeKind::variant: return variant(shape);
        case ShapeKind::json:
        case ShapeKind::any: return Json::object();
    }
    return Json::object();
}

}  // namespace

Json json_schema(const Shape& shape, const std::string& title) {
    Json schema{{"$schema", "http://json-schema.org/draft-07/schema#"}, {"title", title}};
    schema.update(of(shape));
    return schema;
}

}  // namespace kedge
