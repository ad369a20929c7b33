#include "targets/postgres/copy_in.h"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <charconv>
#include <limits>

namespace kedge {

Result<void> CopyIn::begin(const std::string& statement) {
    const auto answer = TRY(link_.send(statement));
    if (PQresultStatus(answer.get()) == PGRES_COPY_IN) return {};
    return Error{Fault::refused, fmt::format("the server waits for no rows after `{}`", statement)};
}

Result<void> CopyIn::fill(std::string_view rows) {
    constexpr std::size_t at_once = std::numeric_limits<int>::max() / 2;
    while (!rows.empty()) {
        const std::string_view now = rows.substr(0, at_once);
        if (PQputCopyData(link_.get(), now.data(), static_cast<int>(now.size())) != 1) return link_.lost();
        TRY(link_.flush());
        rows.remove_prefix(now.size());
    }
    return {};
}

Result<std::uint64_t> CopyIn::end() {
    if (PQputCopyEnd(link_.get(), nullptr) != 1) return link_.lost();
    TRY(link_.flush());
    const auto answer = TRY(link_.last_answer());
    const std::string_view count = answer == nullptr ? "" : PQcmdTuples(answer.get());
    std::uint64_t rows = 0;
    if (std::from_chars(count.data(), count.data() + count.size(), rows).ec == std::errc()) return rows;
    return Error{Fault::corrupt, "the server does not say how many rows it took"};
}

}  // namespace kedge
