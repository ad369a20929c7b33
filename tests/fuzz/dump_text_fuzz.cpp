// The text of a table: the fast scans and a simple reading of the rules must agree. The first byte chooses the columns,
// the second how the text is cut into pieces.
#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/check.h"
#include "fuzz.h"
#include "verify/dump/data_text.h"

using namespace kedge;
using namespace kedge::verify;

namespace {

void feed(DataText& text, Bytes bytes, std::size_t step) {
    while (!bytes.empty()) {
        const std::span<std::byte> room = text.room();
        const std::size_t count = std::min({bytes.size(), room.size(), step});
        std::memcpy(room.data(), bytes.data(), count);
        text.took(count);
        bytes = bytes.subspan(count);
    }
}

// Whether these are rows of `columns` fields and the end marker, line by line; and how many.
std::optional<std::uint64_t> simple_count(std::string_view text, std::size_t columns) {
    std::uint64_t rows = 0;
    for (;;) {
        const std::size_t end = text.find('\n');
        if (end == std::string_view::npos) return std::nullopt;
        const std::string_view row = text.substr(0, end);
        text.remove_prefix(end + 1);
        if (row == "\\.") return text == "\n\n" ? std::optional(rows) : std::nullopt;
        const auto tabs = static_cast<std::size_t>(std::ranges::count(row, '\t'));
        if (columns == 0 ? !row.empty() : tabs + 1 != columns) return std::nullopt;
        ++rows;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::size_t columns = data[0] % 5, step = 1 + data[1];
    const Bytes bytes = fuzz_bytes(data + 2, size - 2);
    const auto copy = copy_text(columns, "UTF8");
    feed(*copy, bytes, step);
    const auto faults = copy->finish();
    const auto structural = [](const TextFault& fault) {
        return fault.code == "row-fields" || fault.code == "rows-unterminated";
    };
    const std::string_view text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    const auto expected = simple_count(text, columns);
    check(expected.has_value() == std::ranges::none_of(faults, structural), "both say whether the rows are whole");
    if (expected) check(copy->rows() == *expected, "both count the same rows");
    const auto insert = insert_text();
    feed(*insert, bytes, step);
    (void)insert->finish();
    return 0;
}
