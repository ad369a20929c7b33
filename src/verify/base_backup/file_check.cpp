#include "verify/base_backup/file_check.h"

#include <fmt/format.h>

#include <algorithm>

#include "verify/aligned_buffer.h"
#include "verify/base_backup/digest.h"

namespace kedge::verify {
namespace {

// Small enough to stay in a core's own cache while it goes through the digest and the page checksums.
constexpr std::size_t buffer_bytes = 256u << 10;
constexpr std::size_t text_bytes_max = 64u << 10;

struct Workspace {
    AlignedBuffer buffer{buffer_bytes};
    Digest digest;
};

void compare(CheckedFile& file, const ManifestFile& listed, const std::string& checksum) {
    file.listed = true;
    if (file.bytes != listed.bytes) {
        file.findings.add({Weight::damage, "file-size",
                           fmt::format("it has {} bytes, the manifest says {}", file.bytes, listed.bytes), file.path,
                           std::min(file.bytes, listed.bytes)});
        return;
    }
    if (listed.algorithm == ManifestChecksum::none) return;
    file.compared = checksum == listed.checksum;
    if (!file.compared)
        file.findings.add({Weight::damage,
                           "file-checksum",
                           fmt::format("its {} is not the one in the manifest", to_string(listed.algorithm)),
                           file.path,
                           {}});
}

}  // namespace

bool is_kept(std::string_view path) {
    const std::string_view name = path.substr(path.rfind('/') + 1);
    return path == "backup_label" || path == "tablespace_map" || path == "global/pg_control" || name == "PG_VERSION" ||
           name == "pg_filenode.map";
}

Result<CheckedFile> check_file(ByteStream& stream, std::string path, const ManifestFile* listed,
                               std::uint32_t segment_pages) {
    thread_local Workspace workspace;
    CheckedFile file{.path = std::move(path)};
    file.relation = parse_relation_path(file.path);
    const bool kept = is_kept(file.path);
    workspace.digest.begin(listed != nullptr ? listed->algorithm : ManifestChecksum::none);
    std::uint32_t block = file.relation ? file.relation->segment * segment_pages : 0;
    for (bool more = true; more;) {
        const std::size_t count = TRY(stream.read(workspace.buffer.all()).within(file.path));
        const Bytes bytes = workspace.buffer.all().first(count);
        more = count == buffer_bytes;
        file.bytes += count;
        workspace.digest.update(bytes);
        if (file.relation) file.pages.take(bytes, block);
        block += static_cast<std::uint32_t>(count / page_bytes);
        if (kept && file.text.size() < text_bytes_max)
            file.text.append(reinterpret_cast<const char*>(bytes.data()),
                             std::min(count, text_bytes_max - file.text.size()));
    }
    if (listed != nullptr) compare(file, *listed, workspace.digest.finish());
    if (file.relation && file.bytes % page_bytes != 0)
        file.findings.add({Weight::damage, "relation-size",
                           fmt::format("{} bytes are no whole number of pages", file.bytes), file.path,
                           file.bytes - file.bytes % page_bytes});
    return file;
}

}  // namespace kedge::verify
