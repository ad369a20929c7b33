#include "cli/verification_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "cli/table.h"
#include "verify/figures.h"

namespace kedge {
namespace {

using verify::Content;
using verify::counted;
using verify::Examination;
using verify::Finding;
using verify::Rung;
using verify::sized;
using verify::Weight;

constexpr std::size_t contents_shown = 12, findings_shown = 10, keys_shown = 3;
constexpr std::size_t label_width = 12;

Mark mark_of_verdict(Verdict verdict) {
    switch (verdict) {
        case Verdict::sound: return mark_of(Truth::yes);
        case Verdict::damaged: return mark_of(Truth::no);
        case Verdict::undecided: return mark_of(Truth::unknown);
    }
    return mark_of(Truth::unknown);
}

Mark mark_of_weight(Weight weight) {
    switch (weight) {
        case Weight::damage: return mark_of(Truth::no);
        case Weight::doubt: return mark_of(Truth::unknown);
        case Weight::remark: return {"·", "-", "remark", Tone::faint};
    }
    return mark_of(Truth::unknown);
}

// What the verdict stands on.
std::string_view meaning_of(Rung rung) {
    switch (rung) {
        case Rung::none: return "nothing of it could be read";
        case Rung::listed: return "only what it says of itself was read";
        case Rung::decoded: return "every byte was read and makes sense; no checksum proves that none changed";
        case Rung::checksummed: return "every byte was read, makes sense and is covered by a checksum that fits";
        case Rung::restored: return "a real server took all of it";
        case Rung::validated: return "a real server took all of it, and what it holds is as it has to be";
    }
    return "";
}

// Lines of a block: a label once, then text that is broken at the width of the terminal.
class Block {
public:
    explicit Block(const Surface& surface) : surface_(surface) {}

