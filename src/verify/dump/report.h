// What an examination of a dump says, whichever of its formats it has.
#pragma once

#include <span>
#include <string>

#include "verify/dump/catalogue.h"
#include "verify/dump/data_check.h"
#include "verify/examination.h"

namespace kedge::verify {

// How it stood when reading the head or the table of contents ended: a finding for an archive that cannot be, an error
// for a medium that fails.
Result<void> as_finding(Result<void> outcome, const std::string& where, std::uint64_t offset, Findings& findings);

// Versions, names, times and counts.
void report_header(const DumpHeader& header, Examination& examination);

// What the table of contents holds. `listed` is proved if there is no damage yet.
void report_listing(const Catalogue& catalogue, Examination& examination);

// Proofs, contents and what is unproved, from the results of `catalogue.data()` in the same order, whose findings are
// taken over.
void report_data(const Catalogue& catalogue, std::span<const DataResult> results, Examination& examination);

}  // namespace kedge::verify
