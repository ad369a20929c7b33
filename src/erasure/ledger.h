// The erasure ledger: who must stay erased, whatever a restore brings back.
//
// A file of JSON lines, docs/formats/erasure-ledger.md, which only grows and lies outside the reach of every restore.
// Each line carries the digest of the one before it, so that a line that was changed, moved, added or taken out shows.
// That the tail was cut off shows only beside a copy: keep the last digest somewhere else.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "os/line_file.h"
#include "os/wait.h"

namespace kedge {

enum class ErasureEvent {
    erase,        // the subject is erased from now on
    hold,         // the subject must be kept for legal reasons: no restore filters its rows while the hold stands
    release,      // the hold ends
    finding,      // something about a source that a person must look at
    acknowledge,  // of a finding, by its number
};
std::string_view to_string(ErasureEvent event);

struct ErasureEntry {
    std::int64_t number = 0;  // from 1 without a gap
    Moment at{};
    ErasureEvent event{};
    std::string subject;          // the person's id in the platform; empty for findings
    std::string reason;           // of findings: what was found
    std::string source;           // who said so: a URL, a ticket
    std::string who;              // login that wrote the line
    std::int64_t finding = 0;     // of an acknowledgement: the number of the finding
    std::set<std::string> about;  // of findings: the subjects concerned
    std::string digest;           // SHA-256 over the one before it and this line's content
};

// All of an entry but its digest, in the order in which it is hashed and written.
Json to_json(const ErasureEntry& entry);

// What a whole ledger says. A plain value.
class ErasureLedger {
public:
    // corrupt, naming the line, if the chain is broken or a line cannot be read; a torn last line is corrupt, too.
    static Result<ErasureLedger> read(std::string_view text);

    const std::vector<ErasureEntry>& entries() const { return entries_; }
    const std::string& head() const;  // the last digest; empty if there is no entry
    // Everyone who must be erased: all that ever were, but those under a hold now.
    std::set<std::string> erased() const;
    // Those of them that a hold keeps.
    std::set<std::string> held() const;
    // Those that `source` named.
    std::set<std::string> named_by(std::string_view source) const;
    // Findings that nobody has acknowledged. While there is one, nothing may be restored.
    std::vector<ErasureEntry> open_findings() const;

    // Numbers `entry`, chains it and takes it in. refused if it says nothing new: a subject that is erased already, a
    // hold that stands, a release without one, an acknowledgement of what is no open finding. Returns its line.
    Result<std::string> add(ErasureEntry entry);
    // All of them in their order, or none; refused also if one says the same of a subject as another. Returns their
    // lines.
    Result<std::vector<std::string>> add(std::vector<ErasureEntry> entries);

private:
    Result<void> take(ErasureEntry entry);

    std::vector<ErasureEntry> entries_;
    std::set<std::string> erased_, held_;
};

// The file, held against every other writer while this lives. Not thread-safe.
class ErasureFile {
public:
    // Opens it, or begins it with mode 0600. not_found if the directory that it lies in is not there: a ledger that was
    // begun where another is missing would erase nobody. corrupt as of ErasureLedger::read; unavailable if another
    // holds it too long.
    static Result<ErasureFile> open(const std::string& path, const Until& until);

    const ErasureLedger& ledger() const { return ledger_; }
    // It was not there before.
    bool was_begun() const { return was_begun_; }
    // Adds the entries in their order, each durably; if one is refused, none is added. Errors of ErasureLedger::add,
    // and of the file, after which some may be there: open it again to see.
    Result<void> add(std::vector<ErasureEntry> entries);

private:
    ErasureFile(LineFile file, ErasureLedger ledger, bool was_begun)
        : file_(std::move(file)), ledger_(std::move(ledger)), was_begun_(was_begun) {}

    LineFile file_;
    ErasureLedger ledger_;
    bool was_begun_;
};

// Reads a ledger without holding it. not_found if there is none: nobody knows who is excluded then.
Result<ErasureLedger> read_ledger(const std::string& path);

}  // namespace kedge
