#include "recover/row_filter.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace kedge::recover {
namespace {

std::string_view unpadded(std::string_view text, bool is_padded) {
    while (is_padded && text.ends_with(' ')) text.remove_suffix(1);
    return text;
}

}  // namespace

std::string field_of(std::string_view value) {
    std::string text;
    for (const char c : value) switch (c) {
            case '\\': text += "\\\\"; break;
            case '\b': text += "\\b"; break;
            case '\f': text += "\\f"; break;
            case '\n': text += "\\n"; break;
            case '\r': text += "\\r"; break;
            case '\t': text += "\\t"; break;
            case '\v': text += "\\v"; break;
            default: text += c;
        }
    return text;
}

RowFilter::RowFilter(RowRules rules) : rules_(std::move(rules)), keys_(rules_.keys.size()) {
    std::size_t last = 0;
    for (const RowRule& rule : rules_.map) last = std::max(last, rule.field);
    for (const RowRule& rule : rules_.references) last = std::max(last, rule.field);
    for (const auto& [index, value] : rules_.changed) last = std::max(last, index);
    for (const RowKey& key : rules_.keys) last = std::max(last, key.field);
    fields_.resize(last + 1);
}

bool RowFilter::split(std::string_view row) {
    for (std::string_view& field : fields_) {
        if (row.data() == nullptr) return false;
        const std::size_t tab = row.find('\t');
        field = row.substr(0, tab);
        rest_ = row.substr(field.size());
        row = tab == std::string_view::npos ? std::string_view() : row.substr(tab + 1);
    }
    return true;
}

bool RowFilter::is_met(const RowRule& rule) const {
    return rule.values->contains(unpadded(fields_[rule.field], rule.is_padded));
}

void RowFilter::remember(const std::vector<std::string_view>& fields, const Fate& fate) {
    for (std::size_t i = 0; i < rules_.keys.size(); ++i) {
        const RowKey& key = rules_.keys[i];
        const std::string_view value = unpadded(fields[key.field], key.is_padded);
        if (value != null_field && (key.of == RowKey::Of::dropped ? fate.is_dropped : fate.is_picked))
            keys_[i].emplace(value);
    }
}

// What its foreign keys do with the row, once what they refer to is gone.
Result<void> RowFilter::refer(Fate& fate) {
    for (const RowRule& rule : rules_.references) {
        if (!is_met(rule)) continue;
        switch (rule.then) {
            case RowRule::Then::drop: fate.is_dropped = true; return {};
            case RowRule::Then::change: check(false, "only the erasure map says what rows hold"); break;
            case RowRule::Then::set_null:
                fields_[rule.field] = null_field;
                fate.is_changed = true;
                break;
            case RowRule::Then::refuse:
                return Error{Fault::refused,
                             fmt::format("rows that stay refer by {} to rows of erased people", rule.name),
                             "say in the erasure map what becomes of them"};
        }
    }
    return {};
}

Result<RowFilter::Fate> RowFilter::judge(std::string_view row) {
    if (!split(row)) return Error{Fault::corrupt, "a row has fewer fields than its table has columns"};
    Fate fate;
    const auto rule = std::ranges::find_if(rules_.map, [&](const RowRule& one) { return is_met(one); });
    fate.is_picked = rule != rules_.map.end();
    fate.is_dropped = fate.is_picked && rule->then == RowRule::Then::drop;
    fate.is_changed = fate.is_picked && !fate.is_dropped;
    if (!fate.is_picked && rules_.references.empty()) return fate;
    // Others refer to the row by what it held in the dump.
    std::vector<std::string_view> as_it_was;
    if (!rules_.keys.empty()) as_it_was = fields_;
    if (fate.is_changed)
        for (const auto& [index, value] : rules_.changed) fields_[index] = value;
    if (!fate.is_dropped) TRY(refer(fate));
    if (fate.is_picked || fate.is_dropped) remember(as_it_was, fate);
    return fate;
}

Result<void> RowFilter::pass(std::string_view rows, const Take& take) {
    std::string_view waiting = rows.substr(0, 0);
    while (!rows.empty()) {
        const std::string_view row = rows.substr(0, rows.find('\n'));
        const Fate fate = TRY(judge(row));
        rows.remove_prefix(row.size() + 1);
        if (!fate.is_dropped && !fate.is_changed) {
            waiting = std::string_view(waiting.data(), waiting.size() + row.size() + 1);
            continue;
        }
        if (!waiting.empty()) TRY(take(waiting));
        waiting = rows.substr(0, 0);
        if (fate.is_dropped) {
            ++dropped_;
            continue;
        }
        ++changed_;
        TRY(take(fmt::format("{}{}\n", fmt::join(fields_, "\t"), rest_)));
    }
    return waiting.empty() ? Result<void>{} : take(waiting);
}

}  // namespace kedge::recover
