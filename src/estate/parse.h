// Reads an estate file (docs/formats/estate.md): every mistake in it at once, with its place.
#pragma once

#include <string>
#include <string_view>

#include "document/mistake.h"
#include "document/shape.h"
#include "estate/estate.h"

namespace kedge {

struct EstateOptions {
    // Directory under which each lab has its own; needed for an estate that names a lab, where `${lab}` stands
    // for the lab's directory.
    std::string lab_root{};
};

// `path` is only what messages call the file. Pure: reads no file and no environment.
Parsed<Estate> parse_estate(const std::string& path, std::string_view text, const EstateOptions& options = {});

// The form of the whole file: for the schema, the documentation and editors.
Shape estate_shape();

}  // namespace kedge
