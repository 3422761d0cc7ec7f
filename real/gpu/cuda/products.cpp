// Matrix products by shape: squares, the layers of models, alignment, waves of tiles, element types, a sustained run.
#include <cmath>
#include <cstring>
#include <optional>
#include <random>
#include <vector>

#include "real/gpu/cuda/cublas_lt.hpp"
#include "real/gpu/cuda/kernels.hpp"
#include "real/gpu/cuda/measure.hpp"
#include "real/gpu/cuda/rows.hpp"
#include "real/gpu/cuda/timing.hpp"

namespace lockstep::real::gpu {
namespace {

struct Shape {
  const char* group;
  std::int64_t m, n, k;
};

std::vector<Shape> shapes(bool quick) {
  if (quick) return {{"square", 512, 512, 512}, {"square", 4096, 4096, 4096}, {"alignment", 4096, 4096, 4095}};
  std::vector<Shape> all;
  for (const std::int64_t n : {256, 512, 1024, 2048, 4096, 8192, 16384}) all.push_back({"square", n, n, n});
  // Weights of Llama 3 8B (hidden 4096, 8 heads of keys and values of 128, ffn 14336, vocabulary 128256) by tokens.
  for (const std::int64_t tokens : {1, 16, 128, 512, 2048, 8192}) {
    for (const auto& [n, k] :
         {std::pair<std::int64_t, std::int64_t>{6144, 4096}, {4096, 4096}, {28672, 4096}, {4096, 14336}})
      all.push_back({"llama3_8b", tokens, n, k});
    if (tokens <= 2048) all.push_back({"llama3_8b", tokens, 128256, 4096});
  }
  // The same of Llama 3 70B (hidden 8192, ffn 28672) cut for tensor parallelism of 8.
  for (const std::int64_t tokens : {2048, 8192})
    for (const auto& [n, k] :
         {std::pair<std::int64_t, std::int64_t>{1280, 8192}, {8192, 1024}, {7168, 8192}, {8192, 3584}})
      all.push_back({"llama3_70b_tensor8", tokens, n, k});
  for (const std::int64_t odd : {4032, 4064, 4080, 4088, 4092, 4094, 4095, 4096, 4097, 4100, 4104, 4112, 4128, 4160}) {
    all.push_back({"alignment_k", 4096, 4096, odd});
    if (odd != 4096) all.push_back({"alignment_n", 4096, odd, 4096});
  }
  // With tiles of 128 x 256, 132 multiprocessors take 1056 rows of 4096 columns in two waves.
  for (std::int64_t m = 128; m <= 2304; m += 128) all.push_back({"waves", m, 4096, 4096});
  return all;
}

struct Precision {
  const char* name;
  cudaDataType_t in, out;
  cublasComputeType_t compute;
  NumberFormat format;
  std::size_t in_bytes, out_bytes;
};
constexpr Precision bfloat16{"bfloat16", CUDA_R_16BF, CUDA_R_16BF, CUBLAS_COMPUTE_32F, NumberFormat::bfloat16, 2, 2};
constexpr Precision others[] = {
    {"float16", CUDA_R_16F, CUDA_R_16F, CUBLAS_COMPUTE_32F, NumberFormat::float16, 2, 2},
    {"tf32", CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F_FAST_TF32, NumberFormat::float32, 4, 4},
    {"float32", CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F, NumberFormat::float32, 4, 4},
    {"float8_e4m3", CUDA_R_8F_E4M3, CUDA_R_16BF, CUBLAS_COMPUTE_32F, NumberFormat::float8_e4m3, 1, 2},
};
constexpr std::size_t workspace_bytes = std::size_t{32} << 20;  // what frameworks give on Hopper

double tflops(const Shape& shape, double seconds) {
  return 2.0 * static_cast<double>(shape.m) * static_cast<double>(shape.n) * static_cast<double>(shape.k) / seconds *
         1e-12;
}

class Bench {
 public:
  Bench()
      : stream_(make_stream()),
        inputs_(device_memory(std::size_t{8} << 30)),
        outputs_(device_memory(std::size_t{4} << 30)),
        workspace_(device_memory(workspace_bytes)) {
    check(cudaDeviceGetAttribute(&l2_, cudaDevAttrL2CacheSize, 0), "cudaDeviceGetAttribute");
  }

