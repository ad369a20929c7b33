// The application's index over `knowledge_nodes`: which words stand in which node. It lies in files, which one job
// builds (knowledge_job.h) and every instance reads; a directory holds
//
//   mode       `degraded` while searches are answered without it; absent or `serving` otherwise
//   serving/   what answers: segment-000001.json, ..., each {"ID": ["word", ...], ...} of some nodes, and job.json
//   building/  what a job has built so far, of the same form
//   previous/  what served before
//   lock       held by the job that builds
//
// A segment that is lost is not missed by whoever searches: the nodes in it are just not found. So are nodes that were
// written after it was built.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kedge::lab {

struct IndexFiles {
    std::string root;  // absolute

    std::string mode() const { return root + "/mode"; }
    std::string serving() const { return root + "/serving"; }
    std::string building() const { return root + "/building"; }
    std::string previous() const { return root + "/previous"; }
    std::string lock() const { return root + "/lock"; }
    std::string log() const { return root + "/job.log"; }
};
inline std::string job_file(const std::string& directory) {
    return directory + "/job.json";
}

// Runs of letters and digits in lower case, each once and in order. Only ASCII ones count.
std::vector<std::string> words_of(std::string_view text);

// The segments of a directory, by name and so in the order in which they were written; not_found if there is no such
// directory.
Result<std::vector<std::string>> segments_of(const std::string& directory);

class KnowledgeIndex {
public:
    // All of a directory's segments; corrupt with the name of one that cannot be read.
    static Result<KnowledgeIndex> load(const std::string& directory);

    // The nodes in which all these words stand, oldest entry first.
    std::vector<std::string> search(const std::vector<std::string>& words) const;
    const std::vector<std::string>& ids() const { return ids_; }

private:
    std::vector<std::string> ids_;
    std::map<std::string, std::vector<std::uint32_t>, std::less<>> nodes_;  // by word: places in `ids_`, ascending
};

// What serves at the moment, read anew when it was replaced or lost a part. Any thread may call.
class ServedKnowledge {
public:
    // Empty: there is none.
    explicit ServedKnowledge(std::string directory) : files_{std::move(directory)} {}

    // refused in degraded mode; not_found, corrupt if there is nothing that could serve.
    Result<std::shared_ptr<const KnowledgeIndex>> now();

private:
    const IndexFiles files_;
    std::mutex mutex_;
    std::shared_ptr<const KnowledgeIndex> index_;   // with which `stamp_` was read
    std::pair<std::uint64_t, std::int64_t> stamp_;  // of the directory: inode, and nanoseconds of its last change
};

// Whether degraded mode is on; corrupt if the file says neither.
Result<bool> is_degraded(const IndexFiles& files);
Result<void> set_degraded(const IndexFiles& files, bool degraded);

}  // namespace kedge::lab
