// Manifests put together here by their documented layout; base_backup_test reads those of a real server.
#include "verify/base_backup/manifest.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/digest.h"

namespace kedge::verify {
namespace {

std::string signed_manifest(const std::string& body) {
    return body + fmt::format("\"Manifest-Checksum\": \"{}\"}}\n", sha256_hex(body));
}

std::string version_two() {
    return signed_manifest(
        "{ \"PostgreSQL-Backup-Manifest-Version\": 2,\n\"System-Identifier\": 18446744073709551615,\n\"Files\": [\n"
        "{ \"Path\": \"b \\\"x\\\" \\u0009\", \"Size\": 3, \"Last-Modified\": \"2026-01-01 00:00:00 GMT\", "
        "\"Checksum-Algorithm\": \"CRC32C\", \"Checksum\": \"839206e3\" },\n"
        "{ \"Encoded-Path\": \"61ff\", \"Size\": 0, \"Last-Modified\": \"2026-01-01 00:00:00 GMT\" }\n],\n"
        "\"WAL-Ranges\": [\n{ \"Timeline\": 2, \"Start-LSN\": \"0/3000000\", \"End-LSN\": \"0/3000100\" }\n],\n");
}

Result<Manifest> read(const std::string& text, std::size_t objects_max = 100) {
    const MemorySource source(as_bytes(text));
    SourceStream stream(source);
    const Limits limits{.objects_max = objects_max};
    return read_manifest(stream, limits);
}

TEST(Manifest, OfVersionTwoIsRead) {
    const auto manifest = read(version_two());
    ASSERT_TRUE(manifest) << manifest.error().message;
    EXPECT_TRUE(manifest->checksum_fits);
    EXPECT_EQ(manifest->system_identifier, UINT64_MAX);
    ASSERT_EQ(manifest->files.size(), 2u);
    EXPECT_EQ(manifest->files[0].path, "a\xff");
    EXPECT_EQ(manifest->files[0].algorithm, ManifestChecksum::none);
    EXPECT_EQ(manifest->files[1].path, "b \"x\" \t");
    EXPECT_EQ(manifest->files[1].checksum, "\x83\x92\x06\xe3");
    ASSERT_EQ(manifest->ranges.size(), 1u);
    EXPECT_EQ(manifest->ranges[0].end, Lsn{0x3000100});
    EXPECT_NE(manifest->find("a\xff"), nullptr);
    EXPECT_EQ(manifest->find("a"), nullptr);
}

TEST(Manifest, SaysWhenItsOwnChecksumDoesNotFit) {
    std::string text = version_two();
    text[text.find("0/3000100") + 2] = '4';
    const auto manifest = read(text);
    ASSERT_TRUE(manifest) << manifest.error().message;
    EXPECT_FALSE(manifest->checksum_fits);
    std::string unended = version_two();
    unended.pop_back();
    EXPECT_FALSE(read(unended)->checksum_fits);
}

TEST(Manifest, IsRefusedWhereTheServerWouldRefuseIt) {
    const std::string good = version_two();
    const auto changed = [&](std::string_view from, std::string_view to) {
        std::string text = good;
        text.replace(text.find(from), from.size(), to);
        return text;
    };
    const std::vector<std::pair<std::string, std::string>> wrong{
        {"", "there is no '{'"},
        {"{}\n", "no version"},
        {changed("-Version\": 2", "-Version\": 3"), "version 3"},
        {changed("\"Size\": 3, ", ""), "without a path or a size"},
        {changed("\"Size\": 3", "\"Size\": x"), "no number"},
        {changed("\"Size\": 3", "\"Size\": 99999999999999999999999"), "no number"},
        {changed("839206e3", "8392"), "wrong length"},
        {changed("839206e3", "zz9206e3"), "not hexadecimal"},
        {changed("CRC32C", "CRC32X"), "not known"},
        {changed("\"Last-Modified\"", "\"Colour\""), "no file has"},
        {changed("\"Timeline\": 2", "\"Timeline\": 0"), "no timeline"},
        {changed("0/3000000", "0/x"), "no position"},
        {changed("0/3000100", "0/1"), "exchanged"},
        {changed("\\u0009", "\\u00e9"), "escape"},
        {good + "x", "follows its end"},
        {good.substr(0, good.size() / 2), "(at byte"},
    };
    for (const auto& [text, says] : wrong) {
        const auto manifest = read(text);
        ASSERT_FALSE(manifest) << text;
        EXPECT_EQ(manifest.error().fault, Fault::corrupt);
        EXPECT_THAT(manifest.error().message, testing::HasSubstr(says));
    }
    EXPECT_FALSE(read(good, 1));
    EXPECT_FALSE(read(std::string(3u << 20, '{')));
}

TEST(Manifest, RefusesAFileThatIsListedTwice) {
    const auto manifest =
        read(signed_manifest("{\"PostgreSQL-Backup-Manifest-Version\": 1,\n\"Files\": "
                             "[{\"Path\":\"a\",\"Size\":1},{\"Path\":\"a\",\"Size\":1}],\n"));
    ASSERT_FALSE(manifest);
    EXPECT_THAT(manifest.error().message, testing::HasSubstr("twice"));
}

}  // namespace
}  // namespace kedge::verify
