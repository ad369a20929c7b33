#include "cli/table.h"

#include <fmt/format.h>

#include <algorithm>

namespace kedge {
namespace {

constexpr std::size_t gap = 2;
// Below this a broken last column is harder to read than a block.
constexpr std::size_t last_column_least = 16;

void trim_end(std::string& line) {
    line.erase(line.find_last_not_of(' ') + 1);
}

// A cell at its width. Blanks stand outside of the colours, so that the end of a line can be trimmed.
std::string placed(const std::string& text, Tone tone, std::size_t width, Align align, const Surface& surface) {
    const std::size_t used = display_width(text);
    const std::string blanks(width > used ? width - used : 0, ' ');
    const std::string shown = painted(text, tone, surface);
    return align == Align::left ? shown + blanks : blanks + shown;
}

}  // namespace

Cell Cell::of(const Mark& mark, const Surface& surface) {
    return {fmt::format("{} {}", glyph(mark, surface), mark.word), mark.tone};
}

void Table::add(std::vector<Cell> row) {
    check(row.size() == columns_.size(), "a row has a cell for every column");
    for (Cell& cell : row) cell.text = printable(cell.text);
    rows_.push_back(std::move(row));
}

std::string Table::rendered(const Surface& surface) const {
    if (rows_.empty()) return {};
    std::vector<std::size_t> widths;
    for (const Column& column : columns_) widths.push_back(display_width(column.heading));
    for (const auto& row : rows_)
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], display_width(row[i].text));

    std::size_t before_last = 0;
    for (std::size_t i = 0; i + 1 < widths.size(); ++i) before_last += widths[i] + gap;
    if (surface.interactive && before_last + widths.back() > surface.columns) {
        if (before_last + last_column_least > surface.columns) return rendered_as_blocks(surface);
        widths.back() = surface.columns - before_last;
    }

    std::string out;
    const auto write_line = [&](const auto& text_of, const auto& tone_of, std::size_t height) {
        for (std::size_t line_number = 0; line_number < height; ++line_number) {
            std::string line;
            for (std::size_t i = 0; i < columns_.size(); ++i)
                line += placed(text_of(i, line_number), tone_of(i), widths[i], columns_[i].align, surface) +
                        (i + 1 < columns_.size() ? std::string(gap, ' ') : "");
            trim_end(line);
            out += line + "\n";
        }
    };
    write_line([&](std::size_t i, std::size_t) { return columns_[i].heading; }, [](std::size_t) { return Tone::faint; },
               1);
    for (const auto& row : rows_) {
        const std::vector<std::string> last = wrapped(row.back().text, widths.back());
        write_line(
            [&](std::size_t i, std::size_t line) {
                if (i + 1 == row.size()) return last[line];
                return line == 0 ? row[i].text : std::string();
            },
            [&](std::size_t i) { return row[i].tone; }, last.size());
    }
    return out;
}

std::string Table::rendered_as_blocks(const Surface& surface) const {
    std::string out;
    for (const auto& row : rows_) {
        if (!out.empty()) out += "\n";
        for (std::size_t i = 0; i < row.size(); ++i) {
            if (row[i].text.empty()) continue;
            if (!columns_[i].heading.empty()) out += painted(columns_[i].heading + ":", Tone::faint, surface) + "\n";
            for (const std::string& line : wrapped(row[i].text, surface.columns > 2 ? surface.columns - 2 : 1))
                out += "  " + painted(line, row[i].tone, surface) + "\n";
        }
    }
    return out;
}

}  // namespace kedge
