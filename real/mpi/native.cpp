#include "real/mpi/native.hpp"

#include <fmt/format.h>

#include <cstring>
#include <limits>

#include "core/base/error.hpp"
#include "core/collective/data.hpp"
#include "core/collective/schedule.hpp"

namespace lockstep::real {
namespace {

MPI_Datatype datatype(ElementType type) {
  switch (type) {
    case ElementType::float32:
      return MPI_FLOAT;
    case ElementType::float64:
      return MPI_DOUBLE;
    case ElementType::int32:
      return MPI_INT32_T;
    case ElementType::bfloat16:
      return MPI_UINT16_T;  // with operations of our own
  }
  return MPI_BYTE;
}

template <Reduction reduction>
void combine_bfloat16(void* in, void* inout, int* count, MPI_Datatype*) {
  combine_elements(ElementType::bfloat16, reduction, static_cast<const std::byte*>(in), static_cast<std::byte*>(inout),
                   *count);
}

MPI_Op bfloat16_operation(Reduction reduction) {
  static const auto make = [](MPI_User_function* function) {
    MPI_Op operation = MPI_OP_NULL;
    check_mpi(MPI_Op_create(function, 1, &operation), "MPI_Op_create");
    return operation;
  };
  static const MPI_Op sum = make(combine_bfloat16<Reduction::sum>);
  static const MPI_Op max = make(combine_bfloat16<Reduction::max>);
  static const MPI_Op min = make(combine_bfloat16<Reduction::min>);
  return reduction == Reduction::max ? max : reduction == Reduction::min ? min : sum;
}

MPI_Op operation(ElementType type, Reduction reduction) {
  if (type == ElementType::bfloat16) return bfloat16_operation(reduction);
  return reduction == Reduction::max ? MPI_MAX : reduction == Reduction::min ? MPI_MIN : MPI_SUM;
}

// By kind, for messages.
constexpr const char* names[] = {"MPI_Allreduce", "MPI_Allgather", "MPI_Reduce_scatter", "MPI_Bcast",
                                 "MPI_Reduce",    "MPI_Alltoall",  "MPI_Barrier",        "MPI_Sendrecv",
                                 "MPI_Gather",    "MPI_Scatter",   "MPI_Alltoallv"};

struct Blocks {
  std::vector<int> counts, places;
  bool even = true;
};

// How the elements are dealt to the ranks: partition().
Blocks blocks_of(const NativeCollective& c) {
  Blocks blocks;
  const int size = static_cast<int>(c.members.size());
  for (int r = 0; r < size; ++r) {
    const Range range = partition(c.count, size, r);
    blocks.counts.push_back(static_cast<int>(range.size()));
    blocks.places.push_back(static_cast<int>(range.begin));
  }
  blocks.even = c.count % size == 0;
  return blocks;
}

void check_count(std::int64_t elements) {
  if (elements > std::numeric_limits<int>::max())
    throw InputError(fmt::format("algorithm native: MPI counts elements in 32 bits, {} are too many", elements));
}

Blocks blocks_of(const std::vector<std::int64_t>& counts) {
  Blocks blocks;
  std::int64_t at = 0;
  for (const std::int64_t count : counts) {
    check_count(at + count);
    blocks.counts.push_back(static_cast<int>(count));
    blocks.places.push_back(static_cast<int>(at));
    at += count;
  }
  return blocks;
}

}  // namespace

void MpiCollectives::prepare(const std::vector<NativeCollective>& collectives) {
  for (const NativeCollective& collective : collectives) {
    const Watchdog::Guard guard(watchdog_, "MPI's making of a communicator");
    job_.of(collective.members);
  }
}

// The call of MPI for the collective; its code.
int MpiCollectives::call(const NativeCollective& c) {
  check_count(c.count);
  const MPI_Comm comm = job_.of(c.members);
  const MPI_Datatype type = datatype(c.type);
  const auto width = static_cast<std::size_t>(element_bytes(c.type));
  const int count = static_cast<int>(c.count);
  const int size = static_cast<int>(c.members.size());
  const auto own = static_cast<std::size_t>(c.own);
  const bool in_place = c.source.data() == c.target.data();
  const bool is_root = c.own == c.root;
  const void* source = in_place ? MPI_IN_PLACE : c.source.data();
  std::byte* target = c.target.data();
  switch (c.kind) {
    case CollectiveKind::all_reduce:
      return MPI_Allreduce(source, target, count, type, operation(c.type, c.reduction), comm);
    case CollectiveKind::reduce:
      return MPI_Reduce(is_root ? source : c.source.data(), is_root ? target : nullptr, count, type,
                        operation(c.type, c.reduction), c.root, comm);
    case CollectiveKind::broadcast:
      if (is_root && !in_place) std::memcpy(target, c.source.data(), static_cast<std::size_t>(count) * width);
      return MPI_Bcast(target, count, type, c.root, comm);
    case CollectiveKind::all_gather: {
      const Blocks blocks = blocks_of(c);
      const void* from =
          in_place ? MPI_IN_PLACE : c.source.data() + static_cast<std::size_t>(blocks.places[own]) * width;
      if (blocks.even) return MPI_Allgather(from, count / size, type, target, count / size, type, comm);
      return MPI_Allgatherv(from, blocks.counts[own], type, target, blocks.counts.data(), blocks.places.data(), type,
                            comm);
    }
    case CollectiveKind::gather: {
      const Blocks blocks = blocks_of(c);
      const void* from =
          in_place && is_root ? MPI_IN_PLACE : c.source.data() + static_cast<std::size_t>(blocks.places[own]) * width;
      return MPI_Gatherv(from, blocks.counts[own], type, target, blocks.counts.data(), blocks.places.data(), type,
                         c.root, comm);
    }
    case CollectiveKind::scatter: {
      const Blocks blocks = blocks_of(c);
      void* to = in_place && is_root ? MPI_IN_PLACE : target + static_cast<std::size_t>(blocks.places[own]) * width;
      return MPI_Scatterv(c.source.data(), blocks.counts.data(), blocks.places.data(), type, to, blocks.counts[own],
                          type, c.root, comm);
    }
    case CollectiveKind::reduce_scatter: {
      const Blocks blocks = blocks_of(c);
      // In place, MPI would leave the result at the buffer's beginning; ours belongs at the rank's own block.
      std::byte* to = target + static_cast<std::size_t>(blocks.places[own]) * width;
      if (in_place) {
        scratch_.resize(static_cast<std::size_t>(blocks.counts[own]) * width);
        to = scratch_.data();
      }
      const MPI_Op with = operation(c.type, c.reduction);
      const int code = blocks.even ? MPI_Reduce_scatter_block(c.source.data(), to, count / size, type, with, comm)
                                   : MPI_Reduce_scatter(c.source.data(), to, blocks.counts.data(), type, with, comm);
      if (in_place && !scratch_.empty())
        std::memcpy(target + static_cast<std::size_t>(blocks.places[own]) * width, scratch_.data(), scratch_.size());
      return code;
    }
    case CollectiveKind::all_to_all:
      return MPI_Alltoall(source, count / size, type, target, count / size, type, comm);
    case CollectiveKind::all_to_all_v: {
      const Blocks sends = blocks_of(c.send_counts);
      const Blocks receives = blocks_of(c.receive_counts);
      return MPI_Alltoallv(c.source.data(), sends.counts.data(), sends.places.data(), type, target,
                           receives.counts.data(), receives.places.data(), type, comm);
    }
    case CollectiveKind::send_recv:
      return MPI_Sendrecv(c.source.data(), count, type, (c.own + 1) % size, 0, target, count, type,
                          (c.own + size - 1) % size, 0, comm, MPI_STATUS_IGNORE);
    case CollectiveKind::barrier:
      return MPI_Barrier(comm);
  }
  return MPI_ERR_ARG;
}

bool MpiCollectives::run(const NativeCollective& collective, std::uint64_t /*token*/) {
  const char* name = names[static_cast<std::size_t>(collective.kind)];
  const Watchdog::Guard guard(watchdog_, name);
  check_mpi(call(collective), name);
  return true;
}

}  // namespace lockstep::real
