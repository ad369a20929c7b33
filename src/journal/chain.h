// The chain that ties entries together, and the rules every journal keeps before it writes one.
//
// Shared by the implementations of journal.h and by the export, so that all of them hash the same bytes
// (docs/formats/journal.md) and refuse the same drafts in the same words.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "journal/journal.h"

namespace kedge {

inline constexpr std::size_t body_bytes_max = 4u << 20;      // of one entry, as compact JSON
inline constexpr std::size_t request_bytes_max = 64u << 10;  // of all that a person typed in one request
inline constexpr std::size_t name_bytes_max = 64;            // of a run's id, an entry's kind, a request's id

// One entry as it is stored: the body as its exact bytes. The views must outlive it.
struct ChainLink {
    Position position = 0;
    std::string_view run;
    Epoch epoch = 0;
    std::string_view kind;
    Moment time{};
    std::string_view body;
};

// The digest of `link` when `previous` is the digest before it, empty for the first.
std::string link_digest(const ChainLink& link, std::string_view previous);

// Walks a chain from its first link: every position follows, every digest fits. It remembers per run nothing;
// what else must hold between entries and their bookkeeping is the store's to compare.
class ChainWalk {
public:
    // corrupt, naming the position that is wrong.
    Result<void> step(const ChainLink& link, std::string_view digest);

    std::uint64_t entries() const { return entries_; }
    // The digest of the last link, empty before the first.
    const std::string& head() const { return head_; }

private:
    std::uint64_t entries_ = 0;
    std::string head_;
};

// A draft that may be appended, its body made canonical.
struct CheckedDraft {
    std::string kind;
    std::string body;
    Moment time{};
};

// invalid_input for no drafts at all, a kind that is no name, a body that is too large or too deep to be read back.
Result<std::vector<CheckedDraft>> check_drafts(std::span<const Draft> drafts);
// invalid_input unless it is 1 to 64 of a-z, 0-9, `-`, `_` and `.`, the first a letter or digit: it names a file.
Result<void> check_run_id(const RunId& id);
// Each once, in the order given; invalid_input for an empty one.
Result<std::vector<std::string>> check_targets(const std::vector<std::string>& targets);
// invalid_input for a bad id or more text than `request_bytes_max`.
Result<void> check_request(const Request& request);
bool same_content(const Request& a, const Request& b);

// What every implementation says when it must refuse.
Error no_such_run(const RunId& id);
Error run_exists(const RunId& id);
Error run_has_ended(const RunId& id, std::string_view what);
Error target_is_held(const std::string& target, const RunId& holder, const std::optional<std::string>& controller);
Error run_is_controlled(const RunId& id, const std::string& controller);
Error claim_is_stale(const RunId& id, Epoch ours, Epoch current, const std::string& controller);
Error claim_is_spoiled(const RunId& id);
Error history_changed(const RunId& id, Position expected);
Error entry_changed(Position position);
Error request_differs(const std::string& id);
Error request_not_waiting(const RunId& run, const std::string& id);
Error journal_is_closed(const std::string& because);

}  // namespace kedge
