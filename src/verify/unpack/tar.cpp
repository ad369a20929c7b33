#include "verify/unpack/tar.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace kedge::verify {
namespace {

constexpr std::size_t block_bytes = TarReader::block_bytes;
using Block = std::array<std::byte, block_bytes>;

// The fields of a head that are used (POSIX, ustar Interchange Format): where they begin, how long they are.
struct Field {
    std::size_t begin, bytes;
};
constexpr Field name_field{0, 100}, size_field{124, 12}, checksum_field{148, 8}, type_field{156, 1},
    link_field{157, 100}, magic_field{257, 5}, prefix_field{345, 155};

// Long names and pax records are short; more would only cost memory.
constexpr std::uint64_t long_text_max = 64u << 10;

Bytes bytes_of(Bytes head, Field field) {
    return head.subspan(field.begin, field.bytes);
}

std::string text_of(Bytes head, Field field) {
    const Bytes bytes = bytes_of(head, field);
    const auto* text = reinterpret_cast<const char*>(bytes.data());
    return {text, strnlen(text, bytes.size())};
}

// Octal digits, with blanks before and blanks or zeros behind; or, with the highest bit set, base 256.
std::optional<std::uint64_t> number_of(Bytes head, Field field) {
    const Bytes bytes = bytes_of(head, field);
    std::uint64_t value = 0;
    if ((bytes[0] & std::byte{0x80}) != std::byte{0}) {
        if (bytes[0] != std::byte{0x80}) return std::nullopt;  // negative, or far too large
        for (const std::byte byte : bytes.subspan(1)) {
            if (value >> 55 != 0) return std::nullopt;
            value = value << 8 | std::to_integer<std::uint64_t>(byte);
        }
        return value;
    }
    std::string text = text_of(head, field);
    text.erase(0, text.find_first_not_of(' '));
    if (const std::size_t end = text.find(' '); end != std::string::npos) text.resize(end);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 8);
    return error == std::errc{} && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

bool is_zero(Bytes bytes) {
    return std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{0}; });
}

std::uint64_t padding_of(std::uint64_t bytes) {
    return (block_bytes - bytes % block_bytes) % block_bytes;
}

TarMember::Type type_of(char letter) {
    switch (letter) {
        case '0':
        case '\0':
        case '7': return TarMember::Type::file;
        case '1':
        case '2': return TarMember::Type::link;
        case '5': return TarMember::Type::directory;
        default: return TarMember::Type::other;
    }
}

// What a head says, before any long name is put in its place.
struct Head {
    TarMember member;
    char letter = 0;
};

std::optional<Head> read_head(Bytes block) {
    if (!is_tar_head(block)) return std::nullopt;
    const auto size = number_of(block, size_field);
    if (!size) return std::nullopt;
    Head head;
    head.letter = static_cast<char>(block[type_field.begin]);
    head.member.type = type_of(head.letter);
    head.member.name = text_of(block, name_field);
    head.member.target = text_of(block, link_field);
    const bool has_content = head.member.type == TarMember::Type::file || head.member.type == TarMember::Type::other;
    head.member.bytes = has_content ? *size : 0;
    const std::string prefix = text_of(block, prefix_field);
    // GNU's magic has a blank behind it and something else where the prefix is.
    const bool is_posix = text_of(block, {magic_field.begin, 6}) == "ustar";
    if (is_posix && !prefix.empty()) head.member.name = prefix + "/" + head.member.name;
    return head;
}

// What the records before a head say of it: pax "LENGTH KEY=VALUE\n", GNU the name itself.
struct Override {
    std::optional<std::string> name, target;
    std::optional<std::uint64_t> bytes;

    bool read_pax(std::string_view text) {
        while (!text.empty()) {
            std::size_t length = 0;
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
            const std::size_t digits = static_cast<std::size_t>(end - text.data());
            if (error != std::errc{} || length < digits + 3 || length > text.size() || *end != ' ' ||
                text[length - 1] != '\n')
                return false;
            const std::string_view record = text.substr(digits + 1, length - digits - 2);
            text.remove_prefix(length);
            const std::size_t equals = record.find('=');
            if (equals == std::string_view::npos) return false;
            if (!take(record.substr(0, equals), record.substr(equals + 1))) return false;
        }
        return true;
    }

    bool take(std::string_view key, std::string_view value) {
        if (key == "path") name = value;
        if (key == "linkpath") target = value;
        if (key != "size") return true;
        std::uint64_t number = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
        if (error != std::errc{} || end != value.data() + value.size()) return false;
        bytes = number;
        return true;
    }

    void apply(TarMember& member) const {
        if (name) member.name = *name;
        if (target) member.target = *target;
        if (bytes && member.type == TarMember::Type::file) member.bytes = *bytes;
    }
};

bool is_extension(char letter) {
    return letter == 'L' || letter == 'K' || letter == 'x' || letter == 'g';
}

// False for a record that cannot be read.
bool take_extension(char letter, std::string text, Override& into) {
    if (letter == 'x') return into.read_pax(text);
    if (letter == 'g') return true;  // of the whole archive; nothing that is used here
    text.resize(strnlen(text.data(), text.size()));
    (letter == 'L' ? into.name : into.target) = std::move(text);
    return true;
}

}  // namespace

bool is_tar_head(Bytes head) {
    if (head.size() < block_bytes || is_zero(head.first(block_bytes))) return false;
    const auto expected = number_of(head, checksum_field);
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < block_bytes; ++i) {
        const bool in_checksum = i >= checksum_field.begin && i < checksum_field.begin + checksum_field.bytes;
        sum += in_checksum ? ' ' : std::to_integer<unsigned>(head[i]);
    }
    return expected == sum;
}

