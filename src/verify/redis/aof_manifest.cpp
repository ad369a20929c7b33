#include "verify/redis/aof_manifest.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

namespace kedge::verify {
namespace {

int hexadecimal(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
}

// A word in double quotes from `at` on, with the escapes that the writer uses (sds.c, sdscatrepr).
std::optional<std::string> quoted_word(std::string_view line, std::size_t& at) {
    std::string word;
    for (++at; at < line.size(); ++at) {
        if (line[at] == '"') {
            ++at;
            return word;
        }
        if (line[at] != '\\') {
            word += line[at];
            continue;
        }
        if (++at == line.size()) return std::nullopt;
        switch (line[at]) {
            case 'n': word += '\n'; break;
            case 'r': word += '\r'; break;
            case 't': word += '\t'; break;
            case 'a': word += '\a'; break;
            case 'b': word += '\b'; break;
            case 'x':
                if (at + 2 >= line.size() || hexadecimal(line[at + 1]) < 0 || hexadecimal(line[at + 2]) < 0)
                    return std::nullopt;
                word += static_cast<char>(hexadecimal(line[at + 1]) * 16 + hexadecimal(line[at + 2]));
                at += 2;
                break;
            default: word += line[at];
        }
    }
    return std::nullopt;
}

std::optional<std::vector<std::string>> words_of(std::string_view line) {
    std::vector<std::string> words;
    for (std::size_t at = 0; at < line.size();) {
        if (line[at] == ' ' || line[at] == '\t' || line[at] == '\r') {
            ++at;
        } else if (line[at] == '"') {
            std::optional<std::string> word = quoted_word(line, at);
            if (!word) return std::nullopt;
            words.push_back(std::move(*word));
        } else {
            const std::size_t end = std::min(line.find_first_of(" \t\r", at), line.size());
            words.emplace_back(line.substr(at, end - at));
            at = end;
        }
    }
    return words;
}

std::optional<AofFile> file_of(const std::vector<std::string>& words) {
    AofFile file;
    bool has_name = false, has_number = false, has_type = false;
    if (words.size() % 2 != 0) return std::nullopt;
    for (std::size_t i = 0; i < words.size(); i += 2) {
        const std::string& value = words[i + 1];
        if (words[i] == "file") {
            file.name = value;
            has_name = !value.empty() && value.find('/') == std::string::npos && value != "." && value != "..";
        } else if (words[i] == "seq") {
            const char* const end = value.data() + value.size();
            const auto read = std::from_chars(value.data(), end, file.number);
            has_number = read.ec == std::errc() && read.ptr == end && file.number > 0;
        } else if (words[i] == "type") {
            has_type = value == "b" || value == "i" || value == "h";
            file.type = value == "b"   ? AofFile::Type::base
                        : value == "i" ? AofFile::Type::increment
                                       : AofFile::Type::history;
        }  // what a later version adds is passed over, as servers do
    }
    if (!has_name || !has_number || !has_type) return std::nullopt;
    return file;
}

}  // namespace

bool looks_like_aof_manifest(Bytes beginning) {
    std::string_view text(reinterpret_cast<const char*>(beginning.data()), beginning.size());
    while (text.starts_with("#") && text.find('\n') != std::string_view::npos) text.remove_prefix(text.find('\n') + 1);
    const std::string_view line = text.substr(0, text.find('\n'));
    return line.starts_with("file ") && line.find(" seq ") != std::string_view::npos &&
           line.find(" type ") != std::string_view::npos;
}

Result<std::vector<AofFile>> read_aof_manifest(std::string_view text) {
    std::vector<AofFile> files;
    std::uint64_t last_increment = 0;
    bool has_base = false;
    const auto wrong = [&](std::size_t number, std::string_view says) {
        return Error{Fault::corrupt, fmt::format("line {} of the manifest {}", number, says)};
    };
    std::size_t number = 0;
    while (!text.empty()) {
        ++number;
        const std::size_t end = text.find('\n');
        if (end == std::string_view::npos) return wrong(number, "has no end: the manifest is cut");
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(end + 1);
        if (line.starts_with("#")) continue;
        const auto words = words_of(line);
        const std::optional<AofFile> file = words && !words->empty() ? file_of(*words) : std::nullopt;
        if (!file) return wrong(number, "names no file, number and type");
        if (file->type == AofFile::Type::base) {
            if (has_base) return wrong(number, "names a second base");
            has_base = true;
        }
        if (file->type == AofFile::Type::increment) {
            if (file->number <= last_increment) return wrong(number, "names an increment out of order");
            last_increment = file->number;
        }
        files.push_back(*file);
    }
    if (files.empty()) return Error{Fault::corrupt, "the manifest names no file"};
    return files;
}

}  // namespace kedge::verify
