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

std::unique_ptr<BatchCopier> make_batch_copier(bool pinned, std::size_t most, int rank) {
  return module_with_gpu().make_copier(pinned, most, rank);
}

void need_device_of(const LoaderSpec& spec) {
  if (!spec.copies_to_device()) return;
  try {
    module_with_gpu();
  } catch (const InputError& error) {
    throw InputError(fmt::format("{}: copies to a device ('device', 'batch.staging') need a GPU: {}",
                                 spec.position.text(), error.what()));
  }
}

}  // namespace lockstep::real
