#include "verify/wal/wal_record.h"

#include <algorithm>

#include "verify/little_endian.h"

namespace kedge::verify {
namespace {

constexpr std::uint8_t id_block_max = 32, id_short_main = 255, id_long_main = 254, id_origin = 253, id_top_xid = 252;
constexpr std::uint8_t block_has_image = 0x10, block_has_data = 0x20, block_will_init = 0x40, block_same_rel = 0x80;
constexpr std::uint8_t image_has_hole = 0x01;

// The flags that say "compressed" and "to be applied" changed their places in version 15.
std::uint8_t image_compressed(int major) {
    return major >= 15 ? 0x04 | 0x08 | 0x10 : 0x02;
}
std::uint8_t image_apply(int major) {
    return major >= 15 ? 0x02 : 0x04;
}

// Reads the fragment headers one after the other; asked for more than there is, it is no longer good.
class Headers {
public:
    explicit Headers(Bytes bytes) : bytes_(bytes) {}

    template <std::unsigned_integral T>
    T take() {
        if (bytes_.size() - at_ < sizeof(T)) {
            good_ = false;
            return 0;
        }
        const T value = load<T>(bytes_.data() + at_);
        at_ += sizeof(T);
        return value;
    }
    std::size_t at() const { return at_; }
    bool good() const { return good_; }

private:
    Bytes bytes_;
    std::size_t at_ = record_header_bytes;
    bool good_ = true;
};

struct Reading {
    Headers headers;
    int major;
    BlockVisitor visitor;
    void* context;
    std::uint64_t payload = 0;  // announced so far
    int last_block = -1;
    BlockTouched block;  // its relation holds for "same relation"
    bool has_relation = false;
    RecordShape shape;
};

// One image header; false if it contradicts itself.
bool take_image(Reading& reading, std::uint8_t& flags) {
    const auto bytes = reading.headers.take<std::uint16_t>();
    const auto hole_at = reading.headers.take<std::uint16_t>();
    flags = reading.headers.take<std::uint8_t>();
    const bool has_hole = (flags & image_has_hole) != 0;
    const bool compressed = (flags & image_compressed(reading.major)) != 0;
    if (compressed && has_hole) (void)reading.headers.take<std::uint16_t>();
    if (!compressed && !has_hole && (bytes != wal_block_bytes || hole_at != 0)) return false;
    if (bytes > wal_block_bytes) return false;
    reading.payload += bytes;
    reading.shape.image_bytes += bytes;
    return true;
}

bool take_block(Reading& reading, std::uint8_t id) {
    if (id <= reading.last_block) return false;
    reading.last_block = id;
    const auto flags = reading.headers.take<std::uint8_t>();
    const auto data = reading.headers.take<std::uint16_t>();
    if (((flags & block_has_data) != 0) != (data > 0)) return false;
    reading.payload += data;
    std::uint8_t image_flags = 0;
    if ((flags & block_has_image) != 0 && !take_image(reading, image_flags)) return false;
    if ((flags & block_same_rel) == 0) {
        reading.block.tablespace = reading.headers.take<std::uint32_t>();
        reading.block.database = reading.headers.take<std::uint32_t>();
        reading.block.relation = reading.headers.take<std::uint32_t>();
        reading.has_relation = true;
    } else if (!reading.has_relation) {
        return false;
    }
    reading.block.fork = flags & 0x0F;
    reading.block.block = reading.headers.take<std::uint32_t>();
    if (!reading.headers.good()) return false;
    reading.block.restored = (flags & block_will_init) != 0 || (image_flags & image_apply(reading.major)) != 0;
    if (reading.visitor != nullptr) reading.visitor(reading.context, reading.block);
    return true;
}

bool is_log_record(const WalRecordView& record, std::uint8_t kind) {
    return record.manager == manager_xlog && (record.info & 0xF0) == kind;
}

// The main data, if all of its first `bytes` bytes are there.
std::optional<const std::byte*> main_data(const WalRecordView& record, const RecordShape& shape, std::size_t bytes) {
    if (shape.main_bytes < bytes || shape.main_at + bytes > record.prefix.size()) return std::nullopt;
    return record.prefix.data() + shape.main_at;
}

constexpr std::int64_t epoch_of_log = 946'684'800'000'000;  // 2000-01-01 in microseconds since 1970

}  // namespace

std::optional<RecordShape> read_shape(const WalRecordView& record, int major, BlockVisitor visitor, void* context) {
    Reading reading{Headers(record.prefix), major, visitor, context};
    const auto left = [&] { return record.bytes - std::min<std::uint64_t>(record.bytes, reading.headers.at()); };
    while (left() > reading.payload) {
        const auto id = reading.headers.take<std::uint8_t>();
        if (id == id_short_main || id == id_long_main) {
            reading.shape.main_bytes =
                id == id_short_main ? reading.headers.take<std::uint8_t>() : reading.headers.take<std::uint32_t>();
            reading.payload += reading.shape.main_bytes;
            break;  // by definition the last one
        }
        if (id == id_origin) {
            (void)reading.headers.take<std::uint16_t>();
        } else if (id == id_top_xid && major >= 14) {
            (void)reading.headers.take<std::uint32_t>();
        } else if (id > id_block_max || !take_block(reading, id)) {
            return std::nullopt;
        }
        if (!reading.headers.good()) return std::nullopt;
    }
    if (!reading.headers.good() || left() != reading.payload) return std::nullopt;
    reading.shape.main_at = static_cast<std::size_t>(record.bytes - reading.shape.main_bytes);
    return reading.shape;
}

std::optional<TransactionEnd> transaction_end(const WalRecordView& record, const RecordShape& shape) {
    if (record.manager != manager_transaction) return std::nullopt;
    const std::uint8_t kind = record.info & 0x70;
    const bool commits = kind == 0x00 || kind == 0x30, aborts = kind == 0x20 || kind == 0x40;
    if (!commits && !aborts) return std::nullopt;
    const auto data = main_data(record, shape, 8);
    if (!data) return std::nullopt;
    return TransactionEnd{record.at, moment_of_log(load<std::int64_t>(*data)), commits, record.transaction};
}

std::optional<CheckpointRecord> checkpoint_record(const WalRecordView& record, const RecordShape& shape) {
    if (!is_log_record(record, 0x00) && !is_log_record(record, 0x10)) return std::nullopt;
    const auto data = main_data(record, shape, 72);
    if (!data) return std::nullopt;
    const auto time = load<std::int64_t>(*data + 64);  // seconds since 1970
    constexpr std::int64_t seconds_max = 253'402'300'799;
    return CheckpointRecord{Lsn{load<std::uint64_t>(*data)}, load<std::uint32_t>(*data + 8),
                            load<std::uint32_t>(*data + 12),
                            Moment(std::chrono::seconds(std::clamp<std::int64_t>(time, 0, seconds_max)))};
}

std::optional<Lsn> backup_end(const WalRecordView& record, const RecordShape& shape) {
    if (!is_log_record(record, 0x50)) return std::nullopt;
    const auto data = main_data(record, shape, 8);
    if (!data) return std::nullopt;
    return Lsn{load<std::uint64_t>(*data)};
}

std::optional<RestorePoint> restore_point(const WalRecordView& record, const RecordShape& shape) {
    constexpr std::size_t name_bytes = 64;
    if (!is_log_record(record, 0x70)) return std::nullopt;
    const auto data = main_data(record, shape, 8 + name_bytes);
    if (!data) return std::nullopt;
    const auto* name = reinterpret_cast<const char*>(*data + 8);
    return RestorePoint{record.at, moment_of_log(load<std::int64_t>(*data)),
                        std::string(name, std::find(name, name + name_bytes, '\0'))};
}

bool is_switch(std::uint8_t manager, std::uint8_t info) {
    return manager == manager_xlog && (info & 0xF0) == 0x40;
}

bool is_manager(std::uint8_t manager, int major) {
    return manager <= 21 || (manager >= 128 && major >= 15);
}

Moment moment_of_log(std::int64_t microseconds) {
    // Years 1 to 9999: what can be written.
    constexpr std::int64_t first = -62'135'596'800'000'000, last = 253'402'300'799'000'000;
    std::int64_t since_1970 = 0;
    if (__builtin_add_overflow(microseconds, epoch_of_log, &since_1970)) since_1970 = last;
    return Moment(std::chrono::microseconds(std::clamp(since_1970, first, last)));
}

}  // namespace kedge::verify
