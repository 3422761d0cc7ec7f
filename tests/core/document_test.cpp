// Does the document keep text, order and positions, and is everything that YAML readers pass over in silence an error?
#include "core/config/document.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/base/error.hpp"
#include "tests/core/messages.hpp"

namespace lockstep::config {
namespace {

Node parse(std::string_view text) { return parse_text(text, "x.yaml"); }
std::string error(std::string_view text) {
  return test::message_of<InputError>([&] { parse(text); });
}
std::string canonical(std::string_view text) { return canonical_text(parse(text)); }

TEST(Document, KeepsTextOrderAndPositions) {
  const Node root = parse("b: 010\na: [x, 'y', ~, 1.50]\nc:\n  d: {e: true}\n  f:\n");
  EXPECT_EQ(canonical_text(root), R"({"b":"010","a":["x","y",null,"1.50"],"c":{"d":{"e":"true"},"f":null}})");
  ASSERT_NE(root.find("a"), nullptr);
  EXPECT_EQ(root.find("z"), nullptr);
  EXPECT_EQ(root.position.text(), "x.yaml:1:1");
  const Node& list = *root.find("a");
  EXPECT_EQ(list.position.text(), "x.yaml:2:4");
  EXPECT_EQ(list.items[1].position.text(), "x.yaml:2:8");
  EXPECT_TRUE(list.items[1].quoted);
  EXPECT_FALSE(list.items[0].quoted);
  EXPECT_EQ(list.items[2].position.text(), "x.yaml:2:13");
  const Node& map = *root.find("c");
  EXPECT_EQ(map.entries[0].key_position.text(), "x.yaml:4:3");
  EXPECT_EQ(map.find("d")->find("e")->position.text(), "x.yaml:4:10");
  EXPECT_EQ(map.find("f")->position.text(), "x.yaml:5:3");  // an absent value stands where its key stands
}

TEST(Document, CountsColumnsInCharacters) {
  EXPECT_EQ(parse("{\"\xC3\xA4\xE2\x82\xAC\": x}").entries[0].value.position.text(), "x.yaml:1:8");
  EXPECT_EQ(parse("\xEF\xBB\xBF"
                  "a: x")
                .entries[0]
                .value.position.text(),
            "x.yaml:1:4");
  EXPECT_EQ(canonical("a: 1\r\nb: 2\r\n"), R"({"a":"1","b":"2"})");
}

TEST(Document, CopiesAliases) {
  const Node root = parse("a: &link {rate: 1Gbps}\nb: *link\n");
  EXPECT_EQ(canonical_text(root), R"({"a":{"rate":"1Gbps"},"b":{"rate":"1Gbps"}})");
  EXPECT_EQ(root.find("b")->position.text(), "x.yaml:1:4");
}

TEST(Document, RefusesWhatOthersPassOver) {
  EXPECT_EQ(error(""), "x.yaml: is empty");
  EXPECT_EQ(error("# only a comment\n"), "x.yaml: is empty");
  EXPECT_EQ(error("a: 1\n---\nb: 2\n"), "x.yaml:2:1: a second document; a file holds one");
  EXPECT_EQ(error("a: 1\nb: 2\na: 3\n"), "x.yaml:3:1: duplicate key 'a'; it stands at line 1, column 1 already");
  EXPECT_EQ(error("{a: 1, a: 2, b: {c: 1, c: 2}}"),
            "x.yaml:1:8: duplicate key 'a'; it stands at line 1, column 2 already\n"
            "x.yaml:1:24: duplicate key 'c'; it stands at line 1, column 18 already");
  EXPECT_EQ(error("a:\n\tb: 1\n"), "x.yaml:2:1: a tab in the indentation; YAML indents with spaces");
  EXPECT_EQ(error(std::string_view("a: 1\nb\0c: 2\n", 12)), "x.yaml:2:2: a NUL byte; this is not a text file");
  EXPECT_EQ(error("a: \xFF\n"), "x.yaml:1:4: byte 0xFF is not UTF-8; save the file as UTF-8");
  EXPECT_EQ(error("a: \xC0\x80\n"), "x.yaml:1:4: byte 0xC0 is not UTF-8; save the file as UTF-8");
  EXPECT_EQ(error("a: \xED\xA0\x80\n"), "x.yaml:1:4: byte 0xED is not UTF-8; save the file as UTF-8");
  EXPECT_EQ(error("\xFF\xFE"
                  "a"),
            "x.yaml:1:1: byte 0xFF is not UTF-8; save the file as UTF-8");
  EXPECT_EQ(error("a: \x1B[0m\n"), "x.yaml:1:4: the control character 0x1B; this is not a text file");
  EXPECT_EQ(error("a: 1\rb: 2\r"),
            "x.yaml:1:5: a carriage return without a line feed; save the file with Unix or Windows line ends");
  EXPECT_EQ(error("%YAML 1.1\n---\na: 1\n"), "x.yaml:1:1: YAML directives (%) are not supported");
  EXPECT_EQ(error("a: !!int 5\n"), "x.yaml:1:4: the YAML tag 'tag:yaml.org,2002:int'; tags are not supported");
  EXPECT_EQ(error("a: {<<: {b: 1}}\n"), "x.yaml:1:5: merge keys (<<) are not supported; write the keys out");
  EXPECT_EQ(error("? [a]\n: b\n"),
            "x.yaml:1:3: a list or map as a key, or a bracket that is never closed; keys are plain names");
  EXPECT_EQ(error("a: &k b\n*k : c\n"), "x.yaml:2:1: an alias as a key; keys are plain names");
  EXPECT_EQ(error("'': b\n"), "x.yaml:1:1: an empty key");
  EXPECT_EQ(error("a: &k [*k]\n"), "x.yaml:1:8: an alias inside the value that it names");
  EXPECT_EQ(error("a: *nobody\n"), "x.yaml:1:4: not YAML: the referenced anchor is not defined");
  EXPECT_EQ(error("a: [1, 2\nb: 3\n"), "x.yaml:2:2: not YAML: end of sequence flow not found");
  EXPECT_EQ(error("a: &k \"b\\\"\n"), "x.yaml:1:4: the quote \" is never closed");
  EXPECT_EQ(canonical("a: &k 'it''s'\nb: ! \"\\\"\"\n'c': |\n  'd\n"), R"({"a":"it's","b":"\"","c":"'d\n"})");
  EXPECT_EQ(error("a: 'b\n"), "x.yaml:1:4: the quote ' is never closed");
}

TEST(Document, IsBounded) {
  EXPECT_EQ(parse(std::string(64, '[') + std::string(64, ']')).kind, Node::Kind::sequence);
  EXPECT_EQ(error(std::string(65, '[') + std::string(65, ']')), "x.yaml:1:65: nested more than 64 levels deep");
  EXPECT_EQ(error(std::string(100'000, '[')),
            "x.yaml:1:1: a list or map as a key, or a bracket that is never closed; keys are plain names");
  std::string laughs = "a0: &a0 [x, x]\n";
  for (int i = 1; i < 40; ++i) laughs += fmt::format("a{}: &a{} [*a{}, *a{}]\n", i, i, i - 1, i - 1);
  EXPECT_EQ(error(laughs), "x.yaml:17:6: more than 1000000 values (aliases count as what they name)");
  std::string nested = "a0: &a0 [x]\n";
  for (int i = 1; i < 70; ++i) nested += fmt::format("a{}: &a{} [*a{}]\n", i, i, i - 1);
  EXPECT_EQ(error(nested), "x.yaml:64:12: nested more than 64 levels deep");
  EXPECT_EQ(error(std::string(max_file_bytes + 1, ' ')),
            "x.yaml: larger than 16 MiB, the limit for a file of this kind");
}

TEST(Document, SaysWhyAFileCannotBeRead) {
  namespace fs = std::filesystem;
  const auto load_error = [](const std::string& path) {
    return test::message_of<InputError>([&] { load_file(path); });
  };
  const fs::path folder = fs::path(testing::TempDir()) / "lockstep_document_test";
  fs::remove_all(folder);
  fs::create_directories(folder);
  const std::string name = (folder / "lab_star4.yaml").string();
  EXPECT_EQ(load_error(name), name + ": no such file");
  std::ofstream(name) << "a: 1\n";
  EXPECT_EQ(canonical_text(load_file(name)), R"({"a":"1"})");
  EXPECT_EQ(load_error((folder / "lab_star.yaml").string()),
            (folder / "lab_star.yaml").string() + ": no such file; did you mean '" + name + "'?");
  EXPECT_EQ(load_error(folder.string()), folder.string() + ": is a directory, a YAML file is needed");
  EXPECT_EQ(load_error(""), "the name of a file is empty");
  std::ofstream(name) << std::string(max_file_bytes + 1, '#');
  EXPECT_EQ(load_error(name), name + ": larger than 16 MiB, the limit for a file of this kind");
  fs::permissions(name, fs::perms::none);
  if (!std::ifstream(name)) {  // root reads everything
    EXPECT_EQ(load_error(name), name + ": cannot be read (check its permissions)");
  }
  fs::remove_all(folder);
}

TEST(Document, SetsKeys) {
  Node root = parse("a: {b: 1}\nlinks: [{rate: 1}, {rate: 2}]\nempty:\n");
  set_key(root, "a.b", "2");
  set_key(root, "a.c.d", "{x: [y]}");
  set_key(root, "links.1.rate", "3Gbps");
  set_key(root, "empty.k", "v");
  set_key(root, "a.e", "");
  EXPECT_EQ(
      canonical_text(root),
      R"({"a":{"b":"2","c":{"d":{"x":["y"]}},"e":null},"links":[{"rate":"1"},{"rate":"3Gbps"}],"empty":{"k":"v"}})");
  EXPECT_EQ(root.find("links")->items[1].find("rate")->position.text(), "--set links.1.rate=3Gbps");
  Node nothing;
  set_key(nothing, "a", "1");
  EXPECT_EQ(canonical_text(nothing), R"({"a":"1"})");

  const auto set_error = [&](std::string_view key, std::string_view value) {
    return test::message_of<InputError>([&] { set_key(root, key, value); });
  };
  EXPECT_EQ(set_error("a.b.c", "1"), "--set a.b.c=1: 'a.b' is the value '2' and has no keys");
  EXPECT_EQ(set_error("links.2.rate", "1"),
            "--set links.2.rate=1: 'links' is a list with the elements 0 to 1; there is no element '2'");
  EXPECT_EQ(set_error("links.first", "1"),
            "--set links.first=1: 'links' is a list with the elements 0 to 1; there is no element 'first'");
  EXPECT_EQ(test::message_of<InputError>([&] { set_key(root, "a.b.c", "1", "topology."); }),
            "--set topology.a.b.c=1: 'a.b' is the value '2' and has no keys");
  EXPECT_EQ(set_error("a..b", "1"), "--set a..b=1: an empty key; keys are joined by single dots ('a.b.c')");
  EXPECT_EQ(set_error("", "1"), "--set =1: an empty key; keys are joined by single dots ('a.b.c')");
  EXPECT_EQ(set_error("a", "[1"),
            "--set a=[1:1:1: a list or map as a key, or a bracket that is never closed; keys are plain names");
}

TEST(Document, KnowsWhatScalarsLookLike) {
  const auto kind = [](const std::string& text) {
    Node node;
    node.kind = Node::Kind::scalar;
    node.scalar = text;
    return scalar_kind(node);
  };
  for (const char* text : {"0", "-1", "12", "1.50", "1e3", "-0.5E-7"})
    EXPECT_EQ(kind(text), ScalarKind::number) << text;
  for (const char* text : {"010", "+1", "0x1F", "0o17", "1_000", ".5", "5.", "-.inf", ".nan", "00", "01.5", "1_0.5e3"})
    EXPECT_EQ(kind(text), ScalarKind::malformed_number) << text;
  for (const char* text : {"true", "false"}) EXPECT_EQ(kind(text), ScalarKind::boolean) << text;
  for (const char* text : {"", "-", "True", "yes", "1Gbps", "1.2.3", "e5", "1e", "_1", ".", "-x", "0x", "inf"})
    EXPECT_EQ(kind(text), ScalarKind::text) << text;
}

TEST(Diagnostics, AreInTheOrderOfPositions) {
  Diagnostics diagnostics;
  diagnostics.error({"f", 3, 1}, "third");
  diagnostics.error({"f", 1, 9}, "second");
  diagnostics.error({"f", 1, 2}, "first");
  diagnostics.error({"f", 3, 1}, "fourth");
  diagnostics.warning({"f", 1, 1}, "aside");
  EXPECT_EQ(diagnostics.warnings(), (std::vector<std::string>{"f:1:1: aside"}));
  EXPECT_EQ(test::message_of<InputError>([&] { diagnostics.throw_if_errors(); }),
            "f:1:2: first\nf:1:9: second\nf:3:1: third\nf:3:1: fourth");
  for (int i = 0; i < 100; ++i) diagnostics.error({"f", 4, i}, "more");
  EXPECT_NE(test::message_of<InputError>([&] { diagnostics.throw_if_errors(); }).find("\n... and 4 more errors"),
            std::string::npos);
}

}  // namespace
}  // namespace lockstep::config
