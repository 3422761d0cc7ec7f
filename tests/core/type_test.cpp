// Do declarations read, check and describe what they declare?
#include "core/config/type.hpp"

#include <gtest/gtest.h>

#include "core/base/error.hpp"
#include "tests/core/messages.hpp"

namespace lockstep::config {
namespace {

template <class T>
std::optional<T> read(const Type<T>& type, const std::string& text) {
  Diagnostics diagnostics;
  return type.read(parse_text(text, "f"), diagnostics);
}
template <class T>
std::string error(const Type<T>& type, const std::string& text) {
  Diagnostics diagnostics;
  const bool good = type.read(parse_text(text, "f"), diagnostics).has_value();
  EXPECT_EQ(good, !diagnostics.has_errors());
  return test::message_of<InputError>([&] { diagnostics.throw_if_errors(); });
}

TEST(Types, ReadScalars) {
  EXPECT_EQ(read(text(), "ring"), "ring");
  EXPECT_EQ(read(text(), "'12'"), "12");
  EXPECT_EQ(read(boolean(), "true"), true);
  EXPECT_EQ(read(integer(-5, 5), "-5"), -5);
  EXPECT_EQ(read(number(0, 1), "2.5e-1"), 0.25);
  EXPECT_EQ(read(fraction(), "0.1%"), 0.001);
  EXPECT_EQ(read(fraction(), "0.001"), 0.001);
  EXPECT_EQ(read(bandwidth(), "'1Gbps'"), 1_Gbps);
  EXPECT_EQ(read(maybe(bytes()), "~"), std::optional<std::optional<Bytes>>(std::optional<Bytes>{}));
  EXPECT_EQ(read(maybe(bytes()), "1B")->value(), 1_B);
  EXPECT_EQ(read(any(), "[1]")->items.size(), 1U);
}

TEST(Types, RefuseScalars) {
  EXPECT_EQ(error(text(), "true"), "f:1:1: expected text, got the boolean 'true'; put it in quotes");
  EXPECT_EQ(error(text(), "010"), "f:1:1: expected text, got the number '010'; put it in quotes");
  EXPECT_EQ(error(text(), "''"), "f:1:1: expected text, got an empty one");
  EXPECT_EQ(error(text(), "\"a\\nb\""), "f:1:1: expected text on one line, got a line end or a control character");
  EXPECT_EQ(error(text(), "[a]"), "f:1:1: expected text, got a list");
  EXPECT_EQ(error(boolean(), "'true'"), "f:1:1: expected true or false, got 'true' in quotes");
  EXPECT_EQ(error(integer(0, 9), "9999999999999999999999"),
            "f:1:1: must be between 0 and 9, is 9999999999999999999999");
  EXPECT_EQ(error(integer(0, 9), "1e1"), "f:1:1: expected a whole number, got '1e1'");
  EXPECT_EQ(error(integer(0, 9), "{}"), "f:1:1: expected a whole number, got a map");
  EXPECT_EQ(error(number(0, 1), "1.5"), "f:1:1: must be between 0 and 1, is 1.5");
  EXPECT_EQ(error(number(0, std::numeric_limits<double>::infinity()), "-1"), "f:1:1: must be at least 0, is -1");
  EXPECT_EQ(error(number(0, 1), "x"), "f:1:1: expected a number, got 'x'");
  EXPECT_EQ(error(number(0, 1), "1e999"), "f:1:1: '1e999' is out of the range of numbers");
  EXPECT_EQ(error(number(-9, 9).positive(), "0"), "f:1:1: must be positive, is 0");
  EXPECT_EQ(error(fraction(), "150%"), "f:1:1: must be between 0 and 1, is 1.5");
  EXPECT_EQ(error(fraction(), "half"), "f:1:1: 'half' is not a fraction; write 0.1% or 0.001");
  EXPECT_EQ(error(bandwidth().positive(), "0bps"), "f:1:1: must be positive, is 0bps");
  EXPECT_EQ(error(bandwidth(), "-1Gbps"), "f:1:1: '-1Gbps' is negative; a bandwidth is 0 or more");
  EXPECT_EQ(error(duration(), "[1us]"), "f:1:1: expected a duration such as 2us, got a list");
  EXPECT_EQ(error(name_of("colour", {"red", "green"}), "gren"),
            "f:1:1: unknown colour 'gren'; did you mean 'green'? known: red, green");
}

struct Point {
  Position position;
  int x = 1;
  std::optional<int> y;
  std::vector<std::string> labels;
};

Type<Point> point_type() {
  return record<Point>("point", "A point.")
      .required("x", &Point::x, integer(0, 100), "across")
      .optional("y", &Point::y, integer(0, 100), "up")
      .optional("labels", &Point::labels, one_or_list(text()), "names")
      .keep_position(&Point::position)
      .rule([](const Point& point, const Node& node, Diagnostics& diagnostics) {
        if (point.x == point.y) diagnostics.error(node.position, "x and y are equal");
      })
      .type();
}

TEST(Records, ReadFields) {
  const auto point = read(point_type(), "\n\n  {x: 3, labels: a}");
  ASSERT_TRUE(point);
  EXPECT_EQ(point->position.text(), "f:3:3");
  EXPECT_EQ(point->x, 3);
  EXPECT_FALSE(point->y);
  EXPECT_EQ(point->labels, (std::vector<std::string>{"a"}));
  EXPECT_EQ(read(point_type(), "{x: 3, y: 4, labels: [a, b]}")->y, 4);
}

TEST(Records, ReportEverything) {
  EXPECT_EQ(error(point_type(), "{z: 1, y: 101, labels: []}"),
            "f:1:1: the point lacks the key 'x'\n"
            "f:1:2: unknown point key 'z'; did you mean 'x'? known: x, y, labels\n"
            "f:1:11: must be between 0 and 100, is 101\n"
            "f:1:24: needs at least 1 element");
  EXPECT_EQ(error(point_type(), "{x: 5, y: 5}"), "f:1:1: x and y are equal");
  EXPECT_EQ(error(list(point_type(), 2), "[{x: 1}, 7]"), "f:1:10: expected a map with the keys of a point, got '7'");
  EXPECT_EQ(error(list(point_type(), 2), "[{x: 1}]"), "f:1:1: needs at least 2 elements");
}

TEST(Records, DescribeThemselves) {
  EXPECT_EQ(point_type().schema().dump(),
            R"({"type":"object","title":"point","description":"A point.","properties":{"x":{"type":"integer",)"
            R"("minimum":0,"maximum":100,)"
            R"("description":"across"},"y":{"type":"integer","minimum":0,"maximum":100,"description":"up"},)"
            R"("labels":{"oneOf":[{"type":"string",)"
            R"("pattern":"^[^\\x00-\\x1f\\x7f]+$"},{"type":"array","items":{"type":"string",)"
            R"("pattern":"^[^\\x00-\\x1f\\x7f]+$"},"minItems":1}],)"
            R"("description":"names"}},"additionalProperties":false,"required":["x"]})");
}

}  // namespace
}  // namespace lockstep::config
