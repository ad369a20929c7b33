// What a member of a backup holds, unpacked if its first bytes say that it is packed: names are not asked.
#pragma once

#include <array>
#include <memory>

#include "verify/member.h"
#include "verify/unpack/unpack.h"

namespace kedge::verify {

// Belongs to one thread.
class MemberStream final : public ByteStream {
public:
    // `limits` outlive it.
    static Result<std::unique_ptr<MemberStream>> open(const Member& member, const Limits& limits);
    // The same for a stream that is open already.
    static Result<std::unique_ptr<MemberStream>> of(std::unique_ptr<ByteStream> stream, const Limits& limits);

    Result<std::size_t> read(std::span<std::byte> into) override;

    Packing packing() const { return packing_; }
    // Why it ended before its time: final once `read` gave fewer bytes than were asked for. Bare bytes have none.
    std::optional<Flaw> flaw() const { return unpacker_ ? unpacker_->flaw() : std::nullopt; }

private:
    // The first bytes, which were read to know the packing, and then the rest.
    class Whole final : public ByteStream {
    public:
        explicit Whole(std::unique_ptr<ByteStream> stream) : rest_(std::move(stream)) {}
        Result<Bytes> look_at_front();
        Result<std::size_t> read(std::span<std::byte> into) override;

    private:
        std::unique_ptr<ByteStream> rest_;
        std::array<std::byte, 4> front_{};
        std::size_t begin_ = 0, end_ = 0;
    };

    explicit MemberStream(std::unique_ptr<ByteStream> stream) : whole_(std::move(stream)) {}

    Whole whole_;
    Packing packing_ = Packing::none;
    std::unique_ptr<Unpacker> unpacker_;
};

}  // namespace kedge::verify
