// The section `loader:` of a workload: where training samples come from, how they become batches, who takes them, and
// what is done about those that are bad. docs/loader.md explains the pipeline and every key.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/document.hpp"
#include "core/loader/distribution.hpp"
#include "core/loader/storage.hpp"
#include "core/units/duration.hpp"
#include "core/units/quantity.hpp"

namespace lockstep {

/// What can be wrong with a sample, a worker or a storage server.
enum class Trouble { corrupt, missing, truncated, empty, unreadable, worker_death, unavailable, stall };
inline constexpr std::size_t trouble_count = 8;
std::string_view to_string(Trouble trouble);
const std::vector<std::string>& trouble_names();

struct DatasetSpec {
  enum class Format { files, records, tar, tokens };
  enum class Content { random, jpeg };
  Format format = Format::files;
  Content content = Content::random;
  std::int64_t samples = 0;
  Distribution size = fixed(Bytes{0});  ///< bytes stored per sample; of jpeg: what the simulator takes
  std::int64_t samples_per_shard = 1000;
  int image_width = 0, image_height = 0;  ///< content jpeg
  Bytes alignment{0};                     ///< of records in their shard; 0: none
  std::int64_t seed = 1;
  std::string path;                                   ///< real runs: the folder of the generated dataset
  std::array<std::int64_t, trouble_count> damaged{};  ///< how many samples are corrupt, missing, ...; both clocks

  /// Bytes stored of sample `index`, as the simulator draws them: the same in every epoch.
  [[nodiscard]] std::int64_t bytes_of(std::int64_t index) const;
  /// Bytes of a decoded image; 0 where none is decoded.
  [[nodiscard]] std::int64_t decoded_bytes() const;
};

/// What a sample's damage is, if it has one: `damaged` samples are chosen by the dataset's seed.
class DamagedSamples {
 public:
  explicit DamagedSamples(const DatasetSpec& dataset);
  [[nodiscard]] std::optional<Trouble> of(std::int64_t index) const;
  [[nodiscard]] bool none() const { return chosen_.empty(); }

 private:
  std::vector<std::pair<std::int64_t, Trouble>> chosen_;  // by index
};

struct SampleWeight {
  double share = 0;   ///< of the dataset
  double weight = 1;  ///< how much more often than weight 1 a sample of it is drawn
};

struct SamplerSpec {
  enum class Order { sequential, shuffle, shuffle_buffer, weighted };
  Order order = Order::shuffle;
  std::int64_t buffer = 1000;  ///< shuffle_buffer: samples held
  std::vector<SampleWeight> weights;
  std::int64_t seed = 1;
};

struct CacheSpec {
  enum class Start { cold, warm };
  std::optional<Bytes> memory;  ///< simulated: page cache of a host; none: everything fits
  Start start = Start::cold;
};

enum class Access { read, mmap, direct, io_uring };
inline constexpr std::size_t access_count = 4;
std::string_view to_string(Access access);
const std::vector<std::string>& access_names();

struct ReadersSpec {
  enum class Kind { threads, processes };
  Kind kind = Kind::threads;
  int workers = 1;
  int prefetch = 2;  ///< batches per worker that may be begun and not taken
  bool ordered = true;
  Access access = Access::read;
  int depth = 1;                  ///< io_uring: reads in flight per worker
  bool direct = false;            ///< io_uring: past the page cache, as access direct is
  std::optional<int> cores;       ///< simulated: of the host, shared by its workers; none: the profile's
  double interpreter = 0;         ///< simulated, threads: share of the CPU work that holds the interpreter lock
  Bytes copy_on_write{0};         ///< simulated, processes: memory that a worker makes its own per sample
  std::optional<Duration> start;  ///< simulated: start of a worker; none: the profile's
  [[nodiscard]] bool past_cache() const { return direct || access == Access::direct; }
};

struct DecodeSpec {
  enum class Kind { none, jpeg, busy };
  Kind kind = Kind::none;
  std::optional<Distribution> time;  ///< CPU per sample; jpeg: simulated, none: the profile's; busy: in both clocks
  Distribution augment;              ///< CPU per sample after it, in both clocks
};

struct BatchSpec {
  enum class Staging { none, pageable, pinned };
  std::int64_t size = 1;
  Staging staging = Staging::none;
  std::optional<Bandwidth> collate;  ///< simulated: CPU of a worker per byte of a finished batch; none: the profile's
};

struct DeviceSpec {
  std::optional<Bandwidth> bandwidth;  ///< host to device; none: that of the topology, else free
  Duration latency{0};                 ///< per batch
};

struct CheckpointSpec {
  std::int64_t every = 0;  ///< steps; 0: never
  Bytes bytes{0};          ///< per rank
};

struct ConsumerSpec {
  Duration think{0};                ///< per step: the accelerator works
  std::optional<Bytes> all_reduce;  ///< after it, over all ranks
  bool barrier = false;             ///< all ranks begin a step together even without an all-reduce
  Distribution overhead;            ///< simulated: software of the consumer per step
  std::int64_t epochs = 1;
  std::optional<std::int64_t> steps;  ///< ends after so many, whatever `epochs` says
  CheckpointSpec checkpoint;
};

struct PolicySpec {
  enum class Action { fail, skip, retry };
  std::array<Action, trouble_count> actions{Action::fail, Action::fail, Action::fail,  Action::fail,
                                            Action::fail, Action::fail, Action::retry, Action::retry};
  int retries = 3;  ///< of one sample, then it is as with `fail`
  Duration retry_delay = milliseconds(10);
  Duration timeout = seconds(10);  ///< of a read; a worker that says nothing for twice that has stalled
  [[nodiscard]] Action of(Trouble trouble) const { return actions[static_cast<std::size_t>(trouble)]; }
};

struct LoaderSpec {
  config::Position position;
  DatasetSpec dataset;
  SamplerSpec sampler;
  StorageSpec storage;
  CacheSpec cache;
  ReadersSpec readers;
  DecodeSpec decode;
  BatchSpec batch;
  DeviceSpec device;
  ConsumerSpec consumer;
  PolicySpec policy;

  /// Steps of a run over `ranks` ranks: all of an epoch's samples are taken, the last batch may be smaller.
  [[nodiscard]] std::int64_t steps(int ranks) const;
  [[nodiscard]] std::int64_t steps_per_epoch(int ranks) const;
  /// Bytes that a worker hands over per sample: the decoded image, or what was stored.
  [[nodiscard]] std::int64_t handed_over_bytes(std::int64_t stored) const;
  [[nodiscard]] bool copies_to_device() const {
    return device.bandwidth || device.latency.count() > 0 || batch.staging != BatchSpec::Staging::none;
  }
};

/// The declaration of `loader:`.
config::Type<LoaderSpec> loader_type();

}  // namespace lockstep
