#include "real/loader/calibrate.hpp"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <thread>

#include "core/base/error.hpp"
#include "core/base/statistics.hpp"
#include "core/base/text.hpp"
#include "core/loader/permutation.hpp"
#include "real/loader/checksum.hpp"
#include "real/loader/jpeg.hpp"
#include "real/loader/reading.hpp"
#include "real/loader/residency.hpp"
#include "real/loader/run.hpp"

namespace lockstep::real {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int rounds = 5;
constexpr std::int64_t samples_of_a_size = 96;
constexpr double bytes_per_pixel = 0.6;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }
double cpu_s() { return static_cast<double>(thread_cpu_time().count()) * 1e-9; }

/// A dataset that is gone afterwards.
class Temporary {
 public:
  Temporary(const std::string& folder, const std::string& name, const DatasetSpec& spec)
      : path_((fs::path(folder) / fmt::format("lockstep_calibration_{}_{}", ::getpid(), name)).string()) {
    make_dataset(spec, path_);
    dataset_ = load_dataset(spec, path_);
  }
  ~Temporary() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  [[nodiscard]] const Dataset& dataset() const { return dataset_; }

 private:
  std::string path_;
  Dataset dataset_;
};

/// Per sample: what the reading took, off and on the CPU.
struct Reading {
  double wait_s = 0, cpu_s = 0, all_s = 0;
};

/// Reads all samples once in a random order.
Reading read_all(const LoaderSpec& spec, const Dataset& dataset, std::uint64_t seed) {
  const auto reader = open_reader(spec, dataset);
  const Permutation order(dataset.samples.size(), seed);
  const auto begin = Clock::now();
  const double cpu = cpu_s();
  std::uint32_t asked = 0, arrived = 0;
  const auto count = static_cast<std::uint32_t>(dataset.samples.size());
  while (arrived < count) {
    for (; asked < count && asked - arrived < static_cast<std::uint32_t>(reader->depth()); ++asked)
      reader->ask(asked, dataset.samples[order(asked)]);
    const auto sample = reader->wait();
    if (sample.trouble) throw RunFailure(fmt::format("calibration: a sample is {}", to_string(*sample.trouble)));
    reader->done(sample.ticket);
    ++arrived;
  }
  Reading reading;
  reading.all_s = seconds_since(begin);
  reading.cpu_s = (cpu_s() - cpu) / count;
  reading.wait_s = std::max(reading.all_s / count - reading.cpu_s, 0.0);
  reading.all_s /= count;
  return reading;
}

/// y = at_zero + slope x, least squares; neither below 0.
struct Line {
  double at_zero = 0, slope = 0;
};
Line fit(const std::vector<std::pair<double, double>>& points) {
  double x = 0, y = 0, xx = 0, xy = 0;
  const auto n = static_cast<double>(points.size());
  // Relative errors count: every point is weighted by 1 / y^2.
  double weights = 0;
  for (const auto& [px, py] : points) {
    const double weight = py > 0 ? 1 / (py * py) : 1;
    weights += weight;
    x += weight * px;
    y += weight * py;
    xx += weight * px * px;
    xy += weight * px * py;
  }
  if (n < 2) return {y / weights, 0};
  const double below = weights * xx - x * x;
  Line line;
  line.slope = below > 0 ? std::max((weights * xy - x * y) / below, 0.0) : 0;
  line.at_zero = std::max((y - line.slope * x) / weights, 0.0);
  return line;
}

Duration duration_of(double s) { return from_seconds(std::max(s, 0.0)); }
/// A rate from seconds per byte; none where it is nothing.
std::optional<Bandwidth> rate_of(double s_per_byte) {
  if (s_per_byte <= 1e-13) return std::nullopt;
  return Bandwidth::bytes_per_second(static_cast<std::int64_t>(1 / s_per_byte));
}

struct Sized {
  std::int64_t bytes = 0;
  std::unique_ptr<Temporary> files, records;
};

double median_of(const std::vector<double>& values) { return median(values); }

