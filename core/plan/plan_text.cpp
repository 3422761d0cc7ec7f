// Plans as JSON and as text.
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/base/hash.hpp"
#include "core/collective/custom.hpp"
#include "core/plan/plan.hpp"
#include "core/units/quantity.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};

Json affine_json(const Affine& affine) {
  bool constant = true;
  for (const auto f : affine.factor) constant = constant && f == 0;
  if (constant) return affine.base;
  Json json{{"base", affine.base}, {"factor", Json::array()}};
  for (const auto f : affine.factor) json["factor"].push_back(f);
  return json;
}

Json span_json(const Role& role, const Span& span) {
  const std::string buffer = span.buffer < role.buffers.size() ? role.buffers[span.buffer].name : "?";
  return Json{{"buffer", buffer}, {"offset_bytes", affine_json(span.offset)}, {"size_bytes", span.bytes.count()}};
}

Json peer_json(const Plan& plan, const Peer& peer) {
  Json json{{"group", peer.group < plan.groups.size() ? plan.groups[peer.group].name : "?"}};
  json[peer.relative ? "relative" : "index"] = peer.value;
  return json;
}

/// For people and the hash, or with all that read_plan needs.
enum class Detail { readable, whole };

Json collective_json(const Plan& plan, const Role& role, const Collective& c, Detail detail) {
  Json json{{"kind", to_string(c.kind)},
            {"algorithm", c.algorithm},
            {"group", c.group < plan.groups.size() ? plan.groups[c.group].name : "?"},
            {"root", c.root},
            {"type", to_string(c.type)},
            {"reduction", to_string(c.reduction)},
            {"count", c.count},
            {"size_bytes", c.size().count()},
            {"channels", c.channels},
            {"chunk_bytes", c.chunk.count()},
            {"source", span_json(role, c.source)},
            {"target", span_json(role, c.target)}};
  if (c.custom != nullptr) json["algorithm_sha256"] = c.custom->sha256;
  if (c.custom != nullptr && detail == Detail::whole)
    json["algorithm_file"] = std::filesystem::absolute(c.custom->file).string();
  if (c.scratch.bytes.count() > 0) json["scratch"] = span_json(role, c.scratch);
  if (c.ranks_per_node > 0) json["ranks_per_node"] = c.ranks_per_node;
  if (c.dimensions[0] > 0) json["dimensions"] = c.dimensions;
  if (!c.counts.empty()) {
    // Whole where somebody may want to read it; for the hash its own is enough.
    if (c.counts.ranks() <= 32 || detail == Detail::whole)
      json["counts"] = c.counts.matrix();
    else
      json["counts_sha256"] = sha256(Json(c.counts.matrix()).dump());
  }
  return json;
}

Json operation_json(const Plan& plan, const Role& role, const Operation& operation, Detail detail) {
  Json json{{"name", operation.name}};
  std::visit(Overloaded{
                 [&](const Compute& a) {
                   json["action"] = "compute";
                   json["flops"] = a.flops;
                   json["memory_bytes"] = a.bytes.count();
                   json["kernel"] = a.kernel;
                 },
                 [&](const Send& a) {
                   json["action"] = "send";
                   json["to"] = peer_json(plan, a.to);
                   json["tag"] = a.tag;
                   json["span"] = span_json(role, a.span);
                 },
                 [&](const Receive& a) {
                   json["action"] = "receive";
                   json["from"] = peer_json(plan, a.from);
                   json["tag"] = a.tag;
                   json["span"] = span_json(role, a.span);
                 },
                 [&](const Combine& a) {
                   json["action"] = "combine";
                   json["type"] = to_string(a.type);
                   json["reduction"] = to_string(a.reduction);
                   json["source"] = span_json(role, a.source);
                   json["target"] = span_json(role, a.target);
                 },
                 [&](const Copy& a) {
                   json["action"] = "copy";
                   json["source"] = span_json(role, a.source);
                   json["target"] = span_json(role, a.target);
                 },
                 [&](const Collective& a) {
                   json["action"] = "collective";
                   json["collective"] = collective_json(plan, role, a, detail);
                 },
                 [&](const Fill& a) {
                   json["action"] = "fill";
                   json["collective"] = collective_json(plan, role, a.collective, detail);
                 },
                 [&](const Verify& a) {
                   json["action"] = "verify";
                   json["collective"] = collective_json(plan, role, a.collective, detail);
                 },
                 [&](const Mark& a) {
                   json["action"] = "mark";
                   json["mark"] = a.name;
                   json["together"] = a.together;
                   json["common_start"] = a.common_start;
                 },
                 [&](const Prepare& a) {
                   json["action"] = "prepare";
                   json["kernel"] = a.kernel;
                 },
             },
             operation.action);
  if (!operation.waits.empty()) {
    json["waits"] = Json::array();
    for (const auto& wait : operation.waits)
      json["waits"].push_back(
          {{"stream", wait.stream}, {"operation", wait.operation}, {"iterations_back", wait.iterations_back}});
  }
  return json;
}

