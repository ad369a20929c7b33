#include "document/tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace kedge {
namespace {

class Tables {
public:
    std::string take() { return std::move(text_); }

    // The table of `shape` and of every record below it, each record once.
    void add(const Shape& shape) {
        switch (shape.kind) {
            case ShapeKind::list:
            case ShapeKind::map: add(shape.inner.front()); return;
            case ShapeKind::record:
                if (!seen_.insert(shape.title).second) return;
                heading(shape.title);
                fields(shape.fields);
                return;
            case ShapeKind::variant: add_variant(shape); return;
            case ShapeKind::text:
            case ShapeKind::name:
            case ShapeKind::integer:
            case ShapeKind::number:
            case ShapeKind::span:
            case ShapeKind::open_span:
            case ShapeKind::flag:
            case ShapeKind::date:
            case ShapeKind::secret:
            case ShapeKind::choice:
            case ShapeKind::json:
            case ShapeKind::any: return;
        }
    }

private:
    void heading(const std::string& title) { text_ += fmt::format("\n### {}\n\n", title); }

    void fields(const std::vector<Field>& fields) {
        text_ += "| field | kind | if it is absent | meaning |\n|---|---|---|---|\n";
        for (const Field& field : fields) {
            const std::string absent = field.required           ? "a mistake"
                                       : field.fallback.empty() ? ""
                                                                : fmt::format("`{}`", field.fallback);
            text_ += fmt::format("| `{}` | {} | {} | {} |\n", field.name, kind(field.shape), absent, field.says);
        }
        for (const Field& field : fields) add(field.shape);
    }

    void add_variant(const Shape& shape) {
        if (!seen_.insert(shape.title).second) return;
        heading(shape.title);
        fields(shape.fields);
        for (const Case& one : shape.cases) {
            heading(fmt::format("{}: {}", shape.title, fmt::join(one.values, ", ")));
            text_ += one.says + "\n\n";
            fields(one.fields);
        }
    }

    static std::string kind(const Shape& shape) {
        switch (shape.kind) {
            case ShapeKind::list: return "list of " + kind(shape.inner.front());
            case ShapeKind::map:
                return fmt::format("map of {} to {}", shape.keys == ShapeKind::name ? "name" : "text",
                                   kind(shape.inner.front()));
            case ShapeKind::record:
            case ShapeKind::variant: return shape.title;
            case ShapeKind::integer: return fmt::format("whole number, {} to {}", shape.least, shape.most);
            case ShapeKind::choice: {
                std::vector<std::string> quoted;
                for (const std::string& choice : shape.choices) quoted.push_back("`" + choice + "`");
                return fmt::format("{}", fmt::join(quoted, ", "));
            }
            case ShapeKind::text: return "text";
            case ShapeKind::name: return "name";
            case ShapeKind::number: return "number";
            case ShapeKind::span: return "span";
            case ShapeKind::open_span: return "span, or `${input}`";
            case ShapeKind::flag: return "`true`, `false`";
            case ShapeKind::date: return "date";
            case ShapeKind::secret: return "secret";
            case ShapeKind::json: return "JSON";
            case ShapeKind::any: return "any";
        }
        return {};
    }

    std::string text_;
    std::set<std::string> seen_;
};

}  // namespace

std::string field_tables(const Shape& shape) {
    Tables tables;
    tables.add(shape);
    return tables.take();
}

Result<std::string> with_tables(std::string_view document, std::string_view tables) {
    const std::size_t begin = document.find(tables_begin);
    const std::size_t end = document.find(tables_end);
    if (begin == std::string_view::npos || end == std::string_view::npos || end < begin)
        return Error{Fault::invalid_input, "the document has no place for the generated tables"};
    return fmt::format("{}{}\n{}", document.substr(0, begin + tables_begin.size()), tables, document.substr(end));
}

}  // namespace kedge
