// The declaration of `loader:` (docs/loader.md).
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/loader/spec.hpp"

namespace lockstep {
namespace {

using config::Diagnostics;
using config::Node;

constexpr std::int64_t max_samples = std::int64_t{1} << 50;
constexpr std::int64_t max_count = 1'000'000'000;

struct Damage {
  std::int64_t corrupt = 0, missing = 0, truncated = 0, empty = 0, unreadable = 0;
};

config::Type<Damage> damage_type() {
  const auto count = config::integer(0, 1'000'000);
  return config::record<Damage>("damage", "How many samples are bad; which ones, the dataset's seed says.")
      .optional("corrupt", &Damage::corrupt, count, "bytes differ from what was stored")
      .optional("missing", &Damage::missing, count, "format files: no such file")
      .optional("truncated", &Damage::truncated, count, "format files: the end is not there")
      .optional("empty", &Damage::empty, count, "format files: nothing in it")
      .optional("unreadable", &Damage::unreadable, count, "format files: refuses to be read")
      .type();
}

struct DatasetKeys {
  DatasetSpec::Format format = DatasetSpec{}.format;
  DatasetSpec::Content content = DatasetSpec{}.content;
  std::int64_t samples = 0;
  std::optional<Distribution> size;
  std::int64_t samples_per_shard = DatasetSpec{}.samples_per_shard;
  std::optional<int> width, height;
  Bytes alignment{0};
  std::int64_t seed = DatasetSpec{}.seed;
  std::string path;
  std::optional<Damage> damage;
};

config::Type<DatasetKeys> dataset_type() {
  using Format = DatasetSpec::Format;
  using Content = DatasetSpec::Content;
  return config::record<DatasetKeys>("dataset", "The samples, and how they are stored.")
      .required("samples", &DatasetKeys::samples, config::integer(1, max_samples), "how many there are")
      .optional("format", &DatasetKeys::format,
                config::choice<Format>("format", {{"files", Format::files},
                                                  {"records", Format::records},
                                                  {"tar", Format::tar},
                                                  {"tokens", Format::tokens}}),
                "files (one per sample), records or tar (shards), tokens (sequences in large files); default files")
      .optional("content", &DatasetKeys::content,
                config::choice<Content>("content", {{"random", Content::random}, {"jpeg", Content::jpeg}}),
                "what a generated sample holds; default random")
      .optional("size", &DatasetKeys::size, bytes_distribution(),
                "bytes stored per sample; for jpeg what the simulator takes")
      .optional("samples_per_shard", &DatasetKeys::samples_per_shard, config::integer(1, max_count),
                "of records, tar and tokens; default 1000")
      .optional("width", &DatasetKeys::width, config::integer(1, 16384), "of a jpeg, in pixels")
      .optional("height", &DatasetKeys::height, config::integer(1, 16384), "of a jpeg, in pixels")
      .optional("alignment", &DatasetKeys::alignment, config::bytes(),
                "records begin at multiples of this (4KiB: O_DIRECT reads nothing in vain); default none")
      .optional("seed", &DatasetKeys::seed, config::integer(0, max_count), "of what is generated; default 1")
      .optional("path", &DatasetKeys::path, config::text(),
                "real runs: the folder that 'lockstep dataset make' wrote; --dataset replaces it")
      .optional("damage", &DatasetKeys::damage, damage_type(), "samples that are bad on purpose")
      .rule([](const DatasetKeys& keys, const Node& node, Diagnostics& diagnostics) {
        if (!keys.size) diagnostics.error(node.position, "a dataset needs 'size': bytes stored per sample");
        if (keys.content == Content::jpeg && (!keys.width || !keys.height))
          diagnostics.error(node.position, "images need 'width' and 'height'");
        if (keys.content != Content::jpeg && (keys.width || keys.height))
          diagnostics.error(node.position, "'width' and 'height' are of 'content: jpeg'");
        if (keys.content == Content::jpeg && keys.format == Format::tokens)
          diagnostics.error(node.position, "token files hold no images");
        const auto alignment = keys.alignment.count();
        if (alignment > 0 && keys.format != Format::records)
          diagnostics.error(node.position, "'alignment' is of 'format: records'");
        if (alignment > 0 && (alignment & (alignment - 1)) != 0)
          diagnostics.error(node.position, "'alignment' must be a power of two");
        if (!keys.damage) return;
        const auto& damage = *keys.damage;
        if (damage.corrupt + damage.missing + damage.truncated + damage.empty + damage.unreadable > keys.samples)
          diagnostics.error(node.position, "more samples are bad than there are");
        if (keys.format != Format::files && damage.missing + damage.truncated + damage.empty + damage.unreadable > 0)
          diagnostics.error(node.position, "in a shard a sample can be 'corrupt' only; the rest is of 'format: files'");
      })
      .type();
}

DatasetSpec dataset_of(const DatasetKeys& keys) {
  DatasetSpec dataset;
  dataset.format = keys.format;
  dataset.content = keys.content;
  dataset.samples = keys.samples;
  dataset.size = *keys.size;
  dataset.samples_per_shard = keys.samples_per_shard;
  dataset.alignment = keys.alignment;
  dataset.seed = keys.seed;
  dataset.path = keys.path;
  dataset.image_width = keys.width.value_or(0);
  dataset.image_height = keys.height.value_or(0);
  if (keys.damage) {
    const auto& damage = *keys.damage;
    const std::array counts{damage.corrupt, damage.missing, damage.truncated, damage.empty, damage.unreadable};
    std::copy(counts.begin(), counts.end(), dataset.damaged.begin());
  }
  return dataset;
}

config::Type<SamplerSpec> sampler_type() {
  using Order = SamplerSpec::Order;
  const auto weight = config::record<SampleWeight>("weight", "A part of the dataset that is drawn more or less often.")
                          .required("share", &SampleWeight::share, config::fraction(), "of the dataset's samples")
                          .required("weight", &SampleWeight::weight, config::number(0, 1e9), "relative to the others")
                          .type();
  return config::record<SamplerSpec>("sampler", "The order in which samples are read.")
      .optional("order", &SamplerSpec::order,
                config::choice<Order>("order", {{"sequential", Order::sequential},
                                                {"shuffle", Order::shuffle},
                                                {"shuffle_buffer", Order::shuffle_buffer},
                                                {"weighted", Order::weighted}}),
                "default shuffle: another permutation every epoch")
      .optional("buffer", &SamplerSpec::buffer, config::integer(1, max_count),
                "shuffle_buffer: samples held; default 1000")
      .optional("weights", &SamplerSpec::weights, config::list(weight, 1), "weighted: parts, in file order")
      .optional("seed", &SamplerSpec::seed, config::integer(0, max_count), "of the order; default 1")
      .rule([](const SamplerSpec& spec, const Node& node, Diagnostics& diagnostics) {
        if (spec.order != SamplerSpec::Order::shuffle_buffer && node.find("buffer") != nullptr)
          diagnostics.error(node.position, "'buffer' is of 'order: shuffle_buffer'");
        if ((spec.order == SamplerSpec::Order::weighted) == spec.weights.empty())
          diagnostics.error(node.position, "'order: weighted' goes with 'weights'");
        double shares = 0, weights = 0;
        for (const auto& part : spec.weights) {
          shares += part.share;
          weights += part.share * part.weight;
        }
        if (!spec.weights.empty() && (shares < 0.999999 || shares > 1.000001))
          diagnostics.error(node.position, fmt::format("the shares of 'weights' add up to {}, not 1", shares));
        else if (!spec.weights.empty() && weights <= 0)
          diagnostics.error(node.position, "no part of 'weights' has a weight");
      })
      .type();
}

config::Type<CacheSpec> cache_type() {
  using Start = CacheSpec::Start;
  return config::record<CacheSpec>("cache", "The page cache of a host.")
      .optional("memory", &CacheSpec::memory, config::bytes(),
                "simulated: what it can hold, least recently used out first; absent: everything")
      .optional("start", &CacheSpec::start,
                config::choice<Start>("start", {{"cold", Start::cold}, {"warm", Start::warm}}),
                "cold: nothing is in it when the run begins; warm: all that fits; default cold")
      .type();
}

template <class E>
config::Type<E> names_as(const std::string& what, const std::vector<std::string>& names) {
  std::vector<std::pair<std::string, E>> values;
  for (std::size_t i = 0; i < names.size(); ++i) values.emplace_back(names[i], static_cast<E>(i));
  return config::choice<E>(what, values);
}

config::Type<ReadersSpec> readers_type() {
  using Kind = ReadersSpec::Kind;
  return config::record<ReadersSpec>("readers", "The workers that make batches.")
      .optional("kind", &ReadersSpec::kind,
                config::choice<Kind>("readers", {{"threads", Kind::threads}, {"processes", Kind::processes}}),
                "default threads")
      .optional("workers", &ReadersSpec::workers, config::integer(1, 4096), "of each rank; default 1")
      .optional("prefetch", &ReadersSpec::prefetch, config::integer(1, 4096),
                "batches per worker that may be begun and not taken; default 2")
      .optional("ordered", &ReadersSpec::ordered, config::boolean(),
                "batches are taken in the sampler's order; false: as they are done; default true")
      .optional("access", &ReadersSpec::access, names_as<Access>("access", access_names()), "default read")
      .optional("depth", &ReadersSpec::depth, config::integer(1, 4096),
                "io_uring: reads in flight per worker; default 1")
      .optional("direct", &ReadersSpec::direct, config::boolean(),
                "io_uring: past the page cache (O_DIRECT); default false")
      .optional("cores", &ReadersSpec::cores, config::integer(1, 1'000'000),
                "simulated: of a host, shared by its workers; absent: the profile's, else a core per worker")
      .optional("interpreter", &ReadersSpec::interpreter, config::fraction(),
                "simulated, threads: the share of their CPU work that holds the interpreter lock; default 0")
      .optional("copy_on_write", &ReadersSpec::copy_on_write, config::bytes(),
                "simulated, processes: memory that a worker makes its own per sample that it touches first")
      .optional("start", &ReadersSpec::start, config::duration(),
                "simulated: until a worker works; absent: the profile's")
      .rule([](const ReadersSpec& spec, const Node& node, Diagnostics& diagnostics) {
        if (spec.depth > 1 && spec.access != Access::io_uring)
          diagnostics.error(node.position, "'depth' is of 'access: io_uring'; the others wait for every read");
        if (spec.direct && spec.access != Access::io_uring)
          diagnostics.error(node.position, "'direct' is of 'access: io_uring'; 'access: direct' is it by itself");
        if (spec.interpreter > 0 && spec.kind != ReadersSpec::Kind::threads)
          diagnostics.error(node.position, "processes have an interpreter each; 'interpreter' is of threads");
        if (spec.copy_on_write.count() > 0 && spec.kind != ReadersSpec::Kind::processes)
          diagnostics.error(node.position, "'copy_on_write' is of 'kind: processes'");
      })
      .type();
}

config::Type<DecodeSpec> decode_type() {
  using Kind = DecodeSpec::Kind;
  return config::record<DecodeSpec>("decode", "What a worker does with a sample that it has read.")
      .optional("kind", &DecodeSpec::kind,
                config::choice<Kind>("decode", {{"none", Kind::none}, {"jpeg", Kind::jpeg}, {"busy", Kind::busy}}),
                "jpeg: libjpeg-turbo; busy: the CPU is busy for 'time', in both clocks; default none")
      .optional("time", &DecodeSpec::time, duration_distribution(),
                "CPU per sample; of jpeg for the simulator, absent: the profile's")
      .optional("augment", &DecodeSpec::augment, duration_distribution(),
                "CPU per sample after it, busy in both clocks")
      .rule([](const DecodeSpec& spec, const Node& node, Diagnostics& diagnostics) {
        if (spec.kind == Kind::busy && !spec.time) diagnostics.error(node.position, "'busy' needs 'time'");
        if (spec.kind == Kind::none && spec.time)
          diagnostics.error(node.position, "nothing is decoded; 'time' is of 'jpeg' and 'busy'");
      })
      .type();
}

config::Type<BatchSpec> batch_type() {
  using Staging = BatchSpec::Staging;
  return config::record<BatchSpec>("batch", "What the consumer takes at a time.")
      .required("size", &BatchSpec::size, config::integer(1, max_count), "samples, of one rank")
      .optional("staging", &BatchSpec::staging,
                config::choice<Staging>(
                    "staging", {{"none", Staging::none}, {"pageable", Staging::pageable}, {"pinned", Staging::pinned}}),
                "a copy into memory that the device can fetch from; default none")
      .optional("collate", &BatchSpec::collate, config::bandwidth().positive(),
                "simulated: CPU of a worker per byte of a batch; absent: the profile's, else free")
      .type();
}

config::Type<DeviceSpec> device_type() {
  return config::record<DeviceSpec>("device", "The copy from host to device.")
      .optional("bandwidth", &DeviceSpec::bandwidth, config::bandwidth().positive(),
                "at most; absent: that of the way to the rank's GPU in the topology, else free")
      .optional("latency", &DeviceSpec::latency, config::duration(), "per batch; default 0s")
      .type();
}

config::Type<ConsumerSpec> consumer_type() {
  const auto checkpoint =
      config::record<CheckpointSpec>("checkpoint", "Writes to the same storage.")
          .required("every", &CheckpointSpec::every, config::integer(1, max_count), "steps")
          .required("bytes", &CheckpointSpec::bytes, config::bytes().positive(), "that a rank writes")
          .type();
  return config::record<ConsumerSpec>("consumer", "Who takes the batches.")
      .optional("think", &ConsumerSpec::think, config::duration(), "per step: the accelerator works; default 0s")
      .optional("all_reduce", &ConsumerSpec::all_reduce, config::bytes().positive(),
                "after it, over all ranks; absent: none")
      .optional("barrier", &ConsumerSpec::barrier, config::boolean(),
                "ranks begin a step together even without an all-reduce; default false")
      .optional("overhead", &ConsumerSpec::overhead, duration_distribution(),
                "simulated: software of the consumer per step; default none")
      .optional("epochs", &ConsumerSpec::epochs, config::integer(1, 1'000'000), "default 1")
      .optional("steps", &ConsumerSpec::steps, config::integer(1, max_count),
                "ends after so many; absent: with the epochs")
      .optional("checkpoint", &ConsumerSpec::checkpoint, checkpoint, "simulated; absent: none")
      .type();
}

struct PolicyKeys {
  std::optional<PolicySpec::Action> corrupt, missing, truncated, empty, unreadable, worker_death, unavailable, stall;
  int retries = PolicySpec{}.retries;
  Duration retry_delay = PolicySpec{}.retry_delay;
  Duration timeout = PolicySpec{}.timeout;
};

config::Type<PolicyKeys> policy_type() {
  using Action = PolicySpec::Action;
  const auto action =
      config::choice<Action>("policy", {{"fail", Action::fail}, {"skip", Action::skip}, {"retry", Action::retry}});
  return config::record<PolicyKeys>("policy", "What is done about what goes wrong; all of it is counted.")
      .optional("corrupt", &PolicyKeys::corrupt, action, "a wrong checksum, or no image; default fail")
      .optional("missing", &PolicyKeys::missing, action, "no such file or object; default fail")
      .optional("truncated", &PolicyKeys::truncated, action, "shorter than the manifest says; default fail")
      .optional("empty", &PolicyKeys::empty, action, "nothing in it; default fail")
      .optional("unreadable", &PolicyKeys::unreadable, action, "the read is refused; default fail")
      .optional("worker_death", &PolicyKeys::worker_death, action,
                "retry: another worker makes its batch; skip: its batch is lost; default fail")
      .optional("unavailable", &PolicyKeys::unavailable, action, "a server that answers 503; default retry")
      .optional("stall", &PolicyKeys::stall, action, "no word within 'timeout'; default retry")
      .optional("retries", &PolicyKeys::retries, config::integer(0, 1000),
                "of one sample; after them it fails; default 3")
      .optional("retry_delay", &PolicyKeys::retry_delay, config::duration(), "before a retry; default 10ms")
      .optional("timeout", &PolicyKeys::timeout, config::duration().positive(),
                "of one read; a worker that says nothing for twice that has stalled; default 10s")
      .type();
}

PolicySpec policy_of(const PolicyKeys& keys) {
  PolicySpec policy;
  const std::array given{keys.corrupt,    keys.missing,      keys.truncated,   keys.empty,
                         keys.unreadable, keys.worker_death, keys.unavailable, keys.stall};
  for (std::size_t i = 0; i < trouble_count; ++i)
    if (given[i]) policy.actions[i] = *given[i];
  policy.retries = keys.retries;
  policy.retry_delay = keys.retry_delay;
  policy.timeout = keys.timeout;
  return policy;
}

struct LoaderKeys {
  config::Position position;
  DatasetKeys dataset;
  SamplerSpec sampler;
  StorageSpec storage = storage_catalogue().front().spec;
  CacheSpec cache;
  ReadersSpec readers;
  DecodeSpec decode;
  BatchSpec batch;
  DeviceSpec device;
  ConsumerSpec consumer;
  PolicyKeys policy;
};

}  // namespace

config::Type<LoaderSpec> loader_type() {
  const auto keys =
      config::record<LoaderKeys>("loader", "Where samples come from, how they become batches, and who takes them.")
          .required("dataset", &LoaderKeys::dataset, dataset_type(), "the samples, and how they are stored")
          .optional("sampler", &LoaderKeys::sampler, sampler_type(), "the order in which samples are read")
          .optional("storage", &LoaderKeys::storage, storage_type(), "simulated: what they are stored on")
          .optional("cache", &LoaderKeys::cache, cache_type(), "the page cache of a host")
          .optional("readers", &LoaderKeys::readers, readers_type(), "the workers that make batches")
          .optional("decode", &LoaderKeys::decode, decode_type(), "what a worker does with a sample")
          .required("batch", &LoaderKeys::batch, batch_type(), "what the consumer takes at a time")
          .optional("device", &LoaderKeys::device, device_type(), "the copy from host to device")
          .optional("consumer", &LoaderKeys::consumer, consumer_type(), "who takes the batches")
          .optional("policy", &LoaderKeys::policy, policy_type(), "what is done about what goes wrong")
          .rule([](const LoaderKeys& read, const Node& node, Diagnostics& diagnostics) {
            if (read.decode.kind == DecodeSpec::Kind::jpeg && read.dataset.content != DatasetSpec::Content::jpeg)
              diagnostics.error(node.position, "'decode: {kind: jpeg}' needs 'content: jpeg' of the dataset");
          })
          .keep_position(&LoaderKeys::position)
          .type();
  return config::Type<LoaderSpec>(
      [keys](const Node& node, Diagnostics& diagnostics) -> std::optional<LoaderSpec> {
        auto read = keys.read(node, diagnostics);
        if (!read) return std::nullopt;
        LoaderSpec spec;
        spec.position = read->position;
        spec.dataset = dataset_of(read->dataset);
        spec.sampler = std::move(read->sampler);
        spec.storage = std::move(read->storage);
        spec.cache = read->cache;
        spec.readers = read->readers;
        spec.decode = std::move(read->decode);
        spec.batch = read->batch;
        spec.device = read->device;
        spec.consumer = std::move(read->consumer);
        spec.policy = policy_of(read->policy);
        return spec;
      },
      keys.schema());
}

}  // namespace lockstep
