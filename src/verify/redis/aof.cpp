#include "verify/redis/aof.h"

#include <fmt/format.h>

#include <algorithm>

#include "verify/figures.h"
#include "verify/redis/aof_tell.h"

namespace kedge::verify {
namespace {

constexpr std::size_t beginning_bytes = 512;

std::string_view text_of_bytes(Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Result<std::string> beginning_of(const Member& file, std::size_t bytes_max) {
    const std::unique_ptr<ByteStream> stream = TRY(file.open());
    std::string text(std::min<std::uint64_t>(file.bytes, bytes_max), 0);
    text.resize(TRY(stream->read(std::as_writable_bytes(std::span(text)))));
    return text;
}

// The findings, places and databases of one file as part of those of the directory.
void take_in(Examination& whole, Examination part, const std::string& name) {
    Findings named;
    for (Finding finding : part.findings.kept()) {
        if (finding.where.empty()) finding.where = name;
        named.add(std::move(finding));
    }
    whole.findings.merge(named);
    whole.bytes += part.bytes;
    for (Content& content : part.contents)
        if (content.kind == "database" || content.kind == "function library")
            whole.contents.push_back(std::move(content));
    for (std::string& sentence : part.unproved)
        if (std::ranges::find(whole.unproved, sentence) == whole.unproved.end())
            whole.unproved.push_back(std::move(sentence));
    if (part.taken) whole.taken = std::max(whole.taken.value_or(*part.taken), *part.taken);
}

// What the files of a directory add up to.
struct Sum {
    std::uint64_t commands = 0, files = 0, keys = 0;
    bool has_snapshot = false;
};

class AofDirectory {
public:
    AofDirectory(std::span<const Member> files, const RdbOptions& options, Effort& effort)
        : files_(files), options_(options), effort_(effort) {
        whole_.kind = "Redis append-only directory";
    }

    Result<Examination> examine() {
        const Member* manifest = nullptr;
        for (const Member& file : files_)
            if (looks_like_aof_manifest(as_bytes(TRY(beginning_of(file, beginning_bytes))))) manifest = &file;
        if (manifest == nullptr) return Error{Fault::not_found, "there is no manifest of append-only files"};
        const std::string text = TRY(beginning_of(*manifest, aof_manifest_bytes_max + 1));
        whole_.bytes += text.size();
        if (text.size() > aof_manifest_bytes_max) {
            whole_.findings.add({Weight::doubt, "limit", "the manifest is longer than is read", manifest->path, {}});
            return std::move(whole_);
        }
        const Result<std::vector<AofFile>> listed = read_aof_manifest(text);
        if (!listed) {
            whole_.findings.add({Weight::damage, "manifest", listed.error().message, manifest->path, {}});
            return std::move(whole_);
        }
        whole_.proofs.push_back({Rung::listed, fmt::format("the manifest names {}", counted(listed->size(), "file"))});
        TRY(examine_files(*listed));
        look_for_strangers(*listed, *manifest);
        conclude();
        return std::move(whole_);
    }

private:
    Result<void> examine_files(const std::vector<AofFile>& listed) {
        std::vector<const AofFile*> in_order;  // as a server loads them: the base, then the increments
        for (const AofFile::Type type : {AofFile::Type::base, AofFile::Type::increment})
            for (const AofFile& file : listed)
                if (file.type == type) in_order.push_back(&file);
        for (const AofFile* file : in_order) {
            const auto found = std::ranges::find(files_, file->name, &Member::path);
            if (found == files_.end()) {
                whole_.findings.add(
                    {Weight::damage, "missing", "the manifest names this file, and it is not there", file->name, {}});
                continue;
            }
            TRY(examine_file(*found, file == in_order.back()));
        }
        return {};
    }

    Result<void> examine_file(const Member& member, bool is_last) {
        const std::unique_ptr<ByteStream> stream = TRY(member.open());
        const bool is_snapshot = looks_like_rdb(as_bytes(TRY(beginning_of(member, rdb_magic_bytes))));
        Examination part = is_snapshot
                               ? TRY(examine_rdb(*stream, options_, effort_))
                               : TRY(examine_commands(*stream, is_last ? Tail::may_be_cut : Tail::whole, effort_));
        if (is_snapshot) {
            sum_.has_snapshot = true;
            for (const Content& content : part.contents)
                if (content.kind == "database") sum_.keys += content.rows.value_or(0);
            whole_.facts["base"] = part.facts;
        }
        const std::uint64_t commands = static_cast<std::uint64_t>(get_integer(part.facts, "commands").value_or(0));
        sum_.commands += commands;
        ++sum_.files;
        whole_.facts["files"].push_back(
            {{"name", member.path}, {"bytes", part.bytes}, {"commands", commands}, {"snapshot", is_snapshot}});
        std::optional<std::uint64_t> rows;
        if (!is_snapshot) rows = commands;
        whole_.contents.push_back({is_snapshot ? "snapshot" : "commands", member.path, rows, part.bytes});
        take_in(whole_, std::move(part), member.path);
        return {};
    }

    void look_for_strangers(const std::vector<AofFile>& listed, const Member& manifest) {
        for (const Member& file : files_)
            if (&file != &manifest && std::ranges::find(listed, file.path, &AofFile::name) == listed.end())
                whole_.findings.add({Weight::remark, "extra", "the manifest does not name this file", file.path, {}});
    }

    void conclude() {
        if (!whole_.findings.any(Weight::damage))
            whole_.proofs.push_back(
                {Rung::decoded, fmt::format("{} read to their ends: {}{}", counted(sum_.files, "file"),
                                            sum_.has_snapshot ? counted(sum_.keys, "key") + " in the snapshot, " : "",
                                            counted(sum_.commands, "command"))});
        if (sum_.commands > 0) whole_.unproved.push_back(keys_are_not_counted);
    }

    const std::span<const Member> files_;
    const RdbOptions& options_;
    Effort& effort_;
    Examination whole_;
    Sum sum_;
};

}  // namespace

bool looks_like_aof(Bytes beginning) {
    std::string_view text = text_of_bytes(beginning);
    if (text.starts_with("#TS:")) return true;
    if (!text.starts_with("*")) return false;
    text.remove_prefix(1);
    const std::size_t digits = text.find_first_not_of("0123456789");
    return digits != std::string_view::npos && digits > 0 && text.substr(digits).starts_with("\r\n$");
}

Result<Examination> examine_aof(ByteStream& stream, Effort& effort) {
    Examination examination = TRY(examine_commands(stream, Tail::may_be_cut, effort));
    examination.unproved.push_back(keys_are_not_counted);
    return examination;
}

Result<Examination> examine_aof_directory(std::span<const Member> files, const RdbOptions& options, Effort& effort) {
    return AofDirectory(files, options, effort).examine();
}

}  // namespace kedge::verify
