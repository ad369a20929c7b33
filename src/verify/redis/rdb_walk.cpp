#include "verify/redis/rdb_walk.h"

#include <fmt/format.h>

#include "verify/redis/lzf.h"
#include "verify/redis/packed.h"

namespace kedge::verify {
namespace {

enum Opcode : unsigned {
    slot_info = 244,
    function_library_2 = 245,
    function_pre_release = 246,
    module_auxiliary = 247,
    idle_time = 248,
    use_frequency = 249,
    auxiliary_field = 250,
    resize_database = 251,
    expires_at_ms = 252,
    expires_at_s = 253,
    select_db = 254,
    end_of_file = 255,
};

constexpr std::size_t key_bytes_shown = 200;
constexpr std::size_t field_bytes_max = 64u << 10;
constexpr std::size_t fields_max = 1000;
constexpr std::size_t databases_max = 100'000;
constexpr std::size_t library_bytes_max = 4u << 20;
constexpr std::size_t libraries_max = 10'000;

std::string_view as_text(Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// "#!lua name=mylib ..." names a library of functions.
std::string library_name(std::string_view code) {
    const std::string_view line = code.substr(0, code.find('\n'));
    const std::size_t at = line.find("name=");
    if (!line.starts_with("#!") || at == std::string_view::npos) return "(without a name)";
    const std::string_view rest = line.substr(at + 5);
    return std::string(rest.substr(0, rest.find_first_of(" \t\r")));
}

}  // namespace

bool looks_like_rdb(Bytes beginning) {
    if (beginning.size() < rdb_magic_bytes) return false;
    const std::string_view text = as_text(beginning.first(rdb_magic_bytes));
    const std::size_t letters = text.starts_with("REDIS") ? 5 : text.starts_with("VALKEY") ? 6 : 0;
    return letters > 0 && text.find_first_not_of("0123456789", letters) == std::string_view::npos;
}

RdbSummary RdbWalk::walk() && {
    if (magic() && body()) checksum();
    summary_.bytes = summary_.fault ? summary_.fault->offset : intake_.offset();
    std::ranges::sort(summary_.biggest, std::ranges::greater{}, &BigKey::bytes);
    return std::move(summary_);
}

bool RdbWalk::magic() {
    if (!need(rdb_magic_bytes)) return false;
    const Bytes bytes(intake_.at(), rdb_magic_bytes);
    if (!looks_like_rdb(bytes)) return wrong("this does not begin as an RDB file does");
    const bool is_valkey = as_text(bytes).starts_with("VALKEY");
    summary_.dialect = is_valkey ? RdbSummary::Dialect::valkey : RdbSummary::Dialect::redis;
    for (const char digit : as_text(bytes).substr(is_valkey ? 6 : 5))
        summary_.version = summary_.version * 10 + static_cast<unsigned>(digit - '0');
    if (summary_.version == 0) return wrong("version 0 of the format is none");
    intake_.go(rdb_magic_bytes);
    return true;
}

bool RdbWalk::body() {
    for (bool at_end = false; !at_end;) {
        if (!need(1)) return false;
        const unsigned code = std::to_integer<unsigned>(*intake_.at());
        if (code <= static_cast<unsigned>(ValueType::hash_listpack_with_expiry)) {
            intake_.go(1);
            if (!key_and_value(static_cast<ValueType>(code))) return false;
        } else if (!opcode(code, at_end)) {
            return false;
        }
    }
    return true;
}

bool RdbWalk::opcode(unsigned code, bool& at_end) {
    if (code < slot_info)
        return wrong(fmt::format("byte {} stands where a type or an opcode has to be", code), WalkFault::Kind::unknown);
    intake_.go(1);
    switch (code) {
        case slot_info: return lengths(3);
        case function_library_2: return function_library();
        case function_pre_release: return wrong("functions as only a candidate of 7.0 wrote them");
        case module_auxiliary: return module_field();
        case idle_time: return lengths(1);
        case use_frequency: return skip(1);
        case auxiliary_field: return auxiliary();
        case resize_database: return size_hints();
        case expires_at_ms:
            if (!need(8)) return false;
            expires_ms_ = std::max<std::int64_t>(little<std::int64_t>(intake_.at()), 0);
            intake_.go(8);
            return true;
        case expires_at_s:
            if (!need(4)) return false;
            expires_ms_ = std::int64_t{1000} * std::max(little<std::int32_t>(intake_.at()), 0);
            intake_.go(4);
            return true;
        case select_db: return select_database();
        default: at_end = true; return true;
    }
}

bool RdbWalk::checksum() {
    constexpr unsigned first_with_checksum = 5;
    if (summary_.version < first_with_checksum) return true;
    summary_.computed_crc = intake_.crc();
    intake_.uncover();
    if (!need(8)) return false;
    summary_.stated_crc = little<std::uint64_t>(intake_.at());
    intake_.go(8);
    summary_.checksum = summary_.stated_crc == 0                       ? RdbSummary::Checksum::disabled
                        : summary_.stated_crc == summary_.computed_crc ? RdbSummary::Checksum::fits
                                                                       : RdbSummary::Checksum::differs;
    return true;
}

bool RdbWalk::auxiliary() {
    std::string name, content;
    if (!read_text(name, field_bytes_max) || !read_text(content, field_bytes_max)) return false;
    if (summary_.fields.size() < fields_max) summary_.fields.insert_or_assign(std::move(name), std::move(content));
    return true;
}

bool RdbWalk::function_library() {
    std::string code;
    if (!read_text(code, library_bytes_max)) return false;
    if (summary_.libraries.size() < libraries_max) summary_.libraries.push_back(library_name(code));
    return true;
}

// The moment at which it is to be loaded, written as a module's number, and the content, written as a module's value.
// Both are parts of the same framing.
bool RdbWalk::module_field() {
    return module_value();
}

bool RdbWalk::select_database() {
    if (!length(database_number_)) return false;
    if (summary_.databases.size() >= databases_max) return too_big("more databases than are looked at", 0);
    database_ = &summary_.databases[database_number_];
    return true;
}

bool RdbWalk::size_hints() {
    std::uint64_t keys = 0, expiring = 0;
    if (!length(keys) || !length(expiring)) return false;
    if (database_ == nullptr) return wrong("a number of keys stands before any database");
    database_->stated_keys = keys;
    database_->stated_expiring = expiring;
    return true;
}

bool RdbWalk::key_and_value(ValueType type) {
    if (database_ == nullptr) database_ = &summary_.databases[0];  // the one that every connection starts in
    value_bytes_ = 0;
    is_empty_ = false;
    const std::uint64_t offset = intake_.offset() - 1;
    if (!read_text(key_, key_bytes_shown)) return false;
    value_bytes_ = 0;
    if (!value(type)) {
        if (summary_.fault->kind == WalkFault::Kind::ended)
            summary_.fault->says = fmt::format("in a key that begins at byte {}", offset);
        return false;
    }
    DatabaseTally& tally = *database_;
    ++tally.keys;
    ++tally.by_type[static_cast<std::size_t>(type)];
    tally.value_bytes += value_bytes_;
    if (is_empty_) ++tally.empty;
    if (expires_ms_ >= 0) {
        ++tally.expiring;
        if (expires_ms_ < now_ms_) ++tally.expired;
        expires_ms_ = -1;
    }
    if (summary_.biggest.size() < biggest_max_ || value_bytes_ > summary_.biggest.front().bytes) remember_if_big(type);
    return true;
}

// The smallest of those that are remembered is in front.
void RdbWalk::remember_if_big(ValueType type) {
    std::vector<BigKey>& biggest = summary_.biggest;
    if (biggest_max_ == 0) return;
    if (biggest.size() == biggest_max_) {
        std::ranges::pop_heap(biggest, std::ranges::greater{}, &BigKey::bytes);
        biggest.pop_back();
    }
    biggest.push_back({database_number_, value_bytes_, key_, name_of(type)});
    std::ranges::push_heap(biggest, std::ranges::greater{}, &BigKey::bytes);
}

bool RdbWalk::length(std::uint64_t& value) {
    if (!need(1)) return false;
    const unsigned first = std::to_integer<unsigned>(*intake_.at());
    switch (first >> 6) {
        case 0:
            value = first;
            intake_.go(1);
            return true;
        case 1:
            if (!need(2)) return false;
            value = ((first & 63) << 8) | std::to_integer<unsigned>(intake_.at()[1]);
            intake_.go(2);
            return true;
        case 2:
            // Up to version 7 the low bits did not matter.
            if (first == 0x81 && summary_.version > 7) {
                if (!need(9)) return false;
                value = __builtin_bswap64(little<std::uint64_t>(intake_.at() + 1));
                intake_.go(9);
                return true;
            }
            if (first != 0x80 && summary_.version > 7) return wrong("a length has an unknown encoding");
            if (!need(5)) return false;
            value = big32(intake_.at() + 1);
            intake_.go(5);
            return true;
        default: return wrong("a string's encoding stands where a length has to be");
    }
}

bool RdbWalk::lengths(std::size_t count) {
    std::uint64_t unused = 0;
    for (std::size_t i = 0; i < count; ++i)
        if (!length(unused)) return false;
    return true;
}

bool RdbWalk::text_head(Text& text) {
    if (!need(1)) return false;
    const unsigned first = std::to_integer<unsigned>(*intake_.at());
    if (first < 0xc0) {
        text.form = Text::Form::plain;
        if (!length(text.bytes)) return false;
        text.unpacked = text.bytes;
        return true;
    }
    switch (first) {
        case 0xc0:
        case 0xc1:
        case 0xc2:
            intake_.go(1);
            text = {Text::Form::number, std::uint64_t{1} << (first & 3), std::uint64_t{1} << (first & 3)};
            return true;
        case 0xc3:
            intake_.go(1);
            text.form = Text::Form::packed;
            if (!length(text.bytes) || !length(text.unpacked)) return false;
            if (!lzf_can_hold(text.bytes, text.unpacked))
                return wrong(
                    fmt::format("a packed string of {} bytes is said to unpack to {}", text.bytes, text.unpacked));
            return true;
        default: return wrong("a string has an unknown encoding");
    }
}

bool RdbWalk::skip_text() {
    Text text;
    if (!text_head(text)) return false;
    value_bytes_ += text.unpacked;
    if (text.form != Text::Form::packed) return skip(text.bytes);
    if (text.bytes <= Intake::piece_bytes_max) {
        if (!need(text.bytes)) return false;
        intake_.take({.bytes = static_cast<std::uint32_t>(text.bytes),
                      .unpacked_bytes = text.unpacked,
                      .form = Blob::Form::text});
        return true;
    }
    LzfWalk walk(text.unpacked);
    while (text.bytes > 0) {
        if (!need(1)) return false;
        const std::size_t piece = std::min<std::uint64_t>(text.bytes, intake_.left());
        if (!walk.take(Bytes(intake_.at(), piece))) break;
        intake_.go(piece);
        text.bytes -= piece;
    }
    if (const auto fault = walk.end()) return wrong(fmt::format("a value cannot be unpacked: {}", *fault));
    return true;
}

// A text that is longer is gone past, and only its beginning kept, or nothing of it if it is packed.
bool RdbWalk::read_text(std::string& into, std::size_t bytes_max) {
    into.clear();
    Text text;
    if (!text_head(text)) return false;
    const std::size_t kept = static_cast<std::size_t>(std::min<std::uint64_t>(text.bytes, bytes_max));
    switch (text.form) {
        case Text::Form::plain:
            if (!need(kept)) return false;
            into.assign(as_text(Bytes(intake_.at(), kept)));
            return skip(text.bytes);
        case Text::Form::number: {
            if (!need(text.bytes)) return false;
            const std::byte* const at = intake_.at();
            into = std::to_string(text.bytes == 1   ? little<std::int8_t>(at)
                                  : text.bytes == 2 ? little<std::int16_t>(at)
                                                    : little<std::int32_t>(at));
            intake_.go(text.bytes);
            return true;
        }
        case Text::Form::packed: break;
    }
    if (text.bytes > Intake::piece_bytes_max) return too_big("a name of unusual length", text.bytes);
    if (!need(text.bytes)) return false;
    if (text.unpacked <= std::max(bytes_max, field_bytes_max)) {
        scratch_.resize(text.unpacked);
        const Bytes packed(intake_.at(), text.bytes);
        if (const auto fault = unpack_lzf(packed, std::as_writable_bytes(std::span(scratch_))))
            return wrong(fmt::format("a name cannot be unpacked: {}", *fault));
        into.assign(scratch_, 0, bytes_max);
        intake_.go(text.bytes);
        return true;
    }
    intake_.take(
        {.bytes = static_cast<std::uint32_t>(text.bytes), .unpacked_bytes = text.unpacked, .form = Blob::Form::text});
    return true;
}

bool RdbWalk::blob(Container container, Grouping grouping) {
    Text text;
    if (!text_head(text)) return false;
    if (text.form == Text::Form::number) return wrong("a number stands where a container has to be");
    if (text.bytes > Intake::piece_bytes_max)
        return too_big(fmt::format("a container of {} bytes is more than is looked into", text.bytes), text.bytes);
    value_bytes_ += text.unpacked;
    if (!need(text.bytes)) return false;
    intake_.take({.bytes = static_cast<std::uint32_t>(text.bytes),
                  .unpacked_bytes = text.form == Text::Form::packed ? text.unpacked : 0,
                  .form = Blob::Form::container,
                  .container = container,
                  .grouping = grouping});
    return true;
}

bool RdbWalk::skip(std::uint64_t count) {
    return intake_.skip(count) || ended();
}

bool RdbWalk::ended() {
    summary_.fault = {WalkFault::Kind::ended, "before its end mark", intake_.offset()};
    return false;
}

bool RdbWalk::too_big(std::string says, std::uint64_t bytes) {
    summary_.fault = {WalkFault::Kind::limit, std::move(says), intake_.offset(), bytes};
    return false;
}

bool RdbWalk::wrong(std::string says, WalkFault::Kind kind) {
    summary_.fault = {kind, std::move(says), intake_.offset()};
    return false;
}

}  // namespace kedge::verify
