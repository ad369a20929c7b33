#include "journal/chain.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/digest.h"

namespace kedge {
namespace {

void append_number(std::string& bytes, std::uint64_t number) {
    for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>((number >> shift) & 0xff);
}
// A length before each text, so that no two different entries have the same bytes.
void append_text(std::string& bytes, std::string_view text) {
    append_number(bytes, text.size());
    bytes += text;
}

bool is_name(std::string_view text) {
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    };
    return !text.empty() && text.size() <= name_bytes_max && std::ranges::all_of(text, fits) && text[0] != '-' &&
           text[0] != '_' && text[0] != '.';
}

Error bad_name(std::string_view what, std::string_view text) {
    return {Fault::invalid_input, fmt::format("'{}' is no {}: it takes 1 to {} of a-z, 0-9, '-', '_' and '.', "
                                              "beginning with a letter or digit",
                                              text.substr(0, 2 * name_bytes_max), what, name_bytes_max)};
}

// How deep `json` is nested: 0 for what is neither array nor object. Not looked into further than parse_json reads.
int depth_of(const Json& json, int above = 0) {
    if (!json.is_structured() || above > json_depth_max) return 0;
    int below = 0;
    for (const Json& member : json) below = std::max(below, depth_of(member, above + 1));
    return below + 1;
}

// The compact form of `body`, if what is written can be read back from an export, where it lies one level deeper.
Result<std::string> canonical_body(const std::string& kind, const Json& body) {
    if (depth_of(body) >= json_depth_max)
        return Error{Fault::invalid_input,
                     fmt::format("entry {}: its body is nested deeper than {}", kind, json_depth_max - 1)};
    std::string text = dump(body);
    if (text.size() > body_bytes_max)
        return Error{Fault::invalid_input,
                     fmt::format("entry {}: its body has {} bytes, the most is {}", kind, text.size(), body_bytes_max)};
    return text;
}

}  // namespace

std::string entry_digest(const Entry& entry, const std::string& previous) {
    const std::string body = dump(entry.body);
    return link_digest({entry.position, entry.run, entry.epoch, entry.kind, entry.time, body}, previous);
}

std::string link_digest(const ChainLink& link, std::string_view previous) {
    std::string bytes;
    bytes.reserve(128 + link.run.size() + link.kind.size() + link.body.size());
    bytes += '\0';
    append_number(bytes, link.position);
    append_text(bytes, previous);
    append_text(bytes, link.run);
    append_number(bytes, link.epoch);
    append_number(bytes, static_cast<std::uint64_t>(link.time.time_since_epoch().count()));
    append_text(bytes, link.kind);
    append_text(bytes, link.body);
    return sha256_hex(bytes);
}

Result<void> ChainWalk::step(const ChainLink& link, std::string_view digest) {
    const Position expected = entries_ + 1;
    if (link.position != expected)
        return Error{Fault::corrupt,
                     fmt::format("journal entry {} is missing: entry {} stands in its place", expected, link.position)};
    std::string computed = link_digest(link, head_);
    if (computed != digest) return entry_changed(link.position);
    head_ = std::move(computed);
    ++entries_;
    return {};
}

Result<std::vector<CheckedDraft>> check_drafts(std::span<const Draft> drafts) {
    if (drafts.empty()) return Error{Fault::invalid_input, "an append needs at least one entry"};
    std::vector<CheckedDraft> checked;
    checked.reserve(drafts.size());
    for (const Draft& draft : drafts) {
        if (!is_name(draft.kind)) return bad_name("kind of entry", draft.kind);
        checked.push_back({draft.kind, TRY(canonical_body(draft.kind, draft.body)), draft.time});
    }
    return checked;
}

Result<void> check_run_id(const RunId& id) {
    if (!is_name(id)) return bad_name("id of a run", id);
    return {};
}

Result<std::vector<std::string>> check_targets(const std::vector<std::string>& targets) {
    std::vector<std::string> unique;
    for (const std::string& target : targets) {
        if (target.empty()) return Error{Fault::invalid_input, "a run cannot hold a target without a name"};
        if (std::ranges::find(unique, target) == unique.end()) unique.push_back(target);
    }
    return unique;
}

Result<void> check_request(const Request& request) {
    if (!is_name(request.id)) return bad_name("id of a request", request.id);
    TRY(check_run_id(request.run));
    const std::size_t bytes = request.step.size() + request.login.size() + request.verb.size() + request.text.size() +
                              request.digest.size() + request.played_as.size();
    if (bytes > request_bytes_max)
        return Error{Fault::invalid_input,
                     fmt::format("request {}: it has {} bytes, the most is {}", request.id, bytes, request_bytes_max)};
    return {};
}

bool same_content(const Request& a, const Request& b) {
    return a.run == b.run && a.step == b.step && a.login == b.login && a.verb == b.verb && a.text == b.text &&
           a.digest == b.digest && a.played_as == b.played_as && a.time == b.time;
}

Error no_such_run(const RunId& id) {
    return {Fault::not_found, fmt::format("no run {} in this journal", id), "kedge run list shows the runs"};
}
Error run_exists(const RunId& id) {
    return {Fault::conflict, fmt::format("run {} exists already", id)};
}
Error run_has_ended(const RunId& id, std::string_view what) {
    return {Fault::refused, fmt::format("run {} has ended: {}", id, what)};
}
Error target_is_held(const std::string& target, const RunId& holder, const std::optional<std::string>& controller) {
    if (controller)
        return {Fault::conflict,
                fmt::format("target {} is held by run {} (controller: {})", target, holder, *controller),
                fmt::format("wait for it to end, or kedge run cancel {}", holder)};
    return {Fault::conflict, fmt::format("target {} is held by run {}, which no controller is driving", target, holder),
            fmt::format("kedge run resume {} drives it to its end", holder)};
}
Error run_is_controlled(const RunId& id, const std::string& controller) {
    return {Fault::conflict, fmt::format("run {} has a living controller: {}", id, controller),
            "only one process may drive a run; the other must end first"};
}
Error claim_is_stale(const RunId& id, Epoch ours, Epoch current, const std::string& controller) {
    return {Fault::conflict,
            fmt::format("run {} was taken over: this claim has epoch {}, the journal {} (controller: {})", id, ours,
                        current, controller),
            "stop: another controller drives the run now"};
}
Error claim_is_spoiled(const RunId& id) {
    return {Fault::conflict,
            fmt::format("run {}: an append under this claim did not succeed, so its place is in doubt", id),
            "claim the run again and read its last entries"};
}
Error history_changed(const RunId& id, Position expected) {
    return {Fault::corrupt,
            fmt::format("run {}: entry {}, which was written and confirmed, is gone from the journal or was changed",
                        id, expected),
            "the journal was replaced by an older copy or edited; compare with its backups before anything resumes"};
}
Error entry_changed(Position position) {
    return {Fault::corrupt,
            fmt::format("journal entry {} was changed, or the one before it: its digest does not fit", position),
            "compare the journal with its backups before anything resumes"};
}
Error request_differs(const std::string& id) {
    return {Fault::conflict, fmt::format("request {} is in the journal already, with other content", id)};
}
Error request_not_waiting(const RunId& run, const std::string& id) {
    return {Fault::not_found, fmt::format("no request {} waits in the inbox of run {}", id, run)};
}
Error journal_is_closed(const std::string& because) {
    return {Fault::unavailable, fmt::format("the journal takes no more entries since: {}", because),
            "end this process; a new one reads what is durable and goes on from there (kedge run resume)"};
}

}  // namespace kedge
