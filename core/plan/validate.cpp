#include <algorithm>
#include <map>
#include <set>

#include "core/base/error.hpp"
#include "core/base/text.hpp"
#include "core/collective/custom.hpp"
#include "core/collective/walk.hpp"
#include "core/compute/kernel.hpp"
#include "core/plan/interpret.hpp"
#include "core/plan/plan.hpp"
#include "core/plan/program.hpp"

namespace lockstep {
namespace {

constexpr std::size_t max_streams = 256;  // a Token has eight bits for them

class Validator {
 public:
  explicit Validator(const Plan& plan) : plan_(plan) {}

  std::vector<Finding> run() {
    check_ranks();
    for (const auto& role : plan_.roles) check_role(role);
    // What follows looks at ranks and executes the plan; it needs names and bounds to be right.
    if (findings_.empty()) check_peers();
    if (findings_.empty()) check_execution();
    return std::move(findings_);
  }

 private:
  void report(const std::string& where, const std::string& message) { findings_.push_back({where, message}); }

  void check_ranks() {
    if (plan_.ranks < 1) return report("plan", fmt::format("has {} ranks; at least 1 is needed", plan_.ranks));
    Rank next = 0;
    for (const auto& range : plan_.role_ranges) {
      if (range.first != next || range.last < range.first)
        report("plan", fmt::format("roles leave a gap or overlap at rank {}", next));
      if (range.role >= plan_.roles.size())
        report("plan",
               fmt::format("ranks {}..{} play role {}, which does not exist", range.first, range.last, range.role));
      next = range.last + 1;
    }
    if (next != plan_.ranks) report("plan", fmt::format("ranks {}..{} play no role", next, plan_.ranks - 1));
    for (const auto& group : plan_.groups) {
      if (group.members.empty() &&
          (group.size < 1 || group.stride < 1 || group.groups < 1 || group.groups % group.stride != 0)) {
        report(fmt::format("group '{}'", group.name),
               fmt::format("{} groups of {} ranks with stride {}: all are at least 1, the first a multiple of the last",
                           group.groups, group.size, group.stride));
        continue;
      }
      std::set<Rank> seen;
      for (int g = 0; g < group.instances(); ++g) {
        for (int i = 0; i < group.size_of(g); ++i) {
          const Rank rank = group.member(g, i);
          if (rank < 0 || rank >= plan_.ranks)
            report(fmt::format("group '{}'", group.name),
                   fmt::format("rank {} is outside 0..{}", rank, plan_.ranks - 1));
          if (!seen.insert(rank).second)
            report(fmt::format("group '{}'", group.name), fmt::format("rank {} is in it twice", rank));
        }
      }
    }
  }

  void check_role(const Role& role) {
    if (role.streams.size() > max_streams)
      report(fmt::format("role '{}'", role.name),
             fmt::format("{} streams; {} is the most", role.streams.size(), max_streams));
    std::set<std::string> streams;
    std::map<GroupId, std::string> used_by;
    names_.clear();
    for (const auto& stream : role.streams) {
      const std::string where = fmt::format("role '{}', stream '{}'", role.name, stream.name);
      if (!streams.insert(stream.name).second) report(where, "the role has another stream of this name");
      collect(stream.items, where, names_[stream.name]);
    }
    for (const auto& stream : role.streams)
      check_items(role, stream, stream.items, {}, fmt::format("role '{}', stream '{}'", role.name, stream.name),
                  used_by);
  }

  void collect(const std::vector<Item>& items, const std::string& where, std::set<std::string>& names) {
    for (const auto& item : items) {
      if (const auto* repeat = std::get_if<Repeat>(&item))
        collect(repeat->body, where, names);
      else if (!names.insert(std::get<Operation>(item).name).second)
        report(where, fmt::format("two operations are called '{}'", std::get<Operation>(item).name));
    }
  }

  void check_items(const Role& role, const Stream& stream, const std::vector<Item>& items,
                   const std::vector<std::int64_t>& counts, const std::string& where,
                   std::map<GroupId, std::string>& used_by) {
    for (const auto& item : items) {
      if (const auto* repeat = std::get_if<Repeat>(&item)) {
        if (repeat->count < 0 || repeat->warmup < 0 || repeat->warmup > repeat->count)
          report(where, fmt::format("a loop of {} iterations with {} of warm-up", repeat->count, repeat->warmup));
        auto inner = counts;
        inner.push_back(repeat->count);
        if (inner.size() > max_loop_depth)
          return report(where, fmt::format("loops nested {} deep; {} is the most", inner.size(), max_loop_depth));
        check_items(role, stream, repeat->body, inner, where, used_by);
        continue;
      }
      const auto& operation = std::get<Operation>(item);
      const std::string at = fmt::format("{}, operation '{}'", where, operation.name);
      for (const auto& wait : operation.waits) {
        const auto known = names_.find(wait.stream);
        if (known == names_.end()) {
          std::vector<std::string> candidates;
          for (const auto& [name, unused] : names_) candidates.push_back(name);
          report(at, unknown_name("stream", wait.stream, candidates));
        } else if (known->second.count(wait.operation) == 0) {
          report(at, unknown_name(fmt::format("operation of stream '{}':", wait.stream), wait.operation,
                                  std::vector<std::string>(known->second.begin(), known->second.end())));
        }
        if (wait.iterations_back < 0) report(at, "waits for an iteration to come");
      }
      check_action(role, stream, operation, counts, at, used_by);
    }
  }

