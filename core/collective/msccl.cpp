#include "core/collective/msccl.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <pugixml.hpp>
#include <set>

#include "core/base/error.hpp"
#include "core/base/hash.hpp"
#include "core/base/text.hpp"
#include "core/config/text_file.hpp"

namespace lockstep {
namespace {

constexpr int max_ranks = 1024;
constexpr std::int64_t max_number = 1 << 16;

const std::map<std::string, CollectiveKind, std::less<>> kinds{{"allreduce", CollectiveKind::all_reduce},
                                                               {"allgather", CollectiveKind::all_gather},
                                                               {"reduce_scatter", CollectiveKind::reduce_scatter},
                                                               {"reducescatter", CollectiveKind::reduce_scatter},
                                                               {"alltoall", CollectiveKind::all_to_all},
                                                               {"broadcast", CollectiveKind::broadcast},
                                                               {"reduce", CollectiveKind::reduce},
                                                               {"gather", CollectiveKind::gather},
                                                               {"scatter", CollectiveKind::scatter}};

// What a step is made of: receive, combine with src, store at dst, send.
struct Type {
  bool receives = false, combines = false, stores = false, sends = false;
};
const std::map<std::string, Type, std::less<>> types{
    {"s", {false, false, false, true}},   {"r", {true, false, true, false}},  {"rcs", {true, false, true, true}},
    {"rrc", {true, true, true, false}},   {"rrs", {true, true, false, true}}, {"rrcs", {true, true, true, true}},
    {"cpy", {false, false, true, false}}, {"re", {false, true, true, false}}, {"nop", {}}};

template <class Map>
std::vector<std::string> names_in(const Map& map) {
  std::vector<std::string> names;
  for (const auto& [name, value] : map) names.push_back(name);
  return names;
}

class Reader {
 public:
  Reader(std::string_view text, const std::string& file) : text_(text), file_(file) {}

  CustomAlgorithm read(int ranks) {
    pugi::xml_document document;
    const auto outcome = document.load_buffer(text_.data(), text_.size(), pugi::parse_default, pugi::encoding_utf8);
    if (!outcome) throw InputError(fmt::format("{}: {}", position(outcome.offset).text(), outcome.description()));
    const pugi::xml_node algo = document.document_element();
    if (std::string_view(algo.name()) != "algo")
      throw InputError(fmt::format("{}: expected <algo>, the root of an MSCCL algorithm, got <{}>",
                                   position(algo.offset_debug()).text(), algo.name()));
    read_algo(algo, ranks);
    diagnostics_.throw_if_errors();
    check_algorithm(algorithm_, diagnostics_);
    diagnostics_.throw_if_errors();
    return std::move(algorithm_);
  }

 private:
  [[nodiscard]] config::Position position(std::ptrdiff_t offset) const {
    const auto end = std::min(text_.size(), static_cast<std::size_t>(std::max<std::ptrdiff_t>(offset, 0)));
    config::Position position{file_, 1, 1};
    for (std::size_t i = 0; i < end; ++i) {
      if (text_[i] == '\n') {
        ++position.line;
        position.column = 1;
      } else if ((static_cast<unsigned char>(text_[i]) & 0xC0U) != 0x80U) {
        ++position.column;
      }
    }
    return position;
  }
  void error(const pugi::xml_node& node, const std::string& message) {
    diagnostics_.error(position(node.offset_debug()), message);
  }

  // Attributes and children by name, or an error at the element.
  void allow(const pugi::xml_node& node, const std::vector<std::string>& attributes, std::string_view child) {
    for (const auto& attribute : node.attributes())
      if (std::find(attributes.begin(), attributes.end(), attribute.name()) == attributes.end())
        error(node, unknown_name(fmt::format("attribute of <{}>", node.name()), attribute.name(), attributes));
    for (const auto& inner : node.children())
      if (inner.type() == pugi::node_element && child != inner.name())
        error(inner, child.empty() ? fmt::format("<{}> holds no elements, got <{}>", node.name(), inner.name())
                                   : fmt::format("expected <{}> in <{}>, got <{}>", child, node.name(), inner.name()));
  }
  std::string text_of(const pugi::xml_node& node, const char* name) {
    const auto attribute = node.attribute(name);
    if (!attribute) error(node, fmt::format("<{}> lacks the attribute '{}'", node.name(), name));
    return attribute.value();
  }
  std::int64_t number(const pugi::xml_node& node, const char* name, std::int64_t least, std::int64_t most,
                      std::optional<std::int64_t> absent = std::nullopt) {
    if (absent && !node.attribute(name)) return *absent;
    const auto before = diagnostics_.errors().size();
    const std::string text = text_of(node, name);
    if (diagnostics_.errors().size() != before) return least;
    std::int64_t value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc{} || end != text.data() + text.size() || value < least || value > most) {
      error(node, fmt::format("{}=\"{}\" of <{}>: expected a whole number from {} to {}", name, text, node.name(),
                              least, most));
      return least;
    }
    return value;
  }

