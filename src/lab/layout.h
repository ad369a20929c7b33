// Where a lab keeps what: every path below its directory, and who owns it.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"
#include "lab/topology.h"
#include "os/process.h"

namespace kedge::lab {

inline constexpr std::string_view default_lab = "default";

struct Layout {
    std::string root;  // absolute, without links

    std::string programs() const { return root + "/bin"; }
    std::string own_program() const { return root + "/bin/kedge-lab"; }
    std::string application_program() const { return root + "/bin/kedge-lab-app"; }
    std::string writer_program() const { return root + "/bin/kedge-lab-writer"; }
    std::string of(const Place& place) const { return root + "/" + std::string(place.name); }
    std::string data(const Place& place) const { return of(place) + "/data"; }
    // What the probes log in with, and the token by which the application knows Kedge. Made anew by each `up`.
    std::string secrets() const { return root + "/secrets"; }
    std::string probe_password() const { return secrets() + "/probe-password"; }
    std::string service_token() const { return secrets() + "/service-token"; }
    // The application's index over knowledge_nodes: one for both regions.
    std::string knowledge() const { return root + "/knowledge"; }
    // Settings of a PostgreSQL server that hold while the lab is built, and no longer.
    std::string building(const Place& place) const { return of(place) + "/building.conf"; }
    std::string state() const { return root + "/state.json"; }
    std::string supervisor_socket() const { return root + "/supervisor.sock"; }
    std::string relay_socket() const { return root + "/relay.sock"; }
    std::string haproxy_socket() const { return root + "/haproxy.sock"; }
    std::string store() const { return root + "/store"; }
    std::string wal_store() const { return store() + "/wal"; }
    std::string base_store() const { return store() + "/base"; }
    // Where its estate has copies of dumps, and the ledger of the erased: out of the reach of what is recovered.
    std::string copies_store() const { return root + "/store-copies"; }
    std::string outside() const { return root + "/outside"; }
    // Holds the number of bytes that the WAL archive may take; absent: no limit.
    std::string archive_quota() const { return store() + "/quota"; }
    // Exists while the site cannot reach the store.
    std::string store_barrier(Site site) const { return store() + "/unreachable-from-" + std::string(to_string(site)); }
};

// Whose lab it is, and as whom its programs run: by root the login `postgres`, else the caller.
struct LabName {
    std::string name;
    uid_t caller = 0;
    std::optional<Login> login;  // to become before anything is started; nothing: the caller stays who it is

    std::string parent() const;  // /var/tmp/kedge-lab-UID
    Layout layout() const { return {parent() + "/" + name}; }
    uid_t owner() const { return login ? login->uid : caller; }
};
// invalid_input unless the name has 1 to 24 lower-case letters, digits and hyphens (paths of sockets are short);
// not_found if root has no login `postgres` to become.
Result<LabName> name_lab(const std::string& name);

// The directory with initdb, postgres and the other programs of the newest installed PostgreSQL (Debian's layout).
// not_found with what to install.
Result<std::string> postgres_programs();

}  // namespace kedge::lab
