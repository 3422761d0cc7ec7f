// Plans out of the JSON that plan_exchange writes.
#include <algorithm>
#include <limits>
#include <memory>

#include "core/base/error.hpp"
#include "core/base/json.hpp"
#include "core/collective/algorithm_file.hpp"
#include "core/plan/plan.hpp"

namespace lockstep {
namespace {

constexpr int most_ranks = 1 << 24;

int whole(const JsonValue& value, int minimum = 0, int maximum = std::numeric_limits<int>::max()) {
  return static_cast<int>(value.integer(minimum, maximum));
}

template <class T>
std::uint32_t index_of(const std::vector<T>& named, const JsonValue& name, const char* what) {
  const std::string wanted = name.text();
  const auto found = std::find_if(named.begin(), named.end(), [&](const T& one) { return one.name == wanted; });
  if (found == named.end()) name.fail(fmt::format("there is no {} '{}'", what, wanted));
  return static_cast<std::uint32_t>(found - named.begin());
}

Affine affine_of(const JsonValue& value) {
  Affine affine;
  if (!value.json().is_object()) {
    affine.base = value.integer(std::numeric_limits<std::int64_t>::min());
    return affine;
  }
  affine.base = value.required("base").integer(std::numeric_limits<std::int64_t>::min());
  const auto factors = value.required("factor").items();
  if (factors.size() > max_loop_depth) value.fail(fmt::format("more than {} loops", max_loop_depth));
  for (std::size_t d = 0; d < factors.size(); ++d)
    affine.factor[d] = factors[d].integer(std::numeric_limits<std::int64_t>::min());
  return affine;
}

class Reader {
 public:
  explicit Reader(const JsonValue& root) : root_(root) {}

  Plan read() {
    if (root_.required("schema").text() != "lockstep.plan/1") root_.fail("this is no plan (lockstep.plan/1)");
    plan_.name = root_.required("name").text();
    plan_.ranks = whole(root_.required("ranks"), 1, most_ranks);
    for (const JsonValue& group : root_.required("groups").items()) {
      plan_.groups.push_back(group_of(group));
      check_group(group, plan_.groups.back());
    }
    for (const JsonValue& role : root_.required("roles").items()) {
      plan_.roles.emplace_back();
      read_role(role, plan_.roles.back());
    }
    for (const JsonValue& range : root_.required("role_ranges").items()) read_range(range);
    if (plan_.role_ranges.empty() || plan_.role_ranges.back().last != plan_.ranks - 1)
      root_.required("role_ranges").fail("not every rank has a role");
    return std::move(plan_);
  }

 private:
  void check_group(const JsonValue& value, const GroupFamily& group) const {
    const auto inside = [&](std::int64_t rank) { return rank >= 0 && rank < plan_.ranks; };
    for (const auto& list : group.members) {
      if (list.empty()) value.fail("a group without members");
      for (const Rank rank : list)
        if (!inside(rank)) value.fail(fmt::format("rank {} is none of the {}", rank, plan_.ranks));
    }
    // Together they cover size * groups ranks from `first` on, in blocks of size * stride.
    if (group.members.empty() && (std::int64_t{group.size} * group.stride > most_ranks || group.stride > plan_.ranks ||
                                  !inside(group.first + std::int64_t{group.size} * group.groups - 1)))
      value.fail(fmt::format("the groups reach beyond the {} ranks", plan_.ranks));
  }

  static GroupFamily group_of(const JsonValue& value) {
    GroupFamily group;
    group.name = value.required("name").text();
    if (const auto members = value.optional("members")) {
      for (const JsonValue& list : members->items()) {
        group.members.emplace_back();
        for (const JsonValue& rank : list.items()) group.members.back().push_back(whole(rank, 0, most_ranks));
      }
      return group;
    }
    group.first = whole(value.required("first"));
    group.size = whole(value.required("size"), 1, most_ranks);
    group.stride = whole(value.required("stride"), 1, most_ranks);
    group.groups = whole(value.required("groups"), 1, most_ranks);
    return group;
  }

  void read_role(const JsonValue& value, Role& role) {
    role.name = value.required("name").text();
    for (const JsonValue& buffer : value.required("buffers").items())
      role.buffers.push_back({buffer.required("name").text(), Bytes{buffer.required("size_bytes").integer(0)}});
    role_ = &role;
    if (value.required("streams").items().size() > 255) value.fail("more than 255 streams");
    for (const JsonValue& stream : value.required("streams").items())
      role.streams.push_back({stream.required("name").text(), items_of(stream.required("items"))});
  }

  void read_range(const JsonValue& value) {
    RoleRange range;
    range.first = whole(value.required("first"));
    range.last = whole(value.required("last"), range.first, plan_.ranks - 1);
    range.role = index_of(plan_.roles, value.required("role"), "role");
    const Rank expected = plan_.role_ranges.empty() ? 0 : plan_.role_ranges.back().last + 1;
    if (range.first != expected) value.fail(fmt::format("begins with rank {} where {} is next", range.first, expected));
    plan_.role_ranges.push_back(range);
  }