  void use_group(GroupId group, const Stream& stream, const std::string& at, std::map<GroupId, std::string>& used_by) {
    if (group >= plan_.groups.size()) return report(at, fmt::format("group {} does not exist", group));
    const auto [entry, fresh] = used_by.emplace(group, stream.name);
    if (!fresh && entry->second != stream.name)
      report(at, fmt::format("group '{}' is used by the streams '{}' and '{}'; one stream at a time may use a group",
                             plan_.groups[group].name, entry->second, stream.name));
  }

  void check_span(const Role& role, const Span& span, const std::vector<std::int64_t>& counts, const std::string& at,
                  const char* what) {
    if (span.buffer >= role.buffers.size())
      return report(at, fmt::format("{}: buffer {} does not exist", what, span.buffer));
    std::int64_t least = span.offset.base;
    std::int64_t most = span.offset.base;
    for (std::size_t d = 0; d < counts.size(); ++d) {
      const std::int64_t reach = span.offset.factor[d] * std::max<std::int64_t>(counts[d] - 1, 0);
      (reach < 0 ? least : most) += reach;
    }
    const auto& buffer = role.buffers[span.buffer];
    if (span.bytes.count() < 0 || least < 0 || most + span.bytes.count() > buffer.bytes.count())
      report(at, fmt::format("{}: bytes {}..{} lie outside buffer '{}' of {} bytes", what, least,
                             most + span.bytes.count(), buffer.name, buffer.bytes.count()));
  }

  void check_collective(const Role& role, const Collective& c, const std::vector<std::int64_t>& counts,
                        const std::string& at) {
    if (c.group >= plan_.groups.size()) return report(at, fmt::format("group {} does not exist", c.group));
    const auto& group = plan_.groups[c.group];
    for (int g = 0; g < group.instances(); ++g)
      if (c.root < 0 || c.root >= group.size_of(g))
        report(at, fmt::format("root {} is not in the group of {}", c.root, group.size_of(g)));
    if (c.count < 0) report(at, fmt::format("{} elements", c.count));
    if (c.channels < 1) report(at, fmt::format("{} channels", c.channels));
    if (c.source.bytes < c.size() || c.target.bytes < c.target_size())
      report(at, fmt::format("spans of {} and {} bytes for {} bytes of data", c.source.bytes.count(),
                             c.target.bytes.count(), std::max(c.size(), c.target_size()).count()));
    if (c.counts.empty() != (c.kind != CollectiveKind::all_to_all_v))
      return report(
          at, c.counts.empty() ? "all_to_all_v without counts" : fmt::format("{} takes no counts", to_string(c.kind)));
    check_span(role, c.source, counts, at, "source");
    check_span(role, c.target, counts, at, "target");
    if (c.custom != nullptr) {
      const Bytes scratch = custom_scratch(*c.custom, c.count, element_bytes(c.type));
      if (c.scratch.bytes < scratch)
        report(at, fmt::format("a scratch span of {} bytes for an algorithm that needs {}", c.scratch.bytes.count(),
                               scratch.count()));
      if (scratch.count() > 0) check_span(role, c.scratch, counts, at, "scratch");
    }
    if (needs_separate_source(c.kind) && c.source.buffer == c.target.buffer && c.count > 0)
      report(at, fmt::format("{} needs source and target in different buffers", to_string(c.kind)));
    if (c.algorithm != "native") {
      try {
        const Algorithm& algorithm = algorithm_of(c);
        for (int g = 0; g < group.instances(); ++g) {
          const int size = group.size_of(g);
          if (!c.counts.empty() && c.counts.ranks() != size) {
            report(at, fmt::format("counts for {} ranks in a group of {}", c.counts.ranks(), size));
            break;
          }
          const std::string refusal =
              algorithm.refusal == nullptr ? std::string{} : algorithm.refusal(request_for(c, {g, 0, size}));
          if (!refusal.empty()) {
            report(at, refusal);
            break;
          }
        }
      } catch (const InputError& error) {
        report(at, error.what());
      }
    }
  }

