#include "verify/dump/files.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace kedge::verify {
namespace {

constexpr std::string_view object_prefix = "blob_", object_suffix = ".dat";

// The OID in "blob_16402.dat".
std::optional<std::uint32_t> oid_of(std::string_view name) {
    if (!name.starts_with(object_prefix) || !name.ends_with(object_suffix) ||
        name.size() <= object_prefix.size() + object_suffix.size())
        return std::nullopt;
    const std::string_view digits =
        name.substr(object_prefix.size(), name.size() - object_prefix.size() - object_suffix.size());
    std::uint32_t oid = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), oid);
    return error == std::errc{} && end == digits.data() + digits.size() ? std::optional(oid) : std::nullopt;
}

std::string list_name(const Catalogue& catalogue, const DataEntry& entry) {
    return catalogue.header().version_minor < 16 ? "blobs.toc" : fmt::format("blobs_{}.toc", entry.id);
}

Finding damage(std::string code, std::string says, std::string where, std::optional<std::uint64_t> offset = {}) {
    return {Weight::damage, std::move(code), std::move(says), std::move(where), offset};
}

}  // namespace

bool is_plain_name(std::string_view name) {
    return !name.empty() && name.size() <= 255 && name.front() != '.' && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
    });
}

DumpFiles::DumpFiles(const Catalogue& catalogue, const Limits& limits)
    : catalogue_(catalogue), limits_(limits), results_(catalogue.data().size()) {
    for (std::size_t i = 0; i < catalogue.data().size(); ++i) {
        const DataEntry& entry = catalogue.data()[i];
        if (entry.kind == DataEntry::Kind::large_objects) {
            known_.emplace(list_name(catalogue, entry), DumpFile{DumpFile::Role::object_list, i, 0, Packing::none});
            continue;
        }
        check_file_name(entry, i);
        const auto [known, is_new] = known_.emplace(entry.file, DumpFile{DumpFile::Role::table, i, 0, Packing::none});
        if (!is_new)
            results_[i].findings.add(damage("file-name",
                                            fmt::format("{}: its file {} is also that of {}", said_of(entry),
                                                        entry.file, said_of(catalogue.data()[known->second.entry])),
                                            said_of(entry)));
    }
}

void DumpFiles::check_file_name(const DataEntry& entry, std::size_t index) {
    if (entry.file == fmt::format("{}.dat", entry.id)) return;
    results_[index].findings.add(
        damage("file-name",
               is_plain_name(entry.file)
                   ? fmt::format("{}: its file is called {}, not {}.dat", said_of(entry), entry.file, entry.id)
                   : fmt::format("{}: the name of its file is none that pg_dump gives", said_of(entry)),
               said_of(entry)));
}

DumpFile DumpFiles::role_of(std::string_view name) const {
    DumpFile file{DumpFile::Role::other, 0, 0, Packing::none};
    if (!is_plain_name(name)) return file;
    if (const auto known = known_.find(std::string(name)); known != known_.end()) return known->second;
    std::string_view bare = name;
    Packing packing = Packing::none;
    for (const PackedSuffix& suffix : packed_suffixes) {
        if (!name.ends_with(suffix.text)) continue;
        packing = suffix.packing;
        bare.remove_suffix(suffix.text.size());
    }
    if (const auto known = known_.find(std::string(bare)); known != known_.end()) file = known->second;
    if (const auto oid = oid_of(bare)) file = DumpFile{DumpFile::Role::large_object, 0, *oid, packing};
    file.packing = packing;
    return file;
}

Result<void> DumpFiles::check(const DumpFile& file, std::string_view name, ByteStream& bytes) {
    switch (file.role) {
        case DumpFile::Role::table: return check_rows(file, name, bytes);
        case DumpFile::Role::large_object: return check_object(file, name, bytes);
        case DumpFile::Role::object_list: return read_list(file, name, bytes);
        case DumpFile::Role::other: return {};
    }
    return {};
}

Result<void> DumpFiles::check_rows(const DumpFile& file, std::string_view name, ByteStream& bytes) {
    const DataEntry& entry = catalogue_.data()[file.entry];
    DataResult result;
    TRY(check_table(bytes, DataContext{catalogue_, limits_, file.packing}, entry, result));
    const std::lock_guard lock(mutex_);
    DataResult& whole = results_[file.entry];
    if (whole.seen)
        result.findings.add(damage("file-twice",
                                   fmt::format("{}: there are two files of it, {} is one", said_of(entry), name),
                                   std::string(name)));
    result.findings.merge(whole.findings);
    whole = std::move(result);
    return {};
}

