// The schema of a database: which version it has, which releases live with that, and moving it.

#include "actions/catalogue.h"
#include "actions/says.h"

namespace kedge {
namespace {

std::string text_of(const SchemaRange& range) {
    return fmt::format("{} to {}", range.least, range.most);
}

// "; what lives with it: 1.1.0, 1.2.0", for whoever has to choose another.
std::string those_that_live_with(const ReleaseRanges& releases, std::int64_t version) {
    std::string names;
    for (const auto& [release, range] : releases)
        if (range.holds(version)) names += (names.empty() ? "" : ", ") + release;
    return fmt::format("; what lives with {}: {}", version, names.empty() ? "no release that the estate names" : names);
}

// Whether every release of `asked`, each by where it runs, lives with `version`.
Look judge_releases(const ReleaseRanges& known, const std::map<std::string, std::string>& asked, std::int64_t version) {
    Truth holds = Truth::yes;
    std::string says = fmt::format("version {} of the schema", version);
    Json evidence = {{"version", version}};
    for (const auto& [where, release] : asked) {
        const auto range = known.find(release);
        if (range == known.end()) {
            holds = both(holds, Truth::unknown);
            says += fmt::format("; which versions release {} lives with is unknown", release);
            continue;
        }
        evidence[where] = fmt::format("{}: {}", release, text_of(range->second));
        if (range->second.holds(version)) continue;
        holds = Truth::no;
        says += fmt::format("; release {} ({}) lives with {}", release, where, text_of(range->second));
    }
    if (holds == Truth::yes)
        says += " suits " + asked.begin()->second;
    else
        says += those_that_live_with(known, version);
    return condition(holds, says, std::move(evidence));
}

// What runs in the region, by instance; unknown if one of them does not say.
Result<std::map<std::string, std::string>> running(const Call& call) {
    const auto found = call.targets.applications.find(call.text("application"));
    if (found == call.targets.applications.end())
        return Error{Fault::not_found, "there is no application " + call.text("application")};
    const ApplicationLook look = TRY(found->second->look(call.text("in"), Depth::health, call.deadline));
    std::map<std::string, std::string> releases;
    for (const InstanceLook& instance : look.instances) {
        if (!instance.release)
            return Error{Fault::unavailable, fmt::format("{} does not say which release it is", instance.name)};
        releases[instance.name] = *instance.release;
    }
    if (releases.empty()) return Error{Fault::unavailable, "nothing runs in " + call.text("in")};
    return releases;
}

Result<Look> look_fits(const Call& call) {
    Migration* const migration = TRY(call.migration());
    const MigrationLook look = TRY(migration->look(call.deadline));
    if (!look.version) return unclear(look.says);
    return judge_releases(migration->releases(), {{"asked for", call.text("release")}}, *look.version);
}

Result<Look> look_suits(const Call& call) {
    Migration* const migration = TRY(call.migration());
    const auto releases = running(call);
    if (!releases) return unclear(releases.error().message);
    return judge_releases(migration->releases(), *releases, call.integer("version"));
}

Result<Look> look_sound(const Call& call) {
    const MigrationLook look = TRY(TRY(call.migration())->look(call.deadline));
    if (!look.version) return unclear(look.says);
    const Truth there = truth(!call.has("version") || *look.version == call.integer("version"));
    return condition(both(there, look.sound), look.says,
                     {{"version", *look.version}, {"sound", to_string(look.sound)}});
}

Result<Look> look_down(const Call& call) {
    const MigrationLook look = TRY(TRY(call.migration())->look(call.deadline));
    if (!look.version) return unclear(look.says);
    const std::int64_t wanted = call.integer("version");
    Json evidence = {{"version", *look.version}};
    if (get(call.evidence, "before").is_null()) evidence["before"] = *look.version;
    if (*look.version == wanted) return condition(Truth::yes, look.says, std::move(evidence));
    if (*look.version < wanted)
        return absent(Truth::no, fmt::format("{}: that is below {}, and this only goes down", look.says, wanted),
                      std::move(evidence));
    // What drops columns does not begin on a schema of which nobody knows what it is.
    return absent(look.sound, fmt::format("{}; it shall have {}", look.says, wanted), std::move(evidence));
}

Result<Look> look_up(const Call& call) {
    const MigrationLook look = TRY(TRY(call.migration())->look(call.deadline));
    if (!look.version) return unclear(look.says);
    const std::int64_t wanted = call.integer("version");
    Json evidence = {{"version", *look.version}, {"sound", to_string(look.sound)}};
    if (*look.version > wanted)
        return absent(Truth::no, fmt::format("{}: that is beyond {}, and this only goes up", look.says, wanted),
                      std::move(evidence));
    if (*look.version == wanted) return condition(look.sound, look.says, std::move(evidence));
    return absent(look.sound, fmt::format("{}; it shall have {}", look.says, wanted), std::move(evidence));
}

Result<Json> apply_to_version(const Call& call) {
    TRY(TRY(call.migration())->migrate(call.integer("version"), call.span("lock-timeout"), call.deadline));
    return Json::object();
}

// As an undo, by what the step found before it acted. Users are not let in again to a schema that is not sound.
Result<Look> look_up_again(const Call& call) {
    const auto before = get_integer(call.evidence, "before");
    if (!before) return unclear("nobody noted which version the schema had before");
    const MigrationLook look = TRY(TRY(call.migration())->look(call.deadline));
    if (!look.version) return unclear(look.says);
    if (*look.version < *before) return absent(Truth::yes, fmt::format("{}; it had {} before", look.says, *before));
    Look seen = condition(look.sound, look.says);
    seen.gave_up = look.sound == Truth::no;
    return seen;
}

Result<Json> apply_up_again(const Call& call) {
    const auto before = get_integer(call.evidence, "before");
    if (!before) return Error{Fault::refused, "nobody noted which version the schema had before"};
    TRY(TRY(call.migration())->migrate(*before, call.span("lock-timeout"), call.deadline));
    return Json::object();
}

}  // namespace

std::vector<Action> migration_actions() {
    constexpr TargetKind migration = TargetKind::migration;
    using P = ParameterType;
    return {
        {{.name = "migration.fits",
          .on = migration,
          .needs_region = false,
          .says = "a release lives with the version that the schema has",
          .parameters = {{"release", P::text, true, "", "the release that is asked about"}},
          .by_hand =
              "compare the versions that the estate names for release ${release} with the one that the schema has",
          .deadline = 30s,
          .call_limit = 10s},
         look_fits},
        {{.name = "migration.suits",
          .on = migration,
          .needs_region = false,
          .says = "every instance that runs in a region is of a release that lives with a version of the schema",
          .parameters = {{"application", P::target, true, "", "whose instances"},
                         {"in", P::region, true, "", "in this region"},
                         {"version", P::integer, true, "", "the version that the schema is to have"}},
          .by_hand = "compare what GET /api/health of every instance in ${in} calls its version with the estate",
          .deadline = 30s,
          .call_limit = 10s},
         look_suits},
        {{.name = "migration.sound",
          .on = migration,
          .needs_region = false,
          .says = "the schema is what its version says",
          .parameters = {{"version", P::integer, false, "", "and this is its version"}},
          .by_hand = "run the program that validates the schema",
          .deadline = 1min,
          .call_limit = 30s},
         look_sound},
        {{.name = "migration.down",
          .on = migration,
          .needs_region = false,
          .says = "the schema goes down to a version; what later versions brought is dropped, with what stands in it",
          .effect = Effect::probed,
          .parameters = {{"version", P::integer, true, "", "the version that the schema shall have"},
                         {"lock-timeout", P::span, false, "2s",
                          "no statement waits longer for a lock: whoever comes behind it would wait as well"}},
          .undo = "migration.up-again",
          .by_hand = "run the program that migrates, to version ${version}, with PGOPTIONS='-c lock_timeout=2s'",
          .deadline = 30min,
          .call_limit = 10min,
          .grants = {"what the migration program's own login may"}},
         look_down,
         apply_to_version},
        {{.name = "migration.up",
          .on = migration,
          .needs_region = false,
          .says =
              "the schema goes up to a version, which a restored database may be behind; nothing to do if it is there",
          .effect = Effect::probed,
          .parameters = {{"version", P::integer, true, "", "the version that the schema shall have"},
                         {"lock-timeout", P::span, false, "2s",
                          "no statement waits longer for a lock: whoever comes behind it would wait as well"}},
          .by_hand = "run the program that migrates, to version ${version}, with PGOPTIONS='-c lock_timeout=2s'",
          .deadline = 30min,
          .call_limit = 10min,
          .grants = {"what the migration program's own login may"}},
         look_up,
         apply_to_version},
        {{.name = "migration.up-again",
          .on = migration,
          .needs_region = false,
          .says = "the schema goes up to the version that it had; columns that were dropped come back empty",
          .effect = Effect::probed,
          .by_hand = "run the program that migrates, to the version before",
          .deadline = 30min,
          .call_limit = 10min},
         look_up_again,
         apply_up_again},
    };
}

}  // namespace kedge
