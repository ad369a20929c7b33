#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <random>

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

// Text of any bytes, more often of those that JSON treats apart.
std::string any_text(std::minstd_rand& chance) {
    static constexpr std::string_view apart = "\"\\/\b\f\n\r\t\x01\x1f\x7f \xc3\xa4\xe2\x82\xac\xff";
    std::string text;
    for (auto left = chance() % 12; left > 0; --left)
        text += chance() % 3 == 0 ? apart[chance() % apart.size()] : static_cast<char>('a' + chance() % 26);
    return text;
}
Json any_json(std::minstd_rand& chance, int depth) {
    Json json;
    switch (chance() % (depth < 3 ? 8 : 6)) {
        case 0: return nullptr;
        case 1: return chance() % 2 == 0;
        case 2: return -static_cast<std::int64_t>(chance()) * 4'294'967'296;
        case 3: return static_cast<std::uint64_t>(chance()) << 33;
        case 4: return static_cast<double>(chance()) / 7.0;
        case 5: return any_text(chance);
        case 6:
            json = Json::array();
            for (auto left = chance() % 4; left > 0; --left) json.push_back(any_json(chance, depth + 1));
            return json;
        default:
            json = Json::object();
            for (auto left = chance() % 4; left > 0; --left) json[any_text(chance)] = any_json(chance, depth + 1);
            return json;
    }
}

// Journals keep and hash the compact form, so that not one byte of it may ever be another.
TEST(Json, IsWrittenByteForByteAsTheLibraryWritesIt) {
    std::minstd_rand chance(20251126);
    for (int i = 0; i < 5000; ++i) {
        const Json json = any_json(chance, 0);
        ASSERT_EQ(dump(json), json.dump(-1, ' ', false, Json::error_handler_t::replace));
    }
    for (const double number : {0.0, -0.0, 1e300, 5e-324, 0.1, 100.0, HUGE_VAL, std::nan("")})
        EXPECT_EQ(dump(number), Json(number).dump());
    EXPECT_EQ(dump(Json(INT64_MIN)), "-9223372036854775808");
}

TEST(Json, SharedIsWhatItWasMadeOfAndOutlivesTheWhole) {
    SharedJson part;
    EXPECT_TRUE(part->is_null());
    EXPECT_EQ(dump(SharedJson::object()), "{}");
    EXPECT_EQ(dump(SharedJson{{"a", 1}}), dump(Json{{"a", 1}})) << "a list means what it means to Json";
    {
        const SharedJson whole{{"step", "promote"}, {"evidence", {{"lag", 3}}}};
        const SharedJson copy = whole;
        EXPECT_EQ(&*copy, &*whole) << "a copy is the same JSON";
        EXPECT_TRUE(SharedJson::member(whole, "nothing")->is_null());
        part = SharedJson::member(copy, "evidence");
    }
    EXPECT_EQ(get_integer(part, "lag"), 3);
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