AccessCost measure_access(Access access, const std::vector<Sized>& sizes) {
  LoaderSpec files, records;
  files.readers.access = records.readers.access = access;
  records.dataset.format = DatasetSpec::Format::records;
  std::vector<std::pair<double, double>> wait, cpu, warm;
  std::vector<double> opens, cold_opens;
  for (const auto& size : sizes) {
    std::vector<double> waits, cpus, warms, file_opens, file_waits;
    for (int round = 0; round < rounds; ++round) {
      const auto seed = static_cast<std::uint64_t>(round);
      drop_from_cache(size.records->dataset());
      const auto cold = read_all(records, size.records->dataset(), seed);
      const auto hot = read_all(records, size.records->dataset(), seed + 100);
      drop_from_cache(size.files->dataset());
      const auto cold_file = read_all(files, size.files->dataset(), seed);
      const auto hot_file = read_all(files, size.files->dataset(), seed + 100);
      waits.push_back(cold.wait_s);
      cpus.push_back(cold.cpu_s);
      warms.push_back(hot.cpu_s);
      file_opens.push_back(hot_file.cpu_s - hot.cpu_s);
      file_waits.push_back(cold_file.all_s - cold.all_s - (hot_file.cpu_s - hot.cpu_s));
    }
    const auto bytes = static_cast<double>(size.bytes);
    wait.emplace_back(bytes, median_of(waits));
    cpu.emplace_back(bytes, median_of(cpus));
    warm.emplace_back(bytes, median_of(warms));
    opens.push_back(median_of(file_opens));
    cold_opens.push_back(median_of(file_waits));
  }
  AccessCost cost;
  const Line waiting = fit(wait), cold_cpu = fit(cpu), warm_cpu = fit(warm);
  cost.open = duration_of(median_of(opens));
  cost.cold_open = duration_of(median_of(cold_opens));
  cost.latency = duration_of(waiting.at_zero);
  cost.stream_bandwidth = rate_of(waiting.slope);
  cost.cpu = duration_of(cold_cpu.at_zero);
  cost.cpu_bandwidth = rate_of(cold_cpu.slope);
  cost.warm_cpu = duration_of(warm_cpu.at_zero);
  cost.warm_bandwidth = rate_of(warm_cpu.slope);
  return cost;
}

Bandwidth measure_bandwidth(const Dataset& dataset) {
  LoaderSpec spec;
  spec.dataset.format = DatasetSpec::Format::records;
  spec.readers.access = Access::io_uring;
  spec.readers.depth = 16;
  std::vector<double> rates;
  for (int round = 0; round < rounds; ++round) {
    drop_from_cache(dataset);
    const auto reading = read_all(spec, dataset, static_cast<std::uint64_t>(round));
    rates.push_back(static_cast<double>(dataset.samples.front().bytes) / reading.all_s);
  }
  return Bandwidth::bytes_per_second(static_cast<std::int64_t>(median_of(rates)));
}

/// Images of one size, and where their pixels go: as in a pipeline, every image is another one and no memory is warm.
struct Images {
  int width = 0, height = 0;
  std::vector<std::vector<std::byte>> jpegs;

  Images(int wide, int high) : width(wide), height(high) {
    const double pixels = static_cast<double>(width) * height;
    JpegMaker maker(width, height);
    const auto count = std::clamp(static_cast<int>(cold_bytes / (3 * pixels)), 48, 400);
    for (int i = 0; i < count; ++i)
      jpegs.push_back(maker.make(static_cast<std::int64_t>(bytes_per_pixel * pixels), static_cast<std::uint64_t>(i)));
  }
  static constexpr double cold_bytes = 32e6;  // more than the caches of a core hold
};

