// Dumps in a directory or tar: the table of contents first, then every file that it names, in any order.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "verify/dump/dump.h"
#include "verify/dump/files.h"
#include "verify/dump/report.h"
#include "verify/unpack/tar.h"

namespace kedge::verify {
namespace {

constexpr std::string_view contents_name = "toc.dat";

// Gives up when it is called off.
class StoppableStream final : public ByteStream {
public:
    StoppableStream(ByteStream& from, const Effort& effort) : from_(from), effort_(effort) {}
    Result<std::size_t> read(std::span<std::byte> into) override {
        if (effort_.stop) return Error{Fault::unavailable, "called off"};
        return from_.read(into);
    }

private:
    ByteStream& from_;
    const Effort& effort_;
};

// Reads `toc.dat` to its end; nothing if that was not possible, which the examination then says.
Result<std::optional<Catalogue>> read_contents(ByteStream& stream, const Limits& limits, Examination& examination) {
    const std::string where{contents_name};
    Effort effort;
    ArchiveReader reader(stream, effort);
    std::optional<Catalogue> catalogue;
    const auto read = [&]() -> Result<void> {
        const DumpHeader header = TRY(read_header(reader));
        report_header(header, examination);
        if (header.format == DumpHeader::Format::custom)
            return Error{Fault::corrupt, "it says that it is a dump in custom format"};
        Catalogue contents(header, limits, where);
        TRY(contents.read(reader, examination.findings));
        if (!TRY(reader.at_end()))
            return Error{Fault::corrupt, fmt::format("bytes stand behind its last entry, from {} on", reader.offset())};
        report_listing(contents, examination);
        catalogue = std::move(contents);
        return {};
    };
    TRY(as_finding(read(), where, reader.offset(), examination.findings));
    return catalogue;
}

void add_foreign(Examination& examination, std::string_view name) {
    examination.findings.add({Weight::remark,
                              "foreign-file",
                              "a file that does not belong to the dump: pg_restore would not look at it",
                              std::string(name),
                              {}});
}

// All members whose content the dump needs, largest first, on as many threads as allowed.
Result<void> check_members(std::span<const Member> members, DumpFiles& files, Effort& effort,
                           Examination& examination) {
    struct Task {
        const Member* member;
        DumpFile file;
    };
    std::vector<Task> tasks;
    for (const Member& member : members) {
        if (member.path == contents_name) continue;
        const DumpFile file = files.role_of(member.path);
        if (file.role != DumpFile::Role::other)
            tasks.push_back({&member, file});
        else if (member.path != "restore.sql")
            add_foreign(examination, member.path);
    }
    std::ranges::stable_sort(tasks, std::ranges::greater{}, [](const Task& task) { return task.member->bytes; });
    std::vector<std::optional<Error>> errors(tasks.size());
    in_parallel(tasks.size(), effort.threads, [&](std::size_t i) {
        const auto outcome = [&]() -> Result<void> {
            const auto opened = TRY(tasks[i].member->open());
            StoppableStream stream(*opened, effort);
            return files.check(tasks[i].file, tasks[i].member->path, stream);
        }();
        if (!outcome) errors[i] = outcome.error().within(tasks[i].member->path);
    });
    for (const auto& error : errors)
        if (error) return *error;
    return {};
}

// `of_container` is what is wrong with the tar that they lie in.
Result<void> examine_members(std::span<const Member> members, const Findings& of_container, Effort& effort,
                             const Limits& limits, Examination& examination) {
    for (const Member& member : members) examination.bytes += member.bytes;
    const auto contents = std::ranges::find(members, contents_name, &Member::path);
    if (contents == members.end()) {
        examination.findings.merge(of_container);
        examination.findings.add({Weight::damage, "toc-missing", "the table of contents, toc.dat, is missing", "", {}});
        return {};
    }
    const auto opened = TRY(contents->open());
    StoppableStream stream(*opened, effort);
    const auto catalogue = TRY(read_contents(stream, limits, examination));
    examination.findings.merge(of_container);
    if (!catalogue) return {};
    DumpFiles files(*catalogue, limits);
    TRY(check_members(members, files, effort, examination));
    const std::vector<DataResult> results = files.finish(examination.findings);
    report_data(*catalogue, results, examination);
    return {};
}

void report_tar_flaws(std::span<const Flaw> flaws, const std::string& where, Findings& findings) {
    for (const Flaw& flaw : flaws) {
        const auto code = [&] {
            switch (flaw.kind) {
                case Flaw::Kind::truncated: return "tar-truncated";
                case Flaw::Kind::trailing: return "tar-trailing";
                case Flaw::Kind::limit: return "data-limit";
                case Flaw::Kind::damaged:
                case Flaw::Kind::checksum: return "tar-head";
            }
            return "tar-head";
        };
        findings.add(
            {flaw.kind == Flaw::Kind::limit ? Weight::doubt : Weight::damage, code(), flaw.says, where, flaw.offset});
    }
}

void report_twins(std::span<const TarMember> members, Findings& findings) {
    std::vector<std::string_view> names;
    for (const TarMember& member : members) names.push_back(member.name);
    std::ranges::sort(names);
    for (auto twin = std::ranges::adjacent_find(names); twin != names.end();
         twin = std::adjacent_find(twin + 1, names.end()))
        findings.add({Weight::damage, "file-twice", "the tar has two members of this name", std::string(*twin), {}});
}

// The members behind the table of contents, one after the other.
Result<void> check_stream(TarReader& tar, DumpFiles& files, Examination& examination) {
    std::vector<TarMember> seen;
    for (auto member = TRY(tar.next()); member; member = TRY(tar.next())) {
        const DumpFile file = files.role_of(member->name);
        TRY(files.check(file, member->name, tar));
        if (file.role == DumpFile::Role::other && member->name != "restore.sql") add_foreign(examination, member->name);
        seen.push_back(std::move(*member));
    }
    report_twins(seen, examination.findings);
    return {};
}

}  // namespace

std::vector<Member> tar_members(const TarIndex& index, const ByteSource& source) {
    std::vector<Member> members;
    for (const TarMember& member : index.members) {
        if (member.type != TarMember::Type::file) continue;
        members.push_back(
            {member.name, member.bytes, [&source, begin = member.offset, end = member.offset + member.bytes]() {
                 return Result<std::unique_ptr<ByteStream>>(std::make_unique<SourceStream>(source, begin, end));
             }});
    }
    return members;
}

bool begins_tar_dump(Bytes front) {
    if (!is_tar_head(front)) return false;
    const auto* name = reinterpret_cast<const char*>(front.data());
    return std::string_view(name, contents_name.size() + 1) == std::string_view("toc.dat", 8);
}

Result<Examination> verify_directory_dump(std::span<const Member> members, Effort& effort, const Limits& limits) {
    Examination examination;
    examination.kind = "PostgreSQL dump, directory format";
    TRY(examine_members(members, Findings{}, effort, limits, examination));
    return examination;
}

Result<Examination> verify_tar_dump(const ByteSource& source, Effort& effort, const Limits& limits) {
    Examination examination;
    examination.path = source.name();
    examination.kind = "PostgreSQL dump, tar format";
    const TarIndex index = TRY(index_tar(source, limits.objects_max));
    const std::vector<Member> members = tar_members(index, source);
    Findings of_tar;
    report_twins(index.members, of_tar);
    report_tar_flaws(index.flaws, source.name(), of_tar);
    TRY(examine_members(members, of_tar, effort, limits, examination));
    examination.bytes = source.size();
    return examination;
}

Result<Examination> verify_tar_dump(ByteStream& stream, const std::string& name, Effort& effort, const Limits& limits) {
    Examination examination;
    examination.path = name;
    examination.kind = "PostgreSQL dump, tar format";
    StoppableStream counted(stream, effort);
    TarReader tar(counted);
    const auto first = TRY(tar.next());
    std::optional<Catalogue> catalogue;
    if (first && first->name == contents_name)
        catalogue = TRY(read_contents(tar, limits, examination));
    else
        examination.findings.add(
            {Weight::damage, "toc-missing", "the tar does not begin with the table of contents, toc.dat", name, {}});
    std::vector<DataResult> results;
    if (catalogue) {
        DumpFiles files(*catalogue, limits);
        TRY(check_stream(tar, files, examination));
        results = files.finish(examination.findings);
    }
    report_tar_flaws(tar.flaws(), name, examination.findings);
    if (catalogue) report_data(*catalogue, results, examination);
    examination.bytes = tar.offset();
    return examination;
}

}  // namespace kedge::verify
