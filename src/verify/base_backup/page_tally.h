// The pages of one file, as they come by: which of them do not fit, and how new the newest is.
#pragma once

#include <cstdint>
#include <vector>

#include "base/lsn.h"
#include "verify/base_backup/page_checksum.h"
#include "verify/bytes.h"

namespace kedge::verify {

// A page that is not as it should be. Whether that is damage is judged later: a page that was written while it was
// copied is restored from the log.
struct SuspectPage {
    enum class Why : std::uint8_t {
        checksum,  // does not fit, or there are none
        header,    // cannot be, although the checksum fits
        both,
        not_new,  // it says that it was never written, and holds something
    };
    std::uint32_t block = 0;  // in its fork, not in its file
    Why why{};
    Lsn at;  // what its header says of its last change
};

struct PageTally {
    static constexpr std::size_t kept_max = 64;  // of each file and kind

    std::uint64_t pages = 0, new_pages = 0;
    std::uint64_t wrong_checksums = 0, wrong_headers = 0, not_new = 0;
    std::vector<SuspectPage> suspects;  // the first of each kind
    Lsn newest;                         // of the pages whose checksum fits
    std::uint32_t newest_block = 0;

    // Whole pages, the first of which is `first_block` of its fork.
    void take(Bytes pages, std::uint32_t first_block);

private:
    void take_page(const std::byte* page, std::uint32_t sum, std::uint32_t block);
};

}  // namespace kedge::verify
