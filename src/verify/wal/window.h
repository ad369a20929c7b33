// Which moments can be recovered, from which base backup, along which timeline.
//
// A server that recovers to a time stops before the first commit or abort, in the order of the log, that is later than
// the time asked for (PostgreSQL 13 to 18: xlogrecovery.c, recoveryStopsBefore). Clocks may be set back, so the order
// of the log decides and never a comparison of the earliest and the latest time. It refuses a stop before the backup is
// consistent, and a time that the log does not reach.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "verify/wal/recovery_target.h"
#include "verify/wal/wal_archive.h"

namespace kedge::verify {

// What recovery needs to know of a base backup.
struct RecoveryBase {
    std::string name;
    std::uint64_t system_identifier = 0;  // 0: not known
    Lsn start;                            // where replay begins
    std::uint32_t timeline = 0;           // on which
    std::string start_segment;            // the file that `start` is in; empty: not known
    std::optional<Lsn> consistent_at;     // where it may end at the earliest; nothing: as the log says
    std::optional<Moment> taken;          // about when it began
    std::uint64_t bytes = 0;              // to be copied back
    std::string unusable;                 // why it cannot be restored at all; empty: it can
};

// Gives the ends of transactions of one segment, in its order. An error means that it could not be read again.
class TransactionSource {
public:
    virtual ~TransactionSource() = default;
    using Visit = std::function<void(const TransactionEnd& end)>;
    virtual Result<void> visit(const WalSegment& segment, const Visit& visit) const = 0;
};

// Reads the segment again. All that it is given outlives it.
class MemberTransactions final : public TransactionSource {
public:
    MemberTransactions(const WalArchive& archive, const std::vector<Member>& members, const Limits& limits,
                       Effort& effort)
        : archive_(archive), members_(members), limits_(limits), effort_(effort) {}
    Result<void> visit(const WalSegment& segment, const Visit& visit) const override;

private:
    const WalArchive& archive_;
    const std::vector<Member>& members_;
    const Limits& limits_;
    Effort& effort_;
};

// What one base backup reaches towards one timeline.
struct Reach {
    std::size_t base = 0;  // index
    std::uint32_t timeline = 0;
    WalPath path;
    std::string why_not;  // it reaches nothing; empty: it does
    // The moments that can be asked for: every one from `earliest` on and before `latest`. At `latest` the last commits
    // of the log are in, and a server that is asked for it reaches it only without a target, at the end of the log.
    std::optional<Moment> earliest, latest;

    bool reaches() const { return why_not.empty(); }
};

struct Window {
    std::vector<RecoveryBase> bases;
    std::vector<Reach> reaches;  // newest timeline first, then newest base first
};
// Errors are those of `transactions`.
Result<Window> recovery_window(const WalArchive& archive, std::vector<RecoveryBase> bases,
                               const TransactionSource& transactions);

// What is assumed of the speed of a recovery; what it takes is roughly bytes by these.
struct RecoveryRates {
    double copy_bytes = 200e6;    // a second, from the backup into the data directory
    double replay_bytes = 150e6;  // a second: 147e6 to 195e6 were measured on two cores (recover/instance.h)
    bool are_measured = false;    // both, on this machine
};

struct Recovery {
    bool possible = false;
    std::string says;                         // why, or why not, in one sentence
    std::optional<std::size_t> reach;         // index, if it is possible
    bool to_the_end = false;                  // no target: all of the log
    bool inclusive = true;                    // what a server is to be told: recovery_target_inclusive
    Lsn stop;                                 // where the first record begins that is not replayed, or the log ends
    std::optional<TransactionEnd> last;       // the last one that is in
    std::optional<TransactionEnd> first_out;  // the first one that is not
    std::uint64_t copy_bytes = 0, replay_bytes = 0;
    Span takes{};  // roughly, by `rates`
    RecoveryRates rates{};
    // The nearest moments that are possible, of a moment, a position or `latest` that is not.
    std::optional<Moment> before, after;
};
// The newest base backup from which the target is reached, on the newest timeline on which it is (or the one that is
// asked for). `now` tells a moment of the future. `is_usable`: which bases may be taken; all if it is empty.
Result<Recovery> recovery_to(const WalArchive& archive, const Window& window, const RecoveryTarget& target, Moment now,
                             const TransactionSource& transactions, const RecoveryRates& rates = {},
                             const std::function<bool(const RecoveryBase&)>& is_usable = {});

}  // namespace kedge::verify
