// How everything that can fail answers: a value, or an error that says what went wrong.
//
// Failures of the world are values; faults of our own logic stop the process (see check.h); nothing
// here throws. An error kind exists only because some caller reacts to it differently.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/check.h"

namespace kedge {

// One value per reaction of a caller; all detail belongs in the message.
enum class Fault {
    invalid_input,    // the caller gave something that can never work: exit 3
    not_found,        // the named thing does not exist: exit 4
    conflict,         // somebody else holds it, or it changed meanwhile: exit 6
    refused,          // it was asked and said no, nothing was changed: exit 7
    not_allowed,      // the person or credential lacks the right: exit 5
    unavailable,      // it did not answer and nothing was changed; may be retried: exit 1
    outcome_unknown,  // it may or may not have happened: look before repeating: exit 11
    corrupt,          // what was read cannot be true: exit 15
};

std::string_view to_string(Fault fault);

struct [[nodiscard]] Error {
    Fault fault;
    std::string message;  // lower case, names the object, each layer adds where it was
    std::string hint;     // what to do about it; may be empty

    Error(Fault fault_, std::string message_, std::string hint_ = {})
        : fault(fault_), message(std::move(message_)), hint(std::move(hint_)) {}

    // The same error as seen from one layer further out: "run 41: " + message.
    Error within(std::string_view where) const { return Error{fault, std::string(where) + ": " + message, hint}; }
};

// A value or an error. Members are named as in std::expected. Reading the wrong side is a fault of
// our own logic and stops the process.
template <class T>
class [[nodiscard]] Result {
public:
    using value_type = T;

    Result(T value) : content_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : content_(std::in_place_index<1>, std::move(error)) {}

    bool has_value() const { return content_.index() == 0; }
    explicit operator bool() const { return has_value(); }

    T& value() & { return checked(*this); }
    const T& value() const& { return checked(*this); }
    T&& value() && { return std::move(checked(*this)); }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(*this).value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

    const Error& error() const& {
        check(!has_value(), "an error is read only where there is one");
        return *std::get_if<1>(&content_);
    }
    Error&& error() && {
        check(!has_value(), "an error is read only where there is one");
        return std::move(*std::get_if<1>(&content_));
    }

    T value_or(T fallback) const& { return has_value() ? value() : std::move(fallback); }

    // This result, its error (if any) told from one layer further out.
    Result within(std::string_view where) && {
        if (has_value()) return std::move(*this);
        return error().within(where);
    }

private:
    template <class Self>
    static auto& checked(Self& self) {
        check(self.has_value(), "a value is read only where there is one");
        return *std::get_if<0>(&self.content_);
    }

    std::variant<T, Error> content_;
};

template <>
class [[nodiscard]] Result<void> {
public:
    using value_type = void;

    Result() = default;
    Result(Error error) : error_(std::move(error)) {}

    bool has_value() const { return !error_.has_value(); }
    explicit operator bool() const { return has_value(); }
    void value() const { check(has_value(), "a value is read only where there is one"); }
    const Error& error() const& {
        check(!has_value(), "an error is read only where there is one");
        return *error_;
    }
    Error&& error() && {
        check(!has_value(), "an error is read only where there is one");
        return std::move(*error_);
    }
    Result within(std::string_view where) && {
        if (has_value()) return std::move(*this);
        return error().within(where);
    }

private:
    std::optional<Error> error_;
};

namespace detail {
template <class T>
T take(Result<T>& result) {
    return std::move(result).value();
}
inline void take(Result<void>&) {}
}  // namespace detail

// The value of `expression`, or a return from this function with its error. The project's only macro; the two
// behind it give every use a name of its own, so that one may stand inside another.
#define TRY(expression) TRY_COUNTED(__COUNTER__, expression)
#define TRY_COUNTED(number, expression) TRY_NAMED(number, expression)
#define TRY_NAMED(number, expression)                                            \
    __extension__({                                                              \
        auto try_result_##number = (expression);                                 \
        if (!try_result_##number) return std::move(try_result_##number).error(); \
        ::kedge::detail::take(try_result_##number);                              \
    })

}  // namespace kedge
