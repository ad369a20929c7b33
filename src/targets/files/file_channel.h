// The driver `file` of channels: notices appended to a file, one JSON object a line. Whatever reads on from there
// (a chat bridge, a person with tail) is somebody else's.
#pragma once

#include <memory>
#include <string>

#include "targets/channel.h"

namespace kedge {

// A notice whose key is in the file already is not written again. Any thread and process may call.
class FileChannel final : public Channel {
public:
    // invalid_input for a path that is not absolute.
    static Result<std::unique_ptr<FileChannel>> create(std::string name, std::string path);

    Result<Receipt> send(const Notice& notice, Moment deadline) override;
    Result<Truth> delivered(const std::string& key, Moment deadline) override;

private:
    FileChannel(std::string name, std::string path) : name_(std::move(name)), path_(std::move(path)) {}

    const std::string name_, path_;
};

}  // namespace kedge
