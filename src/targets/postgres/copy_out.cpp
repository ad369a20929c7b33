#include "targets/postgres/copy_out.h"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <cstring>

namespace kedge {

void CopyOut::FreeRow::operator()(char* row) const {
    PQfreemem(row);
}

Result<void> CopyOut::begin(const std::string& statement) {
    const auto answer = TRY(link_.send(statement));
    if (PQresultStatus(answer.get()) != PGRES_COPY_OUT)
        return Error{Fault::refused, fmt::format("the server gives no rows after `{}`", statement)};
    is_over_ = false;
    return {};
}

Result<std::string_view> CopyOut::next_row() {
    for (;;) {
        char* row = nullptr;
        const int size = PQgetCopyData(link_.get(), &row, 1);
        row_.reset(row);
        if (size > 0) return std::string_view(row, static_cast<std::size_t>(size));
        if (size < -1) return link_.lost();
        if (size == -1) break;
        TRY(link_.await_more());
    }
    // An error on the way comes here, too.
    TRY(link_.last_answer());
    is_over_ = true;
    return std::string_view();
}

Result<std::size_t> CopyOut::read(std::span<char> into) {
    std::size_t filled = 0;
    while (filled < into.size()) {
        if (left_.empty() && !is_over_) left_ = TRY(next_row());
        if (left_.empty()) break;
        const std::size_t count = std::min(left_.size(), into.size() - filled);
        std::memcpy(into.data() + filled, left_.data(), count);
        left_.remove_prefix(count);
        filled += count;
    }
    return filled;
}

}  // namespace kedge
