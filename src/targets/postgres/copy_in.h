// Many rows into a server, as COPY takes them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "targets/postgres/copy_link.h"

namespace kedge {

class CopyIn {
public:
    explicit CopyIn(CopyLink link) : link_(std::move(link)) {}

    Result<void> execute(const std::string& sql) { return link_.execute(sql); }

    // `statement` is a COPY ... FROM STDIN; then rows in its format, in pieces that end anywhere.
    Result<void> begin(const std::string& statement);
    Result<void> fill(std::string_view rows);
    // How many rows the server took. refused with its words, which may be about any of them.
    Result<std::uint64_t> end();

private:
    CopyLink link_;
};

}  // namespace kedge
