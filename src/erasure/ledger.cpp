#include "erasure/ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/digest.h"
#include "os/files.h"

namespace kedge {
namespace {

constexpr std::size_t ledger_bytes_max = 256u << 20;
constexpr std::size_t text_bytes_max = 4096;

constexpr std::array event_names = {
    std::pair{ErasureEvent::erase, std::string_view("erase")},
    std::pair{ErasureEvent::hold, std::string_view("hold")},
    std::pair{ErasureEvent::release, std::string_view("release")},
    std::pair{ErasureEvent::finding, std::string_view("finding")},
    std::pair{ErasureEvent::acknowledge, std::string_view("acknowledge")},
};

std::optional<ErasureEvent> event_of(std::string_view name) {
    const auto found = std::ranges::find(event_names, name, [](const auto& pair) { return pair.second; });
    return found == event_names.end() ? std::nullopt : std::optional(found->first);
}

// One line of text that JSON carries unchanged.
bool is_plain(const std::string& text) {
    const bool one_line = std::ranges::none_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
    const Result<Json> back = parse_json(dump(Json(text)));
    return text.size() <= text_bytes_max && one_line && back && back->is_string() && back->get<std::string>() == text;
}

std::string digest_of(std::string_view previous, const std::string& content) {
    return sha256_hex(fmt::format("kedge-erasure-1\n{}\n{}", previous, content));
}

std::string line_of(const ErasureEntry& entry) {
    Json json = to_json(entry);
    json["digest"] = entry.digest;
    return dump(json);
}

Result<ErasureEntry> read_line(std::string_view line) {
    const Json json = TRY(parse_json(line));
    ErasureEntry entry;
    const auto number = get_integer(json, "number");
    const auto at = parse_moment(get_string(json, "at").value_or(""));
    const auto event = event_of(get_string(json, "event").value_or(""));
    const auto digest = get_string(json, "digest");
    if (!number || !at || !event || !digest)
        return Error{Fault::corrupt, "it lacks a number, a time, an event that is known or a digest"};
    entry.number = *number;
    entry.at = *at;
    entry.event = *event;
    entry.digest = *digest;
    entry.subject = get_string(json, "subject").value_or("");
    entry.reason = get_string(json, "reason").value_or("");
    entry.source = get_string(json, "source").value_or("");
    entry.who = get_string(json, "who").value_or("");
    entry.finding = get_integer(json, "finding").value_or(0);
    if (const Json& about = get(json, "about"); about.is_array())
        for (const Json& one : about)
            if (one.is_string()) entry.about.insert(one.get<std::string>());
    if (line_of(entry) != line) return Error{Fault::corrupt, "it is not written as the ledger writes its lines"};
    return entry;
}

// Nobody is named twice in what is added at once.
Result<void> check_once(const std::vector<ErasureEntry>& entries) {
    std::set<std::pair<ErasureEvent, std::string_view>> seen;
    for (const ErasureEntry& entry : entries)
        if (!entry.subject.empty() && !seen.emplace(entry.event, entry.subject).second)
            return Error{Fault::refused, entry.subject + " was given twice"};
    return {};
}

Error lacks_directory(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    const std::string directory = slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
    return {Fault::not_found, fmt::format("{}: the directory {} is not there", path, directory),
            fmt::format("mount it, or mend the path of the ledger; only if the ledger is new: mkdir -p {}", directory)};
}

}  // namespace

std::string_view to_string(ErasureEvent event) {
    return std::ranges::find(event_names, event, [](const auto& pair) { return pair.first; })->second;
}

Json to_json(const ErasureEntry& entry) {
    Json json = {{"number", entry.number}, {"at", to_string(entry.at)}, {"event", to_string(entry.event)}};
    if (!entry.subject.empty()) json["subject"] = entry.subject;
    if (!entry.reason.empty()) json["reason"] = entry.reason;
    if (!entry.source.empty()) json["source"] = entry.source;
    if (entry.finding != 0) json["finding"] = entry.finding;
    if (!entry.about.empty()) json["about"] = entry.about;
    json["who"] = entry.who;
    return json;
}

Result<ErasureLedger> ErasureLedger::read(std::string_view text) {
    ErasureLedger ledger;
    while (!text.empty()) {
        const std::string where = fmt::format("erasure ledger, line {}", ledger.entries_.size() + 1);
        const auto end = text.find('\n');
        if (end == std::string_view::npos)
            return Error{Fault::corrupt, where + ": it has no end: a write was cut short",
                         "compare it with a copy; take the torn line out only if no copy has it whole"};
        auto read = read_line(text.substr(0, end));
        if (!read) return Error{Fault::corrupt, where + ": " + read.error().message};
        ErasureEntry entry = std::move(*read);
        if (entry.number != static_cast<std::int64_t>(ledger.entries_.size()) + 1)
            return Error{Fault::corrupt,
                         fmt::format("{}: it has number {}: lines are missing, added or moved", where, entry.number)};
        if (entry.digest != digest_of(ledger.head(), dump(to_json(entry))))
            return Error{Fault::corrupt, where + ": its digest does not fit: it or a line before it was changed"};
        if (auto taken = ledger.take(std::move(entry)); !taken)
            return Error{Fault::corrupt, where + ": " + taken.error().message};
        text.remove_prefix(end + 1);
    }
    return ledger;
}

const std::string& ErasureLedger::head() const {
    static const std::string none;
    return entries_.empty() ? none : entries_.back().digest;
}

std::set<std::string> ErasureLedger::erased() const {
    std::set<std::string> all;
    std::ranges::set_difference(erased_, held_, std::inserter(all, all.end()));
    return all;
}

std::set<std::string> ErasureLedger::held() const {
    std::set<std::string> all;
    std::ranges::set_intersection(erased_, held_, std::inserter(all, all.end()));
    return all;
}

std::set<std::string> ErasureLedger::named_by(std::string_view source) const {
    std::set<std::string> all;
    for (const ErasureEntry& entry : entries_)
        if (entry.event == ErasureEvent::erase && entry.source == source) all.insert(entry.subject);
    return all;
}

std::vector<ErasureEntry> ErasureLedger::open_findings() const {
    std::vector<ErasureEntry> open;
    for (const ErasureEntry& entry : entries_) {
        if (entry.event == ErasureEvent::finding) open.push_back(entry);
        if (entry.event == ErasureEvent::acknowledge)
            std::erase_if(open, [&](const ErasureEntry& finding) { return finding.number == entry.finding; });
    }
    return open;
}

Result<std::string> ErasureLedger::add(ErasureEntry entry) {
    for (const std::string* text : {&entry.subject, &entry.reason, &entry.source})
        if (!is_plain(*text))
            return Error{Fault::invalid_input,
                         fmt::format("a subject, reason or source is one line of UTF-8 of at most "
                                     "{} bytes",
                                     text_bytes_max)};
    entry.number = static_cast<std::int64_t>(entries_.size()) + 1;
    entry.digest = digest_of(head(), dump(to_json(entry)));
    std::string line = line_of(entry);
    TRY(take(std::move(entry)));
    return line;
}

Result<std::vector<std::string>> ErasureLedger::add(std::vector<ErasureEntry> entries) {
    TRY(check_once(entries));
    ErasureLedger grown = *this;
    std::vector<std::string> lines;
    for (ErasureEntry& entry : entries) lines.push_back(TRY(grown.add(std::move(entry))));
    *this = std::move(grown);
    return lines;
}

Result<void> ErasureLedger::take(ErasureEntry entry) {
    const bool names_subject =
        entry.event == ErasureEvent::erase || entry.event == ErasureEvent::hold || entry.event == ErasureEvent::release;
    if (names_subject && entry.subject.empty()) return Error{Fault::invalid_input, "it names no subject"};
    switch (entry.event) {
        case ErasureEvent::erase:
            if (!erased_.insert(entry.subject).second)
                return Error{Fault::refused, fmt::format("{} is in the ledger already", entry.subject)};
            break;
        case ErasureEvent::hold:
            if (!held_.insert(entry.subject).second)
                return Error{Fault::refused, fmt::format("a hold on {} stands already", entry.subject)};
            break;
        case ErasureEvent::release:
            if (held_.erase(entry.subject) == 0)
                return Error{Fault::refused, fmt::format("no hold on {} stands", entry.subject)};
            break;
        case ErasureEvent::finding: break;
        case ErasureEvent::acknowledge: {
            const auto open = open_findings();
            if (std::ranges::find(open, entry.finding, &ErasureEntry::number) == open.end())
                return Error{Fault::refused, fmt::format("{} is not the number of an open finding", entry.finding)};
            break;
        }
    }
    entries_.push_back(std::move(entry));
    return {};
}

Result<ErasureFile> ErasureFile::open(const std::string& path, const Until& until) {
    const bool was_there = exists(path);
    auto file = LineFile::open(path, until);
    if (!file && file.error().fault == Fault::not_found) return lacks_directory(path);
    if (!file) return file.error();
    const std::string text = TRY(file->content(ledger_bytes_max));
    ErasureLedger ledger = TRY(ErasureLedger::read(text).within(path));
    // Whoever waited for another to begin it finds what that one wrote.
    return ErasureFile{std::move(*file), std::move(ledger), !was_there && text.empty()};
}

Result<void> ErasureFile::add(std::vector<ErasureEntry> entries) {
    ErasureLedger grown = ledger_;
    for (const std::string& line : TRY(grown.add(std::move(entries)))) TRY(file_.append(line));
    ledger_ = std::move(grown);
    return {};
}

Result<ErasureLedger> read_ledger(const std::string& path) {
    return ErasureLedger::read(TRY(read_file(path, ledger_bytes_max))).within(path);
}

}  // namespace kedge
