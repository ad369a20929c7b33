// What a verification says of one backup: what it is, what it holds, how far it is proved, and what is wrong with it.
//
// What is found is part of the answer, never an error: an Error of a verifier means that it could not look.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/time.h"

namespace kedge::verify {

// How far a backup is proved. Each rung includes those below it and stands only on evidence that is kept beside it.
enum class Rung {
    none,         // not recognised, or nothing of it could be read
    listed,       // its table of contents, or what stands for one, was read
    decoded,      // every byte was read and every value in it makes sense
    checksummed,  // and every byte was covered by a checksum, its own or one from outside, that fits
    restored,     // a real server took all of it
    validated,    // and the checks that the policy declares hold on what it restored
};
std::string_view to_string(Rung rung);

enum class Weight {
    damage,  // it cannot be trusted: exit 15
    doubt,   // something could not be judged: exit 16
    remark,  // worth knowing, no fault of the backup
};
std::string_view to_string(Weight weight);

struct Finding {
    Weight weight{};
    std::string code;   // stable, lower case with hyphens: "page-checksum"; each is explained in docs/operations
    std::string says;   // one sentence for people: what was expected and what is there
    std::string where;  // path, member or object; may be empty
    std::optional<std::uint64_t> offset;  // in bytes, within `where`
};

// Findings in the order in which they were made; the first `kept_max` of each code are kept, the others are counted.
// Not thread-safe: parallel workers have one each, merged in a fixed order, so that two runs say the same.
class Findings {
public:
    static constexpr std::size_t kept_max = 100;

    void add(Finding finding);
    void merge(const Findings& others);

    const std::vector<Finding>& kept() const { return kept_; }
    std::uint64_t count(Weight weight) const { return counts_[static_cast<std::size_t>(weight)]; }
    std::uint64_t count(std::string_view code) const;
    bool any(Weight weight) const { return count(weight) > 0; }

private:
    struct Tally {
        std::string code;
        std::uint64_t count = 0;
    };
    std::vector<Finding> kept_;
    std::vector<Tally> tallies_;
    std::uint64_t counts_[3] = {};
};

// Something that the backup holds and that people count: a table, a database of Redis, a large object, a segment.
struct Content {
    std::string kind;                    // "table", "sequence", "database", "blobs", ...
    std::string name;                    // "public.debates"
    std::optional<std::uint64_t> rows;   // exact; nothing where it could not be counted
    std::optional<std::uint64_t> bytes;  // of its data, decoded
};

// Why a rung is reached: one sentence with figures ("41 of 41 data blocks inflated, 4,046,900 rows counted").
struct Proof {
    Rung rung{};
    std::string says;
};

struct Examination {
    std::string path;
    std::string kind;             // "PostgreSQL dump, custom format"; empty = not recognised
    std::uint64_t bytes = 0;      // read from the medium
    std::optional<Moment> taken;  // from inside the backup, never from the file's own time
    Json facts = Json::object();  // versions, names, counts: what `--json` shows
    std::vector<Content> contents;
    std::vector<Proof> proofs;          // ascending
    std::vector<std::string> unproved;  // what was not looked at or cannot be known, one sentence each
    Findings findings;

    // The highest rung with a proof, or `none`. Damage and doubt do not lower it: they stand beside it.
    Rung rung() const;
};

}  // namespace kedge::verify
