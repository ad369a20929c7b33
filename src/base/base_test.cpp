#include <gtest/gtest.h>

#include "base/base64.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/lsn.h"
#include "base/result.h"
#include "base/suggest.h"

namespace kedge {
namespace {

Result<int> half(int number) {
    if (number % 2 != 0) return Error{Fault::invalid_input, "it is odd"};
    return number / 2;
}
Result<int> quarter(int number) {
    const int first = TRY(half(number));
    return TRY(half(first));
}

TEST(Result, CarriesTheFirstErrorOutward) {
    EXPECT_EQ(*quarter(8), 2);
    EXPECT_EQ(quarter(6).error().message, "it is odd");
    EXPECT_EQ(quarter(6).within("step 3").error().message, "step 3: it is odd");
}

TEST(ResultDeathTest, StopsTheProcessWhenTheWrongSideIsRead) {
    EXPECT_DEATH(half(3).value(), "must hold");
}

TEST(Json, RefusesDuplicateKeysAndDepth) {
    EXPECT_TRUE(parse_json(R"({"a":{"b":1},"b":1})"));
    EXPECT_NE(parse_json(R"({"a":1,"a":2})").error().message.find("stands twice"), std::string::npos);
    EXPECT_FALSE(parse_json(std::string(100, '[') + std::string(100, ']')));
    EXPECT_FALSE(parse_json("{} {}"));
    EXPECT_FALSE(parse_json(""));
}

TEST(Json, NeverNarrows) {
    const Json json = *parse_json(R"({"whole":3,"part":3.9,"large":18446744073709551615,"text":"3"})");
    EXPECT_EQ(get_integer(json, "whole"), 3);
    EXPECT_EQ(get_integer(json, "part"), std::nullopt);
    EXPECT_EQ(get_integer(json, "large"), std::nullopt);
    EXPECT_EQ(get_integer(json, "text"), std::nullopt);
    EXPECT_EQ(get_integer(json, "absent"), std::nullopt);
}

TEST(Json, FindsByPointerAndSurvivesABadOne) {
    const Json json = *parse_json(R"({"tokens":{"access_token":"x"}})");
    EXPECT_EQ(at_pointer(json, "/tokens/access_token"), "x");
    EXPECT_TRUE(at_pointer(json, "tokens").is_null());
    EXPECT_TRUE(at_pointer(json, "/none/at/all").is_null());
}

TEST(Lsn, IsReadAndWrittenAsPostgresDoes) {
    EXPECT_EQ(to_string(*parse_lsn("0/16B3740")), "0/16B3740");
    EXPECT_EQ(parse_lsn("1/0")->value, std::uint64_t{1} << 32);
    for (const char* text : {"", "0", "/", "0/", "0/123456789", "0/xyz", "-1/0"}) EXPECT_FALSE(parse_lsn(text)) << text;
}

TEST(Digest, IsSha256) {
    EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Nearest, FindsTheNameThatWasMeant) {
    const std::vector<std::string> known = {"deadline", "needs", "with", "summary"};
    EXPECT_EQ(nearest("dedline", known), "deadline");
    EXPECT_EQ(nearest("sumamry", known), "summary");
    EXPECT_EQ(nearest("zebra", known), std::nullopt);
}

TEST(Base64, PadsToFours) {
    EXPECT_EQ(base64(""), "");
    EXPECT_EQ(base64("f"), "Zg==");
    EXPECT_EQ(base64("fo"), "Zm8=");
    EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
    EXPECT_EQ(base64(std::string("\xff\0", 2)), "/wA=");
}

}  // namespace
}  // namespace kedge