  std::vector<Item> items_of(const JsonValue& value) {
    std::vector<Item> items;
    for (const JsonValue& item : value.items()) {
      if (const auto count = item.optional("repeat")) {
        Repeat repeat;
        repeat.count = count->integer(0);
        repeat.warmup = item.required("warmup").integer(0);
        repeat.independent = item.required("independent").boolean();
        repeat.body = items_of(item.required("body"));
        items.emplace_back(std::move(repeat));
      } else {
        items.emplace_back(operation_of(item));
      }
    }
    return items;
  }

  Operation operation_of(const JsonValue& value) {
    Operation operation;
    operation.name = value.required("name").text();
    operation.action = action_of(value);
    if (const auto waits = value.optional("waits"))
      for (const JsonValue& wait : waits->items())
        operation.waits.push_back({wait.required("stream").text(), wait.required("operation").text(),
                                   wait.required("iterations_back").integer(0)});
    return operation;
  }

  Action action_of(const JsonValue& value) {
    const std::string action = value.required("action").text();
    const auto tag = [&] { return static_cast<std::uint16_t>(value.required("tag").integer(0, 65535)); };
    if (action == "collective") return collective_of(value.required("collective"));
    if (action == "fill") return Fill{collective_of(value.required("collective"))};
    if (action == "verify") return Verify{collective_of(value.required("collective"))};
    if (action == "mark")
      return Mark{value.required("mark").text(), value.required("together").boolean(),
                  value.required("common_start").boolean()};
    if (action == "send") return Send{peer_of(value.required("to")), tag(), span_of(value.required("span"))};
    if (action == "receive") return Receive{peer_of(value.required("from")), tag(), span_of(value.required("span"))};
    if (action == "copy") return Copy{span_of(value.required("source")), span_of(value.required("target"))};
    if (action == "combine")
      return Combine{span_of(value.required("source")), span_of(value.required("target")),
                     parse_element_type(value.required("type").text()),
                     parse_reduction(value.required("reduction").text())};
    if (action == "compute")
      return Compute{value.required("flops").number(0, "a number of operations"),
                     Bytes{value.required("memory_bytes").integer(0)}, value.required("kernel").text()};
    if (action == "prepare") return Prepare{value.required("kernel").text()};
    value.required("action").fail(fmt::format("unknown action '{}'", action));
  }

  Peer peer_of(const JsonValue& value) {
    Peer peer;
    peer.group = index_of(plan_.groups, value.required("group"), "group");
    const auto relative = value.optional("relative");
    peer.relative = relative.has_value();
    peer.value = relative ? whole(*relative, std::numeric_limits<int>::min())
                          : whole(value.required("index"), 0, plan_.groups[peer.group].size_of(0) - 1);
    return peer;
  }

  Span span_of(const JsonValue& value) {
    return {index_of(role_->buffers, value.required("buffer"), "buffer"), affine_of(value.required("offset_bytes")),
            Bytes{value.required("size_bytes").integer(0)}};
  }

  Collective collective_of(const JsonValue& value) {
    Collective c;
    c.kind = parse_collective_kind(value.required("kind").text());
    c.algorithm = value.required("algorithm").text();
    c.group = index_of(plan_.groups, value.required("group"), "group");
    c.root = whole(value.required("root"));
    c.type = parse_element_type(value.required("type").text());
    c.reduction = parse_reduction(value.required("reduction").text());
    c.count = value.required("count").integer(0);
    c.channels = whole(value.required("channels"), 1, 65535);
    c.chunk = Bytes{value.required("chunk_bytes").integer(0)};
    c.source = span_of(value.required("source"));
    c.target = span_of(value.required("target"));
    if (const auto scratch = value.optional("scratch")) c.scratch = span_of(*scratch);
    if (const auto per_node = value.optional("ranks_per_node")) c.ranks_per_node = whole(*per_node);
    if (const auto dimensions = value.optional("dimensions")) {
      const auto lengths = dimensions->items();
      if (lengths.size() != c.dimensions.size()) dimensions->fail(fmt::format("{} lengths", c.dimensions.size()));
      for (std::size_t d = 0; d < lengths.size(); ++d) c.dimensions[d] = whole(lengths[d]);
    }
    const int size = plan_.groups[c.group].size_of(0);
    if (c.root >= size) value.fail(fmt::format("root {} is none of the group's {}", c.root, size));
    if (const auto counts = value.optional("counts")) {
      std::vector<std::int64_t> matrix;
      for (const JsonValue& count : counts->items()) matrix.push_back(count.integer(0));
      if (matrix.size() != static_cast<std::size_t>(size) * static_cast<std::size_t>(size))
        counts->fail(fmt::format("a matrix for {} ranks", size));
      c.counts = PairCounts(size, std::move(matrix));
    }
    if (const auto file = value.optional("algorithm_file")) {
      auto custom = std::make_shared<const CustomAlgorithm>(load_algorithm(file->text(), size));
      if (custom->sha256 != value.required("algorithm_sha256").text())
        file->fail(fmt::format("{} has changed since the plan was made", file->text()));
      c.custom = std::move(custom);
    }
    return c;
  }

  const JsonValue& root_;
  Plan plan_;
  const Role* role_ = nullptr;  // whose streams are being read
};

}  // namespace

Plan read_plan(std::string_view text, const std::string& source) {
  const Json json = parse_json(text, source);
  return Reader(JsonValue(json, source)).read();
}

}  // namespace lockstep
