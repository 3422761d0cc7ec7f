// YAML text to Node, through the events of yaml-cpp's parser: its node API drops duplicate keys and second documents.
#include <fmt/format.h>
#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <cctype>
#include <sstream>
#include <unordered_map>
#include <utility>

#include "core/base/error.hpp"
#include "core/config/document.hpp"

namespace lockstep::config {
namespace {

/// Stops the parse; the message has its position.
struct Refusal {
  Position position;
  std::string message;
};

/// The text by lines, to turn byte columns into character columns.
class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text) {
    begins_.push_back(0);
    for (std::size_t i = 0; i < text.size(); ++i)
      if (text[i] == '\n') begins_.push_back(i + 1);
  }
  [[nodiscard]] std::size_t count() const { return begins_.size(); }
  [[nodiscard]] std::string_view line(std::size_t index) const {
    if (index >= begins_.size()) return {};
    const std::size_t end = index + 1 < begins_.size() ? begins_[index + 1] - 1 : text_.size();
    return text_.substr(begins_[index], end - begins_[index]);
  }
  [[nodiscard]] std::string_view from(std::size_t index, std::size_t byte) const {
    return index < begins_.size() ? text_.substr(std::min(begins_[index] + byte, text_.size())) : std::string_view{};
  }
  /// 1-based column of a byte offset in a line.
  [[nodiscard]] int column(std::size_t line_index, std::size_t byte) const {
    const std::string_view text = line(line_index).substr(0, byte);
    const auto continuation = std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) == 0x80; });
    return static_cast<int>(byte - static_cast<std::size_t>(continuation)) + 1;
  }

 private:
  std::string_view text_;
  std::vector<std::size_t> begins_;
};

/// Length of the well-formed UTF-8 sequence at `at` (Unicode 15, table 3-7); 0 if there is none.
std::size_t utf8_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U; };
  const auto within = [&](std::size_t i, unsigned low, unsigned high) { return byte(i) >= low && byte(i) <= high; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return within(1, 0x80, 0xBF) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const unsigned low = first == 0xE0 ? 0xA0 : 0x80, high = first == 0xED ? 0x9F : 0xBF;
    return within(1, low, high) && within(2, 0x80, 0xBF) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const unsigned low = first == 0xF0 ? 0x90 : 0x80, high = first == 0xF4 ? 0x8F : 0xBF;
    return within(1, low, high) && within(2, 0x80, 0xBF) && within(3, 0x80, 0xBF) ? 4 : 0;
  }
  return 0;
}

/// What can be seen in the characters alone, before any YAML.
void check_characters(const Lines& lines, const std::string& file) {
  for (std::size_t index = 0; index < lines.count(); ++index) {
    std::string_view line = lines.line(index);
    const auto refuse = [&](std::size_t at, const std::string& message) {
      throw Refusal{{file, static_cast<int>(index) + 1, lines.column(index, at)}, message};
    };
    const bool last = index + 1 == lines.count();
    if (!last && !line.empty() && line.back() == '\r') line.remove_suffix(1);
    bool indentation = true;
    std::size_t tab = std::string_view::npos;
    for (std::size_t at = 0; at < line.size();) {
      const auto c = static_cast<unsigned char>(line[at]);
      const std::size_t length = utf8_length(line, at);
      if (length == 0) refuse(at, fmt::format("byte 0x{:02X} is not UTF-8; save the file as UTF-8", c));
      if (c == 0) refuse(at, "a NUL byte; this is not a text file");
      if (c == '\r') refuse(at, "a carriage return without a line feed; save the file with Unix or Windows line ends");
      if ((c < 0x20 && c != '\t') || c == 0x7F)
        refuse(at, fmt::format("the control character 0x{:02X}; this is not a text file", c));
      if (indentation && c == '\t' && tab == std::string_view::npos) tab = at;
      if (indentation && c != ' ' && c != '\t') {
        indentation = false;
        if (tab != std::string_view::npos && c != '#')
          refuse(tab, "a tab in the indentation; YAML indents with spaces");
      }
      at += length;
    }
    if (!line.empty() && line.front() == '%') refuse(0, "YAML directives (%) are not supported");
  }
}

class Builder final : public YAML::EventHandler {
 public:
  Builder(const Lines& lines, const std::string& file, Diagnostics& diagnostics)
      : lines_(lines), file_(file), diagnostics_(diagnostics) {}

