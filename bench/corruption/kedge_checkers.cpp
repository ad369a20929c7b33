// Kedge among the checkers: through the same door as `kedge verify`, without the start of a process each time.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "base/check.h"
#include "corruption.h"
#include "os/clock.h"
#include "os/files.h"
#include "verify/files/examine.h"
#include "verify/files/own_manifest.h"

namespace kedge::verify {
namespace {

Answer examined(const std::string& path) {
    Effort effort{.threads = 2};
    const auto found = examine_path(path, {.now = SystemClock{}.now()}, effort);
    check(found.has_value(), "what lies on a disk can be read");
    const bool judged = std::ranges::all_of(found->backups, [](const ExaminedBackup& backup) {
        const Examination& examination = backup.examination;
        return !examination.findings.any(Weight::damage) && !examination.findings.any(Weight::doubt) &&
               examination.rung() >= Rung::decoded;
    });
    return judged ? Answer::sound : Answer::damaged;
}

struct Manifest {
    std::string text, digest;
};

Manifest manifest_of(const std::string& path) {
    Effort effort{.threads = 2};
    BlockManifest manifest{.kind = "backup", .of = "bench", .made = SystemClock{}.now()};
    manifest.files = digest_blocks(manifested_members(path, {}, effort).value(), effort).value();
    const std::string text = manifest_text(manifest);
    return {text, manifest_digest_text(text, "damaged" + std::string(manifest_suffix))};
}

}  // namespace

Checker kedge_checker() {
    return {.name = "kedge", .check = examined, .is_peer = false};
}

Checker kedge_checker_with_manifest() {
    const auto learnt = std::make_shared<Manifest>();
    return {"kedge, with its manifest",
            [learnt](const std::string& path) {
                const std::string beside = path + std::string(manifest_suffix),
                                  digest = path + std::string(manifest_digest_suffix);
                const auto put = [](const std::string& at, const std::string& text) {
                    check(write_file_atomically(at, text, 0600, Durability::after_process_death).has_value(),
                          "there is room for a manifest");
                };
                put(beside, learnt->text);
                put(digest, learnt->digest);
                const Answer answer = examined(path);
                std::filesystem::remove(beside);
                std::filesystem::remove(digest);
                return answer;
            },
            [learnt](const std::string& path) { *learnt = manifest_of(path); }, false};
}

}  // namespace kedge::verify
