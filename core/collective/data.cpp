#include "core/collective/data.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/base/error.hpp"
#include "core/base/hash.hpp"
#include "core/collective/schedule.hpp"

namespace lockstep {
namespace {

struct BFloat16 {
  std::uint16_t bits;
};

float widen(BFloat16 value) { return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16); }

// Round to nearest, ties to even; NaN stays NaN.
BFloat16 narrow(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return {static_cast<std::uint16_t>((bits >> 16) | 0x40U)};
  return {static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16)};
}

struct Sum {
  template <class T>
  T operator()(T a, T b) const {
    return a + b;
  }
  // Two's complement wrap-around, as a GPU's or MPI's integer sum does.
  std::int32_t operator()(std::int32_t a, std::int32_t b) const {
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b));
  }
};
struct Max {
  template <class T>
  T operator()(T a, T b) const {
    return a < b ? b : a;
  }
};
struct Min {
  template <class T>
  T operator()(T a, T b) const {
    return b < a ? b : a;
  }
};

// Buffers are aligned to their element by every executor; memcpy keeps this right (and as fast) when they are not.
template <class T, class Op>
void combine_as(const std::byte* source, std::byte* target, std::int64_t count, Op op) {
  for (std::int64_t i = 0; i < count; ++i) {
    T a;
    T b;
    std::memcpy(&a, target + i * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
    std::memcpy(&b, source + i * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
    if constexpr (std::is_same_v<T, BFloat16>)
      a = narrow(op(widen(a), widen(b)));
    else
      a = op(a, b);
    std::memcpy(target + i * static_cast<std::int64_t>(sizeof(T)), &a, sizeof(T));
  }
}

template <class Op>
void combine_typed(ElementType type, const std::byte* source, std::byte* target, std::int64_t count, Op op) {
  switch (type) {
    case ElementType::float32:
      return combine_as<float>(source, target, count, op);
    case ElementType::float64:
      return combine_as<double>(source, target, count, op);
    case ElementType::int32:
      return combine_as<std::int32_t>(source, target, count, op);
    case ElementType::bfloat16:
      return combine_as<BFloat16>(source, target, count, op);
  }
}

double load(ElementType type, const std::byte* at) {
  switch (type) {
    case ElementType::float32: {
      float v;
      std::memcpy(&v, at, sizeof v);
      return static_cast<double>(v);
    }
    case ElementType::float64: {
      double v;
      std::memcpy(&v, at, sizeof v);
      return v;
    }
    case ElementType::int32: {
      std::int32_t v;
      std::memcpy(&v, at, sizeof v);
      return v;
    }
    case ElementType::bfloat16: {
      BFloat16 v;
      std::memcpy(&v, at, sizeof v);
      return static_cast<double>(widen(v));
    }
  }
  return 0;
}

void store(ElementType type, std::byte* at, double value) {
  switch (type) {
    case ElementType::float32: {
      const auto v = static_cast<float>(value);
      std::memcpy(at, &v, sizeof v);
      return;
    }
    case ElementType::float64:
      std::memcpy(at, &value, sizeof value);
      return;
    case ElementType::int32: {
      const auto v = static_cast<std::int32_t>(value);
      std::memcpy(at, &v, sizeof v);
      return;
    }
    case ElementType::bfloat16: {
      const BFloat16 v = narrow(static_cast<float>(value));
      std::memcpy(at, &v, sizeof v);
      return;
    }
  }
}

// Input element i of rank r: 0..3, so that bfloat16 (8 significant bits) holds every partial sum of up to 64 ranks
// exactly. Neighbouring elements, ranks and iterations differ, so a block in the wrong place is seen.
int pattern(std::uint64_t seed, int rank, std::int64_t i) {
  const auto position = static_cast<std::uint64_t>(i);
  return static_cast<int>(
      (position + (position >> 7) + (position >> 16) + static_cast<std::uint64_t>(rank) * 3 + seed) & 3U);
}

// A value that no result can have.
double poison(ElementType type) { return type == ElementType::int32 ? -1e6 : -1024.0; }

// The ranks whose inputs make up an expected element, as a function of the element's index.
class Expected {
 public:
  explicit Expected(const DataRequest& request) : request_(request) {
    // The pattern depends on i only through its low bits' sum, so four cases cover every element.
    for (int phase = 0; phase < 4; ++phase) {
      double sum = 0;
      double low = 4;
      double high = -1;
      for (int r = 0; r < request.size; ++r) {
        const double v = (phase + r * 3) & 3;
        sum += v;
        low = std::min(low, v);
        high = std::max(high, v);
      }
      double value = sum;
      switch (request.reduction) {
        case Reduction::sum:
          break;
        case Reduction::min:
          value = low;
          break;
        case Reduction::max:
          value = high;
          break;
        case Reduction::average:
          break;
      }
      std::byte raw[8];
      store(request.type, raw, value);
      if (request.reduction == Reduction::average) finish_average(request.type, raw, 1, request.size);
      reduced_[phase] = load(request.type, raw);
    }
  }
  [[nodiscard]] double reduced(std::int64_t i) const { return reduced_[pattern(request_.seed, 0, i)]; }

 private:
  DataRequest request_;
  double reduced_[4] = {};
};

// Elements of target that the collective defines on this rank.
Range result_range(const DataRequest& request) {
  switch (request.kind) {
    case CollectiveKind::reduce_scatter:
    case CollectiveKind::scatter:
      return partition(request.count, request.size, request.rank);
    case CollectiveKind::all_to_all_v:
      return {0, request.counts->received_before(request.rank, request.size)};
    case CollectiveKind::reduce:
    case CollectiveKind::gather:
      return request.rank == request.root ? Range{0, request.count} : Range{0, 0};
    case CollectiveKind::barrier:
      return {0, 0};
    case CollectiveKind::all_to_all:
      return {0, request.count / request.size * request.size};
    default:
      return {0, request.count};
  }
}

}  // namespace

void combine_elements(ElementType type, Reduction reduction, const std::byte* source, std::byte* target,
                      std::int64_t count) {
  switch (reduction) {
    case Reduction::sum:
    case Reduction::average:
      return combine_typed(type, source, target, count, Sum{});
    case Reduction::max:
      return combine_typed(type, source, target, count, Max{});
    case Reduction::min:
      return combine_typed(type, source, target, count, Min{});
  }
}

void finish_average(ElementType type, std::byte* target, std::int64_t count, int ranks) {
  const std::size_t width = element_bytes(type);
  for (std::int64_t i = 0; i < count; ++i) {
    std::byte* at = target + i * static_cast<std::int64_t>(width);
    switch (type) {
      case ElementType::float32: {
        float v;
        std::memcpy(&v, at, sizeof v);
        v /= static_cast<float>(ranks);
        std::memcpy(at, &v, sizeof v);
        break;
      }
      case ElementType::float64: {
        double v;
        std::memcpy(&v, at, sizeof v);
        v /= ranks;
        std::memcpy(at, &v, sizeof v);
        break;
      }
      case ElementType::int32: {
        std::int32_t v;
        std::memcpy(&v, at, sizeof v);
        v /= ranks;
        std::memcpy(at, &v, sizeof v);
        break;
      }
      case ElementType::bfloat16: {
        BFloat16 v;
        std::memcpy(&v, at, sizeof v);
        v = narrow(widen(v) / static_cast<float>(ranks));
        std::memcpy(at, &v, sizeof v);
        break;
      }
    }
  }
}

void fill_input(const DataRequest& request, std::span<std::byte> source, std::span<std::byte> target) {
  const auto width = static_cast<std::int64_t>(element_bytes(request.type));
  if (request.kind == CollectiveKind::barrier) return;
  Range own{0, request.count};
  std::int64_t written = request.count;
  if (request.kind == CollectiveKind::all_to_all_v) {
    own.end = request.counts->sent_before(request.rank, request.size);
    written = request.counts->received_before(request.rank, request.size);
  }
  LOCKSTEP_CHECK(static_cast<std::int64_t>(source.size()) >= own.end * width &&
                     static_cast<std::int64_t>(target.size()) >= written * width,
                 "buffers of {} and {} bytes for {} and {} elements", source.size(), target.size(), own.end, written);
  const bool in_place = source.data() == target.data();
  const bool part_only = request.kind == CollectiveKind::all_gather || request.kind == CollectiveKind::gather;
  const bool from_root = request.kind == CollectiveKind::broadcast || request.kind == CollectiveKind::scatter;
  if (!in_place || part_only || from_root) {
    // The target of an all_to_all_v may be larger than what this rank gets: all of it is to be the same everywhere.
    if (request.kind == CollectiveKind::all_to_all_v) written = static_cast<std::int64_t>(target.size()) / width;
    for (std::int64_t i = 0; i < written; ++i) store(request.type, target.data() + i * width, poison(request.type));
  }
  if (part_only) own = partition(request.count, request.size, request.rank);
  if (from_root && request.rank != request.root && in_place) own = {0, 0};
  for (std::int64_t i = own.begin; i < own.end; ++i)
    store(request.type, source.data() + i * width, pattern(request.seed, request.rank, i));
}

std::int64_t count_wrong(const DataRequest& request, std::span<const std::byte> target) {
  const auto width = static_cast<std::int64_t>(element_bytes(request.type));
  const Range range = result_range(request);
  if (range.size() == 0) return 0;
  LOCKSTEP_CHECK(static_cast<std::int64_t>(target.size()) >= range.end * width, "target of {} bytes for {} elements",
                 target.size(), range.end);
  const Expected expected(request);
  const int previous = (request.rank + request.size - 1) % request.size;
  std::int64_t wrong = 0;
  const std::int64_t block = request.count / request.size;
  int owner = 0;
  std::int64_t owner_begin = 0;  // all_to_all_v: where the owner's block begins in target, and in its source
  std::int64_t owner_source = 0;
  if (request.kind == CollectiveKind::all_to_all_v) owner_source = request.counts->sent_before(0, request.rank);
  for (std::int64_t i = range.begin; i < range.end; ++i) {
    double wanted = 0;
    switch (request.kind) {
      case CollectiveKind::all_reduce:
      case CollectiveKind::reduce_scatter:
      case CollectiveKind::reduce:
        wanted = expected.reduced(i);
        break;
      case CollectiveKind::all_gather:
      case CollectiveKind::gather:
        while (i >= partition(request.count, request.size, owner).end) ++owner;
        wanted = pattern(request.seed, owner, i);
        break;
      case CollectiveKind::broadcast:
      case CollectiveKind::scatter:
        wanted = pattern(request.seed, request.root, i);
        break;
      case CollectiveKind::all_to_all:
        // Slot s holds what rank s had in its slot for this rank.
        owner = static_cast<int>(i / block);
        wanted = pattern(request.seed, owner, request.rank * block + i % block);
        break;
      case CollectiveKind::all_to_all_v:
        while (i >= owner_begin + request.counts->at(owner, request.rank)) {
          owner_begin += request.counts->at(owner, request.rank);
          ++owner;
          owner_source = request.counts->sent_before(owner, request.rank);
        }
        wanted = pattern(request.seed, owner, owner_source + i - owner_begin);
        break;
      case CollectiveKind::send_recv:
        wanted = pattern(request.seed, previous, i);
        break;
      case CollectiveKind::barrier:
        break;
    }
    if (load(request.type, target.data() + i * width) != wanted) ++wrong;
  }
  return wrong;
}

}  // namespace lockstep
