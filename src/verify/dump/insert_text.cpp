// INSERT statements: a small scanner of SQL, since literals hold whatever looks like a statement's end. The scanner
// knows what pg_dump writes: names with or without double quotes, literals in single quotes, numbers, words,
// parentheses, commas. A quote within quotes is always doubled, and where a backslash means something it is doubled
// too, so that the next lone quote ends a literal in any case.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "verify/dump/data_text.h"

namespace kedge::verify {
namespace {

constexpr std::size_t script_buffer_bytes = 256u << 10;
constexpr std::string_view statement_start = "INSERT INTO ";

class InsertText final : public DataText {
public:
    InsertText() : buffer_(std::make_unique_for_overwrite<std::byte[]>(script_buffer_bytes)) {}

    std::span<std::byte> room() override { return {buffer_.get(), script_buffer_bytes}; }

    void took(std::size_t bytes) override {
        const std::string_view text{reinterpret_cast<const char*>(buffer_.get()), bytes};
        for (std::size_t i = 0; i < text.size();) {
            // Most of the text is literals: on to what may end one.
            if (state_ == State::literal) {
                const void* quote = std::memchr(text.data() + i, '\'', text.size() - i);
                if (quote == nullptr) break;
                i = static_cast<std::size_t>(static_cast<const char*>(quote) - text.data());
            }
            next(text[i], total_ + i);
            ++i;
        }
        if (std::memchr(text.data(), 0, text.size()) != nullptr)
            fault("row-bytes", "a zero byte stands in the statements", total_);
        total_ += bytes;
    }

    std::vector<TextFault> finish() override {
        if (state_ != State::between)
            fault("rows-unterminated", "the last statement does not end: rows may be lost", total_);
        else if (line_feeds_ != (statements_ > 0 ? 3u : 2u))
            fault("rows-unterminated", "the two line feeds behind the last statement are missing: rows may be lost",
                  total_);
        return std::move(faults_);
    }

    std::uint64_t rows() const override { return rows_; }

private:
    enum class State { between, opening, statement, name, literal };

    // The first of each code, so that a text full of them costs nothing.
    void fault(std::string code, std::string says, std::uint64_t offset) {
        const auto same = [&](const TextFault& known) { return known.code == code; };
        if (std::ranges::none_of(faults_, same)) faults_.push_back({std::move(code), std::move(says), offset});
    }

    void next(char c, std::uint64_t offset) {
        switch (state_) {
            case State::between: return between(c, offset);
            case State::opening: return open(c, offset);
            case State::statement: return within(c, offset);
            // A doubled quote opens it again.
            case State::name:
                if (c == '"') state_ = State::statement;
                return;
            case State::literal:
                if (c == '\'') state_ = State::statement;
                return;
        }
    }

    void between(char c, std::uint64_t offset) {
        if (c == '\n') {
            ++line_feeds_;
            return;
        }
        if (line_feeds_ > 1) fault("insert-statement", "there are empty lines between statements", offset);
        line_feeds_ = 0;
        matched_ = 0;
        depth_ = 0;
        after_values_ = false;
        state_ = State::opening;
        open(c, offset);
    }

    void open(char c, std::uint64_t offset) {
        if (c != statement_start[matched_]) {
            fault("insert-statement", "a statement does not begin with INSERT INTO", offset);
            state_ = State::statement;
            return within(c, offset);
        }
        if (++matched_ == statement_start.size()) state_ = State::statement;
    }

    void within(char c, std::uint64_t offset) {
        const bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
        if (letter) {
            if (word_.size() < 16) word_ += c;
            return;
        }
        if (!word_.empty()) end_word();
        switch (c) {
            case '\'': state_ = State::literal; break;
            case '"': state_ = State::name; break;
            case '(': open_parenthesis(); break;
            case ')': close_parenthesis(offset); break;
            case ',': commas_ += depth_ == 1 ? 1 : 0; break;
            case ';': end_statement(offset); break;
            default: break;
        }
    }

    void end_word() {
        if (depth_ == 0 && word_ == "VALUES") {
            after_values_ = true;
            if (last_word_ == "DEFAULT") ++rows_in_statement_;
        }
        last_word_ = word_;
        word_.clear();
    }

    void open_parenthesis() {
        if (++depth_ == 1) commas_ = 0;
    }

    void close_parenthesis(std::uint64_t offset) {
        if (depth_ == 0) return fault("insert-statement", "a parenthesis is closed that was not opened", offset);
        if (--depth_ > 0) return;
        if (after_values_) ++rows_in_statement_;
        const std::uint64_t fields = commas_ + 1;
        if (!fields_) fields_ = fields;
        if (fields != *fields_)
            fault("row-fields",
                  fmt::format("row {} has {} fields, the first row {}", rows_ + rows_in_statement_, fields, *fields_),
                  offset);
    }

    void end_statement(std::uint64_t offset) {
        if (depth_ > 0) fault("insert-statement", "a statement ends within parentheses", offset);
        if (rows_in_statement_ == 0) fault("insert-statement", "a statement inserts no row", offset);
        rows_ += rows_in_statement_;
        rows_in_statement_ = 0;
        last_word_.clear();
        ++statements_;
        state_ = State::between;
    }

    const std::unique_ptr<std::byte[]> buffer_;
    State state_ = State::between;
    std::size_t matched_ = 0;       // bytes of `statement_start`
    std::uint64_t line_feeds_ = 0;  // since the last statement
    std::uint64_t depth_ = 0, commas_ = 0, total_ = 0, rows_ = 0, rows_in_statement_ = 0, statements_ = 0;
    std::optional<std::uint64_t> fields_;
    bool after_values_ = false;
    std::string word_, last_word_;
    std::vector<TextFault> faults_;
};

}  // namespace

std::unique_ptr<DataText> insert_text() {
    return std::make_unique<InsertText>();
}

}  // namespace kedge::verify