  Node take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) throw Refusal{position(mark), "a second document; a file holds one"};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Node node = make(Node::Kind::null, mark);
    const std::string_view line = lines_.line(line_of(mark)), here = line.substr(std::min(line.size(), byte_of(mark)));
    const bool written =
        here.starts_with('~') || here.starts_with("null") || here.starts_with("Null") || here.starts_with("NULL");
    if (!written && !frames_.empty())
      node.position = frames_.back().has_key ? frames_.back().key_position : frames_.back().node.position;
    if (key_expected()) throw Refusal{node.position, "an empty key"};
    add(std::move(node), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (key_expected()) throw Refusal{position(mark), "an alias as a key; keys are plain names"};
    const auto known = anchors_.find(anchor);
    if (known == anchors_.end()) throw Refusal{position(mark), "an alias inside the value that it names"};
    count(position(mark), known->second.nodes);
    if (frames_.size() + known->second.depth > max_depth) throw too_deep(position(mark));
    for (auto& frame : frames_) frame.depth = std::max(frame.depth, known->second.depth + depth_below(frame));
    attach(known->second.node);  // with the positions of the original: that is where a wrong value can be put right
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    check_tag(mark, tag);
    Node node = make(Node::Kind::scalar, mark);
    node.scalar = value;
    node.quoted = tag == "!";
    if (node.quoted) check_closed(mark, node.position);
    if (key_expected()) {
      set_key(std::move(node));
      return;
    }
    add(std::move(node), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(Node::Kind::sequence, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(Node::Kind::map, mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

  [[nodiscard]] int documents() const { return documents_; }
  [[nodiscard]] Position position(const YAML::Mark& mark) const {
    if (mark.is_null()) return {file_, 0, 0};
    return {file_, mark.line + 1, lines_.column(line_of(mark), byte_of(mark))};
  }

 private:
  struct Frame {
    Node node;
    YAML::anchor_t anchor = 0;
    bool has_key = false;
    std::string key;
    Position key_position;
    std::unordered_map<std::string, Position> seen;
    std::size_t nodes_before = 0;
    std::size_t level = 0;  ///< 1: the outermost collection
    std::size_t depth = 1;  ///< levels of collections from this one down
  };
  struct Anchored {
    Node node;
    std::size_t nodes = 0;
    std::size_t depth = 0;
  };

  static std::size_t line_of(const YAML::Mark& mark) { return static_cast<std::size_t>(std::max(mark.line, 0)); }
  static std::size_t byte_of(const YAML::Mark& mark) { return static_cast<std::size_t>(std::max(mark.column, 0)); }
  [[nodiscard]] std::size_t depth_below(const Frame& frame) const { return frames_.size() - frame.level + 1; }
  static Refusal too_deep(const Position& position) {
    return {position, fmt::format("nested more than {} levels deep", max_depth)};
  }

  Node make(Node::Kind kind, const YAML::Mark& mark) {
    Node node;
    node.kind = kind;
    node.position = position(mark);
    return node;
  }

  void count(const Position& position, std::size_t nodes) {
    nodes_ += nodes;
    if (nodes_ + kept_ > max_nodes)
      throw Refusal{position, fmt::format("more than {} values (aliases count as what they name)", max_nodes)};
  }

  void check_tag(const YAML::Mark& mark, const std::string& tag) const {
    if (!tag.empty() && tag != "?" && tag != "!")
      throw Refusal{position(mark), fmt::format("the YAML tag '{}'; tags are not supported", tag)};
  }

  /// yaml-cpp 0.7 takes the end of the text for the closing quote.
  void check_closed(const YAML::Mark& mark, const Position& position) const {
    std::string_view text = lines_.from(line_of(mark), byte_of(mark));
    while (!text.empty() && (text.front() == '&' || text.front() == '!')) {  // anchor and tag stand before the scalar
      text.remove_prefix(std::min(text.size(), text.find_first_of(" \t\r\n")));
      text.remove_prefix(std::min(text.size(), text.find_first_not_of(" \t\r\n")));
    }
    if (text.empty() || (text.front() != '\'' && text.front() != '"')) return;  // a block scalar ends where it ends
    const char quote = text.front();
    for (std::size_t at = 1; at < text.size(); ++at) {
      if (quote == '"' && text[at] == '\\')
        ++at;
      else if (quote == '\'' && text[at] == quote && at + 1 < text.size() && text[at + 1] == quote)
        ++at;
      else if (text[at] == quote)
        return;
    }
    throw Refusal{position, fmt::format("the quote {} is never closed", quote)};
  }

  [[nodiscard]] bool key_expected() const {
    return !frames_.empty() && frames_.back().node.kind == Node::Kind::map && !frames_.back().has_key;
  }

  void set_key(Node node) {
    Frame& frame = frames_.back();
    if (node.scalar.empty()) throw Refusal{node.position, "an empty key"};
    if (node.scalar == "<<" && !node.quoted)
      throw Refusal{node.position, "merge keys (<<) are not supported; write the keys out"};
    const auto [first, fresh] = frame.seen.emplace(node.scalar, node.position);
    if (!fresh) {
      diagnostics_.error(node.position, fmt::format("duplicate key '{}'; it stands at line {}, column {} already",
                                                    node.scalar, first->second.line, first->second.column));
    }
    frame.has_key = true;
    frame.key = std::move(node.scalar);
    frame.key_position = std::move(node.position);
  }

  void open(Node::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    check_tag(mark, tag);
    if (key_expected())
      throw Refusal{position(mark), "a list or map as a key, or a bracket that is never closed; keys are plain names"};
    count(position(mark), 1);
    if (frames_.size() >= max_depth) throw too_deep(position(mark));
    Frame frame;
    frame.node = make(kind, mark);
    frame.anchor = anchor;
    frame.nodes_before = nodes_ - 1;
    frame.level = frames_.size() + 1;
    frames_.push_back(std::move(frame));
    for (auto& outer : frames_) outer.depth = std::max(outer.depth, depth_below(outer));
  }

  void close() {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    if (frame.anchor != 0) keep(frame.anchor, {frame.node, nodes_ - frame.nodes_before, frame.depth});
    attach(std::move(frame.node));
  }

  void add(Node node, YAML::anchor_t anchor) {
    count(node.position, 1);
    if (anchor != 0) keep(anchor, {node, 1, 0});
    attach(std::move(node));
  }

  /// What an anchor names is kept as a copy, which counts too: anchors inside anchors would multiply.
  void keep(YAML::anchor_t anchor, Anchored anchored) {
    kept_ += anchored.nodes;
    count(anchored.node.position, 0);
    anchors_[anchor] = std::move(anchored);
  }

  void attach(Node node) {
    if (frames_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& frame = frames_.back();
    if (frame.node.kind == Node::Kind::sequence) {
      frame.node.items.push_back(std::move(node));
      return;
    }
    frame.node.entries.push_back({std::move(frame.key), std::move(frame.key_position), std::move(node)});
    frame.has_key = false;
  }

  const Lines& lines_;
  const std::string& file_;
  Diagnostics& diagnostics_;
  Node root_;
  std::vector<Frame> frames_;
  std::unordered_map<YAML::anchor_t, Anchored> anchors_;
  std::size_t nodes_ = 0;
  std::size_t kept_ = 0;
  int documents_ = 0;
};

}  // namespace

Node parse_text(std::string_view text, const std::string& name) {
  if (text.size() > max_file_bytes) {
    throw InputError(
        fmt::format("{}: larger than {} MiB, the limit for a file of this kind", name, max_file_bytes >> 20));
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // a byte order mark says nothing in UTF-8
  Diagnostics diagnostics;
  const Lines lines(text);
  Builder builder(lines, name, diagnostics);
  try {
    check_characters(lines, name);
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Refusal& refusal) {
    diagnostics.error(refusal.position, refusal.message);
  } catch (const YAML::DeepRecursion& error) {
    diagnostics.error(builder.position(error.mark), fmt::format("nested more than {} levels deep", max_depth));
  } catch (const YAML::Exception& error) {
    diagnostics.error(builder.position(error.mark), "not YAML: " + error.msg);
  }
  if (!diagnostics.has_errors() && builder.documents() == 0) diagnostics.error({name, 0, 0}, "is empty");
  diagnostics.throw_if_errors();
  return builder.take();
}

}  // namespace lockstep::config
