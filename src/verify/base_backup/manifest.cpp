#include "verify/base_backup/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "verify/base_backup/digest.h"

namespace kedge::verify {
namespace {

struct Algorithm {
    ManifestChecksum algorithm;
    std::string_view name;
    std::size_t bytes;
};
constexpr std::array algorithms{
    Algorithm{ManifestChecksum::none, "NONE", 0},      Algorithm{ManifestChecksum::crc32c, "CRC32C", 4},
    Algorithm{ManifestChecksum::sha224, "SHA224", 28}, Algorithm{ManifestChecksum::sha256, "SHA256", 32},
    Algorithm{ManifestChecksum::sha384, "SHA384", 48}, Algorithm{ManifestChecksum::sha512, "SHA512", 64}};

constexpr std::size_t line_bytes_max = 1u << 20;
constexpr std::size_t string_bytes_max = 1u << 16;  // of one string; a path has at most 1024

std::optional<std::string> from_hexadecimal(std::string_view text) {
    std::string bytes;
    if (text.size() % 2 != 0) return std::nullopt;
    for (std::size_t i = 0; i < text.size(); i += 2) {
        unsigned value = 0;
        const auto read = std::from_chars(text.data() + i, text.data() + i + 2, value, 16);
        if (read.ec != std::errc{} || read.ptr != text.data() + i + 2) return std::nullopt;
        bytes.push_back(static_cast<char>(value));
    }
    return bytes;
}

// The characters of the manifest, read in pieces; all lines but the last one go through SHA-256.
class Characters {
public:
    explicit Characters(ByteStream& stream) : stream_(stream) { digest_.begin(ManifestChecksum::sha256); }

    // The next character without taking it; nothing at the end.
    Result<std::optional<char>> peek() {
        if (at_ == end_) TRY(fill());
        if (at_ == end_) return std::optional<char>{};
        return std::optional(buffer_[at_]);
    }
    void take() { ++at_; }
    std::uint64_t offset() const { return before_ + at_; }
    // After the last character: of all bytes before the last line. Nothing if that line does not end.
    std::optional<std::string> digest() {
        if (line_.empty() || line_.back() != '\n') return std::nullopt;
        return digest_.finish();
    }

private:
    Result<void> fill() {
        before_ += end_;
        at_ = end_ = 0;
        end_ = TRY(stream_.read(std::as_writable_bytes(std::span(buffer_))));
        line_.append(buffer_.data(), end_);
        // What comes before the last line break but one is surely not part of the last line.
        const auto cut = line_.size() < 2 ? std::string::npos : line_.rfind('\n', line_.size() - 2);
        if (cut != std::string::npos) {
            digest_.update(as_bytes(line_).first(cut + 1));
            line_.erase(0, cut + 1);
        }
        if (line_.size() > line_bytes_max + buffer_.size()) return Error{Fault::corrupt, "a line of it never ends"};
        return {};
    }

    ByteStream& stream_;
    std::array<char, 65536> buffer_;
    std::size_t at_ = 0, end_ = 0;
    std::uint64_t before_ = 0;
    std::string line_;  // what is not in the digest yet
    Digest digest_;
};

// JSON of the one shape that a manifest has.
class Parser {
public:
    Parser(ByteStream& stream, const Limits& limits) : in_(stream), limits_(limits) {}

    Result<Manifest> read() {
        TRY(object([this](const std::string& key) { return top(key); }));
        if (TRY(next()).has_value()) return wrong("something follows its end");
        if (manifest_.version == 0) return wrong("it has no version");
        if (!has_checksum_) return wrong("it has no checksum of its own");
        manifest_.bytes = in_.offset();
        manifest_.checksum_fits = in_.digest() == checksum_;
        std::ranges::sort(manifest_.files, {}, &ManifestFile::path);
        const auto twice = std::ranges::adjacent_find(manifest_.files, {}, &ManifestFile::path);
        if (twice != manifest_.files.end()) return wrong(fmt::format("it lists {} twice", twice->path));
        return std::move(manifest_);
    }

private:
    Error wrong(std::string_view says) const {
        return Error{Fault::corrupt, fmt::format("{} (at byte {})", says, in_.offset())};
    }

