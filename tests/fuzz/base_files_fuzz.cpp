// The small files of a base backup, and a small one in a tar. The first byte chooses which: its manifest, pg_control,
// backup_label, tablespace_map, base.tar.
#include "base/check.h"
#include "fuzz.h"
#include "verify/base_backup/base_backup.h"
#include "verify/base_backup/control_file.h"
#include "verify/base_backup/manifest.h"
#include "verify/wal/backup_label.h"

using namespace kedge;
using namespace kedge::verify;

namespace {

void read_one_manifest(Bytes bytes) {
    const MemorySource source(bytes);
    SourceStream stream(source);
    const auto manifest = read_manifest(stream, fuzz_limits());
    if (!manifest) return;
    for (const ManifestFile& file : manifest->files) {
        check(file.checksum.size() == checksum_bytes(file.algorithm), "a checksum has the size of its algorithm");
        check(manifest->find(file.path) == &file, "every file is found by its path");
    }
}

void examine_tar(Bytes bytes) {
    Effort effort;
    const BaseBackup backup = examine_base_backup({memory_member("base.tar", bytes)}, fuzz_limits(), effort);
    check(backup.is_tar, "a tar is read as one");
    // Without the log there is always something to be said.
    check(!backup.examination.findings.kept().empty() || !backup.examination.unproved.empty(), "nothing is proved");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const Bytes bytes = fuzz_bytes(data + 1, size - 1);
    const std::string_view text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    switch (data[0] % 5) {
        case 0: read_one_manifest(bytes); break;
        case 1: (void)read_control_file(bytes); break;
        case 2: (void)parse_backup_label(text); break;
        case 3: (void)parse_tablespace_map(text); break;
        default: examine_tar(bytes); break;
    }
    return 0;
}
