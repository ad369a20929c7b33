#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "verify/dump/data_text.h"
#include "verify/dump/row_scan.h"

namespace kedge::verify {
namespace {

// Fits the second-level cache with what is being inflated.
constexpr std::size_t rows_buffer_bytes = 256u << 10;

class CopyText final : public DataText {
public:
    CopyText(std::optional<std::size_t> columns, const std::string& encoding)
        : columns_(columns), buffer_(std::make_unique_for_overwrite<std::byte[]>(rows_buffer_bytes + margin)) {
        scan_.tabs_known = columns.has_value();
        scan_.tabs_expected = columns ? std::max<std::size_t>(*columns, 1) - 1 : UINT64_MAX;
        scan_.empty_rows = columns == std::size_t{0} ? ~std::uint64_t{0} : 0;
        scan_.check_escapes = !embeds_ascii(encoding);
        scan_.check_utf8 = encoding == "UTF8";
        // A text begins as if a line feed came before.
        std::ranges::fill(std::span(buffer_.get(), row_scan_behind), std::byte{'\n'});
    }

    std::span<std::byte> room() override { return {buffer_.get() + filled_, rows_buffer_bytes - filled_}; }

    void took(std::size_t bytes) override {
        filled_ += bytes;
        total_ += bytes;
        const std::size_t there = filled_ - row_scan_behind;
        if (there < row_scan_block + row_scan_ahead) return;
        const std::size_t blocks = (there - row_scan_ahead) / row_scan_block;
        scan_rows(scan_, buffer_.get() + row_scan_behind, blocks, total_ - there);
        // The two bytes before what is still to scan are kept with it.
        const std::size_t done = blocks * row_scan_block;
        std::memmove(buffer_.get(), buffer_.get() + done, filled_ - done);
        filled_ -= done;
    }

    std::vector<TextFault> finish() override {
        // What is left is less than two blocks; bytes that are none of the text fill them up.
        const std::size_t there = filled_ - row_scan_behind;
        std::memset(buffer_.get() + filled_, 'x', margin);
        const std::size_t blocks = (there + row_scan_block - 1) / row_scan_block;
        const std::size_t in_last = there - (blocks > 0 ? blocks - 1 : 0) * row_scan_block;
        const std::uint64_t valid = in_last == row_scan_block ? ~std::uint64_t{0} : (std::uint64_t{1} << in_last) - 1;
        scan_rows(scan_, buffer_.get() + row_scan_behind, blocks, total_ - there, valid);
        ends_with_line_feeds_ =
            total_ >= 2 && buffer_[filled_ - 1] == std::byte{'\n'} && buffer_[filled_ - 2] == std::byte{'\n'};
        report_rows();
        report_bytes();
        report_end();
        return std::move(faults_);
    }

    std::uint64_t rows() const override { return scan_.rows; }

private:
    static constexpr std::size_t margin = 2 * row_scan_block + row_scan_ahead;

    void fault(std::string code, std::string says, std::uint64_t offset) {
        faults_.push_back({std::move(code), std::move(says), offset});
    }

    void report_rows() {
        if (const RowScan::Sight& odd = scan_.fields; odd.count > 0)
            fault("row-fields",
                  fmt::format("{} rows do not have {} fields; the first is row {}, with {}", odd.count,
                              scan_.tabs_known && !scan_.terminated ? scan_.tabs_expected + 1 : columns_.value_or(0),
                              odd.row, odd.detail),
                  odd.first);
        if (const RowScan::Sight& odd = scan_.length; odd.count > 0)
            fault("row-fields",
                  fmt::format("{} rows of a table without columns are not empty; the first is row {}", odd.count,
                              odd.row),
                  odd.first);
    }

    void report_bytes() {
        if (const RowScan::Sight& odd = scan_.control; odd.count > 0)
            fault("row-bytes",
                  fmt::format("{} control characters stand where the server writes escapes; the first, 0x{:02x}, "
                              "behind row {}",
                              odd.count, odd.detail, odd.row),
                  odd.first);
        if (const RowScan::Sight& odd = scan_.escape; odd.count > 0)
            fault("row-bytes",
                  fmt::format("{} backslashes begin no escape that the server writes; the first behind row {}",
                              odd.count, odd.row),
                  odd.first);
        if (const RowScan::Sight& odd = scan_.utf8; odd.count > 0)
            fault("row-encoding", fmt::format("{} places are no UTF-8; the first behind row {}", odd.count, odd.row),
                  odd.first);
        if (scan_.utf8_more > 0) fault("row-encoding", "the text ends within a character", total_);
    }

    void report_end() {
        if (!scan_.terminated)
            fault("rows-unterminated",
                  fmt::format("the end marker of the rows is missing behind row {}: rows may be lost", scan_.rows),
                  total_);
        else if (total_ != scan_.terminator_end + 2 || !ends_with_line_feeds_)
            fault("rows-unterminated",
                  fmt::format("{} bytes stand behind the end marker of the rows, where two line feeds should",
                              total_ - scan_.terminator_end),
                  scan_.terminator_end);
    }

    const std::optional<std::size_t> columns_;
    const std::unique_ptr<std::byte[]> buffer_;
    std::size_t filled_ = row_scan_behind;
    std::uint64_t total_ = 0;
    bool ends_with_line_feeds_ = false;
    RowScan scan_;
    std::vector<TextFault> faults_;
};

}  // namespace

bool embeds_ascii(const std::string& encoding) {
    constexpr std::array<std::string_view, 7> these{"SJIS", "SHIFT_JIS_2004", "BIG5", "GBK", "UHC", "GB18030", "JOHAB"};
    return std::ranges::find(these, encoding) != these.end();
}

std::unique_ptr<DataText> copy_text(std::optional<std::size_t> columns, const std::string& encoding) {
    return std::make_unique<CopyText>(columns, encoding);
}

}  // namespace kedge::verify
