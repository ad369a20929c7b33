// A page that does not fit may have been written while it was copied. The log decides: replayed from the start of the
// backup, it writes such a page anew from an image in the log.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <tuple>

#include "verify/base_backup/judge.h"

namespace kedge::verify {
namespace {

using BlockKey = std::tuple<std::uint32_t, std::uint32_t, std::uint32_t, std::uint8_t, std::uint32_t>;

struct Undecided {
    const CheckedFile* file;
    SuspectPage page;
    BlockKey key;
};

// Marks the blocks that replay between two positions writes anew. Called by several threads.
class BlocksRestored final : public RecordObserver {
public:
    BlocksRestored(std::vector<BlockKey> wanted, Lsn begin, Lsn end, int major)
        : wanted_(std::move(wanted)), begin_(begin), end_(end), major_(major) {
        std::ranges::sort(wanted_);
        found_ = std::make_unique<std::atomic<bool>[]>(wanted_.size());
    }

    void see(const WalRecordView& record) override {
        if (wanted_.empty() || record.at < begin_ || record.at >= end_) return;
        const auto visit = [](void* self, const BlockTouched& block) {
            static_cast<BlocksRestored*>(self)->touch(block);
        };
        (void)read_shape(record, major_, visit, this);
    }
    bool found(const BlockKey& key) const {
        const auto at = std::ranges::lower_bound(wanted_, key);
        return at != wanted_.end() && *at == key && found_[static_cast<std::size_t>(at - wanted_.begin())];
    }

private:
    void touch(const BlockTouched& block) {
        if (!block.restored) return;
        const BlockKey key{block.tablespace, block.database, block.relation, block.fork, block.block};
        const auto at = std::ranges::lower_bound(wanted_, key);
        if (at != wanted_.end() && *at == key) found_[static_cast<std::size_t>(at - wanted_.begin())] = true;
    }

    std::vector<BlockKey> wanted_;
    std::unique_ptr<std::atomic<bool>[]> found_;
    const Lsn begin_, end_;
    const int major_;
};

std::uint64_t offset_of(const CheckedFile& file, std::uint32_t block, std::uint32_t segment_pages) {
    return std::uint64_t{block - file.relation->segment * segment_pages} * page_bytes;
}

std::string what_is_wrong(const SuspectPage& page) {
    switch (page.why) {
        case SuspectPage::Why::checksum: return fmt::format("the checksum of block {} does not fit", page.block);
        case SuspectPage::Why::header: return fmt::format("the header of block {} cannot be", page.block);
        case SuspectPage::Why::both: return fmt::format("checksum and header of block {} are wrong", page.block);
        case SuspectPage::Why::not_new:
            return fmt::format("block {} says that it was never written, and holds something", page.block);
    }
    return "";
}

std::string code_of(const SuspectPage& page) {
    if (page.why == SuspectPage::Why::not_new) return "page-not-new";
    return page.why == SuspectPage::Why::header ? "page-header" : "page-checksum";
}

class PageJudge {
public:
    PageJudge(BaseBackup& backup, const ReadBackup& read)
        : backup_(backup), read_(read), segment_pages_(backup.control ? backup.control->segment_pages : 131072) {}

    // Judges what can be judged without the log; the rest is `undecided`.
    void judge_files();
    void decide(const BlocksRestored* restored);
    std::vector<BlockKey> keys() const {
        std::vector<BlockKey> keys;
        for (const Undecided& one : undecided_) keys.push_back(one.key);
        return keys;
    }

private:
    void judge_file(const CheckedFile& file, bool checksums);
    void judge_page(const CheckedFile& file, const SuspectPage& page);
    void add(Weight weight, const CheckedFile& file, const SuspectPage& page, const std::string& more) {
        backup_.examination.findings.add({weight, code_of(page), what_is_wrong(page) + more, file.path,
                                          offset_of(file, page.block, segment_pages_)});
    }

