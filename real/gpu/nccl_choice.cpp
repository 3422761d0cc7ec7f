#include "real/gpu/nccl_choice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/base/number.hpp"

namespace lockstep::real::gpu {
namespace {

// Takes what stands before `end` off the front of `text`; nullopt where `end` does not occur.
std::optional<std::string_view> take_until(std::string_view& text, std::string_view end) {
  const auto at = text.find(end);
  if (at == std::string_view::npos) return std::nullopt;
  const auto taken = text.substr(0, at);
  text.remove_prefix(at + end.size());
  return taken;
}

}  // namespace

std::optional<NcclChoice> nccl_choice_in(std::string_view line) {
  const auto before = take_until(line, " Bytes -> Algo ");
  if (!before) return std::nullopt;
  const auto colon = before->rfind(": ");
  if (colon == std::string_view::npos) return std::nullopt;
  const auto name_at = before->rfind(' ', colon);
  NcclChoice choice;
  choice.collective = before->substr(name_at == std::string_view::npos ? 0 : name_at + 1, colon - (name_at + 1));
  const auto bytes = whole_number_in<std::int64_t>(before->substr(colon + 2));
  const auto algorithm = take_until(line, " proto ");
  const auto protocol = take_until(line, " channel{Lo..Hi}={");
  const auto first = take_until(line, "..");
  const auto last = take_until(line, "}");
  if (!bytes || !algorithm || !protocol || !first || !last) return std::nullopt;
  const auto first_channel = whole_number_in<int>(*first);
  const auto last_channel = whole_number_in<int>(*last);
  if (!first_channel || !last_channel || choice.collective.empty()) return std::nullopt;
  choice.bytes = *bytes;
  choice.algorithm = *algorithm;
  choice.protocol = *protocol;
  choice.first_channel = *first_channel;
  choice.last_channel = *last_channel;
  return choice;
}

std::string nccl_choices_text(std::string_view log) {
  std::vector<NcclChoice> seen;
  std::string text;
  while (!log.empty()) {
    const auto end = std::min(log.find('\n'), log.size());
    const auto choice = nccl_choice_in(log.substr(0, end));
    log.remove_prefix(std::min(end + 1, log.size()));
    if (!choice || std::find(seen.begin(), seen.end(), *choice) != seen.end()) continue;
    seen.push_back(*choice);
    const int channels = choice->last_channel - choice->first_channel + 1;
    text += fmt::format("{}{} {} B: {} {}, {} channel{}", text.empty() ? "" : "; ", choice->collective, choice->bytes,
                        choice->algorithm, choice->protocol, channels, channels == 1 ? "" : "s");
  }
  return text;
}

}  // namespace lockstep::real::gpu