double decode_cpu_s(const Images& images) {
  JpegDecoder decoder;
  const std::size_t bytes =
      std::size_t{3} * static_cast<std::size_t>(images.width) * static_cast<std::size_t>(images.height);
  std::vector<std::byte> pixels(bytes * images.jpegs.size());
  const auto target = [&](std::size_t i) { return std::span(pixels).subspan(i * bytes, bytes); };
  decoder.decode(images.jpegs.front(), images.width, images.height, target(0));
  const double begin = cpu_s();
  for (std::size_t i = 0; i < images.jpegs.size(); ++i)
    decoder.decode(images.jpegs[i], images.width, images.height, target(i));
  return (cpu_s() - begin) / static_cast<double>(images.jpegs.size());
}

void measure_decoding(LoaderCosts& costs, int cores) {
  std::vector<std::pair<double, double>> points;
  std::vector<double> slowdowns;
  for (const auto& [width, height] : {std::pair{128, 128}, std::pair{256, 256}, std::pair{500, 375}}) {
    const Images images(width, height);
    std::vector<double> alone;
    for (int round = 0; round < rounds; ++round) {
      alone.push_back(decode_cpu_s(images));
      std::vector<std::thread> threads;
      std::vector<double> together(static_cast<std::size_t>(cores));
      for (int i = 0; i < cores; ++i)
        threads.emplace_back([&, i] { together[static_cast<std::size_t>(i)] = decode_cpu_s(images); });
      for (auto& thread : threads) thread.join();
      slowdowns.push_back(median_of(together) / alone.back());
    }
    points.emplace_back(3.0 * width * height, median_of(alone));
  }
  const Line line = fit(points);
  costs.decode = duration_of(line.at_zero);
  costs.decode_bandwidth = rate_of(line.slope);
  costs.slowdown = std::max(1.0, median_of(slowdowns));
}

template <class Work>
double s_per_byte(std::size_t bytes, Work work) {
  std::vector<double> times;
  for (int round = 0; round < 3 * rounds; ++round) {
    const double begin = cpu_s();
    for (int i = 0; i < 20; ++i) work();
    times.push_back((cpu_s() - begin) / 20 / static_cast<double>(bytes));
  }
  return median_of(times);
}

/// From the creation of a worker until it runs.
double start_s(ReadersSpec::Kind kind) {
  std::vector<double> times;
  void* shared = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) throw RunFailure("calibration: no memory");
  auto* ran = static_cast<Clock::time_point*>(shared);
  for (int i = 0; i < 20; ++i) {
    const auto begin = Clock::now();
    if (kind == ReadersSpec::Kind::threads) {
      std::thread([&] { *ran = Clock::now(); }).join();
    } else {
      const pid_t child = ::fork();
      if (child == 0) {
        *ran = Clock::now();
        ::_exit(0);
      }
      int status = 0;
      ::waitpid(child, &status, 0);
    }
    times.push_back(std::chrono::duration<double>(*ran - begin).count());
  }
  ::munmap(shared, 4096);
  return median_of(times);
}

/// An empty batch through an empty pipeline of one worker: its hand-over.
double hand_over_s(ReadersSpec::Kind kind, const Dataset& dataset, const DatasetSpec& spec) {
  LoaderSpec loader;
  loader.dataset = spec;
  loader.batch.size = 1;
  loader.readers.kind = kind;
  loader.readers.access = Access::mmap;
  loader.readers.prefetch = 16;
  LoaderRun options;
  options.keep_cache = true;
  std::vector<double> times;
  for (int round = 0; round < rounds; ++round)
    times.push_back(1 / run_loader(loader, dataset, options).steady_samples_per_s());
  return median_of(times);
}

double late_s() {
  std::vector<double> late;
  for (int i = 0; i < 50; ++i) {
    const auto begin = Clock::now();
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    late.push_back(seconds_since(begin) - 2e-3);
  }
  return median_of(late);
}

}  // namespace

