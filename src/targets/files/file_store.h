// The driver `file` of stores: a directory.
#pragma once

#include <memory>
#include <string>

#include "targets/store.h"

namespace kedge {

// Names are relative, with `/`; nothing outside the directory is ever opened, and no symbolic link below it is
// followed. What is still being written, or was left so by a crash, is not listed. Any thread and process may call.
class FileStore final : public Store {
public:
    // invalid_input for a path that is not absolute. The directory need not exist yet.
    static Result<std::unique_ptr<FileStore>> create(std::string name, std::string directory);

    Result<std::vector<StoredObject>> list(const std::string& prefix, Moment deadline) override;
    Result<std::string> read(const std::string& name, std::uint64_t bytes_max, Moment deadline) override;
    Result<void> write(const std::string& name, const std::string& content, Moment deadline) override;

private:
    FileStore(std::string name, std::string directory) : name_(std::move(name)), directory_(std::move(directory)) {}

    const std::string name_, directory_;
};

}  // namespace kedge
