#include "verify/member.h"

namespace kedge::verify {
namespace {

class MemoryStream final : public ByteStream {
public:
    explicit MemoryStream(Bytes bytes) : source_(bytes), stream_(source_) {}
    Result<std::size_t> read(std::span<std::byte> into) override { return stream_.read(into); }

private:
    MemorySource source_;
    SourceStream stream_;
};

}  // namespace

Member memory_member(std::string path, Bytes bytes) {
    return {std::move(path), bytes.size(), [bytes]() -> Result<std::unique_ptr<ByteStream>> {
                return std::unique_ptr<ByteStream>(std::make_unique<MemoryStream>(bytes));
            }};
}

}  // namespace kedge::verify