    void add(std::string_view label, const std::string& text, Tone tone = Tone::plain) {
        const std::size_t room = surface_.interactive && surface_.columns > label_width + 24
                                     ? surface_.columns - label_width - 2
                                     : std::string::npos;
        const std::string harmless = printable(text);
        std::string_view shown = label == last_label_ ? std::string_view() : label;
        last_label_ = label;
        for (const std::string& line :
             room == std::string::npos ? std::vector<std::string>{harmless} : wrapped(harmless, room)) {
            text_ += "  " + painted(padded(shown, label_width), Tone::faint, surface_) + painted(line, tone, surface_) +
                     "\n";
            shown = {};
        }
    }
    // Ready lines, each with its line break.
    void add_lines(std::string_view label, std::string_view lines) {
        for (std::string_view shown = label; !lines.empty(); shown = {}) {
            const std::size_t end = lines.find('\n');
            text_ += "  " + painted(padded(shown, label_width), Tone::faint, surface_) +
                     std::string(lines.substr(0, end + 1));
            lines.remove_prefix(end + 1);
        }
        last_label_ = label;
    }
    void raw(const std::string& line) { text_ += line + "\n"; }
    std::string take() { return std::move(text_); }

private:
    const Surface& surface_;
    std::string text_;
    std::string last_label_;
};

std::string day_and_time(Moment moment) {
    std::string text = to_string(moment);  // 2026-11-23T14:00:12.481Z
    text[10] = ' ';
    return text.substr(0, 19) + "Z";
}

void add_head(Block& block, const Examination& examination, const VerificationView& view) {
    const bool was_read = examination.bytes > 0 || examination.findings.count("file-unreadable") == 0;
    block.add("is",
              !examination.kind.empty() ? examination.kind
              : was_read                ? "not recognised"
                                        : "unknown: it could not be read",
              examination.kind.empty() ? Tone::unknown : Tone::plain);
    std::string read = sized(examination.bytes);
    if (const double spent = seconds(view.took); spent > 0)
        read += fmt::format(" in {}, {}/s", readable(view.took),
                            sized(static_cast<std::uint64_t>(static_cast<double>(examination.bytes) / spent)));
    block.add("read", read);
    if (!examination.taken) {
        if (!examination.kind.empty()) block.add("taken", "unknown: nothing inside says when", Tone::unknown);
        return;
    }
    const Span age = view.now - *examination.taken;
    block.add("taken", fmt::format("{}, {}", day_and_time(*examination.taken),
                                   age >= Span{0} ? readable(age) + " ago" : readable(-age) + " in the future"));
}

void add_contents(Block& block, const Examination& examination, const VerificationView& view, const Surface& surface) {
    if (examination.contents.empty()) return;
    std::vector<const Content*> contents;
    for (const Content& content : examination.contents) contents.push_back(&content);
    const bool all = view.everything || contents.size() <= contents_shown;
    if (!all) {  // the biggest ones
        std::ranges::stable_sort(contents, std::ranges::greater{},
                                 [](const Content* content) { return content->bytes.value_or(0); });
        contents.resize(contents_shown);
    }
    Surface inner = surface;
    inner.columns = surface.columns > label_width + 2 ? surface.columns - label_width - 2 : surface.columns;
    Table table({{"WHAT"}, {"ROWS OR KEYS", Align::right}, {"DATA", Align::right}});
    for (const Content* content : contents)
        table.add({fmt::format("{} {}", content->kind, content->name),
                   Cell(content->rows ? counted(*content->rows) : "-", content->rows ? Tone::strong : Tone::faint),
                   content->bytes ? sized(*content->bytes) : "-"});
    block.add_lines("holds", table.rendered(inner));
    if (!all)
        block.add("holds", fmt::format("and {} more (--all)", counted(examination.contents.size() - contents.size())),
                  Tone::faint);
}

// Redis: how the keys are divided, and which are the biggest.
void add_keys(Block& block, const Json& facts) {
    for (const Json& database : get(facts, "databases")) {
        std::vector<std::string> types;
        const Json& by_type = get(database, "types");
        for (const auto& [type, count] : by_type.items())
            types.push_back(fmt::format("{} {}", type, counted(count.get<std::uint64_t>())));
        const auto number = [&](const char* key) {
            return static_cast<std::uint64_t>(get_integer(database, key).value_or(0));
        };
        block.add("keys", fmt::format("db {}: {} · {} expiring, {} of them past it", number("number"),
                                      fmt::join(types, ", "), counted(number("expiring")), counted(number("expired"))));
    }
    std::vector<std::string> biggest;
    for (const Json& key : get(facts, "biggest_keys")) {
        if (biggest.size() == keys_shown) break;
        biggest.push_back(fmt::format("{} ({}, {})", get_string(key, "key").value_or(""),
                                      get_string(key, "type").value_or(""),
                                      sized(static_cast<std::uint64_t>(get_integer(key, "bytes").value_or(0)))));
    }
    if (!biggest.empty()) block.add("biggest", fmt::format("{}", fmt::join(biggest, ", ")));
}

std::string text_of(const Finding& finding) {
    std::string text = fmt::format("{}: {}", finding.code, finding.says);
    if (!finding.where.empty() || finding.offset) {
        text += " (";
        if (!finding.where.empty()) text += finding.where;
        if (finding.offset)
            text += fmt::format("{}byte {}", finding.where.empty() ? "" : ", ", counted(*finding.offset));
        text += ")";
    }
    return text;
}

void add_findings(Block& block, const Examination& examination, const VerificationView& view, const Surface& surface) {
    std::vector<const Finding*> findings;
    for (const Finding& finding : examination.findings.kept()) findings.push_back(&finding);
    std::ranges::stable_sort(findings, {}, [](const Finding* finding) { return finding->weight; });
    const std::size_t shown = view.everything ? findings.size() : std::min(findings.size(), findings_shown);
    for (std::size_t i = 0; i < shown; ++i) {
        const Mark mark = mark_of_weight(findings[i]->weight);
        block.add("found", fmt::format("{} {}", glyph(mark, surface), text_of(*findings[i])), mark.tone);
    }
    const auto& counts = examination.findings;
    const std::uint64_t all = counts.count(Weight::damage) + counts.count(Weight::doubt) + counts.count(Weight::remark);
    if (all > shown)
        block.add("found",
                  fmt::format("and {} more{}", counted(all - shown),
                              view.everything ? "" : " (--all shows those that were kept)"),
                  Tone::faint);
}

std::string verdict_line(const Examination& examination, Verdict verdict) {
    const auto& findings = examination.findings;
    switch (verdict) {
        case Verdict::sound:
            return fmt::format("sound, {}: {}", to_string(examination.rung()), meaning_of(examination.rung()));
        case Verdict::damaged:
            return fmt::format("damaged: {}; it cannot be trusted", counted(findings.count(Weight::damage), "finding"));
        case Verdict::undecided:
            return fmt::format("not judged: {}", findings.any(Weight::doubt)
                                                     ? counted(findings.count(Weight::doubt), "doubt")
                                                     : "it is nothing that can be examined");
    }
    return "";
}

}  // namespace

std::string_view to_string(Verdict verdict) {
    switch (verdict) {
        case Verdict::sound: return "sound";
        case Verdict::damaged: return "damaged";
        case Verdict::undecided: return "undecided";
    }
    return "undecided";
}

Verdict verdict_of(const Examination& examination) {
    if (examination.findings.any(Weight::damage)) return Verdict::damaged;
    if (examination.findings.any(Weight::doubt) || examination.rung() < Rung::decoded) return Verdict::undecided;
    return Verdict::sound;
}

ExitCode exit_code_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::sound: return ExitCode::ok;
        case Verdict::damaged: return ExitCode::negative;
        case Verdict::undecided: return ExitCode::unverifiable;
    }
    return ExitCode::unverifiable;
}

