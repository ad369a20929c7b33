#include "sim/judge/invariant.h"

#include <fmt/format.h>

namespace kedge::sim {
namespace {

// Neither a release nor a version of the schema is put where the other cannot live with it.
class ReleasesLiveWithTheSchema final : public Invariant {
    std::string_view name() const override { return "releases live with the schema"; }
    void effect(const Ledger& ledger, const Effect& effect) override {
        if (effect.kind != EffectKind::deploy && effect.kind != EffectKind::migrate) return;
        for (const auto& application : ledger.world().applications) {
            const SchemaModel* const schema = application->schema();
            if (schema == nullptr) continue;
            for (const ApplicationModel::Site& site : application->sites())
                if (!site.instances.empty() && !schema->lives(site.release))
                    broken(ledger,
                           fmt::format("release {} runs in {} and does not live with version {} of {}", site.release,
                                       site.instances.front().part.name, schema->version, schema->name()));
        }
    }
};

}  // namespace

std::unique_ptr<Invariant> releases_live_with_the_schema() {
    return std::make_unique<ReleasesLiveWithTheSchema>();
}

}  // namespace kedge::sim
