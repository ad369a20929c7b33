#include "lab/layout.h"

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <memory>

#include "os/files.h"

namespace kedge::lab {
namespace {

constexpr std::size_t name_length_max = 24;
constexpr std::string_view debian_postgres = "/usr/lib/postgresql";

bool is_plain(char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '-';
}

}  // namespace

std::string LabName::parent() const {
    return fmt::format("/var/tmp/kedge-lab-{}", caller);
}

Result<LabName> name_lab(const std::string& name) {
    if (name.empty() || name.size() > name_length_max || !std::ranges::all_of(name, is_plain))
        return Error{Fault::invalid_input, fmt::format("'{}' is no name for a lab", name),
                     fmt::format("use 1 to {} of a-z, 0-9 and -", name_length_max)};
    LabName lab{.name = name, .caller = geteuid(), .login = std::nullopt};
    // PostgreSQL refuses to run as root.
    if (lab.caller == 0) lab.login = TRY(find_login("postgres"));
    return lab;
}

Result<std::string> postgres_programs() {
    const std::unique_ptr<DIR, int (*)(DIR*)> versions(opendir(std::string(debian_postgres).c_str()), closedir);
    int newest = 0;
    while (const dirent* const entry = versions ? readdir(versions.get()) : nullptr) {
        const std::string_view name = entry->d_name;
        int version = 0;
        std::from_chars(name.data(), name.data() + name.size(), version);
        if (version > newest && exists(fmt::format("{}/{}/bin/initdb", debian_postgres, version))) newest = version;
    }
    if (newest == 0)
        return Error{Fault::not_found, fmt::format("no PostgreSQL server below {}", debian_postgres),
                     "install the package postgresql-15"};
    return fmt::format("{}/{}/bin", debian_postgres, newest);
}

}  // namespace kedge::lab
