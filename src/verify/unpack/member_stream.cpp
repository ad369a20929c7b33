#include "verify/unpack/member_stream.h"

#include <algorithm>

namespace kedge::verify {

Result<Bytes> MemberStream::Whole::look_at_front() {
    end_ = TRY(rest_->read(front_));
    return Bytes(front_).first(end_);
}

Result<std::size_t> MemberStream::Whole::read(std::span<std::byte> into) {
    const std::size_t first = std::min(end_ - begin_, into.size());
    std::ranges::copy(std::span(front_).subspan(begin_, first), into.begin());
    begin_ += first;
    if (first == into.size()) return first;
    return first + TRY(rest_->read(into.subspan(first)));
}

Result<std::unique_ptr<MemberStream>> MemberStream::open(const Member& member, const Limits& limits) {
    return of(TRY(member.open()), limits);
}

Result<std::unique_ptr<MemberStream>> MemberStream::of(std::unique_ptr<ByteStream> stream, const Limits& limits) {
    std::unique_ptr<MemberStream> content(new MemberStream(std::move(stream)));
    content->packing_ = packing_of(TRY(content->whole_.look_at_front()));
    if (content->packing_ != Packing::none) content->unpacker_ = unpack(content->packing_, content->whole_, limits);
    return content;
}

Result<std::size_t> MemberStream::read(std::span<std::byte> into) {
    return unpacker_ ? unpacker_->read(into) : whole_.read(into);
}

}  // namespace kedge::verify