    BaseBackup& backup_;
    const ReadBackup& read_;
    const std::uint32_t segment_pages_;
    std::vector<Undecided> undecided_;
};

void PageJudge::judge_files() {
    if (!backup_.control) {
        backup_.examination.unproved.push_back("without a control file nobody can say whether pages have checksums");
        return;
    }
    if (backup_.control->page_bytes != page_bytes) {
        backup_.examination.unproved.push_back(fmt::format("pages of {} bytes are not checked, only those of {}",
                                                           backup_.control->page_bytes, page_bytes));
        return;
    }
    for (const CheckedFile& file : read_.files)
        if (file.relation) judge_file(file, backup_.control->has_data_checksums());
}

void PageJudge::judge_file(const CheckedFile& file, bool checksums) {
    std::uint64_t judged = 0, all = file.pages.not_new + file.pages.wrong_headers;
    if (checksums) all = file.pages.not_new + file.pages.wrong_checksums + file.pages.wrong_headers;
    for (const SuspectPage& page : file.pages.suspects) {
        if (page.why == SuspectPage::Why::checksum && !checksums) continue;
        judge_page(file, page);
        judged += page.why == SuspectPage::Why::both && checksums ? 2 : 1;
    }
    if (judged < all)
        backup_.examination.findings.add({Weight::damage,
                                          "page-many",
                                          fmt::format("more pages of it do not fit: about {}", all - judged),
                                          file.path,
                                          {}});
    const auto end = backup_.consistent_at;
    if (checksums && end && file.pages.newest > *end)
        backup_.examination.findings.add(
            {Weight::damage, "page-from-the-future",
             fmt::format("block {} was changed at {}, after the backup ended at {}: it is not of this backup",
                         file.pages.newest_block, to_string(file.pages.newest), to_string(*end)),
             file.path, offset_of(file, file.pages.newest_block, segment_pages_)});
}

void PageJudge::judge_page(const CheckedFile& file, const SuspectPage& page) {
    const bool dated = page.why == SuspectPage::Why::checksum || page.why == SuspectPage::Why::header;
    if (!backup_.label) return add(Weight::damage, file, page, "");
    if (dated && page.at < backup_.label->start)
        return add(Weight::damage, file, page,
                   fmt::format("; it was changed last at {}, before the backup began at {}", to_string(page.at),
                               to_string(backup_.label->start)));
    if (dated && backup_.consistent_at && page.at > *backup_.consistent_at)
        return add(Weight::damage, file, page,
                   fmt::format("; it claims a change at {}, after the backup ended at {}", to_string(page.at),
                               to_string(*backup_.consistent_at)));
    const RelationFile& relation = *file.relation;
    undecided_.push_back(
        {&file, page, {relation.tablespace, relation.database, relation.relation, relation.fork, page.block}});
}

void PageJudge::decide(const BlocksRestored* restored) {
    for (const Undecided& one : undecided_) {
        if (restored == nullptr)
            add(Weight::doubt, *one.file, one.page,
                "; it may have been written while it was copied, which only the log of the backup could tell");
        else if (restored->found(one.key))
            backup_.examination.findings.add(
                {Weight::remark, "page-torn",
                 fmt::format("block {} was written while it was copied; the log of the backup restores it",
                             one.page.block),
                 one.file->path, offset_of(*one.file, one.page.block, segment_pages_)});
        else
            add(Weight::damage, *one.file, one.page, "; the log of the backup does not restore it");
    }
}

// Whether the log that lies in the backup reaches from its start to its end.
bool judge_range(BaseBackup& backup) {
    Findings& findings = backup.examination.findings;
    if (!backup.label) return false;
    const Lsn start = backup.label->start;
    std::uint32_t timeline = backup.label->start_timeline;
    if (backup.manifest && !backup.manifest->ranges.empty()) timeline = backup.manifest->ranges.front().timeline;
    if (!backup.consistent_at)
        for (const WalSegment& segment : backup.wal.segments)
            for (const BackupEnd& end : segment.scan.backup_ends)
                if (end.start == start) backup.consistent_at = end.end;
    if (!backup.consistent_at) {
        backup.examination.unproved.push_back(
            "where the backup became consistent is in neither a manifest nor its log");
        return false;
    }
    const WalPath path = follow(backup.wal, timeline, start);
    backup.examination.facts["wal_reaches"] = to_string(path.end);
    if (path.end >= *backup.consistent_at) return true;
    findings.add(
        {Weight::damage,
         "wal-range",
         fmt::format("the backup needs the log from {} to {}, it brings it along up to {}: {}", to_string(start),
                     to_string(*backup.consistent_at), to_string(path.end), path.why_it_ends),
         "pg_wal",
         {}});
    return false;
}

void judge_backup_end(BaseBackup& backup) {
    if (backup.label->from_standby()) return;
    for (const WalSegment& segment : backup.wal.segments)
        for (const BackupEnd& end : segment.scan.backup_ends)
            if (end.start == backup.label->start && end.end == *backup.consistent_at) return;
    backup.examination.findings.add(
        {Weight::damage,
         "backup-end",
         fmt::format("no record of the log says that the backup ends at {}", to_string(*backup.consistent_at)),
         "pg_wal",
         {}});
}

void report_wal(BaseBackup& backup) {
    for (const Finding& finding : backup.wal.examination.findings.kept()) {
        Finding moved = finding;
        if (!moved.where.empty()) moved.where = "pg_wal/" + moved.where;
        backup.examination.findings.add(std::move(moved));
    }
    backup.examination.facts["wal"] = backup.wal.examination.facts;
}

}  // namespace

void judge_pages_and_wal(BaseBackup& backup, const ReadBackup& read, const Limits& limits, Effort& effort) {
    PageJudge judge(backup, read);
    judge.judge_files();
    const bool has_log = std::ranges::any_of(
        read.wal, [](const Member& member) { return parse_wal_file_name(member.path).kind == WalFileKind::segment; });
    if (!has_log) {
        backup.examination.unproved.push_back(
            "it brings no log along: it can be restored only with that of an archive");
        return judge.decide(nullptr);
    }
    BlocksRestored restored(judge.keys(), backup.label ? backup.label->start : Lsn{},
                            backup.consistent_at.value_or(Lsn{UINT64_MAX}), backup.control ? backup.control->major : 0);
    WalRequest request{.may_end_open = true, .observer = &restored};
    if (backup.control) request.system_identifier = backup.control->system_identifier;
    backup.wal = examine_wal(read.wal, limits, effort, request);
    report_wal(backup);
    const bool complete = judge_range(backup);
    if (complete) judge_backup_end(backup);
    judge.decide(complete ? &restored : nullptr);
}

}  // namespace kedge::verify
