#include "real/library/shared_library.hpp"

#include <dlfcn.h>

#include "core/base/error.hpp"

namespace lockstep::real {

SharedLibrary::SharedLibrary(const std::vector<std::string>& names) {
  for (const auto& name : names) {
    handle_ = ::dlopen(name.c_str(), RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
    if (handle_ != nullptr) {
      name_ = name;
      error_.clear();
      return;
    }
    const char* why = ::dlerror();
    error_ += (error_.empty() ? "" : "; ") + std::string(why != nullptr ? why : name + ": cannot be opened");
  }
}

void* SharedLibrary::address_of(const char* function) const {
  return handle_ == nullptr ? nullptr : ::dlsym(handle_, function);
}

void* SharedLibrary::needed_address_of(const char* function) const {
  void* address = address_of(function);
  if (address == nullptr)
    throw RunFailure(handle_ == nullptr ? error_ : fmt::format("{} has no function {}", name_, function));
  return address;
}

}  // namespace lockstep::real
