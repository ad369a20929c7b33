// Finds where the log makes tablespaces. A replayed CREATE TABLESPACE makes its directory where the original has it,
// perhaps in production's own: a server on this machine must not be given such log.
#pragma once

#include <algorithm>
#include <mutex>
#include <vector>

#include "verify/wal/wal_record.h"

namespace kedge::verify {

// May see records from several threads.
class NewTablespaces final : public RecordObserver {
public:
    // rmgrlist.h: 5 is Tablespace; tablespace.h: XLOG_TBLSPC_CREATE is 0x00.
    void see(const WalRecordView& record) override {
        constexpr std::uint8_t tablespace = 5, operation = 0x70;
        if (record.manager != tablespace || (record.info & operation) != 0) return;
        const std::lock_guard lock(mutex_);
        made_.push_back(record.at);
    }
    // Whether one is made from `from` on and before `to`, on any timeline.
    bool any(Lsn from, Lsn to) const {
        const std::lock_guard lock(mutex_);
        return std::ranges::any_of(made_, [&](Lsn at) { return at >= from && at < to; });
    }

private:
    mutable std::mutex mutex_;
    std::vector<Lsn> made_;
};

}  // namespace kedge::verify
