#include "verify/manifest/block_manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>

#include "base/digest.h"
#include "verify/figures.h"

namespace kedge::verify {
namespace {

constexpr std::string_view data = "data";
constexpr std::int64_t version = 1;

Json files_json(const std::vector<BlockDigests>& files) {
    Json json = Json::array();
    for (const BlockDigests& file : files)
        json.push_back({{"path", file.path}, {"bytes", file.bytes}, {"sha256", file.blocks}});
    return json;
}

std::string digest_of(const std::vector<BlockDigests>& files) {
    return sha256_hex(dump(files_json(files)));
}

Result<BlockDigests> digest_member(const Member& member, Effort& effort) {
    BlockDigests digests{.path = member.path};
    const std::unique_ptr<ByteStream> stream = TRY(member.open());
    std::string block(manifest_block_bytes, '\0');
    for (;;) {
        if (effort.stop) return Error{Fault::unavailable, "stopped"};
        const std::size_t got = TRY(stream->read(std::as_writable_bytes(std::span(block))));
        if (got > 0) digests.blocks.push_back(sha256_hex(std::string_view(block).substr(0, got)));
        digests.bytes += got;
        if (got < block.size()) return digests;
    }
}

std::optional<BlockDigests> parse_file(const Json& json) {
    const auto path = get_string(json, "path");
    const auto bytes = get_integer(json, "bytes");
    if (!path || !bytes || *bytes < 0) return std::nullopt;
    BlockDigests file{.path = *path, .bytes = static_cast<std::uint64_t>(*bytes)};
    for (const Json& digest : get(json, "sha256")) {
        if (!digest.is_string()) return std::nullopt;
        file.blocks.push_back(digest.get<std::string>());
    }
    if (file.blocks.size() != (file.bytes + manifest_block_bytes - 1) / manifest_block_bytes) return std::nullopt;
    return file;
}

// What a manifest says; an error in words where it cannot be one of ours.
Result<BlockManifest> parse(std::string_view text) {
    const Json json = TRY(parse_json(text));
    if (get_integer(json, "version") != version)
        return Error{Fault::refused, "it is of a version that this Kedge does not know"};
    if (get_integer(json, "block_bytes") != static_cast<std::int64_t>(manifest_block_bytes))
        return Error{Fault::corrupt, "its blocks are of a size that no Kedge uses"};
    BlockManifest manifest;
    for (const Json& written : get(json, "files")) {
        std::optional<BlockDigests> file = parse_file(written);
        if (!file) return Error{Fault::corrupt, "an entry of it cannot be"};
        manifest.files.push_back(std::move(*file));
    }
    if (get_string(json, "digest") != manifest.digest())
        return Error{Fault::corrupt, "its digest of the whole does not fit its entries"};
    return manifest;
}

class Check {
public:
    Check(Examination& examination, const std::vector<BlockDigests>& found) : examination_(examination) {
        for (const BlockDigests& file : found) found_[file.path] = &file;
    }

    // True if all fits.
    bool run(const BlockManifest& manifest) {
        for (const BlockDigests& expected : manifest.files) {
            const auto found = found_.find(expected.path);
            if (found == found_.end()) {
                damage("manifest-missing", "the manifest has this file, and it is not there", expected.path);
                continue;
            }
            compare(expected, *found->second);
            found_.erase(found);
        }
        for (const auto& [path, file] : found_)
            damage("manifest-extra", "the file is not in the manifest: it came later", path);
        return all_fits_;
    }

private:
    void compare(const BlockDigests& expected, const BlockDigests& found) {
        if (expected.bytes != found.bytes)
            damage("manifest-size",
                   fmt::format("it has {}; when it was made it had {}", counted(found.bytes, "byte"),
                               counted(expected.bytes)),
                   expected.path);
        for (std::size_t i = 0; i < std::min(expected.blocks.size(), found.blocks.size()); ++i)
            if (expected.blocks[i] != found.blocks[i])
                damage("manifest-block",
                       fmt::format("block {} of {} differs from what it was when it was made", i + 1,
                                   expected.blocks.size()),
                       expected.path, i * manifest_block_bytes);
    }

    void damage(std::string code, std::string says, const std::string& where,
                std::optional<std::uint64_t> offset = {}) {
        examination_.findings.add({Weight::damage, std::move(code), std::move(says), where, offset});
        all_fits_ = false;
    }

    Examination& examination_;
    std::map<std::string, const BlockDigests*> found_;
    bool all_fits_ = true;
};

}  // namespace

std::string_view backup_of_companion(std::string_view name) {
    for (const std::string_view suffix : {manifest_digest_suffix, manifest_suffix, globals_suffix})
        if (name.size() > suffix.size() && name.ends_with(suffix)) return name.substr(0, name.size() - suffix.size());
    return {};
}

std::string data_path(std::string_view name_in_backup) {
    return name_in_backup.empty() ? std::string(data) : fmt::format("{}/{}", data, name_in_backup);
}

std::string BlockManifest::digest() const {
    return digest_of(files);
}

Result<std::vector<BlockDigests>> digest_blocks(const std::vector<Member>& members, Effort& effort) {
    std::vector<BlockDigests> digests(members.size());
    std::mutex mutex;
    std::optional<Error> failed;
    in_parallel(members.size(), effort.threads, [&](std::size_t i) {
        Result<BlockDigests> one = digest_member(members[i], effort);
        if (one) {
            digests[i] = std::move(*one);
            return;
        }
        const std::lock_guard lock(mutex);
        if (!failed) failed = one.error().within(members[i].path);
    });
    if (failed) return *failed;
    std::ranges::sort(digests, {}, &BlockDigests::path);
    return digests;
}

std::string manifest_text(const BlockManifest& manifest) {
    return dump(Json{{"version", version},
                     {"kind", manifest.kind},
                     {"of", manifest.of},
                     {"taken", kedge::to_string(manifest.taken)},
                     {"made", kedge::to_string(manifest.made)},
                     {"block_bytes", manifest_block_bytes},
                     {"digest", manifest.digest()},
                     {"files", files_json(manifest.files)}}) +
           "\n";
}

std::string manifest_digest_text(std::string_view manifest_text, const std::string& manifest_name) {
    return fmt::format("{}  {}\n", sha256_hex(manifest_text), manifest_name);
}

Result<void> check_manifest(std::string_view manifest_text, std::string_view digest_text,
                            const std::vector<Member>& members, Examination& examination, Effort& effort) {
    const auto altered = [&](std::string says) {
        examination.findings.add({Weight::damage, "manifest-altered", std::move(says), "the manifest", {}});
    };
    const bool is_as_made = digest_text.substr(0, digest_text.find(' ')) == sha256_hex(manifest_text);
    if (!is_as_made) altered("the manifest and the digest beside it do not fit: one of them was changed");
    const Result<BlockManifest> manifest = parse(manifest_text);
    if (!manifest) {
        altered("it cannot be used: " + manifest.error().message);
        return {};
    }
    const std::vector<BlockDigests> found = TRY(digest_blocks(members, effort));
    std::uint64_t bytes = 0, blocks = 0;
    for (const BlockDigests& file : found) {
        bytes += file.bytes;
        blocks += file.blocks.size();
    }
    if (!Check(examination, found).run(*manifest) || !is_as_made) return {};
    examination.facts["digest"] = manifest->digest();
    examination.proofs.push_back(
        {Rung::checksummed, fmt::format("all of its {} fit the digests that were made with it: {} in {}", sized(bytes),
                                        counted(blocks, "block"), counted(found.size(), "file"))});
    return {};
}

}  // namespace kedge::verify