    // The next character that is no blank, without taking it.
    Result<std::optional<char>> next() {
        for (;;) {
            const auto character = TRY(in_.peek());
            if (!character || (*character != ' ' && *character != '\n' && *character != '\t' && *character != '\r'))
                return character;
            in_.take();
        }
    }
    Result<bool> accept(char wanted) {
        if (TRY(next()) != wanted) return false;
        in_.take();
        return true;
    }
    Result<void> expect(char wanted) {
        if (!TRY(accept(wanted))) return wrong(fmt::format("there is no '{}'", wanted));
        return {};
    }

    Result<char> character() {
        const auto one = TRY(in_.peek());
        if (!one) return wrong("it ends within a text");
        in_.take();
        return *one;
    }
    Result<std::uint32_t> four_digits() {
        std::string digits;
        for (int i = 0; i < 4; ++i) digits.push_back(TRY(character()));
        std::uint32_t value = 0;
        const auto read = std::from_chars(digits.data(), digits.data() + 4, value, 16);
        if (read.ec != std::errc{} || read.ptr != digits.data() + 4) return wrong("\\u without four digits");
        return value;
    }
    Result<void> escape(std::string& text) {
        const char letter = TRY(character());
        constexpr std::string_view letters = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
        if (const auto at = letters.find(letter); at != std::string_view::npos) {
            text.push_back(meanings[at]);
            return {};
        }
        if (letter != 'u') return wrong("an escape that JSON has not");
        // The server writes only control characters so; whatever else is not UTF-8 it encodes in hexadecimal.
        const std::uint32_t value = TRY(four_digits());
        if (value >= 0x80) return wrong("an escape that no server writes");
        text.push_back(static_cast<char>(value));
        return {};
    }
    Result<std::string> text() {
        TRY(expect('"'));
        std::string result;
        for (;;) {
            const char one = TRY(character());
            if (one == '"') return result;
            if (static_cast<unsigned char>(one) < 0x20) return wrong("a control character within a text");
            if (one == '\\')
                TRY(escape(result));
            else
                result.push_back(one);
            if (result.size() > string_bytes_max) return wrong("a text that is too long");
        }
    }
    Result<std::uint64_t> number() {
        std::string digits;
        for (auto one = TRY(next()); one && *one >= '0' && *one <= '9'; one = TRY(in_.peek())) {
            digits.push_back(*one);
            if (digits.size() > 20) break;
            in_.take();
        }
        std::uint64_t value = 0;
        const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        if (read.ec != std::errc{} || read.ptr != digits.data() + digits.size()) return wrong("there is no number");
        return value;
    }

    template <class Member>
    Result<void> object(Member member) {
        TRY(expect('{'));
        if (TRY(accept('}'))) return {};
        do {
            const std::string key = TRY(text());
            TRY(expect(':'));
            TRY(member(key));
        } while (TRY(accept(',')));
        return expect('}');
    }
    template <class Item>
    Result<void> array(Item item) {
        TRY(expect('['));
        if (TRY(accept(']'))) return {};
        do TRY(item());
        while (TRY(accept(',')));
        return expect(']');
    }

    Result<void> top(const std::string& key) {
        if (key == "PostgreSQL-Backup-Manifest-Version") {
            const std::uint64_t version = TRY(number());
            if (version != 1 && version != 2) return wrong(fmt::format("version {} is not known", version));
            manifest_.version = static_cast<int>(version);
            return {};
        }
        if (key == "System-Identifier") {
            manifest_.system_identifier = TRY(number());
            return {};
        }
        if (key == "Files") return array([this] { return file(); });
        if (key == "WAL-Ranges") return array([this] { return range(); });
        if (key != "Manifest-Checksum") return wrong(fmt::format("a key that it does not have: {}", key));
        const auto checksum = from_hexadecimal(TRY(text()));
        if (!checksum || checksum->size() != checksum_bytes(ManifestChecksum::sha256)) return wrong("no SHA-256");
        checksum_ = *checksum;
        has_checksum_ = true;
        return {};
    }

