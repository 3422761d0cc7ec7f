// Do our kernels compute what the host computes? Every type and reduction, at lengths and alignments that leave ends
// over.
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "core/collective/data.hpp"
#include "real/gpu/cuda/kernels.hpp"
#include "real/gpu/cuda/measure.hpp"
#include "real/gpu/cuda/runtime.hpp"

namespace lockstep::real::gpu {
namespace {

std::vector<std::byte> random_elements(ElementType type, std::int64_t count, std::mt19937_64& generator) {
  std::vector<std::byte> data(static_cast<std::size_t>(count) * element_bytes(type));
  const auto number = [&] {
    return static_cast<double>(static_cast<std::int64_t>(generator() >> 11)) / (1LL << 44) - 256;
  };
  for (std::int64_t i = 0; i < count; ++i) {
    std::byte* at = data.data() + static_cast<std::size_t>(i) * element_bytes(type);
    const double value = number();
    switch (type) {
      case ElementType::float32: {
        const auto v = static_cast<float>(value);
        std::memcpy(at, &v, sizeof v);
        break;
      }
      case ElementType::float64:
        std::memcpy(at, &value, sizeof value);
        break;
      case ElementType::int32: {
        const auto v = static_cast<std::int32_t>(generator());  // any: sums wrap
        std::memcpy(at, &v, sizeof v);
        break;
      }
      case ElementType::bfloat16: {
        const auto v = static_cast<float>(value);
        std::memcpy(at, reinterpret_cast<const std::byte*>(&v) + 2, 2);  // the upper half
        break;
      }
    }
  }
  return data;
}

// Done when they return: our streams do not wait for the default one, on which these run.
void upload(const void* from, void* to, std::size_t bytes) {
  check(cudaMemcpy(to, from, bytes, cudaMemcpyHostToDevice), "cudaMemcpy");
  check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
}
void clear(const DeviceMemory& memory) {
  check(cudaMemset(memory.data(), 0, memory.bytes()), "cudaMemset");
  check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
}
void download(const void* from, void* to, std::size_t bytes) {
  check(cudaMemcpy(to, from, bytes, cudaMemcpyDeviceToHost), "cudaMemcpy");
}

// Source and target begin this many elements into their buffers.
struct Shift {
  std::int64_t source, target;
};
constexpr std::int64_t guard = 64;  // elements behind the target that have to stay as they are

std::string differing(const std::vector<std::byte>& expected, const std::vector<std::byte>& seen, std::size_t width) {
  std::size_t wrong = 0;
  std::size_t first = 0;
  for (std::size_t i = 0; i < expected.size(); i += width) {
    if (std::memcmp(expected.data() + i, seen.data() + i, width) == 0) continue;
    if (wrong++ == 0) first = i / width;
  }
  return wrong == 0 ? ""
                    : fmt::format("{} of {} elements differ, the first at {}", wrong, expected.size() / width, first);
}

Finding check_combine(ElementType type, Reduction reduction, cudaStream_t stream) {
  std::mt19937_64 generator(7);
  const std::size_t width = element_bytes(type);
  Finding finding{fmt::format("combine {} {}", to_string(type), to_string(reduction)), true, ""};
  int cases = 0;
  for (const std::int64_t count : {0, 1, 3, 17, 1000, 4099, 1'000'003}) {
    for (const Shift shift : {Shift{0, 0}, Shift{1, 1}, Shift{0, 1}, Shift{3, 2}}) {
      const auto source = random_elements(type, count + shift.source, generator);
      auto target = random_elements(type, count + shift.target + guard, generator);
      const DeviceMemory on_source = device_memory(std::max<std::size_t>(16, source.size()));
      const DeviceMemory on_target = device_memory(target.size());
      upload(source.data(), on_source.data(), source.size());
      upload(target.data(), on_target.data(), target.size());
      const auto from = static_cast<std::size_t>(shift.source) * width;
      const auto to = static_cast<std::size_t>(shift.target) * width;
      combine(type, reduction, on_source.data() + from, on_target.data() + to, count, stream);
      combine_elements(type, reduction, source.data() + from, target.data() + to, count);
      if (reduction == Reduction::average) {
        finish_average(type, on_target.data() + to, count, 7, stream);
        lockstep::finish_average(type, target.data() + to, count, 7);
      }
      finish(stream);
      std::vector<std::byte> seen(target.size());
      download(on_target.data(), seen.data(), seen.size());
      ++cases;
      if (const std::string wrong = differing(target, seen, width); !wrong.empty()) {
        finding.passed = false;
        finding.message =
            fmt::format("{} elements, shifted by {} and {}: {}", count, shift.source, shift.target, wrong);
        return finding;
      }
    }
  }
  finding.message = fmt::format("{} cases equal the host's result bit for bit", cases);
  return finding;
}

Finding check_copy(cudaStream_t stream) {
  std::mt19937_64 generator(11);
  Finding finding{"copy", true, "equal byte for byte"};
  for (const std::int64_t count : {1, 15, 16, 33, 4096, 1'000'003}) {
    const auto source = random_elements(ElementType::int32, count / 4 + 8, generator);
    const DeviceMemory from = device_memory(source.size());
    const DeviceMemory to = device_memory(source.size());
    upload(source.data(), from.data(), source.size());
    clear(to);
    for (const std::size_t shift : {std::size_t{0}, std::size_t{5}}) {
      copy(from.data() + shift, to.data() + shift, count, stream);
      finish(stream);
      std::vector<std::byte> seen(static_cast<std::size_t>(count));
      download(to.data() + shift, seen.data(), seen.size());
      if (std::memcmp(seen.data(), source.data() + shift, seen.size()) != 0) {
        finding.passed = false;
        finding.message = fmt::format("{} bytes from byte {} differ", count, shift);
      }
    }
  }
  return finding;
}

Finding check_casts(cudaStream_t stream) {
  // Every bfloat16 there is, and floats around the ties between two of them.
  std::vector<float> floats;
  for (std::uint32_t high = 0; high < 0x10000; ++high) {
    for (const std::uint32_t low : {0x0000U, 0x7FFFU, 0x8000U, 0x8001U}) {
      const std::uint32_t bits = high << 16 | low;
      float value = 0;
      std::memcpy(&value, &bits, sizeof value);
      floats.push_back(value);
    }
  }
  const auto count = static_cast<std::int64_t>(floats.size());
  const DeviceMemory wide = device_memory(floats.size() * 4);
  const DeviceMemory slim = device_memory(floats.size() * 2);
  upload(floats.data(), wide.data(), floats.size() * 4);
  narrow(wide.data<float>(), slim.data<std::uint16_t>(), count, stream);
  finish(stream);
  std::vector<std::uint16_t> seen(floats.size());
  download(slim.data(), seen.data(), seen.size() * 2);
  Finding finding{"cast float32 to bfloat16 and back", true, fmt::format("{} numbers, ties and NaN among them", count)};
  for (std::size_t i = 0; i < floats.size(); ++i) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &floats[i], sizeof bits);
    const bool nan = std::isnan(floats[i]);
    // To nearest, ties to even: of the two neighbours the nearer one.
    std::uint32_t upper = bits >> 16;
    const std::uint32_t rest = bits & 0xFFFFU;
    if (rest > 0x8000U || (rest == 0x8000U && (upper & 1U) != 0)) ++upper;
    const bool right = nan ? (seen[i] & 0x7F80U) == 0x7F80U && (seen[i] & 0x7FU) != 0 : seen[i] == upper;
    if (!right) {
      finding.passed = false;
      finding.message = fmt::format("{:#010x} became {:#06x}", bits, seen[i]);
      return finding;
    }
  }
  widen(slim.data<std::uint16_t>(), wide.data<float>(), count, stream);
  finish(stream);
  std::vector<std::uint32_t> back(floats.size());
  download(wide.data(), back.data(), back.size() * 4);
  for (std::size_t i = 0; i < back.size(); ++i) {
    if (back[i] == static_cast<std::uint32_t>(seen[i]) << 16) continue;
    finding.passed = false;
    finding.message = fmt::format("{:#06x} became {:#010x}", seen[i], back[i]);
    return finding;
  }
  return finding;
}

