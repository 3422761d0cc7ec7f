// Does the section `loader:` say what it means, and are wrong ones refused with position and remedy?
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.hpp"
#include "core/loader/costs.hpp"
#include "core/workload/workload.hpp"
#include "tests/core/messages.hpp"

namespace lockstep {
namespace {

using testing::HasSubstr;

Workload read(const std::string& text) { return read_workload(config::parse_text(text, "w.yaml"), "w.yaml"); }
LoaderSpec loader(const std::string& keys) {
  return *read("name: w\nloader:\n  dataset: {samples: 10, size: 1kB}\n  batch: {size: 2}\n" + keys).loader;
}
std::string error(const std::string& keys) {
  return test::message_of<InputError>([&] { loader(keys); });
}

TEST(LoaderReader, DefaultsAreThoseOfThePage) {
  const LoaderSpec spec = loader("");
  EXPECT_EQ(spec.dataset.samples, 10);
  EXPECT_EQ(spec.dataset.size.mean, 1000);
  EXPECT_EQ(spec.sampler.order, SamplerSpec::Order::shuffle);
  EXPECT_EQ(spec.storage.kind, "measured");
  EXPECT_EQ(spec.readers.workers, 1);
  EXPECT_EQ(spec.readers.prefetch, 2);
  EXPECT_TRUE(spec.readers.ordered);
  EXPECT_EQ(spec.policy.of(Trouble::corrupt), PolicySpec::Action::fail);
  EXPECT_EQ(spec.policy.of(Trouble::unavailable), PolicySpec::Action::retry);
  EXPECT_EQ(spec.steps(1), 5);
  EXPECT_EQ(spec.steps(3), 2);  // shares of 4, 3 and 3
}

TEST(LoaderReader, AStorageTakesItsKindAndWhatDiffers) {
  const LoaderSpec spec = loader("  storage: {kind: lustre, open: 5ms}\n");
  EXPECT_EQ(spec.storage.open.mean, milliseconds(5).count());
  EXPECT_EQ(spec.storage.opens_per_s, 50'000);
  EXPECT_EQ(loader("  storage: object_store\n").storage.prefix_rate, 5500);
}

TEST(LoaderReader, Distributions) {
  const auto size = [](const std::string& text) {
    return read("name: w\nloader: {dataset: {samples: 1, size: " + text + "}, batch: {size: 1}}\n")
        .loader->dataset.size;
  };
  EXPECT_EQ(size("{mean: 1kB, deviation: 100B}").shape, Distribution::Shape::normal);
  EXPECT_EQ(size("{mean: 1kB}").shape, Distribution::Shape::fixed);
  EXPECT_EQ(size("{quantiles: [0B, 1kB, 4kB]}").expected(), 1500);
  const auto normal = size("{mean: 100kB, deviation: 10kB}");
  const auto quantiles = size("{quantiles: [0B, 1kB, 4kB]}");
  const auto exponential = Distribution{.shape = Distribution::Shape::exponential, .mean = 1'000'000};
  double sum = 0, squares = 0, quantile_sum = 0, exponential_sum = 0;
  constexpr int draws = 20'000;
  for (std::uint64_t key = 0; key < draws; ++key) {
    const auto value = static_cast<double>(normal.draw(key)) - 100'000;
    sum += value;
    squares += value * value;
    quantile_sum += static_cast<double>(quantiles.draw(key));
    exponential_sum += static_cast<double>(exponential.draw(key));
  }
  EXPECT_NEAR(sum / draws, 0, 250);
  EXPECT_NEAR(squares / draws, 1e8, 3e6);
  EXPECT_NEAR(quantile_sum / draws, 1500, 30);
  EXPECT_NEAR(exponential_sum / draws, 1e6, 2.5e4);
}

TEST(LoaderReader, DamagedSamplesAreChosenByTheSeed) {
  auto spec = loader("").dataset;
  spec.samples = 1000;
  spec.damaged[static_cast<std::size_t>(Trouble::corrupt)] = 5;
  spec.damaged[static_cast<std::size_t>(Trouble::empty)] = 7;
  const DamagedSamples damaged(spec);
  int corrupt = 0, empty = 0;
  for (std::int64_t i = 0; i < 1000; ++i) {
    corrupt += damaged.of(i) == Trouble::corrupt ? 1 : 0;
    empty += damaged.of(i) == Trouble::empty ? 1 : 0;
  }
  EXPECT_EQ(corrupt, 5);
  EXPECT_EQ(empty, 7);
}

TEST(LoaderReader, WrongOnesAreRefused) {
  EXPECT_EQ(error("  readers: {depth: 4}\n"),
            "w.yaml:5:12: 'depth' is of 'access: io_uring'; the others wait for every read");
  EXPECT_EQ(error("  readers: {kind: processes, interpreter: 5%}\n"),
            "w.yaml:5:12: processes have an interpreter each; 'interpreter' is of threads");
  EXPECT_EQ(error("  decode: {kind: jpeg}\n"),
            "w.yaml:3:3: 'decode: {kind: jpeg}' needs 'content: jpeg' of the dataset");
  EXPECT_EQ(error("  decode: {kind: busy}\n"), "w.yaml:5:11: 'busy' needs 'time'");
  EXPECT_THAT(error("  storage: nvm\n"), HasSubstr("w.yaml:5:12: unknown storage 'nvm'; did you mean 'nvme'?"));
  EXPECT_THAT(error("  readers: {worker: 2}\n"), HasSubstr("did you mean 'workers'?"));
  EXPECT_THAT(error("  consumer: {think: 3}\n"), HasSubstr("has no unit"));
  EXPECT_THAT(error("  policy: {corrupt: ignore}\n"), HasSubstr("unknown policy 'ignore'"));
  EXPECT_EQ(error("  sampler: {order: weighted, weights: [{share: 50%, weight: 1}]}\n"),
            "w.yaml:5:12: the shares of 'weights' add up to 0.5, not 1");
  EXPECT_EQ(test::message_of<InputError>([] { read("name: w\n"); }),
            "w.yaml:1:1: a workload needs 'collectives', 'kernels' or 'loader'");
  EXPECT_EQ(error("iterations: 3\n"), "w.yaml:1:1: 'iterations' is not for a workload with a loader; remove it");
  EXPECT_THAT(test::message_of<InputError>([] {
                plan_workload(read("name: w\nloader: {dataset: {samples: 1, size: "
                                   "1B}, batch: {size: 1}}\n"),
                              1);
              }),
              HasSubstr("a data loader is no list of collectives"));
}

TEST(LoaderReader, CostsOfAProfileComeBack) {
  LoaderCosts costs;
  costs.access[0].emplace();
  costs.access[0]->open = microseconds(5);
  costs.access[0]->latency = microseconds(80);
  costs.access[0]->cpu = microseconds(7);
  costs.access[0]->warm_bandwidth = Bandwidth::bytes_per_second(5'000'000'000);
  costs.decode = microseconds(30);
  costs.decode_bandwidth = Bandwidth::bytes_per_second(400'000'000);
  costs.threads.wake = microseconds(50);
  costs.slowdown = 1.25;
  const std::string text = "loader:\n" + to_yaml(costs);
  config::Diagnostics diagnostics;
  const auto again = loader_costs_type().read(*config::parse_text(text, "p.yaml").find("loader"), diagnostics);
  ASSERT_TRUE(again) << text;
  EXPECT_EQ("loader:\n" + to_yaml(*again), text);
  EXPECT_EQ(again->threads.wake, microseconds(50));
  EXPECT_FALSE(again->access[1]);
}

}  // namespace
}  // namespace lockstep
