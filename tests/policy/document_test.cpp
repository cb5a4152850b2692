// Documents: what is read, where it stands, what is refused and how it is said.
#include "policy/document.h"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <nlohmann/json.hpp>

#include "policy/scalar.h"

namespace belay::policy {
namespace {

using Kind = Node::Kind;

Node read_one(std::string_view text) {
  auto documents = read_documents(text);
  REQUIRE_MESSAGE(documents.has_value(), documents.error().message);
  REQUIRE(documents->size() == 1);
  return std::move((*documents)[0].root);
}

/// "line:column: message", or "ok".
std::string outcome(std::string_view text, const DocumentLimits& limits = {}) {
  const auto documents = read_documents(text, limits);
  if (documents) return "ok";
  const auto& error = documents.error();
  return std::to_string(error.position.line) + ":" + std::to_string(error.position.column) + ": " +
         error.message;
}

std::string json_of(std::string_view text) {
  std::string out;
  append_json(read_one(text), out);
  return out;
}

std::string place(const Node& node) {
  return std::to_string(node.position.line) + ":" + std::to_string(node.position.column);
}

TEST_CASE("a text in single quotes reads as YAML has it") {
  struct Row {
    std::string_view yaml;
    std::string_view text;
  };
  constexpr Row kRows[] = {
      {"''", ""},
      {"'x'", "x"},
      {"'it''s'", "it's"},
      {"' x '", " x "},
      {"'a\tb'", "a\tb"},
      {"'x\n  y'", "x y"},
      {"'x  \n\n \t\n y '", "x\n\ny "},
      {"'\n  b'", " b"},
      {"'b\n   '", "b "},
      {"'a\r\n'", "a "},
      {"'a '''", "a '"},
      {"'''a''''a'", "'a''a"},
      {"''''''''''''''''''''''''", "'''''''''''"},
  };
  for (const Row& row : kRows) {
    CAPTURE(row.yaml);
    const auto documents = read_documents("k: " + std::string(row.yaml));
    REQUIRE(documents);
    const Node* value = (*documents)[0].root.find("k");
    REQUIRE(value != nullptr);
    CHECK(value->text == row.text);
    CHECK(value->position.column == 4);
  }
}

TEST_CASE("every node knows its position") {
  const std::string text =
      "a: 1\n"
      "list:\n"
      "  - x\n"
      "  - \"quoted\"\n"
      "flow: {k: [v, 'w']}\n"
      "empty:\n";
  const Node root = read_one(text);
  CHECK(root.kind == Kind::kMapping);
  CHECK(place(root) == "1:1");
  CHECK(place(root.keys[1]) == "2:1");
  CHECK(place(root.find("list")->items[0]) == "3:5");
  CHECK(place(root.find("list")->items[1]) == "4:5");
  const Node& flow = *root.find("flow");
  CHECK(place(flow) == "5:7");
  CHECK(text.substr(flow.position.offset, flow.end_offset - flow.position.offset) ==
        "{k: [v, 'w']}");
  const Node& word = flow.find("k")->items[1];
  CHECK(text.substr(word.position.offset, word.end_offset - word.position.offset) == "'w'");
  const Node& empty = *root.find("empty");
  CHECK(empty.kind == Kind::kNull);
  CHECK(empty.position.line == 6);
  CHECK(root.find("absent") == nullptr);
  CHECK(empty.find("a") == nullptr);
}

TEST_CASE("lines and columns hold with CRLF, a byte order mark and letters of several bytes") {
  const Node crlf = read_one("a: 1\r\nb:\r\n  c: 2\r\n");
  CHECK(place(*crlf.find("b")->find("c")) == "3:6");
  const Node bom = read_one(
      "\xEF\xBB\xBF"
      "a: 1\nb: 2\n");
  CHECK(place(bom.keys[0]) == "1:1");
  CHECK(place(bom.items[0]) == "1:4");
  CHECK(place(bom.items[1]) == "2:4");
  const Node umlaut = read_one("\xC3\xA4: [\xC3\xB6, x]\n");
  CHECK(place(umlaut.items[0].items[1]) == "1:10");  // columns count bytes
  CHECK(outcome("\xC3\xA4: @\n") ==
        "1:5: a value cannot start with this character; put it in quotes");
}

TEST_CASE("a stream of documents is read whole, empty ones are left out") {
  const auto documents = read_documents("---\n---\na: 1\n...\n---\n# nothing\n---\n- x\n");
  REQUIRE(documents.has_value());
  REQUIRE(documents->size() == 2);
  CHECK((*documents)[0].root.kind == Kind::kMapping);
  CHECK(place((*documents)[1].root) == "8:1");
  CHECK(read_documents("").value().empty());
  CHECK(read_documents("# only a comment\n").value().empty());
}

TEST_CASE("JSON is read as it stands: tabs, escapes and surrogate pairs") {
  CHECK(
      json_of("{\n\t\"a\":1,\"b\" : \"\\/x\\ud83d\\ude00\\u00e9\\n\\\"\",\n\t\"c\":[\n\t]\n}\n") ==
      "{\"a\":1,\"b\":\"/x\xF0\x9F\x98\x80\xC3\xA9\\n\\\"\",\"c\":[]}");
  CHECK(json_of("{\"a\":\n{\n\"b\":null}\n}") == "{\"a\":{\"b\":null}}");
  CHECK(
      json_of(
          "a: \"\\ud83d\\ude00 \\\\\\uD83D\\uDE01\"\nb: '\\ud83d\\ude00'\nc: |\n  \\ud83d\\ude00\n"
          "d: \\ud83d\\ude00\n") ==
      "{\"a\":\"\xF0\x9F\x98\x80 \\\\\xF0\x9F\x98\x81\",\"b\":\"\\\\ud83d\\\\ude00\","
      "\"c\":\"\\\\ud83d\\\\ude00\\n\",\"d\":\"\\\\ud83d\\\\ude00\"}");
  CHECK(outcome("{\"a\":\"\\ud83d\"}") == "1:9: half of a UTF-16 surrogate pair");
  CHECK(outcome("{\"a\":\"\\\\ud83d\\ude00\"}") == "1:6: half of a UTF-16 surrogate pair");
  CHECK(json_of("a: \"\\x7F\\u0085\\u2028\\u2029\\uFFFF\"\n") ==
        "{\"a\":\"\\u007f\\u0085\\u2028\\u2029\\uffff\"}");
}

TEST_CASE("a byte that belongs in no text is named with its place") {
  CHECK(outcome(std::string_view("a: x\0y\n", 7)) == "1:5: a NUL byte; is this a text file?");
  CHECK(outcome("a: 1\nb: \xFF\n") == "2:4: a byte that is not UTF-8");
  CHECK(outcome("a: \xC3") == "1:4: a byte that is not UTF-8");
  CHECK(outcome("a: \xE0\x80\x80") == "1:4: a byte that is not UTF-8");      // overlong
  CHECK(outcome("a: \xED\xA0\x80") == "1:4: a byte that is not UTF-8");      // surrogate
  CHECK(outcome("a: \xF0\x80\x80\x80") == "1:4: a byte that is not UTF-8");  // overlong
  CHECK(outcome("a: \xF4\x90\x80\x80") == "1:4: a byte that is not UTF-8");  // above U+10FFFF
  CHECK(outcome("a: \xF0\x9F\x98\x80") == "ok");
  CHECK(outcome("a: \xE2\x82\xAC") == "ok");
  CHECK(outcome("a: b\x1B[2J") == "1:5: a control character (U+001B)");
  CHECK(outcome("a: b\xC2\x9B") == "1:5: a control character (U+009B)");
  CHECK(outcome("a: b\xEF\xBF\xBF") == "1:5: an invalid character (U+FFFF)");
  CHECK(outcome("a: b\xC2\x85") == "ok");  // a line break
  CHECK(outcome("\xFF\xFE"
                "a") == "1:1: is UTF-16, not UTF-8; save it as UTF-8");
}

TEST_CASE("what the YAML reader complains about carries its line and column") {
  CHECK(outcome("a:\n\tb: 1\n") == "2:1: tabs cannot indent; use spaces");
  CHECK(outcome("a: b: c\n").starts_with("1:5: "));
  CHECK(outcome("a: [1\n") == R"(2:1: expected "," or "]" in the list; the list begins at line 1)");
  CHECK(outcome("a: \"x\n") == "1:4: the quotes that open here are not closed");
  CHECK(outcome("a: 1\n  b: 2\n")
            .starts_with("2:4: a second \": \" in the line, or too many spaces"));
  CHECK(outcome("a: 'x' y\n").starts_with("1:8: expected a key here"));
  CHECK(outcome("a: !e!x 1\n") == "1:4: found undefined tag handle");  // its own words do
  CHECK(outcome("a: 1\r\nb: 2\r\nc: @\r\n").starts_with("3:4: "));
}

TEST_CASE("a duplicate key is refused with both places") {
  CHECK(outcome("a: 1\nb: 2\na: 3\n") == "3:1: duplicate key \"a\", first 2 lines above");
  CHECK(outcome("{\"a\":1,\"a\":2}") == "1:8: duplicate key \"a\", first on the same line");
  CHECK(outcome("a: 1\n\"a\": 2\n") == "2:1: duplicate key \"a\", first 1 line above");
  std::string many;
  for (int i = 0; i < 40; ++i) many += "k" + std::to_string(i) + ": 1\n";
  CHECK(outcome(many) == "ok");
  CHECK(outcome(many + "k3: 1\n") == "41:1: duplicate key \"k3\", first 37 lines above");
}

TEST_CASE("duplicate keys are taken down with their paths where a reader asks for them") {
  std::vector<DocumentError> duplicates;
  const auto documents = read_documents(
      "a: {b: [x, {c: 1, c: 2}]}\nlabels:\n  d.e/f: 1\n  d.e/f: 2\na: 3\n", {}, &duplicates);
  REQUIRE(documents.has_value());
  std::string found;
  for (const DocumentError& d : duplicates) {
    found += std::to_string(d.position.line) + ":" + std::to_string(d.position.column) + " " +
             d.path + ": " + d.message + "\n";
  }
  CHECK(found ==
        "1:19 a.b[1].c: duplicate key \"c\", first on the same line\n"
        "4:3 labels[d.e/f]: duplicate key \"d.e/f\", first 1 line above\n"
        "5:1 a: duplicate key \"a\", first 4 lines above\n");
  const Node& root = documents->front().root;
  CHECK(root.keys.size() == 2);
  CHECK(root.find("a")->kind == Node::Kind::kMapping);  // the first one stays

  std::string many = "k: 0\n";
  for (std::size_t i = 0; i <= kMaxDuplicates; ++i) many += "k: 1\n";
  duplicates.clear();
  CHECK_FALSE(read_documents(many, {}, &duplicates).has_value());
  CHECK(duplicates.size() == kMaxDuplicates);
}

TEST_CASE("keys that are not strings are refused") {
  CHECK(outcome("? [a]\n: 1\n") == "1:3: a key must be a string");
  CHECK(outcome("? \n: 1\n").find("an empty key") != std::string::npos);
  CHECK(outcome("~: 1\n") == "ok");
}

TEST_CASE("aliases are expanded, within the limits") {
  CHECK(json_of("a: &x {k: [1, v]}\nb: *x\nc: [*x]\n") ==
        R"({"a":{"k":[1,"v"]},"b":{"k":[1,"v"]},"c":[{"k":[1,"v"]}]})");
  CHECK(json_of("a: &x one\n*x : 2\n") == R"({"a":"one","one":2})");
  CHECK(outcome("a: *gone\n") == "1:4: alias *gone has no anchor &gone before it");
  CHECK(outcome("a: &x [*x]\n") == "1:8: alias *x has no anchor &x before it");
  CHECK(outcome("a: &x 1\n---\nb: *x\n") == "3:4: alias *x has no anchor &x before it");
}

TEST_CASE("a bomb of aliases ends at the limit of nodes, or of bytes") {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const auto before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int j = 0; j < 9; ++j) bomb += ", " + before;
    bomb += "]\n";
  }
  CHECK(outcome(bomb).find("aliases expand to more than 2000000 nodes") != std::string::npos);
  std::string wide = "a: &a " + std::string(100'000, 'x') + "\nb: [";
  for (int i = 0; i < 1'000; ++i) wide += "*a, ";
  CHECK(outcome(wide + "1]\n").find("aliases expand to more than 16777216 bytes") !=
        std::string::npos);
  std::string deep = "a: &a0 [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]\n";
  for (int i = 1; i < 5; ++i) {
    deep += "b" + std::to_string(i) + ": &a" + std::to_string(i) + " [[[[[[[[[[[[[[[[[[[[*a" +
            std::to_string(i - 1) + "]]]]]]]]]]]]]]]]]]]]\n";
  }
  CHECK(outcome(deep).find("aliases nest deeper than 64 levels") != std::string::npos);
}

TEST_CASE("merge keys give what is not given, earlier mappings first") {
  CHECK(json_of("a: &a {x: 1, w: 1}\nb: &b {w: 2, z: 2}\nc:\n  <<: [*a, *b]\n  x: 0\n") ==
        R"({"a":{"x":1,"w":1},"b":{"w":2,"z":2},"c":{"x":0,"w":1,"z":2}})");
  CHECK(json_of("a: &a {x: 1}\nb: {<<: *a}\n") == R"({"a":{"x":1},"b":{"x":1}})");
  CHECK(json_of("{\"<<\": 1}") == R"({"<<":1})");  // quoted, it is a key like any other
  CHECK(outcome("<<: 1\n") == "1:1: << can merge only mappings");
  CHECK(outcome("<<: [1]\n") == "1:1: << can merge only mappings");
  CHECK(outcome("<<: {a: 1}\n<<: {b: 1}\n") == "2:1: duplicate key \"<<\"");
}

TEST_CASE("limits on bytes, depth and nodes") {
  CHECK(outcome("a: 12345", {.max_bytes = 8}) == "ok");
  CHECK(outcome("a: 123456", {.max_bytes = 8}) == "1:1: larger than 8 bytes");
  CHECK(outcome(std::string(64, '[') + std::string(64, ']')) == "ok");
  CHECK(outcome(std::string(65, '[') + std::string(65, ']')) ==
        "1:65: nested deeper than 64 levels");
  CHECK(outcome(std::string(200'000, '[')) == "1:65: nested deeper than 64 levels");
  CHECK(outcome("[1, 2, 3]", {.max_nodes = 4}) == "ok");
  CHECK(outcome("[1, 2, 3, 4]", {.max_nodes = 4}).ends_with("more than 4 nodes"));
  CHECK(outcome("a: &a [1, 2]", {.max_nodes = 6}).find("more than 6") != std::string::npos);
}

TEST_CASE("tags of the core schema are honoured, others refused") {
  CHECK(json_of("a: !!str 1\nb: !!int \"3\"\nc: !!float 1\nd: !!bool 'yes'\ne: !!null ''\n") ==
        R"({"a":"1","b":3,"c":1,"d":true,"e":null})");
  CHECK(json_of("a: !!map {}\nb: !!seq []\nc: ! 5\n") == R"({"a":{},"b":[],"c":"5"})");
  CHECK(outcome("a: !!int x\n") == "1:10: \"x\" is not a !!int");
  CHECK(outcome("a: !ruby x\n").find("tag \"!ruby\" is not supported") != std::string::npos);
  CHECK(outcome("a: !!binary eA==\n").find("is not supported") != std::string::npos);
  CHECK(outcome("a: !!map [1]\n").find("is not supported here") != std::string::npos);
  CHECK(outcome("a: !set {x: 1}\n").find("is not supported here") != std::string::npos);
}

TEST_CASE("plain scalars mean what kubectl's reader makes of them") {
  struct Row {
    std::string_view text, json;
  };
  // The right column is what sigs.k8s.io/yaml's YAMLToJSON answers.
  constexpr Row kRows[] = {
      {"yes", "true"},
      {"No", "false"},
      {"on", "true"},
      {"OFF", "false"},
      {"y", "true"},
      {"N", "false"},
      {"true", "true"},
      {"yEs", "\"yEs\""},
      {"~", "null"},
      {"Null", "null"},
      {"nUll", "\"nUll\""},
      {"0", "0"},
      {"-7", "-7"},
      {"+7", "7"},
      {"0x1F", "31"},
      {"0o17", "15"},
      {"017", "15"},
      {"08", "8"},
      {"0b101", "5"},
      {"-0b11", "-3"},
      {"1_000", "1000"},
      {"1.50", "1.5"},
      {".5", "0.5"},
      {"1e3", "1000"},
      {"-1E-2", "-0.01"},
      {"1.", "1"},
      {".inf", "0"},
      {".nan", "0"},
      {"1e", "\"1e\""},
      {".", "\".\""},
      {"1.2.3", "\"1.2.3\""},
      {"v1", "\"v1\""},
      {"0xZZ", "\"0xZZ\""},
      {"0x", "\"0x\""},
      {"2026-12-31", "\"2026-12-31\""},
      {"-0", "0"},
      {"-0.0", "0"},
      {"--1", "\"--1\""},
      {"18446744073709551615", "18446744073709551615"},
      {"99999999999999999999", "99999999999999999999"},
      {"-99999999999999999999", "-99999999999999999999"},
      {"0xFFFFFFFFFFFFFFFFFFFF", "1e999"},
      {"-0xFFFFFFFFFFFFFFFFFFFF", "-1e999"},
      {"1e999", "1e999"},
      {"-1e999", "-1e999"},
      {"1e+", "\"1e+\""},
      {"offline", "\"offline\""},
      {"12x", "\"12x\""},
      {"Node", "\"Node\""},
  };
  for (const auto& row : kRows) {
    CAPTURE(row.text);
    // "- -" would be a list, so the value stands in one of its own.
    CHECK(json_of("a: [ " + std::string(row.text) + " ]") ==
          "{\"a\":[" + std::string(row.json) + "]}");
  }
  CHECK(json_of("on: 1\n3: 2\nx: \"\\x01\\\\\"\n~: 4\n") ==
        R"({"true":1,"3":2,"x":"\u0001\\","~":4})");
}

TEST_CASE("predicates tell texts, booleans and numbers apart") {
  const Node root = read_one("[word, 'yes', yes, off, 12, 1.5, ~, {}]");
  const auto& items = root.items;
  CHECK(items[0].is_text());
  CHECK(items[1].is_text());
  CHECK_FALSE(items[1].is_bool());
  CHECK(items[2].is_bool());
  CHECK(items[2].bool_value());
  CHECK(items[3].is_bool());
  CHECK_FALSE(items[3].bool_value());
  CHECK_FALSE(items[3].is_text());
  CHECK(items[4].is_number());
  CHECK(items[5].is_number());
  CHECK_FALSE(items[6].is_text());
  CHECK_FALSE(items[7].is_number());
  CHECK_FALSE(items[0].is_number());
}

TEST_CASE("a block scalar says whether its lines are lines of the text") {
  const Node root = read_one("a: |\n  x\n  y\nb: >\n  x\n  y\n");
  CHECK(root.find("a")->literal);
  CHECK(root.find("a")->text == "x\ny\n");
  CHECK(root.find("a")->position.line == 2);
  CHECK_FALSE(root.find("b")->literal);
}

nlohmann::json any_json(int depth) {
  switch (*rc::gen::inRange(0, depth > 0 ? 6 : 4)) {
    case 0:
      return nullptr;
    case 1:
      return *rc::gen::arbitrary<bool>();
    case 2:
      return *rc::gen::arbitrary<std::int64_t>();
    case 3: {
      std::string text;
      for (const int point : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 0x250))) {
        if (point >= 0x7F && point < 0xA0) continue;  // no part of a YAML text
        if (point < 0x80) {
          text += static_cast<char>(point);
        } else {
          text += static_cast<char>(0xC0 | (point >> 6));
          text += static_cast<char>(0x80 | (point & 0x3F));
        }
      }
      return text;
    }
    case 4: {
      auto list = nlohmann::json::array();
      for (int i = *rc::gen::inRange(0, 4); i > 0; --i) list.push_back(any_json(depth - 1));
      return list;
    }
    default: {
      auto object = nlohmann::json::object();
      for (int i = *rc::gen::inRange(0, 4); i > 0; --i) {
        object["k" + std::to_string(*rc::gen::inRange(0, 100))] = any_json(depth - 1);
      }
      return object;
    }
  }
}

TEST_CASE("a node with an anchor or a tag stands where its own text begins") {
  const std::string text =
      "a: &x  # why\n  !!str \"one\"\nb: [&y two, !<tag:yaml.org,2002:str> three, *y]\n"
      "c: !!map &z\n  d: &w |\n    four\n";
  const Node root = read_one(text);
  const auto source = [&](const Node& node) {
    return text.substr(node.position.offset, node.end_offset - node.position.offset);
  };
  CHECK(source(*root.find("a")) == "\"one\"");
  CHECK(place(*root.find("a")) == "2:9");
  CHECK(source(root.find("b")->items[0]) == "two");
  CHECK(source(root.find("b")->items[1]) == "three");
  CHECK(source(root.find("b")->items[2]) == "two");  // of the anchor
  CHECK(place(*root.find("c")) == "5:3");
  CHECK(place(*root.find("c")->find("d")) == "6:1");
  CHECK(root.find("c")->find("d")->text == "four\n");
  CHECK(place(read_one("&p #\xE2\x80\xA9p\n")) == "1:8");  // U+2029 ends a comment
  CHECK(place(read_one("&e:z")) == "1:3");                 // as libyaml reads it
  CHECK(place(read_one("| #\xC2\x85 x\n")) == "1:6");      // and U+0085 a header
}

TEST_CASE("directives are bounded: the parser compares each with each") {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "%TAG !t" + std::to_string(i) + "! tag:x,2000:\n";
  CHECK(outcome(text + "---\na: |\n  %TAG\n") == "ok");
  CHECK(outcome(text + "%TAG !u! tag:x,2000:\n---\na\n") == "101:1: more than 100 %TAG directives");
}

TEST_CASE("any JSON comes back as the same JSON, however it is laid out") {
  CHECK(rc::check([] {
    const auto value = any_json(4);
    if (value.is_null()) return;  // an empty document
    for (const int indent : {-1, 0, 2}) {
      const auto documents = read_documents(value.dump(indent, ' ', indent == 0));
      RC_ASSERT(documents.has_value());
      std::string out;
      append_json(documents->at(0).root, out);
      RC_ASSERT(nlohmann::json::parse(out) == value);
    }
  }));
}

TEST_CASE("no text brings the reader down") {
  CHECK(rc::check([] {
    const auto text = *rc::gen::container<std::string>(
        rc::gen::elementOf(std::string("ab:-[]{},&*!|>'\"\\%@`#?~<\n \t0.\xC3\xA4")));
    const auto documents = read_documents(text);
    if (!documents) {
      RC_ASSERT(!documents.error().message.empty());
      RC_ASSERT(documents.error().position.offset <= text.size());
    }
  }));
}

}  // namespace
}  // namespace belay::policy