  /// All inputs are random numbers in [-1, 1): products of zeros run faster than those of numbers.
  void fill(const Precision& precision) {
    fill_random(precision.format, inputs_.data(), static_cast<std::int64_t>(inputs_.bytes() / precision.in_bytes), 1,
                stream_);
    finish(stream_);
  }

  /// Buffers by turns, so that large inputs come from memory and not from the cache, as they do between the layers of a
  /// model. Outputs have memory of their own: none of them becomes an input.
  struct Turns {
    std::size_t x, w, y;  // bytes of one of each
    int count;
  };
  [[nodiscard]] Turns turns(const Shape& shape, const Precision& precision) const {
    const auto bytes = [](std::int64_t a, std::int64_t b, std::size_t width) {
      return (static_cast<std::size_t>(a) * static_cast<std::size_t>(b) * width + 255) / 256 * 256;
    };
    Turns t{};
    t.x = bytes(shape.m, shape.k, precision.in_bytes);
    t.w = bytes(shape.n, shape.k, precision.in_bytes);
    t.y = bytes(shape.m, shape.n, precision.out_bytes);
    const std::size_t wanted = std::size_t{3} * static_cast<std::size_t>(l2_) / (t.x + t.w + t.y) + 1;
    const std::size_t room = std::min(inputs_.bytes() / (t.x + t.w), outputs_.bytes() / t.y);
    t.count = static_cast<int>(std::min({wanted, room, std::size_t{64}}));
    if (t.count == 0) throw RunFailure(fmt::format("a product of {}x{}x{} has no room", shape.m, shape.n, shape.k));
    return t;
  }

  void run(const CublasLt::Prepared& product, const Turns& t, int i, cudaStream_t stream) const {
    const auto turn = static_cast<std::size_t>(i % t.count);
    const std::byte* x = inputs_.data() + turn * (t.x + t.w);
    product.run(x, x + t.x, outputs_.data() + turn * t.y, workspace_.data(), stream);
  }

  [[nodiscard]] cudaStream_t stream() const { return stream_; }
  [[nodiscard]] const std::byte* inputs() const { return inputs_.data(); }
  [[nodiscard]] const std::byte* outputs() const { return outputs_.data(); }

