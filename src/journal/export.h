// The journal as JSON lines, to be kept elsewhere and verified without Kedge's files (docs/formats/journal.md).
//
// A chain alone does not show that its tail was cut off or that all of it was written anew. The last line of an
// export kept in another place, or only its digest, does: compare it with what the journal says later.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>

#include "journal/journal.h"

namespace kedge {

struct ExportSummary {
    std::uint64_t entries = 0;
    std::string head;  // digest of the last entry, empty if there is none
};

// Writes every entry of `journal` to `out`: a heading, a line for each entry, a line with the number and the last
// digest. Memory does not grow with the journal. unavailable if `out` fails; corrupt as `read` says.
Result<ExportSummary> export_journal(const Journal& journal, std::ostream& out);

// Reads an export and checks every digest. corrupt, with the line, for anything that was changed, removed, added,
// cut off or reordered; invalid_input for what is no export or one of a newer version.
Result<ExportSummary> verify_export(std::istream& in);

}  // namespace kedge
