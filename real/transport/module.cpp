#include "real/transport/module.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "core/base/error.hpp"
#include "core/base/version.hpp"

namespace lockstep::real {
namespace {

struct Library {
  const char* module;
  const char* name;
  const char* brings;  // a module that was not built
};
constexpr std::array libraries{Library{"mpi", "MPI", "the package libopenmpi-dev"},
                               Library{"ucx", "UCX", "the package libucx-dev"},
                               Library{"nccl", "NCCL", "the CUDA toolkit with nccl.h (docs/gpu.md)"}};

struct Opened {
  const TransportModule* module = nullptr;
  std::string problem;
};

// Found by the program's run path (the top CMakeLists.txt). Never closed: such libraries start threads and register
// handlers. Global, because Open MPI's own plug-ins look for its symbols there.
Opened open(const std::string& name) {
  const std::string file = fmt::format("lockstep_{}.so", name);
  void* handle = ::dlopen(file.c_str(), RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE);
  if (handle == nullptr) {
    const char* why = ::dlerror();
    return {nullptr, why != nullptr ? why : file + " cannot be opened"};
  }
  const auto give = reinterpret_cast<const TransportModule* (*)()>(::dlsym(handle, "lockstep_transport_module"));
  if (give == nullptr) return {nullptr, file + " is no module of Lockstep"};
  const TransportModule* module = give();
  if (std::strcmp(module->version, version) != 0)
    return {nullptr, fmt::format("{} is of version {}, this program of {}", file, module->version, version)};
  return {module, {}};
}

}  // namespace

const TransportModule& open_module(const std::string& name) {
  const Opened opened = open(name);
  if (opened.module == nullptr) {
    const auto library =
        std::find_if(libraries.begin(), libraries.end(), [&](const Library& one) { return one.module == name; });
    LOCKSTEP_CHECK(library != libraries.end(), "module '{}'", name);
    throw InputError(
        fmt::format("this program cannot use {}: {} (install {} and build again; "
                    "'lockstep doctor' says what is there)",
                    library->name, opened.problem, library->brings));
  }
  return *opened.module;
}

std::string why_no_module(const std::string& name) {
  const Opened opened = open(name);
  if (opened.module == nullptr || opened.module->missing == nullptr) return opened.problem;
  return opened.module->missing();
}

}  // namespace lockstep::real
