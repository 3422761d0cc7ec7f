#include <fmt/format.h>

#include "core/faults/fault.hpp"

namespace lockstep {
namespace {

/// As the file has it: the effects stand beside the target.
struct Flat : Fault {
  std::optional<double> bandwidth, loss, slow;
  std::optional<Duration> jitter;
  bool down = false;
  bool kill = false;

  [[nodiscard]] Fault fault() const {
    Fault fault = static_cast<const Fault&>(*this);
    fault.effects = {bandwidth, down, loss, jitter, slow, kill};
    return fault;
  }
};

/// A rank as a number, or the word `any`.
config::Type<std::string> rank_or_any() {
  const auto number = config::integer(0, (1 << 24) - 1);
  return config::Type<std::string>(
      [number](const config::Node& node, config::Diagnostics& diagnostics) -> std::optional<std::string> {
        if (node.kind == config::Node::Kind::scalar && node.scalar == "any") return node.scalar;
        const auto value = number.read(node, diagnostics);
        return value ? std::optional(std::to_string(*value)) : std::nullopt;
      },
      config::Json{{"oneOf", config::Json::array({number.schema(), config::Json{{"const", "any"}}})}});
}

struct EffectName {
  const char* key;
  bool on_link;
  bool on_node;
  bool on_rank;
};

// A fault of a node is one of all its links to others, or of all its ranks.
constexpr EffectName effect_names[] = {{"bandwidth", true, true, false}, {"down", true, true, false},
                                       {"loss", true, true, false},      {"jitter", true, true, false},
                                       {"slow", false, true, true},      {"kill", false, true, true}};

void check_target_and_effects(const Fault& fault, const config::Node& node, config::Diagnostics& diagnostics) {
  const int targets = (fault.link ? 1 : 0) + (fault.node ? 1 : 0) + (fault.rank ? 1 : 0);
  if (targets != 1) {
    diagnostics.error(node.position, fmt::format("a fault hits one thing: give 'link', 'node' or 'rank', {}",
                                                 targets == 0 ? "of which there is none here" : "not several of them"));
    return;
  }
  bool any_effect = false;
  for (const auto& effect : effect_names) {
    if (node.find(effect.key) == nullptr) continue;
    any_effect = true;
    const bool possible = fault.link ? effect.on_link : fault.node ? effect.on_node : effect.on_rank;
    if (possible) continue;
    diagnostics.error(
        node.position_of(effect.key),
        fault.link ? fmt::format("a link has no '{}'; ranks and nodes have (rank: N, node: NAME)", effect.key)
                   : fmt::format("a rank has no '{}'; links and nodes have (link: A-B, node: NAME)", effect.key));
  }
  if (!any_effect)
    diagnostics.error(node.position,
                      "a fault without an effect: give one of bandwidth, down, loss, jitter, slow, kill");
  for (const char* key : {"down", "kill"})
    if (const config::Node* value = node.find(key); value != nullptr && value->scalar == "false")
      diagnostics.error(value->position, fmt::format("'{}: false' says nothing; remove it", key));
  if (fault.effects.down)
    for (const char* key : {"bandwidth", "loss", "jitter"})
      if (node.find(key) != nullptr)
        diagnostics.error(node.position_of(key), fmt::format("a link that is down carries nothing; remove '{}'", key));
  if (fault.effects.kill && fault.effects.slow)
    diagnostics.error(node.position_of("slow"), "a rank that is killed does nothing; remove 'slow'");
}

void check_times(const Fault& fault, const config::Node& node, config::Diagnostics& diagnostics) {
  if (fault.at && fault.every)
    diagnostics.error(node.position_of("at"), "give 'at' (once) or 'every' (at random), not both");
  if (fault.seed && !fault.every)
    diagnostics.error(node.position_of("seed"), "'seed' is for faults at random; add 'every', or remove it");
  if (fault.effects.kill && fault.length)
    diagnostics.error(node.position_of("for"), "a killed rank does not come back; remove 'for'");
  if (fault.every) return;
  for (const char* key : {"link", "node", "rank"})
    if (const config::Node* value = node.find(key); value != nullptr && value->scalar == "any")
      diagnostics.error(value->position,
                        fmt::format("'{}: any' is drawn at random; add 'every', or name the {}", key, key));
}

}  // namespace

config::Type<std::vector<Fault>> faults_type() {
  const auto of_fault = [](auto Fault::*field) {
    return static_cast<std::remove_reference_t<decltype(std::declval<Fault&>().*field)> Flat::*>(field);
  };
  const auto below_one = config::fraction().where([](const double& value) -> std::optional<std::string> {
    if (value < 1) return std::nullopt;
    return "a link that loses every packet is down; write 'down: true'";
  });
  const auto share = config::fraction().where([](const double& value) -> std::optional<std::string> {
    if (value > 0) return std::nullopt;
    return "a link without bandwidth is down; write 'down: true'";
  });
  const auto flat =
      config::record<Flat>("fault", "A disturbance: one target, when, and what happens to it.")
          .optional("at", of_fault(&Fault::at), config::duration(), "when it begins; default 0s, the start")
          .optional("for", of_fault(&Fault::length), config::duration().positive(), "how long; absent: to the end")
          .optional("every", of_fault(&Fault::every), config::duration().positive(),
                    "at random instead of 'at': the mean time from one beginning to the next")
          .optional("seed", of_fault(&Fault::seed), config::integer(0, std::int64_t{1} << 62),
                    "of the random times and targets; absent: the seed of the run")
          .optional("link", of_fault(&Fault::link), config::text(),
                    "the link between two devices or nodes, A-B; any: one of the network's, drawn each time")
          .optional("node", of_fault(&Fault::node), config::text(), "a machine, by name; any: drawn each time")
          .optional("rank", of_fault(&Fault::rank), rank_or_any(), "a rank; any: drawn each time")
          .optional("bandwidth", &Flat::bandwidth, share, "what is left of the link's bandwidth: 50%")
          .optional("down", &Flat::down, config::boolean(), "the link carries nothing")
          .optional("loss", &Flat::loss, below_one, "probability that a packet is lost")
          .optional("jitter", &Flat::jitter, config::duration().positive(),
                    "messages come later by a draw between 0s and this")
          .optional("slow", &Flat::slow, config::number(1, 1e6), "processor and kernels take so many times as long")
          .optional("kill", &Flat::kill, config::boolean(), "the rank, or all ranks of the node, end")
          .keep_position(static_cast<config::Position Flat::*>(&Fault::position))
          .rule([](const Flat& keys, const config::Node& node, config::Diagnostics& diagnostics) {
            check_target_and_effects(keys.fault(), node, diagnostics);
            check_times(keys.fault(), node, diagnostics);
          })
          .type();
  const config::Type<Fault> element(
      [flat](const config::Node& node, config::Diagnostics& diagnostics) -> std::optional<Fault> {
        const auto keys = flat.read(node, diagnostics);
        return keys ? std::optional(keys->fault()) : std::nullopt;
      },
      flat.schema());
  return config::list(element, 1);
}

}  // namespace lockstep
