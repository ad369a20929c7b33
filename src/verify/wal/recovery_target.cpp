#include "verify/wal/recovery_target.h"

#include <charconv>

namespace kedge::verify {
namespace {

constexpr std::size_t name_bytes_max = 63;  // of a restore point (access/xlog_internal.h, MAXFNAMELEN)

std::string written(const RecoveryTarget& target) {
    switch (target.kind) {
        case RecoveryTarget::Kind::moment: return kedge::to_string(target.moment);
        case RecoveryTarget::Kind::position: return kedge::to_string(target.position);
        case RecoveryTarget::Kind::transaction: return "xid:" + std::to_string(target.transaction);
        case RecoveryTarget::Kind::restore_point: return "name:" + target.name;
        case RecoveryTarget::Kind::consistent: return "consistent";
        case RecoveryTarget::Kind::latest: break;
    }
    return "latest";
}

}  // namespace

Result<RecoveryTarget> parse_recovery_target(std::string_view text) {
    using Kind = RecoveryTarget::Kind;
    constexpr const char* forms =
        "2026-11-24T03:05:07Z, a position 0/5A10F08, xid:4711, name:RESTORE-POINT, consistent or latest";
    if (text == "latest") return RecoveryTarget{};
    if (text == "consistent") return RecoveryTarget{.kind = Kind::consistent};
    if (text.starts_with("xid:")) {
        const std::string_view digits = text.substr(4);
        std::uint32_t number = 0;
        const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), number);
        constexpr std::uint32_t first_normal = 3;  // access/transam.h
        if (read.ec != std::errc() || read.ptr != digits.data() + digits.size() || number < first_normal)
            return Error{Fault::invalid_input, std::string(text) + " is no transaction",
                         "xid: and its number, as txid_current() or pg_waldump shows it, without an epoch"};
        return RecoveryTarget{.kind = Kind::transaction, .transaction = number};
    }
    if (text.starts_with("name:")) {
        const std::string name(text.substr(5));
        if (name.empty() || name.size() > name_bytes_max)
            return Error{Fault::invalid_input, std::string(text) + " is no restore point",
                         "its name has 1 to 63 bytes"};
        return RecoveryTarget{.kind = Kind::restore_point, .name = name};
    }
    if (const auto position = parse_lsn(text)) return RecoveryTarget{.kind = Kind::position, .position = *position};
    const auto moment = parse_moment(text);
    if (moment) return RecoveryTarget::at(*moment);
    if (text.size() >= 10 && text[4] == '-') return moment.error();
    return Error{Fault::invalid_input, std::string(text) + " is nothing that a recovery can end at",
                 std::string("it is one of ") + forms};
}

std::string to_string(const RecoveryTarget& target) {
    return (target.inclusive ? "" : "before ") + written(target);
}

}  // namespace kedge::verify
