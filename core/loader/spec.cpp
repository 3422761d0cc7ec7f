#include "core/loader/spec.hpp"

#include <algorithm>

#include "core/base/hash.hpp"
#include "core/loader/permutation.hpp"
#include "core/loader/sampler.hpp"

namespace lockstep {

const std::vector<std::string>& trouble_names() {
  static const std::vector<std::string> names{"corrupt",    "missing",      "truncated",   "empty",
                                              "unreadable", "worker_death", "unavailable", "stall"};
  return names;
}
std::string_view to_string(Trouble trouble) { return trouble_names()[static_cast<std::size_t>(trouble)]; }

const std::vector<std::string>& access_names() {
  static const std::vector<std::string> names{"read", "mmap", "direct", "io_uring"};
  return names;
}
std::string_view to_string(Access access) { return access_names()[static_cast<std::size_t>(access)]; }

std::int64_t DatasetSpec::bytes_of(std::int64_t index) const {
  return std::max<std::int64_t>(
      1, size.draw(mix64(static_cast<std::uint64_t>(seed)) ^ mix64(static_cast<std::uint64_t>(index))));
}

std::int64_t DatasetSpec::decoded_bytes() const { return std::int64_t{3} * image_width * image_height; }

DamagedSamples::DamagedSamples(const DatasetSpec& dataset) {
  const Permutation order(static_cast<std::uint64_t>(dataset.samples), static_cast<std::uint64_t>(dataset.seed) ^ 0xDA);
  std::uint64_t next = 0;
  for (std::size_t trouble = 0; trouble < trouble_count; ++trouble)
    for (std::int64_t i = 0; i < dataset.damaged[trouble]; ++i)
      chosen_.emplace_back(static_cast<std::int64_t>(order(next++)), static_cast<Trouble>(trouble));
  std::sort(chosen_.begin(), chosen_.end());
}

std::optional<Trouble> DamagedSamples::of(std::int64_t index) const {
  const auto found = std::lower_bound(chosen_.begin(), chosen_.end(), index,
                                      [](const auto& entry, std::int64_t wanted) { return entry.first < wanted; });
  if (found == chosen_.end() || found->first != index) return std::nullopt;
  return found->second;
}

std::int64_t LoaderSpec::steps_per_epoch(int ranks) const {
  return (share_of_rank(dataset.samples, 0, ranks) + batch.size - 1) / batch.size;
}

std::int64_t LoaderSpec::steps(int ranks) const {
  const std::int64_t all = steps_per_epoch(ranks) * consumer.epochs;
  return consumer.steps ? std::min(*consumer.steps, all) : all;
}

std::int64_t LoaderSpec::handed_over_bytes(std::int64_t stored) const {
  return decode.kind == DecodeSpec::Kind::jpeg && dataset.decoded_bytes() > 0 ? dataset.decoded_bytes() : stored;
}

}  // namespace lockstep
