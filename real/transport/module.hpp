// Transports over libraries that not every machine has: each is a shared module beside the program, opened when it is
// asked for, so that the program starts without the library. A module includes this header and defines the function
// lockstep_transport_module.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "real/launch/control.hpp"
#include "real/transport/transport.hpp"

namespace lockstep::real {

class BatchCopier;

/// What a module's one exported function gives: `const TransportModule* lockstep_transport_module()`, as C.
struct TransportModule {
  const char* version;  ///< of the program that it was built with: a module of another build is refused
  /// All ranks of the job make theirs together. `variant`: what the catalogue says, see catalogue.hpp.
  std::unique_ptr<Transport> (*make)(Control& control, const std::vector<int>& peers, const std::string& variant);
  /// Name and version of the library: "Open MPI 4.1.4".
  std::string (*library)();
  /// What this machine lacks for it beside the library that the module is linked with, in words that name the remedy;
  /// empty: nothing. Null: there is nothing else.
  std::string (*missing)() = nullptr;
  /// Of the module that has a GPU's runtime: what this machine lacks to copy to a GPU, and a copier
  /// (real/loader/batch_copier.hpp). Null: it has none.
  std::string (*no_device)() = nullptr;
  std::unique_ptr<BatchCopier> (*make_copier)(bool pinned, std::size_t most, int rank) = nullptr;
};

/// Opens a module by its name ("mpi", "ucx", "nccl"). Throws InputError that names the library and its package where it
/// is missing.
const TransportModule& open_module(const std::string& name);
/// Why it cannot be opened, or what the machine lacks for it; empty if all is there.
std::string why_no_module(const std::string& name);

}  // namespace lockstep::real
