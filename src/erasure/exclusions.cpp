#include "erasure/exclusions.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge {

Result<std::vector<Exclusion>> read_exclusions(int status, std::string_view body, int limit) {
    if (status != 200)
        return Error{Fault::refused,
                     fmt::format("the platform answered {} instead of 200: who is excluded is unknown", status),
                     "restore nothing until it answers, or until its list was entered by hand"};
    auto json = parse_json(body);
    if (!json) return Error{Fault::corrupt, "the answer is not JSON: " + json.error().message};
    const Json& list = get(*json, "exclusions");
    const auto count = get_integer(*json, "count");
    if (!list.is_array() || !count)
        return Error{Fault::corrupt, "the answer has no list `exclusions` with its `count`"};
    if (*count != static_cast<std::int64_t>(list.size()))
        return Error{Fault::corrupt, fmt::format("the answer says {} exclusions and lists {}", *count, list.size())};
    if (*count >= limit)
        return Error{Fault::refused,
                     fmt::format("the answer is as long as its limit of {}: the newest may have been cut off", limit),
                     limit < exclusions_limit_max ? "ask with a higher limit"
                                                  : "take the list from the platform's own store and add it by hand"};
    std::vector<Exclusion> exclusions;
    std::set<std::string> seen;
    for (const Json& one : list) {
        const auto subject = get_string(one, "user_id");
        if (!subject || subject->empty())
            return Error{Fault::corrupt, fmt::format("exclusion {} names no user_id", exclusions.size() + 1)};
        if (!seen.insert(*subject).second) continue;  // named twice is excluded once
        exclusions.push_back({*subject, get_string(one, "reason").value_or("")});
    }
    return exclusions;
}

std::vector<ErasureEntry> learn(const ErasureLedger& ledger, const std::vector<Exclusion>& answer,
                                const std::string& source, const std::string& who, Moment now) {
    std::vector<ErasureEntry> entries;
    const std::set<std::string> before = ledger.named_by(source);
    std::set<std::string> known = ledger.erased(), missing = before;
    known.merge(ledger.held());
    for (const Exclusion& one : answer) {
        missing.erase(one.subject);
        if (known.contains(one.subject)) continue;
        entries.push_back({.at = now,
                           .event = ErasureEvent::erase,
                           .subject = one.subject,
                           .reason = one.reason,
                           .source = source,
                           .who = who});
    }
    const std::set<std::string>* said = nullptr;  // the newest finding about this source
    for (const ErasureEntry& one : ledger.entries())
        if (one.event == ErasureEvent::finding && one.source == source) said = &one.about;
    if (!missing.empty() && (said == nullptr || *said != missing))
        entries.push_back({.at = now,
                           .event = ErasureEvent::finding,
                           .reason = fmt::format("{} of {} subjects that it named before are not in its answer",
                                                 missing.size(), before.size()),
                           .source = source,
                           .who = who,
                           .about = missing});
    return entries;
}

}  // namespace kedge
