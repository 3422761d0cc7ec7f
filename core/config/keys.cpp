#include "core/config/keys.hpp"

#include <algorithm>
#include <map>

namespace lockstep::config {
namespace {

bool is_neutral(const Node& value) {
  if (value.kind == Node::Kind::null || value.scalar == "false") return true;
  if (value.kind != Node::Kind::scalar || value.scalar.empty() || value.scalar[0] != '0') return false;
  return std::none_of(value.scalar.begin(), value.scalar.end(), [](char c) { return c >= '1' && c <= '9'; });
}

class Collector {
 public:
  void visit(const Node& node, const std::string& path, const Position& position) {
    switch (node.kind) {
      case Node::Kind::map:
        for (const auto& entry : node.entries)
          visit(entry.value, path.empty() ? entry.key : path + "." + entry.key, entry.key_position);
        return;
      case Node::Kind::sequence:
        if (std::none_of(node.items.begin(), node.items.end(), [](const Node& item) {
              return item.kind == Node::Kind::map || item.kind == Node::Kind::sequence;
            })) {
          add(path, node.position.line == 0 ? node.position : position, false);
          return;
        }
        for (const auto& item : node.items) visit(item, path + ".*", item.position);
        return;
      case Node::Kind::scalar:
      case Node::Kind::null:
        // A value of --set has its own position (line 0); the key may stand in the file.
        add(path, node.position.line == 0 ? node.position : position, is_neutral(node));
    }
  }
  std::vector<GivenKey> take() { return std::move(keys_); }

 private:
  void add(const std::string& path, const Position& position, bool neutral) {
    const auto [found, fresh] = index_.emplace(path, keys_.size());
    if (fresh) keys_.push_back({path, position, false, true});
    GivenKey& key = keys_[found->second];
    const bool by_setting = position.line == 0;
    if (by_setting && !key.by_setting) key.position = position;  // what was typed says more than the file
    key.by_setting = key.by_setting || by_setting;
    key.neutral = key.neutral && neutral;
  }

  std::vector<GivenKey> keys_;
  std::map<std::string, std::size_t> index_;
};

}  // namespace

std::vector<GivenKey> given_keys(const Node& root) {
  Collector collector;
  collector.visit(root, "", root.position);
  return collector.take();
}

}  // namespace lockstep::config
