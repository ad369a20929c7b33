// What is wrong with a file that people write: every mistake at once, each with its place.
//
// A mistake reads `file:line:column: what is wrong; what would be right`. Readers collect them and go on, so
// that one look at the answer is enough to mend the whole file.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace kedge {

// Where something stands in a file, both counted from 1; 0 = no particular place.
struct Place {
    int line = 0, column = 0;
    friend auto operator<=>(const Place&, const Place&) = default;
};

struct Mistake {
    Place place;
    std::string what;  // "unknown field `deadlin` of a step"
    std::string hint;  // "did you mean `deadline`?"; may be empty
};

// Beyond this a list helps nobody: the rest is only counted.
inline constexpr std::size_t mistakes_max = 50;

// The mistakes of one file, by place. Not thread-safe.
class Mistakes {
public:
    explicit Mistakes(std::string path) : path_(std::move(path)) {}

    // The same mistake at the same place is kept once.
    void add(Place place, std::string what, std::string hint = {});

    bool empty() const { return list_.empty(); }
    const std::string& path() const { return path_; }
    const std::vector<Mistake>& list() const { return list_; }
    std::size_t dropped() const { return dropped_; }  // beyond `mistakes_max`
    // One line a mistake, as people read it.
    std::vector<std::string> lines() const;
    // invalid_input whose message is all the lines. There must be one.
    Error error() const;

private:
    std::string path_;
    std::vector<Mistake> list_;  // sorted
    std::size_t dropped_ = 0;
};

// What reading a file gave: the thing, or every mistake in it.
template <class T>
class [[nodiscard]] Parsed {
public:
    Parsed(T value) : value_(std::move(value)) {}
    Parsed(Mistakes mistakes) : mistakes_(std::move(mistakes)) {
        check(!mistakes_->empty(), "nothing was read, so something is wrong");
    }

    bool has_value() const { return value_.has_value(); }
    explicit operator bool() const { return has_value(); }
    T& operator*() & { return *value_; }
    const T& operator*() const& { return *value_; }
    T&& operator*() && { return std::move(*value_); }
    T* operator->() { return &*value_; }
    const T* operator->() const { return &*value_; }

    const Mistakes& mistakes() const {
        check(mistakes_.has_value(), "mistakes are read only where there are some");
        return *mistakes_;
    }
    // For callers that only pass the failure on.
    Result<T> result() && {
        if (value_) return std::move(*value_);
        return mistakes().error();
    }

private:
    std::optional<T> value_;
    std::optional<Mistakes> mistakes_;
};

// "did you mean `deadline`?" if one of `known` is near to `name`; else "known: a, b, c"; else nothing.
std::string suggestion(std::string_view name, const std::vector<std::string>& known);

}  // namespace kedge