std::string rendered(const verify::ExaminedBackup& backup, const VerificationView& view, const Surface& surface) {
    const Examination& examination = backup.examination;
    Block block(surface);
    block.raw(painted(printable(examination.path), Tone::strong, surface));
    add_head(block, examination, view);
    add_contents(block, examination, view, surface);
    add_keys(block, examination.facts);
    const Mark good = mark_of(Truth::yes);
    for (const verify::Proof& proof : examination.proofs)
        block.add("proved", fmt::format("{} {}: {}", glyph(good, surface), to_string(proof.rung), proof.says));
    for (const std::string& sentence : examination.unproved) block.add("not proved", sentence);
    add_findings(block, examination, view, surface);
    const Verdict verdict = verdict_of(examination);
    const Mark mark = mark_of_verdict(verdict);
    block.raw("  " + painted(fmt::format("{} {}", glyph(mark, surface), verdict_line(examination, verdict)), mark.tone,
                             surface));
    return block.take();
}

Json as_json(const verify::ExaminedBackup& backup, const VerificationView& view) {
    const Examination& examination = backup.examination;
    Json contents = Json::array(), proofs = Json::array(), findings = Json::array();
    for (const Content& content : examination.contents) {
        Json item = {{"kind", content.kind}, {"name", content.name}};
        item["rows"] = content.rows ? Json(*content.rows) : Json();
        item["bytes"] = content.bytes ? Json(*content.bytes) : Json();
        contents.push_back(std::move(item));
    }
    for (const verify::Proof& proof : examination.proofs)
        proofs.push_back({{"rung", to_string(proof.rung)}, {"says", proof.says}});
    for (const Finding& finding : examination.findings.kept()) {
        Json item = {{"weight", to_string(finding.weight)},
                     {"code", finding.code},
                     {"says", finding.says},
                     {"where", finding.where}};
        item["offset"] = finding.offset ? Json(*finding.offset) : Json();
        findings.push_back(std::move(item));
    }
    Json item = {{"path", examination.path},
                 {"verdict", to_string(verdict_of(examination))},
                 {"rung", to_string(examination.rung())},
                 {"kind", examination.kind},
                 {"bytes", examination.bytes}};
    item["taken"] = examination.taken ? Json(to_string(*examination.taken)) : Json();
    item["age_seconds"] = examination.taken ? Json(seconds(view.now - *examination.taken)) : Json();
    item["contents"] = std::move(contents);
    item["proofs"] = std::move(proofs);
    item["unproved"] = examination.unproved;
    item["findings"] = std::move(findings);
    item["finding_counts"] = {{"damage", examination.findings.count(Weight::damage)},
                              {"doubt", examination.findings.count(Weight::doubt)},
                              {"remark", examination.findings.count(Weight::remark)}};
    item["facts"] = examination.facts;
    item["took_seconds"] = seconds(view.took);
    return item;
}

}  // namespace kedge