  void read_algo(const pugi::xml_node& algo, int ranks) {
    allow(algo,
          {"name", "proto", "nchannels", "nchunksperloop", "ngpus", "coll", "inplace", "outofplace", "redop",
           "minBytes", "maxBytes"},
          "gpu");
    algorithm_.name = text_of(algo, "name");
    algorithm_.file = file_;
    algorithm_.sha256 = sha256(text_);
    const std::string coll = text_of(algo, "coll");
    const auto kind = kinds.find(coll);
    if (kind == kinds.end())
      error(algo, unknown_name("collective", coll, names_in(kinds)));
    else
      algorithm_.kind = kind->second;
    algorithm_.ranks = static_cast<int>(number(algo, "ngpus", 1, max_ranks));
    algorithm_.chunks = static_cast<int>(number(algo, "nchunksperloop", 1, max_number));
    in_place_ = number(algo, "inplace", 0, 1, 0) == 1;
    number(algo, "outofplace", 0, 1, 0);
    algorithm_.from_source = !in_place_ || needs_separate_source(algorithm_.kind);
    if (diagnostics_.has_errors()) return;
    if (ranks > 0 && ranks != algorithm_.ranks)
      throw InputError(
          fmt::format("{}: it is for {} ranks, not {}", position(algo.offset_debug()).text(), algorithm_.ranks, ranks));
    if (blocks() && algorithm_.chunks % algorithm_.ranks != 0)
      return error(algo,
                   fmt::format("{} chunks cannot be dealt to {} ranks, each of which has a block of its own in {}",
                               algorithm_.chunks, algorithm_.ranks, coll));
    algorithm_.programs.resize(static_cast<std::size_t>(algorithm_.ranks));
    std::vector<bool> seen(static_cast<std::size_t>(algorithm_.ranks), false);
    for (const auto& gpu : algo.children("gpu")) {
      rank_ = static_cast<int>(number(gpu, "id", 0, algorithm_.ranks - 1));
      if (seen[static_cast<std::size_t>(rank_)]) error(gpu, fmt::format("a second <gpu> with the id {}", rank_));
      seen[static_cast<std::size_t>(rank_)] = true;
      read_gpu(gpu);
    }
    for (std::size_t rank = 0; rank < seen.size(); ++rank)
      if (!seen[rank]) error(algo, fmt::format("no <gpu> with the id {}", rank));
  }
  [[nodiscard]] bool blocks() const {
    return algorithm_.kind == CollectiveKind::all_gather || algorithm_.kind == CollectiveKind::reduce_scatter ||
           algorithm_.kind == CollectiveKind::gather || algorithm_.kind == CollectiveKind::scatter ||
           algorithm_.kind == CollectiveKind::all_to_all;
  }

