// Base backups and archived log together, read as far as a recovery window needs them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "verify/effort.h"
#include "verify/member.h"
#include "verify/wal/new_tablespaces.h"
#include "verify/wal/wal_archive.h"
#include "verify/wal/window.h"

namespace kedge::backup {

// Members are referred to and stay where they are.
struct Material {
    Material() = default;
    Material(const Material&) = delete;
    Material& operator=(const Material&) = delete;

    verify::Limits limits;
    verify::Effort effort;
    std::vector<std::unique_ptr<std::vector<verify::Member>>> backups;
    std::vector<verify::RecoveryBase> bases;  // named by their paths
    std::vector<verify::Member> wal;          // of the archive, and what the backups bring that it lacks
    verify::WalArchive archive;
    verify::NewTablespaces tablespaces;  // in all of `wal`
};

// Reads all of the log in the directories `logs` (none: only what the backups bring; of a file that several have the
// first), and of the base backups what says where they begin and end. Each of `bases` is a base backup or a directory
// of them; not_found if there is none in any. `tail` is a directory with log that an old primary alone held
// (targets/postgres/stranded.h): its files stand before the archive's, which may have the same segment as far as the
// new primary got it.
Result<void> gather(Material& material, const std::vector<std::string>& bases, const std::vector<std::string>& logs,
                    const std::string& tail = {});

// Of the log on the way to `stop`, and no more of it than recovery asks for; history files beside it.
std::vector<verify::Member> log_on(const Material& material, const verify::Reach& reach, Lsn stop);

}  // namespace kedge::backup