  void check_action(const Role& role, const Stream& stream, const Operation& operation,
                    const std::vector<std::int64_t>& counts, const std::string& at,
                    std::map<GroupId, std::string>& used_by) {
    if (const auto* c = std::get_if<Collective>(&operation.action)) {
      use_group(c->group, stream, at, used_by);
      check_collective(role, *c, counts, at);
    } else if (const auto* f = std::get_if<Fill>(&operation.action)) {
      check_collective(role, f->collective, counts, at);
    } else if (const auto* v = std::get_if<Verify>(&operation.action)) {
      check_collective(role, v->collective, counts, at);
    } else if (const auto* s = std::get_if<Send>(&operation.action)) {
      if (s->to.group >= plan_.groups.size()) report(at, fmt::format("group {} does not exist", s->to.group));
      check_span(role, s->span, counts, at, "span");
    } else if (const auto* r = std::get_if<Receive>(&operation.action)) {
      if (r->from.group >= plan_.groups.size()) report(at, fmt::format("group {} does not exist", r->from.group));
      check_span(role, r->span, counts, at, "span");
    } else if (const auto* m = std::get_if<Combine>(&operation.action)) {
      check_span(role, m->source, counts, at, "source");
      check_span(role, m->target, counts, at, "target");
      if (m->source.bytes != m->target.bytes) report(at, "source and target differ in size");
    } else if (const auto* y = std::get_if<Copy>(&operation.action)) {
      check_span(role, y->source, counts, at, "source");
      check_span(role, y->target, counts, at, "target");
      if (y->source.bytes != y->target.bytes) report(at, "source and target differ in size");
    } else if (const auto* p = std::get_if<Compute>(&operation.action)) {
      check_compute(*p, at);
    } else if (const auto* q = std::get_if<Prepare>(&operation.action)) {
      check_compute({0, Bytes{0}, q->kernel}, at);
    }
  }

  void check_compute(const Compute& compute, const std::string& at) {
    try {
      const Kernel kernel = parse_kernel(compute.kernel);
      const auto flops = static_cast<double>(kernel.flops().count());
      if (compute.flops != 0 && compute.flops != flops)
        report(at, fmt::format("{} flops of a kernel that does {}", compute.flops, flops));
    } catch (const InputError& error) {
      report(at, error.what());
    }
  }

  // Messages have another rank at their other end.
  void check_peers() {
    for (const auto& range : plan_.role_ranges) {
      const Role& role = plan_.roles[range.role];
      for (const auto& stream : role.streams)
        for (const auto* operation : operations_of(stream.items)) {
          const Peer* peer = nullptr;
          if (const auto* s = std::get_if<Send>(&operation->action)) peer = &s->to;
          if (const auto* r = std::get_if<Receive>(&operation->action)) peer = &r->from;
          if (peer == nullptr) continue;
          const std::string at =
              fmt::format("role '{}', stream '{}', operation '{}'", role.name, stream.name, operation->name);
          for (Rank rank = range.first; rank <= range.last; ++rank)
            if (!check_peer(*peer, rank, at)) break;
        }
    }
  }

  bool check_peer(const Peer& peer, Rank rank, const std::string& at) {
    const GroupFamily& group = plan_.groups[peer.group];
    const auto place = group.place_of(rank);
    if (place.instance < 0)
      report(at, fmt::format("rank {} is in no group '{}'", rank, group.name));
    else if (!peer.relative && (peer.value < 0 || peer.value >= place.size))
      report(at, fmt::format("group '{}' of {} ranks has no member {}", group.name, place.size, peer.value));
    else if (peer.relative ? peer.value % place.size == 0 : peer.value == place.index)
      report(at, fmt::format("rank {} is its own peer", rank));
    else
      return true;
    return false;
  }

  static std::vector<const Operation*> operations_of(const std::vector<Item>& items) {
    std::vector<const Operation*> operations;
    for (const auto& item : items) {
      if (const auto* repeat = std::get_if<Repeat>(&item)) {
        const auto inner = operations_of(repeat->body);
        operations.insert(operations.end(), inner.begin(), inner.end());
      } else {
        operations.push_back(&std::get<Operation>(item));
      }
    }
    return operations;
  }

  void check_execution() {
    Timeline ignored;
    InterpretOptions options;
    options.data = false;
    options.once = true;
    try {
      const Interpretation eager = Interpreter(options).interpret(plan_, ignored);
      for (const auto& stuck : eager.stuck) report("execution", "cannot be completed: " + stuck);
      for (const auto& left : eager.leftovers) report("execution", left);
      if (!eager.stuck.empty() || !eager.leftovers.empty()) return;
      options.rendezvous = true;
      const Interpretation strict = Interpreter(options).interpret(plan_, ignored);
      for (const auto& stuck : strict.stuck)
        report("execution", "deadlock when every send waits for its receiver: " + stuck);
    } catch (const RunFailure& failure) {
      report("execution", failure.what());
    }
  }

  const Plan& plan_;
  std::vector<Finding> findings_;
  std::map<std::string, std::set<std::string>> names_;
};

}  // namespace

std::vector<Finding> validate(const Plan& plan) { return Validator(plan).run(); }

}  // namespace lockstep
