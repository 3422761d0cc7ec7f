// Samples from an object server: a range request each, over a connection that stays open.
#pragma once

#include <functional>

#include "real/loader/reading.hpp"

namespace lockstep::real {

/// "http://10.0.0.4:8080": where objects are.
struct ObjectStore {
  std::string address;  ///< numeric
  std::uint16_t port = 80;
};

/// Throws InputError where it is no such address.
ObjectStore parse_object_store(const std::string& url);

/// A reader for WorkerJob::open. 503, a refused or a lost connection are `unavailable`; no answer within
/// `policy.timeout` is a `stall`; 404 is `missing`, 403 `unreadable`.
std::function<std::unique_ptr<SampleReader>()> object_reader_of(const LoaderSpec& spec, const Dataset& dataset,
                                                                const ObjectStore& store);

}  // namespace lockstep::real
