// What it costs to start work: launches, graphs, events.
#include <vector>

#include "real/gpu/cuda/kernels.hpp"
#include "real/gpu/cuda/measure.hpp"
#include "real/gpu/cuda/rows.hpp"
#include "real/gpu/cuda/timing.hpp"

namespace lockstep::real::gpu {
namespace {

constexpr int burst = 1000;
constexpr int repetitions = 15;

template <class Work>
Times per_piece(int pieces, Work&& work) {
  std::vector<double> seconds;
  work();
  for (int i = 0; i < repetitions; ++i) seconds.push_back(work() / pieces);
  return times_of(seconds);
}

}  // namespace

SectionResult measure_launches(const MeasureSettings&) {
  const Stream stream = make_stream();
  const Stream other = make_stream();
  const Event before = make_event();
  const Event after = make_event();
  SectionResult result;
  auto& rows = result.values = nlohmann::ordered_json::array();
  const auto add = [&](const char* what, const char* meaning, const Times& times) {
    nlohmann::ordered_json row{{"what", what}, {"meaning", meaning}};
    put(row, times);
    rows.push_back(row);
  };

  add("launch_host", "the host's time for one launch, of 250 in a row: fewer than the queue holds",
      per_piece(burst / 4, [&] {
        const double seconds = host_seconds([&] {
          for (int i = 0; i < burst / 4; ++i) launch_nothing(stream);
        });
        finish(stream);
        return seconds;
      }));
  add("launch_device", "from one empty kernel to the next on the device, launched one by one", per_piece(burst, [&] {
        return device_seconds(stream, before, after, [&](cudaStream_t s) {
          for (int i = 0; i < burst; ++i) launch_nothing(s);
        });
      }));
  add("launch_and_wait", "from before a launch until the host knows that the kernel has ended", per_piece(1, [&] {
        return host_seconds([&] {
          launch_nothing(stream);
          finish(stream);
        });
      }));
  add("two_streams", "a kernel that waits for an event of another stream, and so on by turns", per_piece(burst, [&] {
        const Event turn = make_event(cudaEventDisableTiming);
        return device_seconds(stream, before, after, [&](cudaStream_t) {
          for (int i = 0; i < burst; ++i) {
            cudaStream_t now = i % 2 == 0 ? stream : other;
            cudaStream_t next = i % 2 == 0 ? other : stream;
            launch_nothing(now);
            check(cudaEventRecord(turn, now), "cudaEventRecord");
            check(cudaStreamWaitEvent(next, turn, 0), "cudaStreamWaitEvent");
          }
        });
      }));
  for (const int nodes : {1, 10, 100, 1000}) {
    const auto body = [&](cudaStream_t s) {
      for (int i = 0; i < nodes; ++i) launch_nothing(s);
    };
    const GraphRun graph = capture(stream, body);
    const auto launch = [&] { check(cudaGraphLaunch(graph, stream), "cudaGraphLaunch"); };
    nlohmann::ordered_json row{
        {"what", "graph_host"}, {"meaning", "the host's time for one launch of a graph"}, {"nodes", nodes}};
    put(row, per_piece(1, [&] {
          const double seconds = host_seconds(launch);
          finish(stream);
          return seconds;
        }));
    rows.push_back(row);
    row = {{"what", "graph_device"},
           {"meaning", "the device's time per node of a graph of empty kernels"},
           {"nodes", nodes}};
    put(row, per_piece(nodes, [&] { return device_seconds(stream, before, after, [&](cudaStream_t) { launch(); }); }));
    rows.push_back(row);
    row = {{"what", "graph_capture"}, {"meaning", "the host's time to capture and instantiate it"}, {"nodes", nodes}};
    put(row, per_piece(1, [&] { return host_seconds([&] { capture(stream, body); }); }));
    rows.push_back(row);
  }
  return result;
}

}  // namespace lockstep::real::gpu
