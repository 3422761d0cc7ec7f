// Ring algorithms. Every channel is a ring of its own over a share of the elements; the rank at position r of it sends
// to the one at r+1 and receives from the one at r-1 (core/collective/ring_order.hpp: mostly, positions are ranks).
//
// reduce_scatter: n-1 steps; in step k position r sends chunk r-k-1 and combines chunk r-k-2, and ends with chunk r
// complete. all_gather:     n-1 steps; in step k position r sends chunk r-k and receives chunk r-k-1. all_reduce: the
// first, then the second: 2(n-1) steps, each rank sends 2(n-1)/n of the buffer, which is the least possible
//                 (Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms for clusters of workstations", JPDC
//                 2009).
// With `chunk`, what a step passes on goes in slices of at most so much, max_slices at most; each is a thread, so that
// it goes on while those behind it are still coming (NCCL's slices).
// broadcast, reduce: a chain through all ranks, pipelined in chunks: n-1 + (chunks-1) steps.
#include "core/collective/ring.hpp"

#include <algorithm>

#include "core/collective/parts.hpp"
#include "core/collective/ring_order.hpp"

namespace lockstep {
namespace {

constexpr std::int64_t max_slices = 16;

// Of every chunk of the ring: as many as the largest one needs. The same for all ranks.
int slices_of(const ScheduleRequest& request) {
  if (request.chunk.count() == 0) return 1;
  const auto width = static_cast<std::int64_t>(request.element_bytes);
  const std::int64_t slice = std::max<std::int64_t>(1, request.chunk.count() / width);
  const std::int64_t largest = ceil_divide(ceil_divide(request.count, request.channels), request.size);
  return static_cast<int>(std::clamp<std::int64_t>(ceil_divide(largest, slice), 1, max_slices));
}

class Ring final : public Schedule {
 public:
  Ring(const ScheduleRequest& request, int thread)
      : slices_(slices_of(request)),
        slice_(thread % slices_),
        lane_(thread),
        channel_(thread / slices_),
        size_(request.size),
        by_position_(request.kind == CollectiveKind::all_reduce),
        order_(request, channel_),
        request_(request) {
    position_ = order_.position_of(request.rank);
    to_ = order_.after(position_);
    from_ = order_.before(position_);
    share_ = partition(request.count, request.channels, channel_);
    const int phase = request.size - 1;
    scatter_steps_ = request.kind == CollectiveKind::all_gather ? 0 : phase;
    gather_steps_ = request.kind == CollectiveKind::reduce_scatter ? 0 : phase;
    equal_ = request.kind == CollectiveKind::all_reduce ? share_.size() % request.size == 0
                                                        : request.count % request.size == 0;
    if (equal_) {
      first_ = chunk_of(0);
      stride_ = request.size > 1 ? chunk_of(1).begin - first_.begin : 0;
    }
    // What is forwarded and combined lives in target. An all_gather needs its own chunk only; the elements of one of
    // several channels of a reduce_scatter are a piece of every chunk, copied one by one. The first slice's thread
    // copies for all of the channel, and the others begin behind it.
    if (!request.in_place)
      copies_ = request.kind == CollectiveKind::reduce_scatter && request.channels > 1 ? request.size : 1;
    if (slice_ > 0) {
      for (int index = 0; index < copies_; ++index) awaited_ += copy_at(index).size() > 0 ? 1 : 0;
      copies_ = 0;
    }
  }

  bool next(Step& step) override {
    step.clear();
    while (copied_ < copies_) {
      step.copy = copy_of(copy_at(copied_++));
      if (step.copy.count > 0) return true;
    }
    if (k_ == 0 && awaited_ > 0) {
      step.after_thread = lane_ - slice_;
      step.after_steps = awaited_;
    }
    const int r = position_;
    while (k_ < scatter_steps_ + gather_steps_) {
      const int k = k_++;
      if (k < scatter_steps_) {
        const Range out = chunk_at(wrapped(r - k - 1));
        const Range in = chunk_at(wrapped(r - k - 2));
        if (out.size() > 0) step.add_send(of_channel(make_part(to_, lane_, out)));
        if (in.size() > 0) step.add_receive(of_channel(make_combine(from_, lane_, in, k == scatter_steps_ - 1)));
      } else {
        const int g = k - scatter_steps_;
        const Range out = chunk_at(wrapped(r - g));
        const Range in = chunk_at(wrapped(r - g - 1));
        if (out.size() > 0) step.add_send(of_channel(make_part(to_, lane_, out)));
        if (in.size() > 0) step.add_receive(of_channel(make_part(from_, lane_, in)));
      }
      if (!step.empty()) return true;
    }
    return false;
  }

