// What was compared and what was brought back, for people and for programs.
#pragma once

#include <string>

#include "base/json.h"
#include "cli/look.h"
#include "recover/compare.h"
#include "recover/extract.h"

namespace kedge {

// `with`: the copy of live that was read.
std::string rendered(const recover::Comparison& comparison, const std::string& with, const Surface& surface);
Json as_json(const recover::Comparison& comparison, const std::string& with);

// Only what differs, as counts: {with, equal, tables: {NAME: {only_production, only_copy, changed, says}}}.
Json differences(const recover::Comparison& comparison, const std::string& with);

std::string rendered(const recover::Extraction& extraction, const Surface& surface);
Json as_json(const recover::Extraction& extraction);

}  // namespace kedge
