#include "core/collective/expression.hpp"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <string_view>

#include "core/base/error.hpp"
#include "core/base/text.hpp"

namespace lockstep {
namespace {

constexpr std::int64_t largest = std::int64_t{1} << 40;
constexpr int deepest = 64;

// Binary operators by precedence, the weakest first; longer ones before their beginnings.
constexpr std::array<std::array<std::string_view, 4>, 10> levels{{{"||"},
                                                                  {"&&"},
                                                                  {"|"},
                                                                  {"^"},
                                                                  {"&"},
                                                                  {"==", "!="},
                                                                  {"<=", ">=", "<", ">"},
                                                                  {"<<", ">>"},
                                                                  {"+", "-"},
                                                                  {"*", "/", "%"}}};

class Parser {
 public:
  Parser(const Expression& expression, const Variables& variables)
      : expression_(expression), text_(expression.text), variables_(variables) {}

  std::int64_t value() {
    const std::int64_t result = binary(0);
    skip_blanks();
    if (at_ < text_.size()) fail(fmt::format("unexpected '{}'", text_.substr(at_)));
    return result;
  }

 private:
  [[noreturn]] void fail(const std::string& message) const {
    throw InputError(fmt::format("{}: '{}': {}", expression_.position.text(), expression_.text, message));
  }
  void skip_blanks() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  [[nodiscard]] std::int64_t bounded(std::int64_t value) const {
    if (value > largest || value < -largest) fail("a value beyond 2^40");
    return value;
  }

  // The operator of this level that stands here; & is not the beginning of &&, nor < that of <<.
  std::string_view operator_at(std::size_t level) {
    skip_blanks();
    for (const std::string_view name : levels[level]) {
      if (name.empty() || text_.substr(at_, name.size()) != name) continue;
      const char next = at_ + name.size() < text_.size() ? text_[at_ + name.size()] : ' ';
      if (name.size() == 1 && (name == "&" || name == "|" || name == "<" || name == ">") &&
          (next == name.front() || ((name == "<" || name == ">") && next == '=')))
        continue;
      return name;
    }
    return {};
  }

  std::int64_t binary(std::size_t level) {
    if (level == levels.size()) return unary();
    std::int64_t left = binary(level + 1);
    for (;;) {
      const std::string_view name = operator_at(level);
      if (name.empty()) return left;
      at_ += name.size();
      left = bounded(apply(name, left, binary(level + 1)));
    }
  }

  [[nodiscard]] std::int64_t apply(std::string_view name, std::int64_t a, std::int64_t b) const {
    if (name == "||") return a != 0 || b != 0 ? 1 : 0;
    if (name == "&&") return a != 0 && b != 0 ? 1 : 0;
    if (name == "|") return a | b;
    if (name == "^") return a ^ b;
    if (name == "&") return a & b;
    if (name == "==") return a == b ? 1 : 0;
    if (name == "!=") return a != b ? 1 : 0;
    if (name == "<=") return a <= b ? 1 : 0;
    if (name == ">=") return a >= b ? 1 : 0;
    if (name == "<") return a < b ? 1 : 0;
    if (name == ">") return a > b ? 1 : 0;
    if (name == "+") return a + b;
    if (name == "-") return a - b;
    if (name == "*") {
      if (a != 0 && (b > largest / (a < 0 ? -a : a) || b < -largest / (a < 0 ? -a : a))) fail("a value beyond 2^40");
      return a * b;
    }
    if (name == "<<" || name == ">>") {
      if (b < 0 || b > 40) fail(fmt::format("a shift by {}", b));
      if (name == ">>") return a >> b;
      if (a > (largest >> b) || a < -(largest >> b)) fail("a value beyond 2^40");
      return a * (std::int64_t{1} << b);
    }
    if (b == 0) fail("division by zero");
    const std::int64_t remainder = a % b;
    const bool wraps = remainder != 0 && (remainder < 0) != (b < 0);
    if (name == "/") return a / b - (wraps ? 1 : 0);
    return wraps ? remainder + b : remainder;
  }

  std::int64_t unary() {
    if (++depth_ > deepest) fail(fmt::format("nested more than {} deep", deepest));
    const std::int64_t result = operand();
    --depth_;
    return result;
  }

  std::int64_t operand() {
    skip_blanks();
    if (at_ == text_.size()) fail("ends where a value is expected");
    const char first = text_[at_];
    if (first == '-') {
      ++at_;
      return -unary();
    }
    if (first == '!') {
      ++at_;
      return unary() == 0 ? 1 : 0;
    }
    if (first == '(') {
      ++at_;
      const std::int64_t result = binary(0);
      skip_blanks();
      if (at_ == text_.size() || text_[at_] != ')') fail("a ')' is missing");
      ++at_;
      return result;
    }
    if (std::isdigit(static_cast<unsigned char>(first)) != 0) return number();
    if (std::isalpha(static_cast<unsigned char>(first)) != 0) return name();
    fail(fmt::format("unexpected '{}'", text_.substr(at_)));
  }

  std::int64_t number() {
    std::int64_t value = 0;
    const std::size_t begin = at_;
    for (; at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_])) != 0; ++at_)
      value = bounded(value * 10 + (text_[at_] - '0'));
    if (at_ < text_.size() && (std::isalpha(static_cast<unsigned char>(text_[at_])) != 0 || text_[at_] == '.'))
      fail(fmt::format("'{}' is no whole number", text_.substr(begin)));
    return value;
  }

  std::int64_t name() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 || text_[at_] == '_'))
      ++at_;
    const std::string_view word = text_.substr(begin, at_ - begin);
    for (auto variable = variables_.rbegin(); variable != variables_.rend(); ++variable)
      if (variable->first == word) return variable->second;
    std::vector<std::string> known;
    for (const auto& [variable, value] : variables_) known.push_back(variable);
    fail(unknown_name("name", word, known));
  }

  const Expression& expression_;
  std::string_view text_;
  const Variables& variables_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

std::int64_t evaluate(const Expression& expression, const Variables& variables) {
  return Parser(expression, variables).value();
}

config::Type<Expression> expression_type() {
  return config::Type<Expression>(
      [](const config::Node& node, config::Diagnostics& diagnostics) -> std::optional<Expression> {
        if (node.kind != config::Node::Kind::scalar || node.scalar.empty()) {
          diagnostics.error(node.position, "expected a whole number or an expression such as 'r + 1', got " +
                                               config::detail::describe(node));
          return std::nullopt;
        }
        return Expression{node.scalar, node.position};
      },
      config::Json{{"anyOf", config::Json::array({config::Json{{"type", "integer"}},
                                                  config::Json{{"type", "string"}, {"minLength", 1}}})}});
}

}  // namespace lockstep
