// The small files of a base backup. The first byte chooses which: its manifest, pg_control, backup_label,
// tablespace_map.
#include "base/check.h"
#include "fuzz.h"
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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const Bytes bytes = fuzz_bytes(data + 1, size - 1);
    const std::string_view text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    switch (data[0] % 4) {
        case 0: read_one_manifest(bytes); break;
        case 1: (void)read_control_file(bytes); break;
        case 2: (void)parse_backup_label(text); break;
        default: (void)parse_tablespace_map(text); break;
    }
    return 0;
}
