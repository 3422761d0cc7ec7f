// Whole-number expressions of algorithm files: "r + 1", "(r - k) % n", "r & 1 << k", "r < n / 2".
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/config/type.hpp"

namespace lockstep {

/// Names with their values, the innermost last.
using Variables = std::vector<std::pair<std::string, std::int64_t>>;

struct Expression {
  std::string text;
  config::Position position;
};

/// Operators as in C, by falling precedence: - ! (of one operand); * / %; + -; << >>; < <= > >=; == !=; &; ^; |; &&;
/// ||. Division rounds down and a % b lies in 0..b-1, so that (r - 1) % n is a rank. Comparisons are 0 or 1. Throws
/// InputError at its position: a syntax error, an unknown name (with the nearest), division by zero, a value beyond
/// 2^40.
std::int64_t evaluate(const Expression& expression, const Variables& variables);

/// A whole number, or text that is an expression.
config::Type<Expression> expression_type();

}  // namespace lockstep
