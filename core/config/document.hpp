// A YAML document as a tree of nodes that know where they stand. Only core/config includes yaml-cpp.
//
// Contract:
//  - one document per file; an empty file, a second document, a duplicate key, an anchor cycle, a tab in the
//  indentation, a merge key,
//    a tag, a directive, a control character or text that is not UTF-8 is an error; aliases are copies of what they
//    name;
//  - limits, so that no file can exhaust memory or stack: 16 MiB of text, 64 levels, 1,000,000 values after aliases;
//  - scalars stay text here: what they mean is decided by the type that reads them (core/config/type.hpp);
//  - every node knows file, line and column (1-based, in characters) of its first character; an absent value (`key:`)
//  stands
//    where its key stands; a value of `--set` has the file "--set KEY=VALUE" and line 0.
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
  std::string scalar;          ///< text of a scalar
  bool quoted = false;         ///< the scalar was quoted: never a number or a boolean
  std::vector<Node> items;     ///< of a sequence
  std::vector<Entry> entries;  ///< of a map, in file order

  [[nodiscard]] const Node* find(std::string_view key) const;  ///< in a map; nullptr if absent
  /// Of a key of a map, for a message about it; of the node itself if the key is absent.
  [[nodiscard]] const Position& position_of(std::string_view key) const;
};

struct Node::Entry {
  std::string key;
  Position key_position;
  Node value;
};

/// What a scalar is by its looks, as JSON and YAML 1.2 see it: `true`, `12`, `-1.5e3`; `malformed_number` is what other
/// readers would take for a number of some kind and we refuse to guess (`010`, `+1`, `0x10`, `1_000`, `.5`, `.inf`).
enum class ScalarKind { text, boolean, number, malformed_number };
ScalarKind scalar_kind(const Node& scalar);

/// Collects every error of a file; nothing is thrown before the whole file has been read.
class Diagnostics {
 public:
  void error(const Position& position, const std::string& message);
  void warning(const Position& position, const std::string& message);
  [[nodiscard]] bool has_errors() const { return !errors_.empty(); }
  [[nodiscard]] const std::vector<std::string>& errors() const { return errors_; }
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }
  /// Throws InputError with all errors (the first 100, and how many more there are), one a line ("file:line:column:
  /// message"), in the order of their positions.
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

inline constexpr std::size_t max_file_bytes = 16U << 20;
inline constexpr std::size_t max_depth = 64;
inline constexpr std::size_t max_nodes = 1'000'000;

/// Applies "a.b.c=value" to a document (the part after "topology."): maps are walked and created; list elements are
/// reached by index ("links.0.bandwidth"); a list does not grow. `value` is YAML, empty for null; `prefix`
/// ("topology.") is put before the key in messages, so that they show what was typed. Throws InputError.
void set_key(Node& root, std::string_view dotted_key, std::string_view value, std::string_view prefix = {});

/// Canonical JSON text of the tree (keys in file order, scalars as text), for hashes of what was read after --set:
/// comments, layout and style of quoting do not count.
std::string canonical_text(const Node& root);

}  // namespace lockstep::config