 private:
  Stream stream_;
  DeviceMemory inputs_;
  DeviceMemory outputs_;
  DeviceMemory workspace_;
  int l2_ = 0;
};

// A few elements of the product against double precision.
Finding check_product(const CublasLt& library, const Bench& bench, const Shape& shape) {
  const auto turns = bench.turns(shape, bfloat16);
  const CublasLt::Prepared product = library.need({shape.m, shape.n, shape.k}, workspace_bytes);
  bench.run(product, turns, 0, bench.stream());
  finish(bench.stream());
  const auto number = [](std::uint16_t bits) {
    const std::uint32_t wide = static_cast<std::uint32_t>(bits) << 16;
    float value = 0;
    std::memcpy(&value, &wide, sizeof value);
    return static_cast<double>(value);
  };
  const auto row = [](const std::byte* matrix, std::int64_t index, std::int64_t length) {
    std::vector<std::uint16_t> values(static_cast<std::size_t>(length));
    check(cudaMemcpy(values.data(), matrix + index * length * 2, values.size() * 2, cudaMemcpyDeviceToHost),
          "cudaMemcpy");
    return values;
  };
  std::mt19937_64 generator(3);
  double worst = 0;
  bool right = true;  // NaN is not
  for (int sample = 0; sample < 24; ++sample) {
    const auto i = static_cast<std::int64_t>(generator() % static_cast<std::uint64_t>(shape.m));
    const auto j = static_cast<std::int64_t>(generator() % static_cast<std::uint64_t>(shape.n));
    const auto x = row(bench.inputs(), i, shape.k);
    const auto w = row(bench.inputs() + turns.x, j, shape.k);
    const auto y = row(bench.outputs(), i, shape.n);
    double exact = 0;
    double size = 0;
    for (std::size_t k = 0; k < x.size(); ++k) {
      exact += number(x[k]) * number(w[k]);
      size += std::abs(number(x[k]) * number(w[k]));
    }
    // The rounding of the result to 8 bits, and float32 sums of `size`.
    const double difference =
        std::abs(number(y[static_cast<std::size_t>(j)]) - exact) / (std::abs(exact) + size * 1e-4);
    right = right && difference < 1.0 / 128;
    worst = std::max(worst, difference);
  }
  return {fmt::format("product {}x{}x{}", shape.m, shape.n, shape.k), right,
          fmt::format("largest relative difference from double precision {:.1e}", worst)};
}

// As one long run of large products heats the chip and draws its power: the rate of the start and of the end.
nlohmann::ordered_json sustained(const CublasLt& library, const Bench& bench, double seconds) {
  const Shape shape{"sustained", 8192, 8192, 8192};
  const auto turns = bench.turns(shape, bfloat16);
  const CublasLt::Prepared product = library.need({shape.m, shape.n, shape.k}, workspace_bytes);
  const Event before = make_event();
  const Event after = make_event();
  check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
  std::vector<double> each;
  double total = 0;
  while (total < seconds) {
    each.push_back(device_seconds(bench.stream(), before, after,
                                  [&](cudaStream_t s) {
                                    for (int i = 0; i < 10; ++i) bench.run(product, turns, i, s);
                                  }) /
                   10);
    total += each.back() * 10;
  }
  const std::size_t part = std::max<std::size_t>(1, each.size() / 10);
  const auto rate = [&](std::size_t from) { return tflops(shape, median(std::span(each).subspan(from, part))); };
  return {{"group", "sustained"},
          {"precision", bfloat16.name},
          {"m", shape.m},
          {"n", shape.n},
          {"k", shape.k},
          {"seconds", total},
          {"tflops_first_tenth", rate(0)},
          {"tflops_last_tenth", rate(each.size() - part)}};
}

}  // namespace

SectionResult measure_products(const MeasureSettings& settings) {
  std::string missing;
  const auto library = open_cublas_lt(missing);
  if (!library) throw RunFailure(missing);
  Bench bench;
  bench.fill(bfloat16);
  SectionResult result;
  for (const Shape& shape : {Shape{"", 256, 512, 1024}, Shape{"", 1000, 600, 4095}, Shape{"", 7, 4096, 4096}})
    result.findings.push_back(check_product(*library, bench, shape));

  auto& rows = result.values = nlohmann::ordered_json::array();
  const auto measure = [&](const Shape& shape, const Precision& precision) {
    nlohmann::ordered_json row{
        {"group", shape.group}, {"precision", precision.name}, {"m", shape.m}, {"n", shape.n}, {"k", shape.k}};
    const auto product =
        library->prepare({shape.m, shape.n, shape.k, precision.in, precision.out, precision.compute}, workspace_bytes);
    if (!product) {
      row["refused"] = "cuBLASLt has no algorithm for this type on this device";
    } else {
      const auto turns = bench.turns(shape, precision);
      const Times times =
          time_per_call(bench.stream(), [&](cudaStream_t s, int i) { bench.run(*product, turns, i, s); });
      put(row, times);
      row["tflops"] = tflops(shape, times.median_s);
    }
    rows.push_back(row);
  };
  for (const auto& shape : shapes(settings.quick)) measure(shape, bfloat16);
  rows.push_back(sustained(*library, bench, settings.quick ? 0.2 : 4));
  for (const auto& precision : others) {
    bench.fill(precision);
    for (const std::int64_t n :
         settings.quick ? std::vector<std::int64_t>{1024} : std::vector<std::int64_t>{512, 1024, 2048, 4096, 8192})
      measure({"square", n, n, n}, precision);
  }
  return result;
}

}  // namespace lockstep::real::gpu
