#include "targets/postgres/data_directory.h"

#include <algorithm>
#include <array>

namespace kedge {

bool is_servers_own(std::string_view name) {
    constexpr std::array own{
        "PG_VERSION",     "base",           "global",          "backup_label",   "backup_manifest",
        "tablespace_map", "standby.signal", "recovery.signal", "postmaster.pid", "current_logfiles"};
    if (name == "pg_hba.conf" || name == "pg_ident.conf" || name == "pg_log") return false;
    return name.starts_with("pg_") || name.ends_with(".old") || std::ranges::find(own, name) != own.end();
}

bool is_log(std::string_view name) {
    return name == "log" || name == "pg_log" || name.ends_with(".log");
}

}  // namespace kedge
