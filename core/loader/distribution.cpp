#include "core/loader/distribution.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/faults/draws.hpp"

namespace lockstep {
namespace {

/// Twelve uniform draws of 16 bits, their sum centred: mean 0, deviation 1.
double normal(Draws& draws) {
  std::int64_t sum = 0;
  for (int i = 0; i < 3; ++i) {
    const std::uint64_t bits = draws.bits();
    for (int part = 0; part < 4; ++part) sum += static_cast<std::int64_t>((bits >> (16 * part)) & 0xFFFF);
  }
  return static_cast<double>(2 * sum - 12 * 65535) / (2 * 65536.0);
}

std::int64_t whole(double value) { return value <= 0 ? 0 : static_cast<std::int64_t>(value + 0.5); }

}  // namespace

std::int64_t Distribution::draw(std::uint64_t key) const {
  if (shape == Shape::fixed) return mean;
  Draws draws(key);
  const auto centre = static_cast<double>(mean);
  const auto width = static_cast<double>(deviation);
  switch (shape) {
    case Shape::uniform:
      return whole(centre + width * std::sqrt(3.0) * (2 * draws.uniform() - 1));
    case Shape::exponential:
      return whole(centre * draws.exponential());
    case Shape::normal:
      return whole(centre + width * normal(draws));
    case Shape::quantiles: {
      const double place = draws.uniform() * static_cast<double>(quantiles.size() - 1);
      const auto below = std::min(static_cast<std::size_t>(place), quantiles.size() - 2);
      const double share = place - static_cast<double>(below);
      return whole(static_cast<double>(quantiles[below]) +
                   share * static_cast<double>(quantiles[below + 1] - quantiles[below]));
    }
    case Shape::fixed:
      break;
  }
  return mean;
}

std::int64_t Distribution::expected() const {
  if (shape != Shape::quantiles) return mean;
  double sum = 0;
  for (std::size_t i = 0; i + 1 < quantiles.size(); ++i)
    sum += (static_cast<double>(quantiles[i]) + static_cast<double>(quantiles[i + 1])) / 2;
  return whole(sum / static_cast<double>(quantiles.size() - 1));
}

namespace {

template <class Quantity>
struct Keys {
  std::optional<Quantity> mean, deviation;
  std::optional<Distribution::Shape> shape;
  std::optional<std::vector<Quantity>> quantiles;
};

template <class Quantity>
config::Type<Distribution> distribution_of(const config::Type<Quantity>& quantity) {
  using Shape = Distribution::Shape;
  const auto map =
      config::record<Keys<Quantity>>("distribution", "A value that varies: mean and deviation, or quantiles.")
          .optional("mean", &Keys<Quantity>::mean, quantity, "its mean")
          .optional("deviation", &Keys<Quantity>::deviation, quantity, "its standard deviation; default 0")
          .optional("shape", &Keys<Quantity>::shape,
                    config::choice<Shape>(
                        "shape",
                        {{"normal", Shape::normal}, {"uniform", Shape::uniform}, {"exponential", Shape::exponential}}),
                    "default normal; exponential has the deviation of its mean")
          .optional("quantiles", &Keys<Quantity>::quantiles, config::list(quantity, 2),
                    "values at equal steps of probability from 0 to 1, ascending")
          .rule([](const Keys<Quantity>& keys, const config::Node& node, config::Diagnostics& diagnostics) {
            if (keys.quantiles && (keys.mean || keys.deviation || keys.shape))
              diagnostics.error(node.position, "'quantiles' say it all; remove the other keys");
            else if (!keys.quantiles && !keys.mean)
              diagnostics.error(node.position, "a distribution needs 'mean' or 'quantiles'");
            if (keys.quantiles && !std::is_sorted(keys.quantiles->begin(), keys.quantiles->end()))
              diagnostics.error(node.position, "'quantiles' must ascend");
            if (keys.shape == Shape::exponential && keys.deviation)
              diagnostics.error(node.position, "'exponential' has the deviation of its mean; remove 'deviation'");
          })
          .type();
  return config::Type<Distribution>(
      [quantity, map](const config::Node& node, config::Diagnostics& diagnostics) -> std::optional<Distribution> {
        if (node.kind != config::Node::Kind::map) {
          const auto value = quantity.read(node, diagnostics);
          if (!value) return std::nullopt;
          return fixed(*value);
        }
        const auto keys = map.read(node, diagnostics);
        if (!keys) return std::nullopt;
        Distribution read;
        if (keys->quantiles) {
          read.shape = Shape::quantiles;
          for (const auto& value : *keys->quantiles) read.quantiles.push_back(value.count());
          read.mean = read.expected();
          return read;
        }
        read.mean = keys->mean->count();
        read.deviation = keys->deviation ? keys->deviation->count() : 0;
        read.shape = keys->shape.value_or(Shape::normal);
        if (read.deviation == 0 && read.shape != Shape::exponential) read.shape = Shape::fixed;
        return read;
      },
      config::Json{{"oneOf", config::Json::array({quantity.schema(), map.schema()})}});
}

}  // namespace

config::Type<Distribution> duration_distribution() { return distribution_of(config::duration()); }
config::Type<Distribution> bytes_distribution() { return distribution_of(config::bytes()); }

}  // namespace lockstep
