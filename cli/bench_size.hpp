// The sizes of `lockstep bench`.
#pragma once

#include <string>

#include "core/units/quantity.hpp"

namespace lockstep::cli {

/// nccl-tests' sizes: a number, or one with K, M or G, powers of 1024. Throws InputError naming the option.
Bytes parse_bench_size(const std::string& text, const char* option);

}  // namespace lockstep::cli