Result<void> DumpFiles::check_object(const DumpFile& file, std::string_view name, ByteStream& bytes) {
    DataResult result;
    result.seen = result.complete = true;
    TRY(check_large_object(bytes, DataContext{catalogue_, limits_, file.packing}, file.oid, result));
    const std::lock_guard lock(mutex_);
    if (objects_.size() >= limits_.objects_max)
        return Error{Fault::refused, fmt::format("it holds more than {} large objects", limits_.objects_max)};
    Object& object = objects_[file.oid];
    if (++object.files > 1)
        result.findings.add(damage("file-twice",
                                   fmt::format("there are two files of large object {}, {} is one", file.oid, name),
                                   std::string(name)));
    object.result = std::move(result);
    return {};
}

// Lines of an OID, a blank and the name of its file.
Result<void> DumpFiles::read_list(const DumpFile& file, std::string_view name, ByteStream& bytes) {
    std::vector<std::uint32_t> listed;
    Findings findings;
    Effort effort;
    ArchiveReader reader(bytes, effort);
    std::string line;
    std::uint64_t start = 0;
    const auto end_line = [&] {
        std::uint32_t oid = 0;
        const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), oid);
        if (error != std::errc{} || line != fmt::format("{} blob_{}.dat", oid, oid))
            findings.add(
                damage("object-list", "a line of the list of large objects is none", std::string(name), start));
        else
            listed.push_back(oid);
        line.clear();
    };
    for (Bytes here = TRY(reader.peek(1)); !here.empty(); here = TRY(reader.peek(1))) {
        const char c = static_cast<char>(here[0]);
        reader.take(1);
        if (c == '\n') {
            end_line();
            start = reader.offset();
        } else if (line.size() < 64) {
            line += c;
        }
        if (listed.size() > limits_.objects_max) return Error{Fault::refused, "its list of large objects is too long"};
    }
    if (!line.empty())
        findings.add(damage("object-list", "the list of large objects ends within a line", std::string(name), start));
    const std::lock_guard lock(mutex_);
    results_[file.entry].findings.merge(findings);
    results_[file.entry].complete = !findings.any(Weight::damage);
    results_[file.entry].seen = true;
    lists_[file.entry] = std::move(listed);
    return {};
}

// The objects of one list: their files, and what the table of contents says.
void DumpFiles::reconcile(std::size_t index, Findings& findings) {
    const DataEntry& entry = catalogue_.data()[index];
    DataResult& whole = results_[index];
    for (const std::uint32_t oid : lists_[index]) {
        const auto object = objects_.find(oid);
        if (object == objects_.end()) {
            findings.add(
                damage("file-missing", fmt::format("the file of large object {} is missing", oid), said_of(entry)));
            whole.complete = false;
            continue;
        }
        DataResult& part = object->second.result;
        whole.bytes += part.bytes;
        whole.complete &= part.complete;
        whole.checksummed &= part.checksummed;
        whole.findings.merge(part.findings);
        part.findings = Findings{};
        whole.objects.push_back(oid);
        object->second.files = 0;  // it is accounted for
    }
    check_object_list(catalogue_, entry, whole);
}

std::vector<DataResult> DumpFiles::finish(Findings& findings) {
    for (std::size_t i = 0; i < results_.size(); ++i) {
        const DataEntry& entry = catalogue_.data()[i];
        if (!results_[i].seen)
            results_[i].findings.add(
                damage("file-missing",
                       fmt::format("{}: its file {} is missing", said_of(entry),
                                   entry.kind == DataEntry::Kind::table ? entry.file : list_name(catalogue_, entry)),
                       said_of(entry)));
        else if (entry.kind == DataEntry::Kind::large_objects)
            reconcile(i, findings);
    }
    for (const auto& [oid, object] : objects_)
        if (object.files > 0) {
            findings.add(damage("objects-unknown",
                                fmt::format("large object {} has a file and is in no list of large objects", oid),
                                fmt::format("blob_{}.dat", oid)));
            findings.merge(object.result.findings);
        }
    return std::move(results_);
}

}  // namespace kedge::verify