void TarReader::break_off(Flaw::Kind kind, std::string says, std::uint64_t offset) {
    flaws_.push_back({kind, std::move(says), offset});
    broken_ = over_ = true;
}

// False at the end of the tar.
Result<bool> TarReader::read_block(std::span<std::byte> block) {
    const std::size_t got = TRY(from_.read(block));
    offset_ += got;
    return got == block.size();
}

Result<std::size_t> TarReader::read(std::span<std::byte> into) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), left_));
    const std::size_t got = TRY(from_.read(into.first(wanted)));
    offset_ += got;
    left_ -= got;
    if (got < wanted) {
        break_off(Flaw::Kind::truncated, fmt::format("the tar ends {} bytes before the end of a member", left_),
                  offset_);
        left_ = padding_ = 0;
    }
    return got;
}

Result<void> TarReader::pass_content() {
    const auto piece = std::make_unique_for_overwrite<std::array<std::byte, 64u << 10>>();
    while (left_ > 0) TRY(read(*piece));
    if (padding_ == 0) return {};
    const std::uint64_t start = offset_;
    const auto padding = std::span(*piece).first(static_cast<std::size_t>(padding_));
    padding_ = 0;
    if (!TRY(read_block(padding)))
        break_off(Flaw::Kind::truncated, "the tar ends within the padding of a member", offset_);
    else if (!is_zero(padding) && !std::exchange(stray_seen_, true))
        flaws_.push_back({Flaw::Kind::trailing, "the padding behind a member is not zero", start});
    return {};
}

Result<std::string> TarReader::read_text(const TarMember& member) {
    std::string text(static_cast<std::size_t>(std::min(member.bytes, long_text_max)), '\0');
    const std::size_t got = TRY(read(std::as_writable_bytes(std::span(text))));
    text.resize(got);
    return text;
}

// Behind the first block of zeros: a second one, and nothing but zeros.
Result<void> TarReader::read_end() {
    over_ = true;
    const auto piece = std::make_unique_for_overwrite<std::array<std::byte, 64u << 10>>();
    const std::uint64_t start = offset_;
    for (bool stray = false;;) {
        const std::size_t got = TRY(from_.read(*piece));
        if (!stray && !is_zero(Bytes{*piece}.first(got))) {
            stray = true;
            flaws_.push_back(
                {Flaw::Kind::trailing, "bytes that are not zero stand behind the end of the tar", offset_});
        }
        offset_ += got;
        if (got < piece->size()) break;
    }
    if (offset_ - start < block_bytes)
        flaws_.push_back({Flaw::Kind::truncated, "one of the two blocks of zeros that end a tar is missing", offset_});
    return {};
}

Result<std::optional<TarMember>> TarReader::next() {
    Override extension;
    for (;;) {
        if (!over_) TRY(pass_content());
        if (over_) return std::optional<TarMember>{};
        const std::uint64_t start = offset_;
        Block block;
        if (!TRY(read_block(block))) {
            break_off(Flaw::Kind::truncated, "the tar ends without the two blocks of zeros that end one", offset_);
            continue;
        }
        if (is_zero(block)) {
            TRY(read_end());
            continue;
        }
        auto head = read_head(block);
        if (!head) {
            break_off(Flaw::Kind::checksum, "the head of a member is damaged: its checksum does not fit", start);
            continue;
        }
        head->member.offset = offset_;
        if (!is_extension(head->letter)) extension.apply(head->member);
        left_ = head->member.bytes;
        padding_ = padding_of(left_);
        if (!is_extension(head->letter)) return std::optional(std::move(head->member));
        if (!take_extension(head->letter, TRY(read_text(head->member)), extension))
            break_off(Flaw::Kind::damaged, "a record about the next member cannot be read", start);
    }
}

namespace {

// Steps over the content of members, which a stream would have to read.
class SeekingStream final : public ByteStream {
public:
    explicit SeekingStream(const ByteSource& source) : source_(source) {}
    Result<std::size_t> read(std::span<std::byte> into) override {
        const std::size_t got = TRY(source_.read(next_, into));
        next_ += got;
        return got;
    }
    void go_to(std::uint64_t offset) { next_ = offset; }

private:
    const ByteSource& source_;
    std::uint64_t next_ = 0;
};

}  // namespace

Result<TarIndex> index_tar(const ByteSource& source, std::size_t members_max) {
    TarIndex index;
    SeekingStream stream(source);
    // A reader of its own for each member, which begins at its head: what it has read so far is then all there is to
    // it.
    for (std::uint64_t at = 0;;) {
        stream.go_to(at);
        TarReader reader(stream);
        const auto member = TRY(reader.next());
        for (Flaw flaw : reader.flaws()) {
            flaw.offset += at;
            index.flaws.push_back(std::move(flaw));
        }
        index.broken = reader.broken();
        if (!member) return index;
        index.members.push_back(*member);
        TarMember& last = index.members.back();
        last.offset += at;
        const std::uint64_t behind = last.offset + last.bytes;
        if (last.bytes > source.size() || behind > source.size() || padding_of(last.bytes) > source.size() - behind) {
            index.flaws.push_back(
                {Flaw::Kind::truncated, fmt::format("the tar ends within member {}", last.name), source.size()});
            index.broken = true;
            return index;
        }
        Block padding{};
        TRY(source.read(behind, std::span(padding).first(static_cast<std::size_t>(padding_of(last.bytes)))));
        if (!is_zero(padding))
            index.flaws.push_back({Flaw::Kind::trailing, "the padding behind a member is not zero", behind});
        if (index.members.size() > members_max) {
            index.flaws.push_back({Flaw::Kind::limit, fmt::format("it has more than {} members", members_max), behind});
            index.broken = true;
            return index;
        }
        at = behind + padding_of(last.bytes);
    }
}

}  // namespace kedge::verify