  void read_gpu(const pugi::xml_node& gpu) {
    allow(gpu, {"id", "i_chunks", "o_chunks", "s_chunks"}, "tb");
    scratch_ = static_cast<int>(number(gpu, "s_chunks", 0, max_number, 0));
    number(gpu, "i_chunks", 0, max_number, 0);
    number(gpu, "o_chunks", 0, max_number, 0);
    auto& program = algorithm_.programs[static_cast<std::size_t>(rank_)];
    std::vector<pugi::xml_node> blocks;
    for (const auto& tb : gpu.children("tb")) {
      if (number(tb, "id", 0, max_number) != static_cast<std::int64_t>(blocks.size()))
        error(tb, fmt::format("expected the id {}: <tb> are numbered from 0", blocks.size()));
      blocks.push_back(tb);
    }
    // How many of our steps are done when step s of a thread block is.
    std::vector<std::vector<std::int64_t>> done;
    waits_.clear();
    program.clear();
    awaited_.clear();
    for (const auto& tb : blocks)
      for (const auto& step : tb.children("step"))
        awaited_.insert({step.attribute("depid").as_llong(-1), step.attribute("deps").as_llong(-1)});
    block_ = -1;
    for (const auto& tb : blocks) {
      ++block_;
      program.emplace_back();
      done.emplace_back();
      waits_.emplace_back();
      read_block(tb, program.back(), done.back());
    }
    for (std::size_t t = 0; t < program.size(); ++t)
      for (const auto& wait : waits_[t]) {
        if (wait.block >= static_cast<std::int64_t>(program.size()) ||
            wait.step >= static_cast<std::int64_t>(done[static_cast<std::size_t>(wait.block)].size())) {
          error(wait.node,
                fmt::format("depends on step {} of thread block {}, which is not there", wait.step, wait.block));
        } else if (wait.block == static_cast<std::int64_t>(t)) {
          error(wait.node, "depends on its own thread block");
        } else {
          CustomStep& step = program[t].steps[wait.at];
          step.after_thread = static_cast<int>(wait.block);
          step.after_steps = done[static_cast<std::size_t>(wait.block)][static_cast<std::size_t>(wait.step)];
        }
      }
    algorithm_.scratch_chunks = std::max(algorithm_.scratch_chunks, scratch_);
  }

  void read_block(const pugi::xml_node& tb, CustomThread& thread, std::vector<std::int64_t>& done) {
    allow(tb, {"id", "send", "recv", "chan"}, "step");
    const int to = static_cast<int>(number(tb, "send", -1, algorithm_.ranks - 1));
    const int from = static_cast<int>(number(tb, "recv", -1, algorithm_.ranks - 1));
    const int channel = static_cast<int>(number(tb, "chan", 0, 63, 0));
    if (to == rank_ || from == rank_) error(tb, fmt::format("GPU {} sends to or receives from itself", rank_));
    for (const auto& step : tb.children("step")) {
      if (number(step, "s", 0, max_number) != static_cast<std::int64_t>(done.size()))
        error(step, fmt::format("expected s=\"{}\": steps are numbered from 0", done.size()));
      last_index_ = static_cast<std::int64_t>(done.size()) - 1;
      read_step(step, to, from, channel, thread);
      done.push_back(static_cast<std::int64_t>(thread.steps.size()));
    }
  }

  void read_step(const pugi::xml_node& node, int to, int from, int channel, CustomThread& thread) {
    allow(node, {"s", "type", "srcbuf", "srcoff", "dstbuf", "dstoff", "cnt", "depid", "deps", "hasdep"}, "");
    const std::string name = text_of(node, "type");
    const auto known = types.find(name);
    if (known == types.end()) return error(node, unknown_name("type of step", name, names_in(types)));
    const Type& type = known->second;
    if (type.sends && to < 0)
      return error(node, fmt::format("'{}' sends, and its <tb> has no peer: send=\"-1\"", name));
    if (type.receives && from < 0)
      return error(node, fmt::format("'{}' receives, and its <tb> has no peer: recv=\"-1\"", name));
    CustomStep step;
    step.position = position(node.offset_debug());
    const std::int64_t block = number(node, "depid", -1, max_number, -1);
    const std::int64_t after = number(node, "deps", -1, max_number, -1);
    const bool waits = block >= 0 && after >= 0;
    const std::size_t first = thread.steps.size();
    number(node, "hasdep", 0, 1, 0);
    if (name != "nop") {
      const int count = static_cast<int>(number(node, "cnt", 1, max_number));
      const bool reads = type.combines || !type.receives;
      const CustomSpan source = reads ? span(node, "srcbuf", "srcoff", count) : CustomSpan{};
      CustomSpan target = type.stores ? span(node, "dstbuf", "dstoff", count) : source;
      if (diagnostics_.has_errors()) return;
      if (type.combines && !type.stores) target = own_scratch(count);  // rrs keeps no result: it passes through
      const bool elsewhere = reads && type.stores && !same(source, target);
      if (!type.receives && type.stores) {
        step.copies.push_back({source, target, type.combines, false});
      } else if (type.receives) {
        if (type.combines && (elsewhere || !type.stores)) step.copies.push_back({source, target, false, false});
        step.receives.push_back(part(from, channel, target));
        step.receives.back().combine = type.combines;
      }
      // MSCCL's sends do not wait for their receivers; ours may. So a send and the receive behind it go together.
      if (type.receives && !waits && goes_with_last(thread, step)) {
        thread.steps.back().receives = step.receives;
        if (!type.sends) return;
        step = CustomStep{};
        step.position = position(node.offset_debug());
      } else if (type.sends && type.receives) {
        thread.steps.push_back(step);
        step = CustomStep{};
        step.position = thread.steps.back().position;
      }
      if (type.sends) step.sends.push_back(part(to, channel, type.receives ? target : source));
    }
    thread.steps.push_back(step);
    if (waits) waits_.back().push_back({node, first, block, after});
  }