  // Where all chunks are equal, the steps of a phase are; the last of a reduce_scatter finishes its combine.
  [[nodiscard]] std::int64_t repeats() const override {
    if (!equal_ || k_ == 0) return 0;
    if (k_ <= scatter_steps_) return std::max(0, scatter_steps_ - 1 - k_);
    return scatter_steps_ + gather_steps_ - k_;
  }
  void skip(std::int64_t steps) override { k_ += static_cast<int>(steps); }

 private:
  [[nodiscard]] Part of_channel(Part part) const {
    part.channel = static_cast<std::uint16_t>(channel_);
    return part;
  }
  // Positions from -n on; steps are counted below n, so that no division is needed.
  [[nodiscard]] int wrapped(int position) const { return position < 0 ? position + size_ : position; }
  // An all_reduce may deal its chunks to the positions; those of the others belong to ranks.
  [[nodiscard]] Range chunk_at(int position) const { return chunk(by_position_ ? position : order_.rank_at(position)); }
  // The result of an all_gather or reduce_scatter is defined on the whole buffer: rank r owns partition(count, n, r),
  // of which every channel carries its share.
  [[nodiscard]] Range chunk(int index) const {
    if (equal_) {
      const std::int64_t begin = first_.begin + index * stride_;
      return {begin, begin + first_.size()};
    }
    return chunk_of(index);
  }
  [[nodiscard]] Range chunk_of(int index) const { return part_of(whole_chunk(index), slices_, slice_); }
  // All slices of it.
  [[nodiscard]] Range whole_chunk(int index) const {
    return request_.kind == CollectiveKind::all_reduce
               ? part_of(share_, request_.size, index)
               : part_of(partition(request_.count, request_.size, index), request_.channels, channel_);
  }
  [[nodiscard]] Range copy_at(int index) const {
    if (request_.kind == CollectiveKind::all_gather) return whole_chunk(request_.rank);
    const bool by_chunk = request_.kind == CollectiveKind::reduce_scatter && request_.channels > 1;
    return by_chunk ? whole_chunk(index) : share_;
  }
  static Range part_of(Range whole, int parts, int index) {
    const Range part = partition(whole.size(), parts, index);
    return {whole.begin + part.begin, whole.begin + part.end};
  }

  // What every step looks at first.
  int k_ = 0;
  int copies_ = 0;
  int copied_ = 0;
  int awaited_ = 0;  // copies of the first slice's thread
  int position_ = 0;
  int to_ = 0;
  int from_ = 0;
  int slices_;
  int slice_;
  int lane_;
  int channel_;
  int size_;
  int scatter_steps_ = 0;
  int gather_steps_ = 0;
  Range first_;
  std::int64_t stride_ = 0;
  bool equal_ = false;  // all chunks of this channel: then chunk i is the first, i strides on
  bool by_position_;    // see chunk_at
  RingOrder order_;
  Range share_;
  ScheduleRequest request_;
};

class Chain final : public Schedule {
 public:
  Chain(const ScheduleRequest& request, int channel)
      : request_(request), channel_(channel), chunks_(chunks_of(request, channel)) {
    const int n = request.size;
    if (request.kind == CollectiveKind::broadcast) {
      const int position = modulo(request.rank - request.root, n);
      if (position > 0) from_ = modulo(request.rank - 1, n);
      if (position < n - 1) to_ = modulo(request.rank + 1, n);
      copy_pending_ = !request.in_place && position == 0;
    } else {
      const int position = modulo(request.rank - request.root - 1, n);
      if (position > 0) from_ = modulo(request.rank - 1, n);
      if (position < n - 1) to_ = modulo(request.rank + 1, n);
      copy_pending_ = !request.in_place;
      last_ = position == n - 1;
    }
  }
  bool next(Step& step) override {
    step.clear();
    if (copy_pending_) {
      copy_pending_ = false;
      step.copy = copy_of(chunks_.whole());
      if (step.copy.count > 0) return true;
    }
    // Receive chunk j while chunk j-1 goes on; a rank that only sends has nothing to wait for.
    const std::int64_t lag = from_ >= 0 ? 1 : 0;
    while (j_ < chunks_.number() + lag) {
      const std::int64_t j = j_++;
      if (from_ >= 0 && j < chunks_.number()) {
        step.add_receive(request_.kind == CollectiveKind::reduce ? make_combine(from_, channel_, chunks_.at(j), last_)
                                                                 : make_part(from_, channel_, chunks_.at(j)));
      }
      if (to_ >= 0 && j >= lag) step.add_send(make_part(to_, channel_, chunks_.at(j - lag)));
      if (!step.empty()) return true;
    }
    return false;
  }
  static Chunks chunks_of(const ScheduleRequest& request, int channel) {
    const Range share = partition(request.count, request.channels, channel);
    return {share, chunk_elements(request, share.size(), 32_KiB, 512_KiB, 8)};
  }

