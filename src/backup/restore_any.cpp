#include "backup/restore_any.h"

#include "verify/files/member_files.h"
#include "verify/restore/base_restore.h"

namespace kedge::backup {
namespace {

Result<void> restore_base(verify::Examination& examination, const std::string& wal,
                          const verify::RestoreOptions& options) {
    verify::Effort effort{.threads = options.threads};
    verify::BaseRestore what{.from = {examination.path, {}}};
    if (!wal.empty()) what.from.wal = TRY(verify::members_below(wal, verify::Limits{}.objects_max, effort));
    return verify::restore_base_backup(what, examination, options);
}

}  // namespace

Result<void> restore_any(verify::ExaminedBackup& backup, const std::string& wal,
                         const verify::RestoreOptions& options) {
    verify::Examination& examination = backup.examination;
    if (examination.findings.any(verify::Weight::damage)) return {};
    if (backup.is_packed || examination.path == "-") {
        examination.unproved.push_back("that a server takes it: only what lies unpacked in a file is restored");
        return {};
    }
    using verify::DumpForm;
    using verify::Shape;
    switch (backup.shape) {
        case Shape::rdb:
            if (examination.facts.contains("commands")) break;
            return verify::restore_rdb(examination.path, examination, options);
        case Shape::aof_directory: return verify::restore_aof_directory(examination.path, examination, options);
        case Shape::custom_dump: return verify::restore_dump(examination.path, DumpForm::custom, examination, options);
        case Shape::tar_dump: return verify::restore_dump(examination.path, DumpForm::tar, examination, options);
        case Shape::directory_dump:
            return verify::restore_dump(examination.path, DumpForm::directory, examination, options);
        case Shape::base_backup: return restore_base(examination, wal, options);
        case Shape::unknown:
        case Shape::aof_file:
        case Shape::plain_dump:
        case Shape::wal_archive: break;
    }
    examination.unproved.push_back("that a server takes it: this kind of backup is not restored by --restore");
    return {};
}

}  // namespace kedge::backup