// Both forms of the optimiser against double precision on the host, over three steps.
Finding check_adam(bool fused, cudaStream_t stream) {
  constexpr std::int64_t count = 10'007;
  constexpr auto floats = static_cast<std::size_t>(count) * 4;
  std::mt19937_64 generator(13);
  const auto number = [&] { return static_cast<float>(static_cast<double>(generator() >> 11) / (1LL << 52) - 1); };
  std::vector<float> master(count);
  std::vector<double> w(count);
  std::vector<double> m(count);
  std::vector<double> v(count);
  for (std::size_t i = 0; i < master.size(); ++i) w[i] = static_cast<double>(master[i] = number());
  const DeviceMemory on_master = device_memory(floats);
  const DeviceMemory first = device_memory(floats);
  const DeviceMemory second = device_memory(floats);
  const DeviceMemory gradient = device_memory(floats / 2);
  const DeviceMemory weight = device_memory(floats / 2);
  const DeviceMemory scratch = device_memory(static_cast<std::size_t>(adam_scratch_floats(count)) * 4);
  upload(master.data(), on_master.data(), floats);
  clear(first);
  clear(second);
  AdamStep step;
  for (step.step = 1; step.step <= 3; ++step.step) {
    std::vector<std::uint16_t> gradients(count);
    for (auto& g : gradients) {
      const float value = number();
      std::uint32_t bits = 0;
      std::memcpy(&bits, &value, sizeof bits);
      g = static_cast<std::uint16_t>(bits >> 16);
    }
    upload(gradients.data(), gradient.data(), floats / 2);
    const AdamState state{on_master.data<float>(), first.data<float>(), second.data<float>(),
                          gradient.data<std::uint16_t>(), weight.data<std::uint16_t>()};
    if (fused)
      adam_fused(state, step, count, stream);
    else
      adam_unfused(state, step, count, scratch.data<float>(), stream);
    finish(stream);
    const double beta1 = static_cast<double>(step.beta1);
    const double beta2 = static_cast<double>(step.beta2);
    for (std::size_t i = 0; i < w.size(); ++i) {
      const std::uint32_t bits = static_cast<std::uint32_t>(gradients[i]) << 16;
      float g = 0;
      std::memcpy(&g, &bits, sizeof g);
      m[i] = beta1 * m[i] + (1 - beta1) * static_cast<double>(g);
      v[i] = beta2 * v[i] + (1 - beta2) * static_cast<double>(g) * static_cast<double>(g);
      const double denominator = std::sqrt(v[i] / (1 - std::pow(beta2, step.step))) + static_cast<double>(step.epsilon);
      w[i] = w[i] * (1 - static_cast<double>(step.rate) * static_cast<double>(step.decay)) -
             static_cast<double>(step.rate) * (m[i] / (1 - std::pow(beta1, step.step))) / denominator;
    }
  }
  std::vector<std::uint16_t> weights(count);
  download(on_master.data(), master.data(), floats);
  download(weight.data(), weights.data(), floats / 2);
  double worst = 0;
  bool rounded = true;
  for (std::size_t i = 0; i < w.size(); ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(master[i]) - w[i]));
    const std::uint32_t bits = static_cast<std::uint32_t>(weights[i]) << 16;
    float value = 0;
    std::memcpy(&value, &bits, sizeof value);
    rounded = rounded && std::abs(value - master[i]) <= std::abs(master[i]) / 256;
  }
  // Weights up to 1 in float32, three updates: a few roundings of 6e-8 each; a wrong factor would be 1e-4 and more.
  return {fused ? "adam, fused" : "adam, unfused", worst < 1e-6 && rounded,
          fmt::format("largest difference from double precision {:.1e}", worst)};
}

}  // namespace

SectionResult check_kernels(const MeasureSettings&) {
  const Stream stream = make_stream();
  SectionResult result;
  for (const auto type : {ElementType::float32, ElementType::float64, ElementType::int32, ElementType::bfloat16})
    for (const auto reduction : {Reduction::sum, Reduction::max, Reduction::min, Reduction::average})
      result.findings.push_back(check_combine(type, reduction, stream));
  result.findings.push_back(check_copy(stream));
  result.findings.push_back(check_casts(stream));
  result.findings.push_back(check_adam(true, stream));
  result.findings.push_back(check_adam(false, stream));
  result.values = nullptr;
  return result;
}

}  // namespace lockstep::real::gpu