 private:
  ScheduleRequest request_;
  int channel_;
  Chunks chunks_;
  std::int64_t j_ = 0;
  int from_ = -1;
  int to_ = -1;
  bool last_ = false;
  bool copy_pending_ = false;
};

bool is_chain(CollectiveKind kind) { return kind == CollectiveKind::broadcast || kind == CollectiveKind::reduce; }

std::unique_ptr<Schedule> make(const ScheduleRequest& request, int thread) {
  if (is_chain(request.kind)) return std::make_unique<Chain>(request, thread);
  return std::make_unique<Ring>(request, thread);
}

int threads(const ScheduleRequest& request) {
  return request.channels * (is_chain(request.kind) ? 1 : slices_of(request));
}

// Slices of a ring's chunks that hold any element, over all channels, and what one link carries at most in one step.
struct RingChunks {
  std::int64_t filled = 0;
  std::int64_t largest = 0;
};
RingChunks ring_chunks(const ScheduleRequest& request) {
  RingChunks chunks;
  const int n = request.size;
  const int slices = slices_of(request);
  for (int c = 0; c < request.channels; ++c) {
    std::int64_t largest = 0;
    if (request.kind == CollectiveKind::all_reduce) {
      const std::int64_t share = partition(request.count, request.channels, c).size();
      for (int i = 0; i < std::min<std::int64_t>(share, n); ++i)
        chunks.filled += std::min<std::int64_t>(partition(share, n, i).size(), slices);
      largest = ceil_divide(share, n);
    } else {
      for (int i = 0; i < n; ++i) {
        const std::int64_t size = partition(partition(request.count, n, i).size(), request.channels, c).size();
        chunks.filled += std::min<std::int64_t>(size, slices);
        largest = std::max(largest, size);
      }
    }
    chunks.largest += largest;
  }
  return chunks;
}

Cost cost(const ScheduleRequest& request) {
  Cost cost;
  const std::int64_t n = request.size;
  const auto width = static_cast<std::int64_t>(request.element_bytes);
  if (n == 1 || request.count == 0) return cost;
  if (is_chain(request.kind)) {
    std::int64_t most_chunks = 0;
    std::int64_t per_step = 0;
    for (int c = 0; c < request.channels; ++c) {
      const Chunks chunks = Chain::chunks_of(request, c);
      if (chunks.number() == 0) continue;
      cost.messages += chunks.number() * (n - 1);
      most_chunks = std::max(most_chunks, chunks.number());
      per_step += chunks.at(0).size();
    }
    cost.bytes = (n - 1) * request.count * width;
    cost.steps = n - 1 + most_chunks - 1;
    cost.phases = {{cost.steps, per_step * width}};
    return cost;
  }
  const std::int64_t phases = request.kind == CollectiveKind::all_reduce ? 2 : 1;
  const RingChunks chunks = ring_chunks(request);
  cost.steps = phases * (n - 1);
  cost.messages = phases * (n - 1) * chunks.filled;
  cost.bytes = phases * (n - 1) * request.count * width;
  cost.phases = {{cost.steps, chunks.largest * width, slices_of(request)}};
  return cost;
}

Symmetry symmetry(const ScheduleRequest& request) {
  if (is_chain(request.kind)) return {};
  // Channels of an all_gather or reduce_scatter divide a rank's chunk; those of an all_reduce are divided into chunks.
  const bool equal =
      request.kind == CollectiveKind::all_reduce ? even_shares(request) : request.count % request.size == 0;
  if (!RingOrder::by_node(request)) return rotation_if(equal);
  // Every other node is walked alike.
  const int period = 2 * request.ranks_per_node;
  return rotation_if(equal && request.size % period == 0, period);
}

}  // namespace

Algorithm ring_algorithm() {
  return {
      "ring",
      "a ring per channel: bandwidth-optimal, latency grows with the ranks; broadcast and reduce as a pipelined chain",
      {CollectiveKind::all_reduce, CollectiveKind::all_gather, CollectiveKind::reduce_scatter,
       CollectiveKind::broadcast, CollectiveKind::reduce},
      threads,
      make,
      cost,
      nullptr,
      symmetry};
}

}  // namespace lockstep
