// The members of a tar, in order, each a stream: the archives of pg_dump and pg_basebackup, and those that people pack
// with GNU tar.
//
// Format: POSIX ustar with numbers in base 256, long names as GNU tar ('L') and POSIX pax ('x') write them. Names are
// given as they stand there; nothing is opened by them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "verify/bytes.h"
#include "verify/unpack/unpack.h"

namespace kedge::verify {

struct TarMember {
    enum class Type { file, link, directory, other };
    std::string name;
    std::string target;  // of a link
    Type type{};
    std::uint64_t bytes = 0;   // of its content
    std::uint64_t offset = 0;  // where its content begins
};

// Whether these, of which there are 512, are the head of a member: its checksum fits.
bool is_tar_head(Bytes head);

// Reads the members of a tar from the front. Belongs to one thread.
class TarReader final : public ByteStream {
public:
    static constexpr std::size_t block_bytes = 512;

    // `from` outlives it.
    explicit TarReader(ByteStream& from) : from_(from) {}

    // Goes on to the next member, past what was not read of the one before. Nothing behind the last, or where the tar
    // is broken: look at `flaws`.
    Result<std::optional<TarMember>> next();
    // The content of that member.
    Result<std::size_t> read(std::span<std::byte> into) override;

    // What broke it (`truncated`, `damaged`, `checksum`; then there is no next member), and what does it no harm that
    // matters (`trailing`: bytes that are not zero where only zeros belong). Offsets are in the tar.
    const std::vector<Flaw>& flaws() const { return flaws_; }
    bool broken() const { return broken_; }
    std::uint64_t offset() const { return offset_; }

private:
    Result<bool> read_block(std::span<std::byte> block);
    Result<void> pass_content();
    Result<void> read_end();
    Result<std::string> read_text(const TarMember& member);
    void break_off(Flaw::Kind kind, std::string says, std::uint64_t offset);

    ByteStream& from_;
    std::uint64_t offset_ = 0;
    std::uint64_t left_ = 0, padding_ = 0;  // of the member's content, and behind it
    bool over_ = false, broken_ = false, stray_seen_ = false;
    std::vector<Flaw> flaws_;
};

// The same for a tar that can be read anywhere: only heads are read. `flaws` as above.
struct TarIndex {
    std::vector<TarMember> members;
    std::vector<Flaw> flaws;
    bool broken = false;
};
Result<TarIndex> index_tar(const ByteSource& source, std::size_t members_max);

}  // namespace kedge::verify
