// Which kind of backup serves better where a base backup with its log and a dump could both: the one that loses less;
// if they lose alike, the one that is there sooner.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/time.h"
#include "recover/choose.h"
#include "recover/from_dump.h"

namespace kedge::recover {

// What one kind of backup would give.
struct Offer {
    std::string from;  // "a base backup and the log", "a dump"
    bool possible = false;
    std::string path;               // of the backup
    std::string says;               // why it is not possible
    std::optional<Moment> until{};  // what was written after it is not in it; nothing: it does not say
    Span takes{};                   // roughly, from bytes
    std::string takes_by{};         // at what pace
    Json detail = Json::object();   // all of the choice
};
Json as_json(const Offer& offer);

// The choice of a point that is a moment or `latest`.
Offer offer_of(const Choice& choice);
// `choice` holds no dump that was taken after the point.
Offer offer_of(const DumpChoice& choice, const Pace& pace);

struct Better {
    std::optional<std::size_t> index;  // of the offers; nothing: none is possible
    std::string why;
};
// `point` is where the recovery should end; the moment itself of `latest`.
Better better_of(const std::vector<Offer>& offers, Moment point);

}  // namespace kedge::recover
