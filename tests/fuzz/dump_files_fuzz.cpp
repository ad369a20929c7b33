// A dump in a tar, read anywhere and from the front, and its members as the files of a directory.
#include "base/check.h"
#include "fuzz.h"
#include "verify/dump/dump.h"
#include "verify/unpack/tar.h"

using namespace kedge;
using namespace kedge::verify;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const Bytes bytes = fuzz_bytes(data, size);
    const MemorySource source(bytes);
    Effort effort;
    const auto anywhere = verify_tar_dump(source, effort, fuzz_limits());
    SourceStream stream(source);
    const auto in_order = verify_tar_dump(stream, "stream", effort, fuzz_limits());
    if (anywhere && in_order && in_order->rung() >= Rung::decoded)
        check(anywhere->rung() == in_order->rung(), "what is sound is sound whichever way it is read");
    const auto index = index_tar(source, fuzz_limits().objects_max);
    if (!index) return 0;
    std::vector<Member> members;
    for (const TarMember& member : index->members)
        if (member.offset + member.bytes <= size)
            members.push_back(memory_member(member.name, bytes.subspan(static_cast<std::size_t>(member.offset),
                                                                       static_cast<std::size_t>(member.bytes))));
    (void)verify_directory_dump(members, effort, fuzz_limits()).has_value();
    return 0;
}