Json items_json(const Plan& plan, const Role& role, const std::vector<Item>& items, Detail detail) {
  Json json = Json::array();
  for (const auto& item : items) {
    if (const auto* repeat = std::get_if<Repeat>(&item)) {
      json.push_back({{"repeat", repeat->count},
                      {"warmup", repeat->warmup},
                      {"independent", repeat->independent},
                      {"body", items_json(plan, role, repeat->body, detail)}});
    } else {
      json.push_back(operation_json(plan, role, std::get<Operation>(item), detail));
    }
  }
  return json;
}

std::string summary_line(const Json& operation) {
  std::string line = operation["name"].get<std::string>() + ": " + operation["action"].get<std::string>();
  if (operation.contains("collective")) {
    const auto& c = operation["collective"];
    line += fmt::format(" {} {} {} of {} in group '{}'", c["kind"].get<std::string>(),
                        c["algorithm"].get<std::string>(), format_bytes(Bytes{c["size_bytes"].get<std::int64_t>()}),
                        c["type"].get<std::string>(), c["group"].get<std::string>());
  }
  if (operation.contains("kernel")) line += " " + operation["kernel"].get<std::string>();
  if (operation.contains("span"))
    line += fmt::format(" {}", format_bytes(Bytes{operation["span"]["size_bytes"].get<std::int64_t>()}));
  if (operation.contains("together") && operation["together"].get<bool>()) line += " (all ranks together)";
  for (const auto& wait : operation.value("waits", Json::array()))
    line += fmt::format(", after {}.{}", wait["stream"].get<std::string>(), wait["operation"].get<std::string>());
  return line;
}

void items_text(const Json& items, const std::string& indent, std::string& text) {
  for (const auto& item : items) {
    if (item.contains("repeat")) {
      text += fmt::format("{}repeat {} times ({} of them warm-up):\n", indent, item["repeat"].get<std::int64_t>(),
                          item["warmup"].get<std::int64_t>());
      items_text(item["body"], indent + "  ", text);
    } else {
      text += indent + summary_line(item) + "\n";
    }
  }
}

Json to_json(const Plan& plan, Detail detail = Detail::readable) {
  Json json{{"schema", "lockstep.plan/1"}, {"name", plan.name}, {"ranks", plan.ranks}};
  json["groups"] = Json::array();
  for (const auto& group : plan.groups) {
    Json g{{"name", group.name}};
    if (group.members.empty()) {
      g["first"] = group.first;
      g["size"] = group.size;
      g["stride"] = group.stride;
      g["groups"] = group.groups;
    } else {
      g["members"] = group.members;
    }
    json["groups"].push_back(g);
  }
  json["roles"] = Json::array();
  for (const auto& role : plan.roles) {
    Json r{{"name", role.name}, {"buffers", Json::array()}, {"streams", Json::array()}};
    for (const auto& buffer : role.buffers)
      r["buffers"].push_back({{"name", buffer.name}, {"size_bytes", buffer.bytes.count()}});
    for (const auto& stream : role.streams)
      r["streams"].push_back({{"name", stream.name}, {"items", items_json(plan, role, stream.items, detail)}});
    json["roles"].push_back(r);
  }
  json["role_ranges"] = Json::array();
  for (const auto& range : plan.role_ranges)
    json["role_ranges"].push_back(
        {{"first", range.first}, {"last", range.last}, {"role", plan.roles[range.role].name}});
  return json;
}

}  // namespace

std::string plan_json(const Plan& plan) { return to_json(plan).dump(2); }

std::string plan_exchange(const Plan& plan) { return to_json(plan, Detail::whole).dump(); }

std::string plan_hash(const Plan& plan) { return sha256(to_json(plan).dump()); }

std::string plan_text(const Plan& plan) {
  const Json json = to_json(plan);
  std::string text = fmt::format("plan '{}' for {} rank{}\n", plan.name, plan.ranks, plan.ranks == 1 ? "" : "s");
  for (const auto& group : json["groups"])
    text += fmt::format("group '{}': {}\n", group["name"].get<std::string>(),
                        group.contains("members") ? group["members"].dump()
                                                  : fmt::format("{} of {} ranks, stride {}", group["groups"].get<int>(),
                                                                group["size"].get<int>(), group["stride"].get<int>()));
  for (const auto& range : json["role_ranges"])
    text += fmt::format("ranks {}..{} play '{}'\n", range["first"].get<int>(), range["last"].get<int>(),
                        range["role"].get<std::string>());
  for (const auto& role : json["roles"]) {
    text += fmt::format("role '{}'\n", role["name"].get<std::string>());
    for (const auto& buffer : role["buffers"])
      text += fmt::format("  buffer '{}': {}\n", buffer["name"].get<std::string>(),
                          format_bytes(Bytes{buffer["size_bytes"].get<std::int64_t>()}));
    for (const auto& stream : role["streams"]) {
      text += fmt::format("  stream '{}'\n", stream["name"].get<std::string>());
      items_text(stream["items"], "    ", text);
    }
  }
  return text;
}

}  // namespace lockstep