    Result<void> file() {
        ManifestFile file;
        bool has_size = false;
        TRY(object([&](const std::string& key) -> Result<void> {
            if (key == "Size") {
                file.bytes = TRY(number());
                has_size = true;
                return {};
            }
            const std::string value = TRY(text());
            return file_text(file, key, value);
        }));
        if (file.path.empty() || !has_size) return wrong("a file without a path or a size");
        if (file.checksum.size() != checksum_bytes(file.algorithm)) return wrong("a checksum of the wrong length");
        if (manifest_.files.size() >= limits_.objects_max) return wrong("it has too many files");
        manifest_.files.push_back(std::move(file));
        return {};
    }
    Result<void> file_text(ManifestFile& file, std::string_view key, const std::string& value) {
        if (key == "Path" || key == "Encoded-Path" || key == "Checksum") {
            std::string& field = key == "Checksum" ? file.checksum : file.path;
            if (!field.empty()) return wrong("a file with two paths or checksums");
            const auto bytes = key == "Path" ? std::optional(value) : from_hexadecimal(value);
            if (!bytes) return wrong(fmt::format("{} is not hexadecimal", key));
            field = *bytes;
            return {};
        }
        if (key == "Last-Modified") return {};
        if (key != "Checksum-Algorithm") return wrong(fmt::format("a key that no file has: {}", key));
        const auto algorithm = manifest_checksum_named(value);
        if (!algorithm) return wrong(fmt::format("checksum algorithm {} is not known", value));
        file.algorithm = *algorithm;
        return {};
    }

    Result<void> range() {
        constexpr std::size_t ranges_max = 10'000;
        WalRange range;
        TRY(object([&](const std::string& key) -> Result<void> {
            if (key == "Timeline") {
                const std::uint64_t timeline = TRY(number());
                if (timeline == 0 || timeline > UINT32_MAX) return wrong("no timeline");
                range.timeline = static_cast<std::uint32_t>(timeline);
                return {};
            }
            if (key != "Start-LSN" && key != "End-LSN") return wrong(fmt::format("a key that no range has: {}", key));
            const auto position = parse_lsn(TRY(text()));
            if (!position) return wrong("no position of the log");
            (key == "Start-LSN" ? range.start : range.end) = *position;
            return {};
        }));
        if (range.timeline == 0 || range.end < range.start)
            return wrong("a range without timeline or with its ends exchanged");
        if (manifest_.ranges.size() >= ranges_max) return wrong("it has too many ranges");
        manifest_.ranges.push_back(range);
        return {};
    }

    Characters in_;
    const Limits& limits_;
    Manifest manifest_;
    std::string checksum_;
    bool has_checksum_ = false;
};

}  // namespace

std::string_view to_string(ManifestChecksum algorithm) {
    return std::ranges::find(algorithms, algorithm, &Algorithm::algorithm)->name;
}

std::optional<ManifestChecksum> manifest_checksum_named(std::string_view name) {
    const auto found = std::ranges::find(algorithms, name, &Algorithm::name);
    return found == algorithms.end() ? std::nullopt : std::optional(found->algorithm);
}

std::size_t checksum_bytes(ManifestChecksum algorithm) {
    return std::ranges::find(algorithms, algorithm, &Algorithm::algorithm)->bytes;
}

const ManifestFile* Manifest::find(std::string_view path) const {
    const auto found = std::ranges::lower_bound(files, path, {}, &ManifestFile::path);
    return found == files.end() || found->path != path ? nullptr : &*found;
}

Result<Manifest> read_manifest(ByteStream& stream, const Limits& limits) {
    return std::make_unique<Parser>(stream, limits)->read();
}

}  // namespace kedge::verify
