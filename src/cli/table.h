// Rows under headings, each column as wide as its widest cell.
#pragma once

#include <string>
#include <vector>

#include "cli/look.h"

namespace kedge {

struct Cell {
    std::string text;  // as it came: made harmless when it is written
    Tone tone = Tone::plain;

    Cell(std::string text_, Tone tone_ = Tone::plain) : text(std::move(text_)), tone(tone_) {}
    Cell(const char* text_) : text(text_) {}
    // The glyph and the word of a state.
    static Cell of(const Mark& mark, const Surface& surface);
};

enum class Align { left, right };

struct Column {
    std::string heading;
    Align align = Align::left;
};

// On a terminal that is too narrow the last column is broken into lines; if even that leaves it no room, each
// row is written as a block of "heading: text". Not on a terminal nothing is cut or broken.
class Table {
public:
    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

    void add(std::vector<Cell> row);
    bool empty() const { return rows_.empty(); }
    // Each line ends with a line break; nothing at all for a table without rows.
    std::string rendered(const Surface& surface) const;

private:
    std::string rendered_as_blocks(const Surface& surface) const;

    std::vector<Column> columns_;
    std::vector<std::vector<Cell>> rows_;
};

}  // namespace kedge
