// Kernels: what a rank computes, each a name of the catalogue with a type and a shape.
//
// Of its shape a kernel says three numbers, by the formulas in kernel.cpp:
//   flops        floating-point operations
//   traffic      bytes that pass between processor and memory if no cache keeps anything between two passes: every
//                pass over an array counts its reads and its writes once
//   working_set  bytes of all its arrays: what has to fit into a cache for the next call to find it there
//
// Contract:
//  - the text of a kernel is NAME:TYPE:SHAPE ("matmul:float32:1024x1024x512", "adam:float32:1048576"): it stands in
//    Compute::kernel, and parse_kernel(to_text(k)) == k;
//  - a kernel has at least one element in every dimension, at most 2^53 flops and 2^46 bytes, so that all its numbers
//    are exact, also as doubles;
//  - of one kind and type, traffic / working_set is the same for every shape, but for kinds whose time goes by flops.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/plan/types.hpp"
#include "core/units/quantity.hpp"
#include "core/units/work.hpp"

namespace lockstep {

constexpr std::int64_t largest_dimension = 0x7FFFFFFF;  ///< what libraries of linear algebra take

struct KernelKind {
  using Shape = std::span<const std::int64_t>;
  std::string name;
  std::string description;
  std::vector<std::string> dimensions;  ///< in the order in which they stand in the text
  bool by_flops = false;                ///< its time goes by flops; else by bytes
  /// Numbers of a shape; elements, not bytes, where they are of memory. Exact: shapes are small enough for 128 bits.
  __int128 (*flops)(Shape shape) = nullptr;
  __int128 (*traffic)(Shape shape) = nullptr;
  __int128 (*working_set)(Shape shape) = nullptr;
};

std::span<const KernelKind> kernel_catalogue();
/// Throws InputError with the nearest name.
const KernelKind& find_kernel(std::string_view name);
/// The types that kernels are made for: float32 and float64.
std::span<const ElementType> kernel_types();

struct Kernel {
  std::string name;
  ElementType type = ElementType::float32;
  std::vector<std::int64_t> shape;  ///< by the dimensions of its kind
  [[nodiscard]] const KernelKind& kind() const { return find_kernel(name); }
  [[nodiscard]] Flops flops() const;
  [[nodiscard]] Bytes traffic() const;
  [[nodiscard]] Bytes working_set() const;
  bool operator==(const Kernel&) const = default;
};

/// Throws InputError where the kernel is not in the catalogue, the type not among kernel_types(), or the shape not one
/// of the kind: wrong number of dimensions, one below 1, too large.
void check_kernel(const Kernel& kernel);

std::string to_text(const Kernel& kernel);
/// Throws InputError: "kernel 'matmul:float32:8x8': matmul has the shape m x n x k, not 8x8".
Kernel parse_kernel(std::string_view text);

}  // namespace lockstep
