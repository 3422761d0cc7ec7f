// What of a dataset is in the page cache: dropped for cold runs, read in for warm ones, and looked at either way.
#pragma once

#include "real/loader/dataset.hpp"

namespace lockstep::real {

/// The share of its bytes that are in the page cache now (mincore).
double resident_share(const Dataset& dataset);
/// Drops it from the page cache (posix_fadvise after fdatasync); what is left is the caller's to look at.
void drop_from_cache(const Dataset& dataset);
/// Reads all of it once.
void read_into_cache(const Dataset& dataset);

}  // namespace lockstep::real
