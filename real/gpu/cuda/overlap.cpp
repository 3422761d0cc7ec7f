// What products and copies cost each other when they run at once: why hidden communication is not free.
#include <functional>
#include <vector>

#include "real/gpu/cuda/cublas_lt.hpp"
#include "real/gpu/cuda/kernels.hpp"
#include "real/gpu/cuda/measure.hpp"
#include "real/gpu/cuda/rows.hpp"
#include "real/gpu/cuda/timing.hpp"

namespace lockstep::real::gpu {
namespace {

constexpr std::int64_t side = 8192;
constexpr std::size_t matrix_bytes = static_cast<std::size_t>(side * side) * 2;
constexpr std::size_t piece = std::size_t{256} << 20;
constexpr std::size_t workspace_bytes = std::size_t{32} << 20;

struct Traffic {
  const char* name;
  std::function<void(cudaStream_t)> once;  // moves `piece` bytes
};

}  // namespace

SectionResult measure_overlap(const MeasureSettings& settings) {
  std::string missing;
  const auto library = open_cublas_lt(missing);
  if (!library) throw RunFailure(missing);
  const Stream compute = make_stream();
  const Stream traffic = make_stream();
  const DeviceMemory matrices = device_memory(3 * matrix_bytes);
  const DeviceMemory workspace = device_memory(workspace_bytes);
  const DeviceMemory from = device_memory(piece);
  const DeviceMemory to = device_memory(piece);
  const PinnedMemory host = pinned_memory(piece);
  fill_random(NumberFormat::bfloat16, matrices.data(), 3 * side * side, 3, compute);
  finish(compute);
  const CublasLt::Prepared product = library->need({side, side, side}, workspace_bytes);
  const auto multiply = [&](cudaStream_t s) {
    product.run(matrices.data(), matrices.data() + matrix_bytes, matrices.data() + 2 * matrix_bytes, workspace.data(),
                s);
  };
  const auto move = [&](void* target, const void* source, cudaMemcpyKind kind) {
    return [=](cudaStream_t s) { check(cudaMemcpyAsync(target, source, piece, kind, s), "cudaMemcpyAsync"); };
  };
  const std::vector<Traffic> kinds{{"host_to_device", move(to.data(), host.data(), cudaMemcpyHostToDevice)},
                                   {"device_to_host", move(host.data(), from.data(), cudaMemcpyDeviceToHost)},
                                   {"device_to_device", move(to.data(), from.data(), cudaMemcpyDeviceToDevice)},
                                   // As a collective's kernel does it: on multiprocessors that the product would use.
                                   {"combine kernel", [&](cudaStream_t s) {
                                      combine(ElementType::float32, Reduction::sum, from.data(), to.data(),
                                              static_cast<std::int64_t>(piece / 4), s);
                                    }}};

  const Event begin = make_event();
  const Event end = make_event();
  const Event traffic_begin = make_event();
  const Event traffic_end = make_event();
  const int products = settings.quick ? 5 : 30;
  const auto elapsed = [](const Event& a, const Event& b) {
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, a, b), "cudaEventElapsedTime");
    return static_cast<double>(milliseconds) * 1e-3;
  };
  const auto products_alone = [&] {
    return device_seconds(compute, begin, end, [&](cudaStream_t s) {
      for (int i = 0; i < products; ++i) multiply(s);
    });
  };
  products_alone();

  SectionResult result;
  auto& rows = result.values = nlohmann::ordered_json::array();
  for (const auto& kind : kinds) {
    std::vector<double> alone, together, traffic_alone, traffic_together;
    for (int repetition = 0; repetition < (settings.quick ? 3 : 5); ++repetition) {
      alone.push_back(products_alone());
      traffic_alone.push_back(device_seconds(traffic, begin, end,
                                             [&](cudaStream_t s) {
                                               for (int i = 0; i < 4; ++i) kind.once(s);
                                             }) /
                              4);
      // Traffic as long as the products and a little more; both begin together.
      const int pieces = static_cast<int>(1.5 * alone.back() / traffic_alone.back()) + 4;
      const Event started = make_event(cudaEventDisableTiming);
      check(cudaEventRecord(traffic_begin, traffic), "cudaEventRecord");
      check(cudaEventRecord(started, traffic), "cudaEventRecord");
      check(cudaStreamWaitEvent(compute, started, 0), "cudaStreamWaitEvent");
      check(cudaEventRecord(begin, compute), "cudaEventRecord");
      int enqueued = 0;
      for (int i = 0; i < products; ++i) {
        multiply(compute);
        for (; enqueued < pieces * (i + 1) / products; ++enqueued) kind.once(traffic);
      }
      check(cudaEventRecord(end, compute), "cudaEventRecord");
      check(cudaEventRecord(traffic_end, traffic), "cudaEventRecord");
      finish(compute);
      finish(traffic);
      together.push_back(elapsed(begin, end));
      // What ran beside products and what ran after them are one number; the part after ran as fast as alone.
      const double total = elapsed(traffic_begin, traffic_end);
      const double beside = std::min(total, together.back());
      const double after = total - beside;
      const double moved_beside = pieces - after / traffic_alone.back();
      if (moved_beside > 0) traffic_together.push_back(beside / moved_beside);
    }
    nlohmann::ordered_json row{{"traffic", kind.name},
                               {"products", fmt::format("bfloat16 {0}x{0}x{0}", side)},
                               {"product_alone_s", median(alone) / products},
                               {"product_beside_s", median(together) / products},
                               {"product_slowdown", median(together) / median(alone)},
                               {"traffic_alone_GBps", static_cast<double>(piece) / median(traffic_alone) * 1e-9},
                               {"traffic_beside_GBps", nullptr}};
    if (!traffic_together.empty())
      row["traffic_beside_GBps"] = static_cast<double>(piece) / median(traffic_together) * 1e-9;
    rows.push_back(row);
  }
  return result;
}

}  // namespace lockstep::real::gpu
