// The observer's samples as files: DIRECTORY/DATABASE.json, the newest of each database, replaced as a whole.
#pragma once

#include <string>

#include "base/json.h"
#include "targets/samples.h"

namespace kedge {

// Any thread and process may call; one observer writes.
class FileSamples final : public Samples {
public:
    // The directory is made by the first write.
    explicit FileSamples(std::string directory) : directory_(std::move(directory)) {}

    // corrupt for a file that is none of ours.
    Result<std::optional<LagSample>> latest(const std::string& database) const override;
    Result<void> write(const std::string& database, const LagSample& sample) const;

private:
    std::string path_of(const std::string& database) const { return directory_ + "/" + database + ".json"; }

    const std::string directory_;
};

// The form of the file, version 1: only what a judgement after a loss needs.
Json to_json(const LagSample& sample);
Result<LagSample> read_sample(const Json& json);

}  // namespace kedge
