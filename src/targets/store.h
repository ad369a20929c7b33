// Where backups and archived log lie. Contracts as in database.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace kedge {

struct StoredObject {
    std::string name;  // relative to the store, with `/`
    std::uint64_t bytes = 0;
    Moment modified{};
};

class Store {
public:
    virtual ~Store() = default;
    // Every object below `prefix`, by name.
    virtual Result<std::vector<StoredObject>> list(const std::string& prefix, Moment deadline) = 0;
    // not_found if it is not there; invalid_input if it is larger than `bytes_max`.
    virtual Result<std::string> read(const std::string& name, std::uint64_t bytes_max, Moment deadline) = 0;
    // Writes a whole object, durable when it returns. conflict if the name is taken by other content.
    virtual Result<void> write(const std::string& name, const std::string& content, Moment deadline) = 0;
};

}  // namespace kedge
