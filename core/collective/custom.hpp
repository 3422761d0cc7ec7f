// An algorithm as data: what every rank of a group of one size does, in chunks of the buffer. Files give it, in
// Lockstep's own form (algorithm_file.hpp) or MSCCL's (msccl.hpp); the catalogue's algorithms are code instead.
//
// A buffer is dealt to `chunks` chunks as partition() deals it. Where every rank owns a block (all_gather,
// reduce_scatter, gather, scatter, all_to_all) each block is dealt to chunks / ranks of them.
#pragma once

#include <string>
#include <vector>

#include "core/collective/schedule.hpp"
#include "core/config/document.hpp"

namespace lockstep {

/// `chunks` chunks from `chunk` on.
struct CustomSpan {
  Place place = Place::target;
  int chunk = 0;
  int chunks = 1;
};
struct CustomPart {
  int peer = 0;
  int lane = 0;
  int channel = 0;
  CustomSpan span;
  bool combine = false;
  bool finish = false;  ///< set by check_algorithm
};
struct CustomCopy {
  CustomSpan from;
  CustomSpan to;
  bool combine = false;
  bool finish = false;  ///< set by check_algorithm
};
struct CustomStep {
  std::vector<CustomPart> sends;     ///< two at most
  std::vector<CustomPart> receives;  ///< two at most
  std::vector<CustomCopy> copies;    ///< one at most
  int after_thread = -1;             ///< -1: waits for no other thread
  std::int64_t after_steps = 0;
  config::Position position;
};
struct CustomThread {
  std::vector<CustomStep> steps;
};

struct CustomAlgorithm {
  std::string name;
  std::string file;
  std::string sha256;  ///< of what was read
  CollectiveKind kind = CollectiveKind::all_reduce;
  int ranks = 0;
  int chunks = 0;
  int scratch_chunks = 0;
  /// The steps begin with the input in the source alone and take it from there; otherwise it is copied to the target
  /// first, as far as the rank has it, and the steps work in place.
  bool from_source = false;
  std::vector<std::vector<CustomThread>> programs;  ///< by rank
  // Set by check_algorithm:
  bool equal_chunks = false;  ///< chunks must be equally large: messages go from one chunk to another
  bool averages = true;       ///< an average knows where to divide
  std::int64_t rounds = 0;    ///< of messages that depend on each other, the longest chain
};

/// Everything that is wrong with it, at the position of the step: messages that nobody sends or receives, lanes that
/// two threads share, steps that wait for each other (also when every send waits for its receiver), results that miss a
/// contribution or count one twice, found by following every rank's contribution to every chunk. Sets the fields above.
void check_algorithm(CustomAlgorithm& algorithm, config::Diagnostics& diagnostics);

/// The entry that executes ScheduleRequest::custom.
const Algorithm& custom_algorithm();

/// Bytes of scratch for a collective of `count` elements.
Bytes custom_scratch(const CustomAlgorithm& algorithm, std::int64_t count, std::size_t element_bytes);

}  // namespace lockstep
