#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "document/read.h"
#include "document/schema.h"
#include "document/tables.h"

namespace kedge {
namespace {

Shape example() {
    const Shape step = shape::record(
        "a step", {required("id", shape::name(), "how others refer to it"),
                   defaulted("deadline", shape::span(), "30s", "how long it may take"),
                   defaulted("attempts", shape::integer(1, 10), "3", "how often it is tried"),
                   optional("armed", shape::flag(), "whether it may act"), optional("share", shape::number(), ""),
                   optional("with", shape::any(), ""), optional("password", shape::secret(), ""),
                   optional("review-by", shape::date(), ""), optional("kind", shape::choice({"check", "act"}), "")});
    return shape::record("the file", {optional("steps", shape::list(step, 1, 3), "what is done"),
                                      optional("names", shape::map(shape::text()), "")});
}

// All the lines that reading `text` against the example gives; the typed value if there are none.
std::vector<std::string> lines_of(const std::string& text) {
    const auto tree = parse_yaml("f.yaml", text);
    if (!tree) return tree.mistakes().lines();
    Mistakes mistakes{"f.yaml"};
    read(*tree, example(), mistakes);
    return mistakes.lines();
}

struct BadInput {
    std::string text;
    std::vector<std::string> lines;
};

TEST(Document, NamesEveryMistakeWithItsPlaceAndWhatWouldBeRight) {
    const std::vector<BadInput> cases{
        {"", {"f.yaml:1:1: the file is empty"}},
        {"# only a comment\n", {"f.yaml:1:1: the file is empty"}},
        {"a: b: c", {"f.yaml:1:5: not YAML: illegal map value"}},
        {"[1, 2", {"f.yaml:1:1: not YAML: end of sequence flow not found"}},
        {"steps: [}", {"f.yaml:1:9: not YAML: illegal flow end"}},
        {"\tsteps: 1", {"f.yaml:1:7: not YAML: illegal map value"}},
        {"names: {a: b}\n---\nnames: {a: b}\n", {"f.yaml:2:1: a second document; one file holds one document"}},
        {"names: {a: b}\n---\n", {"f.yaml:2:1: a second document; one file holds one document"}},
        {"names:\n  a: b\n  a: c\n", {"f.yaml:3:3: `a` stands here twice, first in line 2; keep one of the two"}},
        {"names: !!str x", {"f.yaml:1:8: the tag `tag:yaml.org,2002:str` is not allowed; no value needs a tag here"}},
        {"names: !x {a: b}", {"f.yaml:1:8: the tag `!x` is not allowed; no value needs a tag here"}},
        {"names: {<<: x}", {"f.yaml:1:9: merge keys (`<<`) are not allowed; write the fields out"}},
        {"names: {[a]: x}", {"f.yaml:1:9: a key must be a plain text"}},
        {"names: &x {a: *x}", {"f.yaml:1:15: an alias stands inside the very node that it names"}},
        {"names: {a: *nowhere}", {"f.yaml:1:12: not YAML: the referenced anchor is not defined"}},
        {std::string("names: {a: \0}", 13), {"f.yaml:1:12: the control character 0x00; remove it"}},
        {"names: {a: \x1b}", {"f.yaml:1:12: the control character 0x1B; remove it"}},
        {"names: {a: \"\\e[31m\"}", {"f.yaml:1:12: a text with a control character; remove it"}},
        {"names: {a: \xff}", {"f.yaml:1:12: not UTF-8; save the file as UTF-8"}},
        {"names: {a: \xc0\x80}", {"f.yaml:1:12: not UTF-8; save the file as UTF-8"}},
        {"just a text", {"f.yaml:1:1: expected the fields of the file, found `just a text`"}},
        {"- a", {"f.yaml:1:1: expected the fields of the file, found a list"}},
        {"stepz: []", {"f.yaml:1:1: the file has no field `stepz`; did you mean `steps`?"}},
        {"x: []", {"f.yaml:1:1: the file has no field `x`; known: steps, names"}},
        {"steps: []", {"f.yaml:1:8: at least 1 must be listed"}},
        {"steps:", {"f.yaml:1:1: expected a list, found nothing; write it as `[a, b]` or one `- a` a line"}},
        {"steps: {id: a}", {"f.yaml:1:8: expected a list, found a map; write it as `[a, b]` or one `- a` a line"}},
        {"steps: [{id: a}, {id: b}, {id: c}, {id: d}]", {"f.yaml:1:8: more than 3 are listed"}},
        {"steps: [{}]", {"f.yaml:1:9: a step lacks `id`; how others refer to it"}},
        {"steps: [{id: Ready}]", {"f.yaml:1:14: expected a name (lower-case letters, digits, `-`), found `Ready`"}},
        {"steps: [{id: a, deadline: 30}]",
         {"f.yaml:1:27: expected a span with its unit, such as 30s or 5m, found `30`"}},
        {"steps: [{id: a, deadline: soon}]",
         {"f.yaml:1:27: expected a span with its unit, such as 30s or 5m, found `soon`"}},
        {"steps: [{id: a, deadline: -5s}]",
         {"f.yaml:1:27: expected a span with its unit, such as 30s or 5m, found `-5s`"}},
        {"steps: [{id: a, attempts: 0}]", {"f.yaml:1:27: expected a whole number from 1 to 10, found `0`"}},
        {"steps: [{id: a, attempts: 3.9}]", {"f.yaml:1:27: expected a whole number from 1 to 10, found `3.9`"}},
        {"steps: [{id: a, attempts: 08}]", {"f.yaml:1:27: expected a whole number from 1 to 10, found `08`"}},
        {"steps: [{id: a, attempts: 0x3}]", {"f.yaml:1:27: expected a whole number from 1 to 10, found `0x3`"}},
        {"steps: [{id: a, attempts: \"3\"}]",
         {"f.yaml:1:27: expected a whole number from 1 to 10, found the text `3`"}},
        {"steps: [{id: a, attempts: 99999999999999999999}]",
         {"f.yaml:1:27: expected a whole number from 1 to 10, found `99999999999999999999`"}},
        {"steps: [{id: a, attempts: [1]}]", {"f.yaml:1:27: expected a whole number from 1 to 10, found a list"}},
        {"steps: [{id: a, armed: yes}]", {"f.yaml:1:24: expected true or false, found `yes`"}},
        {"steps: [{id: a, armed: on}]", {"f.yaml:1:24: expected true or false, found `on`"}},
        {"steps: [{id: a, armed: True}]", {"f.yaml:1:24: expected true or false, found `True`"}},
        {"steps: [{id: a, armed: 'true'}]", {"f.yaml:1:24: expected true or false, found the text `true`"}},
        {"steps: [{id: a, share: nan}]", {"f.yaml:1:24: expected a number, found `nan`"}},
        {"steps: [{id: a, share: 1,5}]",
         {"f.yaml:1:26: a step has no field `5`; known: id, deadline, attempts, "
          "armed, share, with, password, review-by, kind"}},
        {"steps: [{id: a, password: hunter2}]",
         {"f.yaml:1:27: expected where a secret is found, env:NAME or file:/PATH; a secret itself never stands in a "
          "file"}},
        {"steps: [{id: a, password: 'env:'}]",
         {"f.yaml:1:27: expected where a secret is found, env:NAME or file:/PATH; a secret itself never stands in a "
          "file"}},
        {"steps: [{id: a, review-by: 2026-02-30}]", {"f.yaml:1:28: expected a date, yyyy-mm-dd, found `2026-02-30`"}},
        {"steps: [{id: a, review-by: tomorrow}]", {"f.yaml:1:28: expected a date, yyyy-mm-dd, found `tomorrow`"}},
        {"steps: [{id: a, kind: chekc}]",
         {"f.yaml:1:23: expected one of check, act, found `chekc`; did you mean `check`?"}},
        {"steps: [{id: ''}]", {"f.yaml:1:14: expected a name (lower-case letters, digits, `-`), found the text ``"}},
        {"names: {A: b}", {"f.yaml:1:9: `A` is no name; names have lower-case letters, digits and `-`"}},
        {"names: {a: ''}", {"f.yaml:1:12: expected a text, found the text ``; leave the field out instead"}},
        {"names: {a: ~}", {"f.yaml:1:9: expected a text, found nothing"}},
        {"steps:\n  - id: a\n    deadlin: 1s\n  - armed: yes\nnaems: {}\n",
         {"f.yaml:3:5: a step has no field `deadlin`; did you mean `deadline`?",
          "f.yaml:4:5: a step lacks `id`; how others refer to it", "f.yaml:4:12: expected true or false, found `yes`",
          "f.yaml:5:1: the file has no field `naems`; did you mean `names`?"}},
    };
    for (const BadInput& bad : cases) EXPECT_EQ(lines_of(bad.text), bad.lines) << bad.text;
}

TEST(Document, KeepsTextsAsTheyStandAndTypesThemByTheShape) {
    const auto tree = parse_yaml("f.yaml", "steps: [{id: no, armed: true, share: 0.5, with: {a: yes, b: [014, 1e3]}}]");
    ASSERT_TRUE(tree);
    Mistakes mistakes{"f.yaml"};
    const Reading reading = read(*tree, example(), mistakes);
    ASSERT_TRUE(mistakes.empty()) << mistakes.lines().front();
    EXPECT_EQ(
        dump(reading.value["steps"][0]),
        R"({"id":"no","armed":true,"share":0.5,"with":{"a":"yes","b":["014","1e3"]},"deadline":"30s","attempts":3})");
    EXPECT_EQ(reading.places.value("/steps/0/share"), (Place{1, 38}));
    EXPECT_EQ(reading.places.key("/steps/0/share"), (Place{1, 31}));
    EXPECT_EQ(reading.places.value("/steps/0/deadline"), (Place{1, 9})) << "a fallback stands where its record does";
}

TEST(Document, TypesWhatIsSentAsJsonByItsLooksUnlessItIsQuoted) {
    const auto tree =
        parse_yaml("f.yaml", "{n: 1, x: 1.5, on: true, text: yes, quoted: '1', octal: 014, list: [~, 2]}");
    ASSERT_TRUE(tree);
    Mistakes mistakes{"f.yaml"};
    EXPECT_EQ(dump(read(*tree, shape::json(), mistakes).value),
              R"({"n":1,"x":1.5,"on":true,"text":"yes","quoted":"1","octal":"014","list":[null,2]})");
}

TEST(Document, ExpandsAnAliasAndKeepsItsOwnPlace) {
    const auto tree = parse_yaml("f.yaml", "names:\n  a: &x hello\n  b: *x\n");
    ASSERT_TRUE(tree);
    EXPECT_EQ(tree->find("names")->find("b")->text, "hello");
}

TEST(Document, RefusesAliasesThatBlowUp) {
    std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 12; ++i) {
        text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
        for (int j = 0; j < 10; ++j) text += (j > 0 ? ", *a" : "*a") + std::to_string(i - 1);
        text += "]\n";
    }
    const auto tree = parse_yaml("f.yaml", text);
    ASSERT_FALSE(tree);
    EXPECT_THAT(tree.mistakes().lines().front(),
                ::testing::HasSubstr("aliases expand to more than 2000 nodes; write it shorter and plainer"));
}

TEST(Document, RefusesDepthSizeAndNumber) {
    for (const int depth : {25, 400, 100'000}) {
        const auto tree = parse_yaml("f.yaml", std::string(static_cast<std::size_t>(depth), '['));
        ASSERT_FALSE(tree);
        EXPECT_THAT(tree.mistakes().lines().front(), ::testing::HasSubstr("nested")) << depth;
    }
    EXPECT_EQ(parse_yaml("f.yaml", std::string(yaml_bytes_max + 1, 'x')).mistakes().lines().front(),
              "f.yaml: 262145 bytes, more than the 262144 allowed");
    std::string many = "[";
    while (many.size() < 120'000) many += "x,";
    EXPECT_THAT(parse_yaml("f.yaml", many + "x]").mistakes().lines().front(),
                ::testing::HasSubstr("more than 50000 values"));
}

TEST(Document, AnswersHostileTextInTime) {
    const std::size_t most = yaml_bytes_max / 8;
    const auto repeated = [&](const std::string& part) {
        std::string text;
        while (text.size() + part.size() <= most) text += part;
        return text;
    };
    for (const std::string part : {"{",  "[",  "- ",    "? ",          "a: ", "a:\n",  "&a ",    "*a ",         "!x ",
                                   "\"", "'",  "|\n",   ">\n ",        "%",   "---\n", "...\n",  "{a: [",       "[{",
                                   ": ", ", ", "- - [", "a: &a [*a, ", "#",   "\n",    "k: v\n", "\xe2\x80\xa8"}) {
        const auto begin = std::chrono::steady_clock::now();
        const auto tree = parse_yaml("f.yaml", repeated(part));
        EXPECT_FALSE(tree.has_value() && part != "- " && part != "\"" && part != "\n" && part != "#" &&
                     tree->kind == NodeKind::map)
            << part;
        EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds{5}) << part;
    }
}

TEST(Document, LimitsAndCountsItsMistakes) {
    std::string text = "names: {";
    for (int i = 0; i < 80; ++i) text += (i > 0 ? ", A" : "A") + std::to_string(i) + ": x";
    const auto lines = lines_of(text + "}");
    ASSERT_EQ(lines.size(), mistakes_max + 1);
    EXPECT_EQ(lines.back(), "f.yaml: 30 more mistakes");
}

TEST(Document, SurvivesRandomDamage) {
    const std::string good =
        "steps:\n  - &s {id: a, deadline: 5m, with: {x: [1, 'two', \"three\"]}}\n  - *s\nnames: {a: |\n    block\n  "
        "}\n";
    std::mt19937 random{20261123};
    const std::string alphabet = "{}[]:,-?&*!|>%@`'\"#\n\t ab0~<\x7f\xc3\xa9";
    for (int round = 0; round < 3000; ++round) {
        std::string text = good;
        for (auto i = random() % 6 + 1; i > 0; --i) {
            const std::size_t at = random() % text.size();
            switch (random() % 3) {
                case 0: text[at] = alphabet[random() % alphabet.size()]; break;
                case 1: text.insert(at, 1, alphabet[random() % alphabet.size()]); break;
                default: text.erase(at, random() % 4 + 1); break;
            }
            if (text.empty()) text = " ";
        }
        for (const std::string& line : lines_of(text)) ASSERT_TRUE(line.starts_with("f.yaml")) << text;
    }
}

TEST(Document, DescribesItsShapeToEditorsAndReaders) {
    const Json schema = json_schema(example(), "an example");
    EXPECT_EQ(schema["properties"]["steps"]["items"]["properties"]["attempts"]["default"], 3);
    EXPECT_EQ(schema["properties"]["steps"]["items"]["required"], Json::array({"id"}));
    EXPECT_EQ(schema["additionalProperties"], false);
    const std::string tables = field_tables(example());
    EXPECT_THAT(tables, ::testing::HasSubstr("### a step\n"));
    EXPECT_THAT(tables, ::testing::HasSubstr("| `deadline` | span | `30s` | how long it may take |\n"));
    EXPECT_THAT(tables, ::testing::HasSubstr("| `kind` | `check`, `act` |  |  |\n"));
}

TEST(Document, ChoosesTheCaseOfAVariantByItsTags) {
    const Shape target = shape::variant("target", {"kind", "driver"},
                                        {required("kind", shape::choice({"database", "cache"}), ""),
                                         required("driver", shape::choice({"host", "patroni", "sentinel"}), "")},
                                        {{{"database", "host"}, "", {required("data", shape::text(), "")}},
                                         {{"database", "patroni"}, "", {}},
                                         {{"cache", "sentinel"}, "", {required("master", shape::name(), "")}}});
    const auto lines = [&](const std::string& text) {
        Mistakes mistakes{"f"};
        read(*parse_yaml("f", text), target, mistakes);
        return mistakes.lines();
    };
    using Lines = std::vector<std::string>;
    EXPECT_EQ(lines("{kind: database, driver: host, data: /x}"), Lines{});
    EXPECT_EQ(lines("{kind: database, driver: host, master: a}"),
              (Lines{"f:1:1: target lacks `data`", "f:1:32: target has no field `master`; known: kind, driver, data"}));
    EXPECT_EQ(lines("{kind: cache, driver: patroni}"),
              (Lines{"f:1:23: `cache` has no driver `patroni`; known: sentinel"}));
    EXPECT_EQ(lines("{kind: cach, driver: x}"),
              (Lines{"f:1:8: expected one of database, cache, found `cach`; did you mean `cache`?",
                     "f:1:22: expected one of host, patroni, sentinel, found `x`"}));
    EXPECT_EQ(lines("{driver: [host]}"),
              (Lines{"f:1:1: target lacks `kind`", "f:1:10: expected one of host, patroni, sentinel, found a list"}));
}

}  // namespace
}  // namespace kedge
