#include "response/heartbeats.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge {
namespace {

Moment from_microseconds(std::int64_t count) {
    return Moment{Span{count}};
}

std::optional<std::pair<std::string, Attempt>> parse_line(std::string_view line) {
    const auto json = parse_json(line);
    if (!json) return std::nullopt;
    const auto stream = get_string(*json, "stream");
    const auto sequence = get_integer(*json, "seq");
    const auto sent = get_integer(*json, "sent_us");
    const auto done = get_integer(*json, "done_us");
    const auto ok = get_bool(*json, "ok");
    if (!stream || !sequence || !sent || !done || !ok) return std::nullopt;
    return std::pair{*stream, Attempt{.sequence = *sequence,
                                      .sent = from_microseconds(*sent),
                                      .done = from_microseconds(*done),
                                      .acknowledged = *ok,
                                      .error = get_string(*json, "error").value_or(""),
                                      .region = get_string(*json, "region").value_or("")}};
}

// Whether the service held from the acknowledged attempt at `start` on for the time the rules ask.
bool holds_from(const std::vector<Attempt>& attempts, std::size_t start, const OutageRules& rules) {
    Moment last = attempts[start].done;
    for (std::size_t i = start + 1; i < attempts.size(); ++i) {
        const Attempt& attempt = attempts[i];
        if (!attempt.acknowledged || attempt.done - last > rules.silence_max) return false;
        last = std::max(last, attempt.done);
        if (last - attempts[start].done >= rules.unbroken) return true;
    }
    return last - attempts[start].done >= rules.unbroken;
}

// The first attempt after `start` that failed or came after a silence; the end if none did.
std::size_t next_break(const std::vector<Attempt>& attempts, std::size_t start, const OutageRules& rules) {
    for (std::size_t i = start + 1; i < attempts.size(); ++i)
        if (!attempts[i].acknowledged || attempts[i].done - attempts[i - 1].done > rules.silence_max) return i;
    return attempts.size();
}

}  // namespace

std::string to_line(const std::string& stream, const Attempt& attempt) {
    return dump(Json{{"stream", stream},
                     {"seq", attempt.sequence},
                     {"sent_us", attempt.sent.time_since_epoch().count()},
                     {"done_us", attempt.done.time_since_epoch().count()},
                     {"ok", attempt.acknowledged},
                     {"error", attempt.error},
                     {"region", attempt.region}});
}

AttemptLog parse_attempt_log(std::string_view text) {
    AttemptLog log;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.empty()) continue;
        if (auto attempt = parse_line(line))
            log.streams[attempt->first].push_back(std::move(attempt->second));
        else
            ++log.unreadable_lines;
    }
    for (auto& [stream, attempts] : log.streams)
        std::ranges::stable_sort(attempts, {}, [](const Attempt& attempt) { return attempt.sequence; });
    return log;
}

std::vector<SequenceRange> to_ranges(std::vector<std::int64_t> numbers) {
    std::ranges::sort(numbers);
    std::vector<SequenceRange> ranges;
    for (const std::int64_t number : numbers) {
        if (!ranges.empty() && number <= ranges.back().last + 1)
            ranges.back().last = number;
        else
            ranges.push_back({number, number});
    }
    return ranges;
}

std::string readable(const std::vector<SequenceRange>& ranges, std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < ranges.size() && i < count; ++i) {
        const auto& [first, last] = ranges[i];
        text += fmt::format("{}{}", text.empty() ? "" : " ",
                            first == last ? fmt::format("{}", first) : fmt::format("{}-{}", first, last));
    }
    if (ranges.size() > count) text += fmt::format(" and {} ranges more", ranges.size() - count);
    return text;
}

std::vector<Outage> outages(const std::vector<Attempt>& attempts, Moment from, const OutageRules& rules) {
    std::vector<Outage> found;
    std::size_t at = 0;
    while (at < attempts.size()) {
        if (attempts[at].acknowledged || attempts[at].done < from) {
            ++at;
            continue;
        }
        Outage outage{.first_failed = attempts[at].sent};
        while (at < attempts.size() && !(attempts[at].acknowledged && holds_from(attempts, at, rules))) {
            if (!attempts[at].acknowledged) ++outage.failed;
            ++at;
        }
        if (at < attempts.size()) {
            outage.over = attempts[at].done;
            at = next_break(attempts, at, rules);
        }
        found.push_back(outage);
    }
    return found;
}

std::optional<Gap> largest_gap(const std::vector<Attempt>& attempts, Moment from) {
    std::vector<Moment> acknowledged;
    for (const Attempt& attempt : attempts)
        if (attempt.acknowledged && attempt.done >= from) acknowledged.push_back(attempt.done);
    std::ranges::sort(acknowledged);
    std::optional<Gap> largest;
    for (std::size_t i = 1; i < acknowledged.size(); ++i) {
        const Gap gap{acknowledged[i - 1], acknowledged[i]};
        if (!largest || gap.span() > largest->span()) largest = gap;
    }
    return largest;
}

std::optional<Loss> count_loss(const std::vector<Attempt>& attempts,
                               const std::optional<std::vector<std::int64_t>>& stored, std::optional<Moment> fault) {
    if (!stored) return std::nullopt;
    std::vector<std::int64_t> there = *stored;
    std::ranges::sort(there);
    Loss loss;
    std::vector<std::int64_t> missing;
    std::optional<Moment> newest_missing;
    for (const Attempt& attempt : attempts) {
        const bool is_there = std::ranges::binary_search(there, attempt.sequence);
        if (!attempt.acknowledged) {
            if (is_there) ++loss.stored_unacknowledged;
            continue;
        }
        ++loss.acknowledged;
        if (is_there) continue;
        missing.push_back(attempt.sequence);
        if (fault && attempt.done > *fault) ++loss.acknowledged_after_fault;
        if (!loss.oldest_missing || attempt.done < loss.oldest_missing->done) loss.oldest_missing = attempt;
        newest_missing = std::max(newest_missing.value_or(attempt.done), attempt.done);
    }
    loss.rows = static_cast<std::int64_t>(missing.size());
    loss.missing = to_ranges(std::move(missing));
    if (!loss.oldest_missing)
        loss.rpo = Span{0};
    else if (fault)
        loss.rpo = std::max(*fault, *newest_missing) - loss.oldest_missing->done;
    return loss;
}

}  // namespace kedge