LoaderCalibration calibrate_loader(const std::string& folder, const std::function<void(const std::string&)>& progress) {
  LoaderCalibration result;
  LoaderCosts& costs = result.costs;
  result.cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  // Processes first: they are forked, and threads are not forked with them.
  progress("starts and hand-over");
  costs.processes.start = duration_of(start_s(ReadersSpec::Kind::processes));
  {
    DatasetSpec spec;
    spec.format = DatasetSpec::Format::tokens;
    spec.samples = 4000;
    spec.size = fixed(64_B);
    const Temporary files(folder, "tokens", spec);
    costs.processes.hand_over = duration_of(hand_over_s(ReadersSpec::Kind::processes, files.dataset(), spec));
    costs.threads.hand_over = duration_of(hand_over_s(ReadersSpec::Kind::threads, files.dataset(), spec));
  }
  costs.threads.start = duration_of(start_s(ReadersSpec::Kind::threads));
  costs.sleep = duration_of(late_s());
  progress("decoding, checksums, copies");
  measure_decoding(costs, result.cores);
  std::vector<std::byte> from(1 << 20, std::byte{1}), to(1 << 20);
  volatile std::uint64_t sum = 0;
  costs.check_bandwidth = rate_of(s_per_byte(from.size(), [&] { sum = checksum(from); }));
  costs.collate = rate_of(s_per_byte(from.size(), [&] { std::memcpy(to.data(), from.data(), from.size()); }));
  std::vector<Sized> sizes;
  for (const std::int64_t bytes : {16 << 10, 64 << 10, 128 << 10, 256 << 10}) {
    DatasetSpec spec;
    spec.samples = samples_of_a_size;
    spec.samples_per_shard = samples_of_a_size;
    spec.size = fixed(Bytes{bytes});
    Sized sized;
    sized.bytes = bytes;
    sized.files = std::make_unique<Temporary>(folder, fmt::format("files_{}", bytes), spec);
    spec.format = DatasetSpec::Format::records;
    sized.records = std::make_unique<Temporary>(folder, fmt::format("records_{}", bytes), spec);
    sizes.push_back(std::move(sized));
  }
  std::vector<std::vector<std::string>> table{
      {"access", "open (us)", "cold: wait (us)", "+ GB/s", "CPU (us)", "+ GB/s", "cached: CPU (us)", "+ GB/s"}};
  for (std::size_t i = 0; i < access_count; ++i) {
    const auto access = static_cast<Access>(i);
    progress("access: " + access_names()[i]);
    costs.access[i] = measure_access(access, sizes);
    const AccessCost& cost = *costs.access[i];
    const auto us = [](Duration time) { return fmt::format("{:.1f}", to_seconds(time) * 1e6); };
    const auto rate = [](const std::optional<Bandwidth>& bandwidth) {
      return bandwidth ? fmt::format("{:.2f}", bandwidth->bytes_per_second() * 1e-9) : std::string("-");
    };
    table.push_back({access_names()[i], us(cost.open), us(cost.latency + cost.cold_open), rate(cost.stream_bandwidth),
                     us(cost.cpu), rate(cost.cpu_bandwidth), us(cost.warm_cpu), rate(cost.warm_bandwidth)});
  }
  progress("bandwidth");
  costs.bandwidth = measure_bandwidth(sizes.back().records->dataset());
  result.text = format_table(table);
  result.text += fmt::format(
      "storage {}, decoding {} + {}/s of pixels, slower by {:.2f} on all cores, checksums {}/s\n",
      format_bandwidth(*costs.bandwidth), format_duration(*costs.decode),
      costs.decode_bandwidth ? format_bytes(Bytes{costs.decode_bandwidth->bits_per_second() / 8}) : "-", costs.slowdown,
      costs.check_bandwidth ? format_bytes(Bytes{costs.check_bandwidth->bits_per_second() / 8}) : "-");
  result.text += fmt::format("start of a thread {}, of a process {}; hand-over {} and {}; sleepers are {} late\n",
                             format_duration(costs.threads.start), format_duration(costs.processes.start),
                             format_duration(costs.threads.hand_over), format_duration(costs.processes.hand_over),
                             format_duration(costs.sleep));
  return result;
}

}  // namespace lockstep::real
