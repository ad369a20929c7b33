// What becomes of each row of one table on its way from a dump into a database: it goes on, goes on changed, or stays
// behind, because it is an erased person's.
//
// Works on the text format of COPY as the server writes it (CopyAttributeOutText), in which equal values of the types
// that are asked for (filter_plan.h) have equal text: fields are compared as they stand. Pure; one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/result.h"

namespace kedge::recover {

struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};
// Fields as COPY writes them. NULL is none.
using FieldValues = std::unordered_set<std::string, TextHash, std::equal_to<>>;

// A value as the server writes it into a field.
std::string field_of(std::string_view value);
inline constexpr std::string_view null_field = "\\N";

struct RowRule {
    enum class Then {
        drop,      // the row stays behind
        change,    // the row goes on with the fields of `RowRules::changed`
        set_null,  // the row goes on with this field NULL
        refuse,    // nothing may refer to what is gone
    };
    std::size_t field = 0;
    const FieldValues* values = nullptr;  // whose rows it is about; outlives the filter
    bool is_padded = false;               // blanks at the end say nothing: character(n)
    Then then{};
    std::string name{};  // of the foreign key that it comes from
};

// A field that others refer to, and of which rows it is remembered.
struct RowKey {
    enum class Of { picked, dropped };  // by a rule of the map; for whatever reason
    std::size_t field = 0;
    bool is_padded = false;
    Of of{};
};

struct RowRules {
    // First those of the erasure map, then those of foreign keys, which see the row as it was changed.
    std::vector<RowRule> map, references;
    std::vector<std::pair<std::size_t, std::string>> changed;  // by field, as it is written
    std::vector<RowKey> keys;
};

class RowFilter {
public:
    // `take` gets text that goes on: whole rows, in order, as many at once as follow each other unchanged.
    using Take = std::function<Result<void>(std::string_view rows)>;

    explicit RowFilter(RowRules rules);

    // `rows`: whole rows, each with its line feed. refused where a rule refuses, naming its foreign key.
    Result<void> pass(std::string_view rows, const Take& take);

    std::uint64_t dropped() const { return dropped_; }
    std::uint64_t changed() const { return changed_; }
    // For each of RowRules::keys, what was seen.
    std::vector<FieldValues>& keys() { return keys_; }

private:
    struct Fate {
        bool is_picked = false, is_changed = false, is_dropped = false;
    };
    Result<Fate> judge(std::string_view row);
    Result<void> refer(Fate& fate);
    bool split(std::string_view row);
    bool is_met(const RowRule& rule) const;
    void remember(const std::vector<std::string_view>& fields, const Fate& fate);

    RowRules rules_;
    std::vector<FieldValues> keys_;
    std::vector<std::string_view> fields_;  // of the row, as far as rules ask
    std::string_view rest_;                 // of it, from the tab behind them on
    std::uint64_t dropped_ = 0, changed_ = 0;
};

}  // namespace kedge::recover
