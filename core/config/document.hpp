// A YAML document as a tree of nodes that know where they stand. Only core/config includes yaml-cpp.
//
// Contract:
//  - one document per file; a second one, a duplicate key, an anchor cycle, a tab or a number written as `010` is an error;
//  - scalars stay text here: what they mean is decided by the type that reads them (core/config/type.hpp);
//  - every node knows file, line and column (1-based) of its first character; `--set` values have the file "--set".
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep::config {

struct Position {
  std::string file;
  int line = 0;    ///< 1-based; 0: the file as a whole
  int column = 0;  ///< 1-based

  [[nodiscard]] std::string text() const;  ///< "file:line:column", or "file" where line is 0
};

struct Node {
  enum class Kind { null, scalar, sequence, map };
  struct Entry;

  Kind kind = Kind::null;
  Position position;
  std::string scalar;           ///< text of a scalar
  bool quoted = false;          ///< the scalar was quoted: never a number or a boolean
  std::vector<Node> items;      ///< of a sequence
  std::vector<Entry> entries;   ///< of a map, in file order

  [[nodiscard]] const Node* find(std::string_view key) const;  ///< in a map; nullptr if absent
};

struct Node::Entry {
  std::string key;
  Position key_position;
  Node value;
};

/// Collects every error of a file; nothing is thrown before the whole file has been read.
class Diagnostics {
 public:
  void error(const Position& position, const std::string& message);
  void warning(const Position& position, const std::string& message);
  [[nodiscard]] bool has_errors() const { return !errors_.empty(); }
  [[nodiscard]] const std::vector<std::string>& errors() const { return errors_; }
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }
  /// Throws InputError with all errors, one a line ("file:line:column: message"), in the order of their positions.
  void throw_if_errors() const;

 private:
  std::vector<std::string> errors_;  // kept sorted by (line, column) of their positions, stable
  std::vector<std::pair<int, int>> order_;
  std::vector<std::string> warnings_;
};

/// Reads and parses a file. Throws InputError ("topologies/x.yaml: no such file", or the YAML error with its position).
Node load_file(const std::string& path);
/// The same from text; `name` stands for the file in messages. This is what the fuzzers call.
Node parse_text(std::string_view text, const std::string& name);

/// Applies "a.b.c=value" to a document (the part after "topology."): maps are walked and created; list elements are
/// reached by index ("links.0.bandwidth"). `value` is YAML. Throws InputError.
void set_key(Node& root, std::string_view dotted_key, std::string_view value);

/// Canonical JSON text of the tree (keys in file order), for hashes of what was read after --set.
std::string canonical_text(const Node& root);

}  // namespace lockstep::config
