// Texts on a terminal: how wide they are, cut and broken at a width, and made harmless.
//
// Widths are columns, not bytes (wcwidth(3) for each character). Bytes that are no UTF-8 count as one each.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kedge {

// What comes from outside may hold control characters that would move the cursor or forge a line: they are
// written as \x1b; a line break becomes a blank. Direction overrides are written as their code point.
std::string printable(std::string_view text);

// wcwidth(3) knows characters only after a UTF-8 locale was chosen: to be called once, before there are threads.
void know_widths();
std::size_t display_width(std::string_view text);

enum class Charset { ascii, utf8 };
// `text` if it fits, else its beginning with an ellipsis, at most `width` columns.
std::string shortened(std::string_view text, std::size_t width, Charset charset);
// `text` filled with blanks up to `width` columns.
std::string padded(std::string_view text, std::size_t width);
// Broken between words into lines of at most `width` columns; a word that is longer is broken too. At least one line.
std::vector<std::string> wrapped(std::string_view text, std::size_t width);

}  // namespace kedge