  // The last step of the thread is a send that no other thread block waits for, of other data than the receive stores.
  [[nodiscard]] bool goes_with_last(const CustomThread& thread, const CustomStep& receive) const {
    if (thread.steps.empty() || !receive.copies.empty()) return false;
    const CustomStep& last = thread.steps.back();
    if (last.sends.size() != 1 || !last.receives.empty() || !last.copies.empty()) return false;
    if (awaited_.count({block_, last_index_}) != 0) return false;
    const CustomSpan& out = last.sends.front().span;
    const CustomSpan& in = receive.receives.front().span;
    return out.place != in.place || out.chunk >= in.chunk + in.chunks || in.chunk >= out.chunk + out.chunks;
  }

  static CustomPart part(int peer, int channel, const CustomSpan& span) {
    CustomPart part;
    part.peer = peer;
    part.lane = part.channel = channel;
    part.span = span;
    return part;
  }
  static bool same(const CustomSpan& a, const CustomSpan& b) { return a.place == b.place && a.chunk == b.chunk; }

  // Chunks behind those that the file asks for.
  CustomSpan own_scratch(int count) {
    CustomSpan span{Place::scratch, scratch_, count};
    scratch_ += count;
    return span;
  }

  CustomSpan span(const pugi::xml_node& node, const char* buffer, const char* offset, int count) {
    const std::string name = text_of(node, buffer);
    const int at = static_cast<int>(number(node, offset, 0, max_number));
    CustomSpan span{Place::target, at, count};
    int all = algorithm_.chunks;
    if (name == "i") {
      span.place = in_place_ && !needs_separate_source(algorithm_.kind) ? Place::target : Place::source;
      // The input of these is one block: in our buffers it stands where the rank's block is.
      if (algorithm_.kind == CollectiveKind::all_gather || algorithm_.kind == CollectiveKind::gather)
        span.chunk += own_block();
    } else if (name == "o") {
      if (algorithm_.kind == CollectiveKind::reduce_scatter || algorithm_.kind == CollectiveKind::scatter)
        span.chunk += own_block();
    } else if (name == "s") {
      span.place = Place::scratch;
      all = declared_scratch(node);
    } else {
      error(node, fmt::format("{}=\"{}\": expected i (input), o (output) or s (scratch)", buffer, name));
    }
    if (span.chunk + count > all)
      error(node, fmt::format("{}=\"{}\" with cnt=\"{}\": beyond the {} chunks of the buffer", offset, at, count, all));
    return span;
  }
  [[nodiscard]] int own_block() const { return rank_ * (algorithm_.chunks / algorithm_.ranks); }
  static int declared_scratch(const pugi::xml_node& step) {
    return step.parent().parent().attribute("s_chunks").as_int(0);
  }

  struct Wait {
    pugi::xml_node node;
    std::size_t at = 0;
    std::int64_t block = 0;
    std::int64_t step = 0;
  };
  std::string_view text_;
  const std::string& file_;
  config::Diagnostics diagnostics_;
  CustomAlgorithm algorithm_;
  std::vector<std::vector<Wait>> waits_;
  std::set<std::pair<std::int64_t, std::int64_t>> awaited_;  // (thread block, step) of this GPU
  std::int64_t block_ = 0;
  std::int64_t last_index_ = 0;
  bool in_place_ = false;
  int rank_ = 0;
  int scratch_ = 0;
};

}  // namespace

CustomAlgorithm read_msccl(std::string_view text, const std::string& file, int ranks) {
  if (text.size() > config::max_file_bytes)
    throw InputError(fmt::format("{}: more than {} MiB", file, config::max_file_bytes >> 20));
  return Reader(text, file).read(ranks);
}

CustomAlgorithm load_msccl(const std::string& path, int ranks) {
  return read_msccl(config::load_text(path), path, ranks);
}

}  // namespace lockstep
