#include "verify/examination.h"

#include <algorithm>

namespace kedge::verify {

std::string_view to_string(Rung rung) {
    switch (rung) {
        case Rung::none: return "none";
        case Rung::listed: return "listed";
        case Rung::decoded: return "decoded";
        case Rung::checksummed: return "checksummed";
        case Rung::restored: return "restored";
        case Rung::validated: return "validated";
    }
    return "none";
}

std::string_view to_string(Weight weight) {
    switch (weight) {
        case Weight::damage: return "damage";
        case Weight::doubt: return "doubt";
        case Weight::remark: return "remark";
    }
    return "damage";
}

void Findings::add(Finding finding) {
    ++counts_[static_cast<std::size_t>(finding.weight)];
    auto tally = std::ranges::find(tallies_, finding.code, &Tally::code);
    if (tally == tallies_.end()) tally = tallies_.insert(tally, {finding.code, 0});
    if (++tally->count <= kept_max) kept_.push_back(std::move(finding));
}

void Findings::merge(const Findings& others) {
    for (const Tally& other : others.tallies_) {
        auto tally = std::ranges::find(tallies_, other.code, &Tally::code);
        if (tally == tallies_.end()) tally = tallies_.insert(tally, {other.code, 0});
        std::uint64_t room = kept_max - std::min<std::uint64_t>(tally->count, kept_max);
        for (const Finding& finding : others.kept_) {
            if (room == 0) break;
            if (finding.code != other.code) continue;
            kept_.push_back(finding);
            --room;
        }
        tally->count += other.count;
    }
    for (std::size_t i = 0; i < std::size(counts_); ++i) counts_[i] += others.counts_[i];
}

std::uint64_t Findings::count(std::string_view code) const {
    const auto tally = std::ranges::find(tallies_, code, &Tally::code);
    return tally == tallies_.end() ? 0 : tally->count;
}

Rung Examination::rung() const {
    Rung highest = Rung::none;
    for (const Proof& proof : proofs) highest = std::max(highest, proof.rung);
    return highest;
}

}  // namespace kedge::verify
