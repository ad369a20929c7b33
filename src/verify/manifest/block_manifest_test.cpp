#include "verify/manifest/block_manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

namespace kedge::verify {
namespace {

// A backup in memory with its manifest: three files, of which one has more than one block and one nothing.
struct Sealed {
    Sealed() {
        std::mt19937 random{3};
        std::string big(manifest_block_bytes * 2 + 77, '\0');
        for (char& byte : big) byte = static_cast<char>(random());
        files = {{data_path("big"), big}, {data_path("sub/small"), "small"}, {std::string(globals_path), ""}};
        Effort effort{.threads = 2};
        BlockManifest manifest{.kind = "dump", .of = "db", .files = digest_blocks(members(), effort).value()};
        text = manifest_text(manifest);
        digest = manifest_digest_text(text, "x.kedge-manifest");
    }

    std::vector<Member> members() const {
        std::vector<Member> all;
        for (const auto& [path, content] : files) all.push_back(memory_member(path, as_bytes(content)));
        return all;
    }

    Examination examined() const {
        Examination examination;
        Effort effort{.threads = 2};
        EXPECT_TRUE(check_manifest(text, digest, members(), examination, effort));
        return examination;
    }
    std::string codes() const {
        std::string codes;
        const Examination examination = examined();
        for (const Finding& finding : examination.findings.kept())
            codes += (codes.empty() ? "" : " ") + finding.code + "@" + finding.where;
        return codes;
    }

    std::map<std::string, std::string> files;
    std::string text, digest;
};

TEST(BlockManifest, ProvesWhatIsAsItWasMade) {
    const Examination examination = Sealed().examined();
    EXPECT_TRUE(examination.findings.kept().empty());
    EXPECT_EQ(examination.rung(), Rung::checksummed);
    EXPECT_THAT(examination.proofs.back().says, testing::HasSubstr("4 blocks in 3 files"));
    EXPECT_EQ(examination.facts["digest"].get<std::string>().size(), 64u);
}

TEST(BlockManifest, FindsEveryByteThatChanged) {
    std::mt19937 random{5};
    for (int i = 0; i < 20; ++i) {
        Sealed sealed;
        std::string& big = sealed.files[data_path("big")];
        const std::size_t at = random() % big.size();
        big[at] = static_cast<char>(big[at] ^ (1 << (random() % 8)));
        const Examination examination = sealed.examined();
        ASSERT_EQ(examination.findings.kept().size(), 1u) << at;
        EXPECT_EQ(examination.findings.kept()[0].code, "manifest-block");
        EXPECT_EQ(examination.findings.kept()[0].offset, at / manifest_block_bytes * manifest_block_bytes);
        EXPECT_EQ(examination.rung(), Rung::none);
    }
}

TEST(BlockManifest, FindsEveryByteOfItselfThatChanged) {
    const Sealed sound;
    std::mt19937 random{7};
    for (std::size_t at = 0; at < sound.text.size(); at += 1 + random() % 5) {
        Sealed sealed = sound;
        sealed.text[at] = static_cast<char>(sealed.text[at] ^ (1 << (random() % 8)));
        EXPECT_TRUE(sealed.examined().findings.any(Weight::damage)) << at;
    }
    for (std::size_t at = 0; at < 64; ++at) {
        Sealed sealed = sound;
        sealed.digest[at] = static_cast<char>(sealed.digest[at] ^ 1);
        EXPECT_EQ(sealed.codes(), "manifest-altered@the manifest") << at;
    }
}

TEST(BlockManifest, FindsFilesThatAreMissingExtraOrCut) {
    Sealed missing;
    missing.files.erase(data_path("sub/small"));
    EXPECT_EQ(missing.codes(), "manifest-missing@data/sub/small");
    Sealed extra;
    extra.files[data_path("new")] = "x";
    EXPECT_EQ(extra.codes(), "manifest-extra@data/new");
    Sealed cut;
    cut.files[data_path("big")].resize(manifest_block_bytes);
    EXPECT_EQ(cut.codes(), "manifest-size@data/big");
    Sealed grown;
    grown.files[data_path("sub/small")] += "er";
    EXPECT_EQ(grown.codes(), "manifest-size@data/sub/small manifest-block@data/sub/small");
}

TEST(BlockManifest, IsNotBelievedWhenItIsNone) {
    for (const char* text :
         {"", "{}", "[]", "{\"version\":1}", "{\"version\":2,\"files\":[]}",
          "{\"version\":1,\"block_bytes\":1048576,\"files\":[{\"path\":\"data\",\"bytes\":9e18}]}"}) {
        Sealed sealed;
        sealed.text = text;
        sealed.digest = manifest_digest_text(sealed.text, "x");
        EXPECT_EQ(sealed.codes(), "manifest-altered@the manifest") << text;
    }
}

TEST(BlockManifest, KnowsItsCompanionsByName) {
    EXPECT_EQ(backup_of_companion("a.dump.kedge-manifest"), "a.dump");
    EXPECT_EQ(backup_of_companion("a.dump.kedge-manifest.sha256"), "a.dump");
    EXPECT_EQ(backup_of_companion("a.dump.globals.sql"), "a.dump");
    EXPECT_EQ(backup_of_companion("a.dump"), "");
    EXPECT_EQ(backup_of_companion(".kedge-manifest"), "");
}

}  // namespace
}  // namespace kedge::verify
