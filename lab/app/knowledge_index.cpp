#include "knowledge_index.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "base/json.h"
#include "os/files.h"

namespace kedge::lab {
namespace {

constexpr std::string_view segment_begins = "segment-", degraded_word = "degraded", serving_word = "serving";

bool is_word_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

char lowered(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    std::string word;
    const auto end_word = [&] {
        if (!word.empty()) words.push_back(std::exchange(word, {}));
    };
    for (const char c : text) {
        if (is_word_letter(lowered(c)))
            word += lowered(c);
        else
            end_word();
    }
    end_word();
    std::ranges::sort(words);
    words.erase(std::unique(words.begin(), words.end()), words.end());
    return words;
}

Result<std::vector<std::string>> segments_of(const std::string& directory) {
    namespace fs = std::filesystem;
    std::error_code failed;
    std::vector<std::string> names;
    fs::directory_iterator entry(directory, failed);
    for (; !failed && entry != fs::directory_iterator(); entry.increment(failed))
        if (std::string name = entry->path().filename(); name.starts_with(segment_begins)) names.push_back(name);
    if (failed) {
        const bool absent = failed == std::errc::no_such_file_or_directory;
        return Error{absent ? Fault::not_found : Fault::unavailable, directory + ": " + failed.message()};
    }
    std::ranges::sort(names);
    return names;
}

Result<KnowledgeIndex> KnowledgeIndex::load(const std::string& directory) {
    KnowledgeIndex index;
    for (const std::string& name : TRY(segments_of(directory))) {
        const Error corrupt{Fault::corrupt, fmt::format("{}/{} is no segment of an index", directory, name)};
        const auto content = read_file(directory + "/" + name);
        const auto nodes = content ? parse_json(*content) : Result<Json>(content.error());
        if (!nodes || !nodes->is_object()) return corrupt;
        for (const auto& [id, words] : nodes->items()) {
            if (!words.is_array()) return corrupt;
            const auto place = static_cast<std::uint32_t>(index.ids_.size());
            index.ids_.push_back(id);
            for (const Json& word : words) {
                if (!word.is_string()) return corrupt;
                index.nodes_[word.get<std::string>()].push_back(place);
            }
        }
    }
    return index;
}

std::vector<std::string> KnowledgeIndex::search(const std::vector<std::string>& words) const {
    std::vector<std::uint32_t> places;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const auto found = nodes_.find(words[i]);
        if (found == nodes_.end()) return {};
        if (i == 0) {
            places = found->second;
            continue;
        }
        std::vector<std::uint32_t> both;
        std::ranges::set_intersection(places, found->second, std::back_inserter(both));
        places = std::move(both);
    }
    std::vector<std::string> ids;
    for (const std::uint32_t place : places) ids.push_back(ids_[place]);
    return ids;
}

Result<std::shared_ptr<const KnowledgeIndex>> ServedKnowledge::now() {
    if (files_.root.empty()) return Error{Fault::not_found, "this instance has no index"};
    if (TRY(is_degraded(files_))) return Error{Fault::refused, "degraded mode is on"};
    struct stat status {};
    if (stat(files_.serving().c_str(), &status) != 0) return Error{Fault::not_found, "there is no index"};
    const std::pair<std::uint64_t, std::int64_t> stamp{
        status.st_ino, status.st_mtim.tv_sec * std::int64_t{1'000'000'000} + status.st_mtim.tv_nsec};
    const std::lock_guard hold(mutex_);
    if (!index_ || stamp_ != stamp) {
        index_ = std::make_shared<const KnowledgeIndex>(TRY(KnowledgeIndex::load(files_.serving())));
        stamp_ = stamp;
    }
    return index_;
}

Result<bool> is_degraded(const IndexFiles& files) {
    if (!exists(files.mode())) return false;
    const std::string mode = TRY(read_file(files.mode()));
    if (mode != degraded_word && mode != serving_word)
        return Error{Fault::corrupt, files.mode() + " says neither degraded nor serving"};
    return mode == degraded_word;
}

Result<void> set_degraded(const IndexFiles& files, bool degraded) {
    return write_file_atomically(files.mode(), degraded ? degraded_word : serving_word, 0600,
                                 Durability::after_process_death);
}

}  // namespace kedge::lab
