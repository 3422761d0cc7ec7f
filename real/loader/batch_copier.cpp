#include "real/loader/batch_copier.hpp"

#include <fmt/format.h>

#include "core/base/error.hpp"
#include "real/transport/module.hpp"

namespace lockstep::real {
namespace {

const TransportModule& module_with_gpu() {
  const TransportModule& module = open_module("nccl");
  if (module.no_device == nullptr || module.make_copier == nullptr)
    throw InputError("lockstep_nccl.so copies no batches");
  if (const std::string lacks = module.no_device(); !lacks.empty()) throw InputError(lacks);
  return module;
}

}  // namespace

std::unique_ptr<BatchCopier> make_batch_copier(const LoaderSpec& spec, std::size_t most, int rank) {
  try {
    return module_with_gpu().make_copier(spec.batch.staging == BatchSpec::Staging::pinned, most, rank);
  } catch (const InputError& error) {
    throw InputError(fmt::format("{}: copies to a device ('device', 'batch.staging') need a GPU: {}",
                                 spec.position.text(), error.what()));
  }
}

}  // namespace lockstep::real
