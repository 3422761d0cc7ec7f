#include "real/nccl/communicators.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/base/error.hpp"
#include "core/base/number.hpp"

namespace lockstep::real {
namespace {

using Json = nlohmann::json;

std::string hex_of(const ncclUniqueId& id) {
  std::string text;
  for (const char byte : id.internal) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

ncclUniqueId id_in(const std::string& text) {
  ncclUniqueId id{};
  LOCKSTEP_CHECK(text.size() == 2 * sizeof id.internal, "an id of NCCL in {} characters", text.size());
  for (std::size_t i = 0; i < sizeof id.internal; ++i) {
    const auto byte = whole_number_in<unsigned>(std::string_view(text).substr(2 * i, 2), 16);
    LOCKSTEP_CHECK(byte.has_value(), "an id of NCCL that is no number");
    id.internal[i] = static_cast<char>(*byte);
  }
  return id;
}

}  // namespace

Communicators::~Communicators() {
  for (const auto& [name, communicator] : made_) {
    const Watchdog::Guard guard(watchdog_, "ncclCommDestroy");
    static_cast<void>(nccl_.destroy(communicator));
  }
}

void Communicators::abandon() noexcept {
  for (const auto& [name, communicator] : made_) {
    const Watchdog::Guard guard(watchdog_, "ncclCommAbort");
    static_cast<void>(nccl_.abort(communicator));
  }
  made_.clear();
}

Communicators::Wanted Communicators::of_group(const std::vector<int>& members) {
  return {fmt::format("group {}", fmt::join(members, " ")), members, 0};
}

Communicators::Wanted Communicators::of_channel(const MessageChannel& channel, int most_blocks) {
  return {fmt::format("channel {} {} {:#x}", channel.source, channel.target, channel.tag),
          {channel.source, channel.target},
          most_blocks};
}

ncclComm_t Communicators::get(const std::string& name) const {
  const auto found = made_.find(name);
  LOCKSTEP_CHECK(found != made_.end(), "no communicator '{}' was made", name);
  return found->second;
}

void Communicators::make(const std::vector<Wanted>& wanted) {
  // The first member makes the id, the others find it in what all ranks have told each other.
  Json own = Json::object();
  for (const Wanted& one : wanted) {
    if (made_.contains(one.name) || own.contains(one.name) || one.members.front() != control_.rank()) continue;
    ncclUniqueId id{};
    const Watchdog::Guard guard(watchdog_, "ncclGetUniqueId");
    nccl_.check(nccl_.get_unique_id(&id), "ncclGetUniqueId");
    own[one.name] = {{"id", hex_of(id)}, {"members", one.members}};
  }
  const auto told = control_.all_gather(own.dump());
  std::map<std::string, std::string> ids;
  for (const std::string& text : told) {
    const Json entries = Json::parse(text);
    for (const auto& [name, entry] : entries.items()) {
      const auto members = entry.at("members").get<std::vector<int>>();
      if (std::find(members.begin(), members.end(), control_.rank()) == members.end()) continue;
      ids[name] = entry.at("id").get<std::string>();
      if (std::none_of(wanted.begin(), wanted.end(), [&](const Wanted& one) { return one.name == name; }))
        throw RunFailure(
            fmt::format("rank {} has no part in '{}', of which others say that it has", control_.rank(), name));
    }
  }
  for (const Wanted& one : wanted) {
    if (made_.contains(one.name)) continue;
    const auto id = ids.find(one.name);
    if (id == ids.end())
      throw RunFailure(
          fmt::format("rank {} expects '{}', and rank {} made none", control_.rank(), one.name, one.members.front()));
    const auto place = std::find(one.members.begin(), one.members.end(), control_.rank()) - one.members.begin();
    LOCKSTEP_CHECK(place < static_cast<std::ptrdiff_t>(one.members.size()), "'{}' without rank {}", one.name,
                   control_.rank());
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 1;
    if (one.most_blocks > 0) config.maxCTAs = one.most_blocks;
    ncclComm_t communicator = nullptr;
    const Watchdog::Guard guard(watchdog_, "ncclCommInitRankConfig");
    nccl_.check(nccl_.init_rank_config(&communicator, static_cast<int>(one.members.size()), id_in(id->second),
                                       static_cast<int>(place), &config),
                "ncclCommInitRankConfig");
    made_.emplace(one.name, communicator);
  }
  control_.check();
}

}  // namespace lockstep::real
