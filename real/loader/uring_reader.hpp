#pragma once

#include "real/loader/reading.hpp"

namespace lockstep::real {

/// Several samples in flight by io_uring, through the page cache or, with `direct`, past it.
std::unique_ptr<SampleReader> open_uring_reader(const LoaderSpec& spec, const Dataset& dataset);

}  // namespace lockstep::real
