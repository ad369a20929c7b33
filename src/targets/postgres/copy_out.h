// Many rows out of a server, as COPY writes them.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "targets/postgres/copy_link.h"

namespace kedge {

class CopyOut {
public:
    explicit CopyOut(CopyLink link) : link_(std::move(link)) {}

    CopyLink& link() { return link_; }

    // `statement` is a COPY ... TO STDOUT; then its rows. Nothing else may be asked before their end.
    Result<void> begin(const std::string& statement);
    // Fills `into` as far as there are rows; how much that was. Less than asked for means the end, and that the server
    // gave all; then another may begin.
    Result<std::size_t> read(std::span<char> into);

private:
    // Empty behind the last.
    Result<std::string_view> next_row();

    struct FreeRow {
        void operator()(char* row) const;
    };
    CopyLink link_;
    std::unique_ptr<char, FreeRow> row_;
    std::string_view left_;  // of the row
    bool is_over_ = true;
};

}  // namespace kedge
