// A custom archive, read both anywhere and from the front.
#include "base/check.h"
#include "fuzz.h"
#include "verify/dump/dump.h"

using namespace kedge;
using namespace kedge::verify;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const MemorySource source(fuzz_bytes(data, size));
    Effort effort;
    const auto anywhere = verify_custom_dump(source, effort, fuzz_limits());
    SourceStream stream(source);
    const auto in_order = verify_custom_dump(stream, "stream", effort, fuzz_limits());
    if (anywhere && in_order)
        check(anywhere->rung() == in_order->rung() || anywhere->findings.any(Weight::damage) ||
                  anywhere->findings.any(Weight::doubt),
              "what is sound is sound whichever way it is read");
    return 0;
}
