#include "verify/redis/aof_walk.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge::verify {
namespace {

constexpr std::size_t line_bytes_max = 1024;  // of an annotation
constexpr std::uint64_t arguments_max = std::uint64_t{1} << 31;
constexpr std::uint64_t argument_bytes_max = std::uint64_t{1} << 40;
constexpr std::size_t name_bytes_max = 128, names_max = 500;

// "EXPIREAT", "JSON.SET", "module-command": what servers and modules call their commands.
bool is_command_name(std::string_view name) {
    return !name.empty() && std::ranges::all_of(name, [](char letter) { return letter > ' ' && letter <= '~'; });
}

class AofWalk {
public:
    explicit AofWalk(Intake& intake) : intake_(intake) { summary_.begin = summary_.end = intake.offset(); }

    AofSummary walk() && {
        while (intake_.have(1) && (*intake_.at() == std::byte{'#'} ? annotation() : command()))
            summary_.end = intake_.offset();
        return std::move(summary_);
    }

private:
    // "#TS:1700000000\r\n"; others are gone past.
    bool annotation() {
        std::string line;
        for (;;) {
            if (!intake_.have(1)) return ended();
            const char letter = static_cast<char>(*intake_.at());
            intake_.go(1);
            if (letter == '\n') break;
            if (line.size() == line_bytes_max) return wrong("an annotation has no end");
            line += letter;
        }
        if (!line.starts_with("#TS:")) return true;
        std::int64_t at = 0;
        for (const char digit : std::string_view(line).substr(4)) {
            if (digit == '\r') break;
            if (digit < '0' || digit > '9' || at > (std::int64_t{1} << 40))
                return wrong("the time of an annotation cannot be read");
            at = at * 10 + (digit - '0');
        }
        const Moment time{std::chrono::seconds(at)};
        if (!summary_.first_time) summary_.first_time = time;
        summary_.last_time = time;
        return true;
    }

    bool command() {
        const std::uint64_t begins = intake_.offset();
        std::uint64_t arguments = 0, bytes = 0;
        if (!number('*', arguments_max, arguments)) return false;
        if (arguments == 0) return wrong("a command without a name");
        if (!number('$', argument_bytes_max, bytes)) return false;
        if (bytes > name_bytes_max) return wrong(fmt::format("a command's name of {} bytes", bytes));
        if (!intake_.have(bytes)) return ended();
        name_.assign(reinterpret_cast<const char*>(intake_.at()), bytes);
        if (!is_command_name(name_)) return wrong("a command's name that is none");
        intake_.go(bytes);
        if (!line_break()) return false;
        for (std::uint64_t i = 1; i < arguments; ++i) {
            if (!number('$', argument_bytes_max, bytes)) return false;
            if (!intake_.skip(bytes)) return ended();
            if (!line_break()) return false;
        }
        count(begins);
        return true;
    }

    void count(std::uint64_t begins) {
        for (char& letter : name_)
            if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
        ++summary_.commands;
        if (name_ == "MULTI") summary_.open_transaction = begins;
        if (name_ == "EXEC") summary_.open_transaction.reset();
        if (summary_.by_name.size() < names_max || summary_.by_name.contains(name_)) ++summary_.by_name[name_];
    }

    // `mark`, digits, \r\n.
    bool number(char mark, std::uint64_t max, std::uint64_t& value) {
        if (!intake_.have(1)) return ended();
        if (static_cast<char>(*intake_.at()) != mark)
            return wrong(fmt::format("byte {} stands where '{}' has to be", std::to_integer<int>(*intake_.at()), mark));
        intake_.go(1);
        value = 0;
        for (int digits = 0;; ++digits) {
            if (!intake_.have(1)) return ended();
            const char digit = static_cast<char>(*intake_.at());
            if (digit == '\r' && digits > 0) break;
            if (digit < '0' || digit > '9') return wrong("a length that is no number");
            value = value * 10 + static_cast<std::uint64_t>(digit - '0');
            if (value > max) return wrong("a length beyond all measure");
            intake_.go(1);
        }
        return line_break();
    }

    bool line_break() {
        for (const char expected : {'\r', '\n'}) {
            if (!intake_.have(1)) return ended();
            if (static_cast<char>(*intake_.at()) != expected)
                return wrong("no line break where an argument has to end");
            intake_.go(1);
        }
        return true;
    }

    bool ended() {
        summary_.fault = {WalkFault::Kind::ended, "inside a command", summary_.end};
        return false;
    }
    bool wrong(std::string says) {
        summary_.fault = {WalkFault::Kind::wrong, std::move(says), intake_.offset()};
        return false;
    }

    Intake& intake_;
    AofSummary summary_;
    std::string name_;
};

}  // namespace

AofSummary walk_aof(Intake& intake) {
    return AofWalk(intake).walk();
}

}  // namespace kedge::verify
